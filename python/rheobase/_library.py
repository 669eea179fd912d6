"""The shared library: found, checked against this torch, loaded; and what it says about itself.

RHEOBASE_LIBRARY names a library; without it the one beside the package serves, of an editable install too.
"""

import json
import os
from pathlib import Path

import torch

NAME = "librheobase.so"


def find(folders):
    """The library's path. Raises ImportError saying where it was looked for."""
    named = os.environ.get("RHEOBASE_LIBRARY")
    if named:
        if not Path(named).is_file():
            raise ImportError(f"[rheobase] RHEOBASE_LIBRARY must name a file, got '{named}'")
        return Path(named)
    candidates = [Path(folder) / NAME for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = ", ".join(str(c.parent) for c in candidates)
    raise ImportError(
        f"[rheobase] {NAME} is not in {places}: install the package (pip install .), run ./dev build, "
        "or let RHEOBASE_LIBRARY name the file"
    )


def load(folders):
    """Loads the library into this process and returns what it says about itself (`description`)."""
    path = find(folders)
    try:
        torch.ops.load_library(str(path))
        text = torch.ops.rheobase.describe()
    except (OSError, AttributeError, RuntimeError) as error:
        raise ImportError(
            f"[rheobase] {path} cannot be loaded beside torch {torch.__version__}; it must be built against the same "
            f"torch ({error})"
        ) from error
    described = json.loads(text)
    if not same_release(described["torch"], torch.__version__):
        raise ImportError(
            f"[rheobase] {path} was built against torch {described['torch']}, but this is torch {torch.__version__}: "
            "build Rheobase again (pip install .)"
        )
    return described


def same_release(built, present):
    """Whether two versions of torch have the same binary interface: "2.13.0" and "2.13.0+cpu"."""
    return built.split("+")[0].split(".")[:2] == present.split("+")[0].split(".")[:2]
