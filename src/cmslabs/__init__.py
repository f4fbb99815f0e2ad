"""cmslabs: the companion package of the course *Anomaly hunting at the LHC*.

Importing it loads neither torch nor coffea; each room loads what it needs when it is used.
"""

from importlib.metadata import version as _version

__version__ = _version("cmslabs")

__all__ = ["__version__"]
