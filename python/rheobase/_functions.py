"""Python functions that the library calls: surrogates and state quantisers that are no formula of its own.

The operator `rheobase::function(x, number)` is declared in C++ and implemented here. A `Function` is callable, has a
number, and lives as long as its layer holds it.
"""

import secrets
import weakref

import torch

_alive = weakref.WeakValueDictionary()
_library = torch.library.Library("rheobase", "IMPL")


class Function:
    """A function of one tensor that the library can call by `number`."""

    def __init__(self, function):
        self.function = function
        # Random: torch.compile's cache on disk knows a function by its number alone, also in another process.
        self.number = secrets.randbits(62)
        _alive[self.number] = self

    def __call__(self, x):
        return self.function(x)

    def __reduce__(self):
        return Function, (self.function,)


def _call(x, number):
    return _alive[number].function(x)


def register():
    """Once the library is loaded."""
    _library.impl("function", _call, "CompositeImplicitAutograd")
