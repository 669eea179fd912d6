"""Rheobase: spiking neural networks on PyTorch, with snnTorch's names and fused C++ underneath.

    import rheobase as snn

    lif = snn.Leaky(beta=0.9)
    spk, mem = lif(x, mem)              # one step, as in snnTorch
    spk, mem = lif.sequence(x)          # x [T, B, ...]: all steps in one fused call, forward and backward
"""

import importlib

from . import _registry, surrogate
from ._associative_leaky import AssociativeLeaky
from ._fuse import fuse
from ._layers import BatchNormTT1d, BatchNormTT2d, GradedSpikes
from ._leaky_parallel import LeakyParallel
from ._lstm import SConv2dLSTM, SLSTM
from ._neuron import LIF, SpikingNeuron
from ._own import neuron
from ._pointwise import classes as _classes
from ._psn import PSN, SlidingPSN
from ._recurrent import RLeaky, RSynaptic
from ._scan import LinearLeaky, StateLeaky
from ._sequential import Sequential
from ._state import TimeConstant, constant

globals().update(_classes)

__version__ = _registry.description["version"]

# Loaded when they are first named: `snn.utils.reset(net)` works after `import rheobase as snn`.
_SUBMODULES = ("backprop", "export_nir", "functional", "import_nir", "spikegen", "spikeplot", "utils")


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})


__all__ = [
    "AssociativeLeaky",
    "BatchNormTT1d",
    "BatchNormTT2d",
    "GradedSpikes",
    "LIF",
    "LeakyParallel",
    "LinearLeaky",
    "PSN",
    "RLeaky",
    "RSynaptic",
    "SConv2dLSTM",
    "SLSTM",
    "Sequential",
    "SlidingPSN",
    "SpikingNeuron",
    "StateLeaky",
    "TimeConstant",
    "constant",
    "fuse",
    "neuron",
    "surrogate",
    "__version__",
    *_classes,
]
