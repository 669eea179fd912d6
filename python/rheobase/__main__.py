"""`python -m rheobase`: the program rheobase, as the package carries it."""

import os
import sys
from pathlib import Path


def program():
    """The program beside the package, of an editable install too. Without one: an error that says so."""
    import importlib.util

    folders = importlib.util.find_spec("rheobase").submodule_search_locations
    for folder in folders:
        path = Path(folder) / "bin" / "rheobase"
        if path.is_file():
            return path
    sys.exit(f"rheobase: the program is not in {', '.join(folders)}: install the package (pip install .), or run ./dev build")


def main():
    """Becomes the program, with the same arguments."""
    path = program()
    os.execv(path, [str(path), *sys.argv[1:]])


if __name__ == "__main__":
    main()
