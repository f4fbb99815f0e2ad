"""Write the dijet table of a file of particles: ``python data_scripts/make_features.py IN OUT``.

The same as ``cmslabs features IN OUT``, for where the command is not on the path.
"""

import sys

from cmslabs.cli.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["features"]
    main()
