"""Packages that only some functions need: imported when one of these is called, and missed by name."""

from __future__ import annotations

import importlib
from typing import Any


def needed(function: str, module: str) -> Any:
    """The module, or an error that says which package to install for which function."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        missing = "" if error.name == package else f" (it misses {error.name})"
        raise ModuleNotFoundError(
            f"[{function}] needs the package {package}, which cannot be imported{missing}: pip install {package}",
            name=error.name,
        ) from error
