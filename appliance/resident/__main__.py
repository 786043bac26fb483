"""Starts the resident: `python3 /usr/lib/qrm/resident` in a deployed system.

A directory given to the interpreter is no package; with its parent on sys.path it is one.
"""

import sys
from importlib import import_module
from pathlib import Path


def package_name() -> str:
    """The name under which this directory can be imported; changes sys.path when it has to."""
    if __package__:
        return __package__
    directory = Path(__file__).resolve().parent
    sys.path[0] = str(directory.parent)
    return directory.name


if __name__ == "__main__":
    sys.exit(import_module(f"{package_name()}.main").main(sys.argv[1:]))
