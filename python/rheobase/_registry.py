"""What the library says about itself: `description` (neurons, surrogates, versions). Loading happens here, once."""

from . import _library


def _folders():
    import rheobase

    return list(rheobase.__path__)


description = _library.load(_folders())

from . import _functions  # noqa: E402  (its operator exists once the library is loaded)

_functions.register()

#: name -> what a neuron of the library says about itself
neurons = {n["name"]: n for n in description["neurons"]}
#: name -> arguments with defaults, and which of them can be learned
surrogates = {s["name"]: s for s in description["surrogates"]}
