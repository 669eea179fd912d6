"""Rheobase: spiking neural networks on PyTorch, with snnTorch's names and fused C++ underneath.

    import rheobase as snn

    lif = snn.Leaky(beta=0.9)
    spk, mem = lif(x, mem)              # one step, as in snnTorch
    spk, mem = lif.sequence(x)          # x [T, B, ...]: all steps in one fused call, forward and backward
"""

from . import _registry
from . import surrogate
from ._fuse import fuse
from ._neuron import LIF, SpikingNeuron
from ._own import neuron
from ._pointwise import classes as _classes
from ._sequential import Sequential
from ._state import TimeConstant, constant

globals().update(_classes)

__version__ = _registry.description["version"]

__all__ = [
    "LIF",
    "Sequential",
    "SpikingNeuron",
    "TimeConstant",
    "constant",
    "fuse",
    "neuron",
    "surrogate",
    "__version__",
    *_classes,
]
