"""`python -m rheobase`: the program rheobase, as the package carries it."""

import importlib.util
import os
import sys
from pathlib import Path


def program():
    """The program beside the package, of an editable install too. Without one: an error that says so."""
    folders = importlib.util.find_spec("rheobase").submodule_search_locations
    for folder in folders:
        path = Path(folder) / "bin" / "rheobase"
        if path.is_file():
            return path
    sys.exit(f"rheobase: the program is not in {', '.join(folders)}: install the package (pip install .), or run ./dev build")


def environment():
    """This process's, in which the program finds libtorch also where torch does not lie beside the package."""
    found = importlib.util.find_spec("torch")
    if found is None:
        return os.environ
    known = os.environ.get("LD_LIBRARY_PATH")
    folders = [str(Path(folder) / "lib") for folder in found.submodule_search_locations]
    return os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(folders + ([known] if known else []))}


def main():
    """Becomes the program, with the same arguments."""
    path = program()
    os.execve(path, [str(path), *sys.argv[1:]], environment())


if __name__ == "__main__":
    main()
