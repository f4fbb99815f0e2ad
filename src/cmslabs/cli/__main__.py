"""`python -m cmslabs.cli` is the command `cmslabs`."""

from cmslabs.cli.main import main

main()
