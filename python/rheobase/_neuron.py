"""The base of all layers with a threshold and a state: snnTorch's options, its calling convention, its class methods.

What a layer with a state does and how one derives from this class is in _stepped.py.
"""

import warnings
import weakref

import torch
from torch import nn

from . import surrogate as _surrogates
from ._functions import Function
from ._state import Instances
from ._stepped import Stepped

RESETS = ("subtract", "zero", "none")
# What a change of these makes a layer work out anew.
_PLANNED = frozenset(("spike_grad", "state_quant", "inhibition", "fused"))

_spike = torch.ops.rheobase.spike.default


class SpikingNeuron(Stepped):
    """Base of all layers that spike.

    threshold                   where the membrane fires: a number, or a tensor that broadcasts with one step
    spike_grad                  a surrogate (`snn.surrogate`), or any function u -> spikes; atan(alpha=2) by default
    surrogate_disable           spikes carry no gradient
    init_hidden                 the layer keeps its state itself: it is called with the input alone, and returns spikes
    inhibition                  of each row only the largest membrane may spike; dense layers only
    learn_threshold             the threshold is a parameter
    reset_mechanism             "subtract", "zero" or "none"
    state_quant                 a function applied to every state after every step (`functional.quant.state_quant`)
    output                      with init_hidden: states are returned as well
    graded_spikes_factor        what a spike is worth
    learn_graded_spikes_factor  the factor is a parameter
    reset_delay                 False: the step that fires also resets
    learn_slope                 the surrogate's slope is a parameter, `surrogate_slope`
    fused                       False: the reference path, plain tensor operations, differentiable any number of times
    """

    instances = Instances()
    reset_dict = {name: number for number, name in enumerate(RESETS)}

    def __init__(
        self,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_threshold=False,
        reset_mechanism="subtract",
        state_quant=False,
        output=False,
        graded_spikes_factor=1.0,
        learn_graded_spikes_factor=False,
        reset_delay=True,
        learn_slope=False,
        fused=True,
    ):
        super().__init__()
        self.init_hidden = init_hidden
        self.inhibition = inhibition
        self.output = output
        self.surrogate_disable = surrogate_disable
        self.state_quant = state_quant
        self.reset_delay = bool(reset_delay)
        self.fused = fused
        self._seen = []
        self._reset = _reset_number(type(self).__name__, reset_mechanism)
        if surrogate_disable:
            spike_grad = _surrogates.NO_GRADIENT
        self.spike_grad = _surrogates.DEFAULT if spike_grad is None else spike_grad
        if not callable(self.spike_grad):
            raise TypeError(
                f"[{type(self).__name__}] spike_grad must be a function u -> spikes, got {type(spike_grad).__name__}"
            )
        self._register_value("threshold", threshold, learn_threshold)
        self._register_value("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        self.register_buffer("reset_mechanism_val", torch.tensor(self._reset))
        if learn_slope:
            slope = getattr(self.spike_grad, "slope", None)
            if slope is None:
                raise TypeError(
                    f"[{type(self).__name__}] learn_slope needs a surrogate with a slope that can be learned, "
                    f"got {self.spike_grad!r}"
                )
            self._register_value("surrogate_slope", slope, True)
        self.learn_slope = learn_slope
        for name in self._state_names:
            self.register_buffer(name, torch.zeros(0), persistent=False)
        if inhibition:
            warnings.warn(
                "Inhibition is an unstable feature that has only been tested for dense (fully-connected) layers. "
                "Use with caution!",
                UserWarning,
                stacklevel=2,
            )
        self._plan()
        SpikingNeuron.instances.add(self)

    def _register_value(self, name, value, learn, persistent=True):
        """A number or tensor as a parameter or a buffer; a tensor is kept as it is, without a copy."""
        tensor = value if isinstance(value, torch.Tensor) else torch.as_tensor(value)
        if learn:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor, persistent=persistent)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name in _PLANNED and "_seen" in self.__dict__ and "spike_grad" in {*self.__dict__, *self._modules}:
            self._plan()

    def _plan(self):
        """Works out which path the layer runs on: `_plain` says that one call of the kernels is all of it."""
        closed = isinstance(self.spike_grad, _surrogates.Surrogate)
        self._surrogate = self.spike_grad if closed else _surrogates.DEFAULT
        self._spike_function = None if closed else Function(self.spike_grad)
        self._quantiser = Function(self.state_quant) if self.state_quant else None
        self._plain = closed and not self.state_quant and not self.inhibition and bool(self.fused)

    # ---- spikes --------------------------------------------------------------------------------------------------

    def _spikes(self, u):
        slope = self._parameters.get("surrogate_slope")
        if slope is not None:
            return _spike(u, self._surrogate.name, self._surrogate.args, slope.to(u))
        return self.spike_grad(u)

    def fire(self, mem):
        """Spikes of a membrane, graded."""
        if self.state_quant:
            mem = self.state_quant(mem)
        return self._spikes(mem - self.threshold) * self.graded_spikes_factor

    def fire_inhibition(self, batch_size, mem):
        """Spikes of a membrane [B, N], of each row the largest only, without the graded factor."""
        over = mem - self.threshold
        index = torch.argmax(over, dim=1)
        spk = self._spikes(over)
        mask = torch.zeros_like(spk)
        mask[torch.arange(batch_size), index] = 1
        return spk * mask

    def mem_reset(self, mem):
        """1 where the membrane is above threshold, without gradient."""
        return self._spikes(mem - self.threshold).clone().detach()

    @property
    def reset_mechanism(self):
        """What a spike does to the membrane: "subtract", "zero" or "none". May be assigned."""
        return RESETS[self._reset]

    @reset_mechanism.setter
    def reset_mechanism(self, name):
        self._reset = _reset_number(type(self).__name__, name)
        with torch.no_grad():
            self.reset_mechanism_val.fill_(self._reset)

    # ---- state ---------------------------------------------------------------------------------------------------

    @classmethod
    def init(cls):
        """Forgets all layers: reset_hidden and detach_hidden reach those made from now on."""
        SpikingNeuron.instances.clear()

    @classmethod
    def reset_hidden(cls):
        """Resets the state of every layer of this class in the process. `snn.utils.reset(net)` resets a network's only."""
        for layer in SpikingNeuron.instances:
            if isinstance(layer, cls):
                layer.reset_mem()

    @classmethod
    def detach_hidden(cls):
        """Cuts the history of the state of every layer of this class in the process."""
        for layer in SpikingNeuron.instances:
            if isinstance(layer, cls):
                layer._detach_state()

    @staticmethod
    def detach(*tensors):
        """Cuts the history of its arguments, in place."""
        for tensor in tensors:
            tensor.detach_()

    @staticmethod
    def zeros(*tensors):
        """Sets its arguments to zero, in place."""
        with torch.no_grad():
            for tensor in tensors:
                tensor.zero_()

    # ---- saving, copying -----------------------------------------------------------------------------------------

    def __getstate__(self):
        # A copy made in the middle of training starts from the same state, without its history.
        state = self.__dict__.copy()
        state["_seen"] = []
        state["_buffers"] = type(self._buffers)(
            (name, b.detach() if b is not None and name in self._state_names else b) for name, b in self._buffers.items()
        )
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        SpikingNeuron.instances.add(self)

    def _load_from_state_dict(self, *args, **named):
        super()._load_from_state_dict(*args, **named)
        value = int(self.reset_mechanism_val)
        if not 0 <= value < len(RESETS):
            raise ValueError(f"[{type(self).__name__}] reset_mechanism_val must be 0, 1 or 2, got {value}")
        self._reset = value

    def extra_repr(self):
        shown = [
            f"{name}={_text(value)}"
            for name, value in [*self._parameters.items(), *self._buffers.items()]
            if name not in (*self._state_names, "reset_mechanism_val", "graded_spikes_factor")
        ]
        shown.append(f"reset_mechanism={self.reset_mechanism!r}")
        shown += [f"{name}=True" for name in ("init_hidden", "inhibition", "output") if getattr(self, name)]
        if not isinstance(self.spike_grad, nn.Module):
            shown.append(f"spike_grad={self.spike_grad!r}")
        return ", ".join(shown)

    # ---- values --------------------------------------------------------------------------------------------------

    def _unchanged(self, values):
        """Whether these tensors are those remembered, untouched since."""
        seen = self._seen
        try:
            if len(seen) != len(values):
                return False
            for value, (reference, version) in zip(values, seen):
                if value is not None and (reference() is not value or value._version != version):
                    return False
        except RuntimeError:  # inference tensors have no version
            return False
        return True

    def _remember(self, values):
        self.__dict__["_seen"] = [
            (None, 0) if v is None else (weakref.ref(v), 0 if v.is_inference() else v._version) for v in values
        ]


class LIF(SpikingNeuron):
    """A SpikingNeuron with the decay `beta`, a parameter with learn_beta. Base of layers written by hand."""

    def __init__(
        self,
        beta,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_beta=False,
        learn_threshold=False,
        reset_mechanism="subtract",
        state_quant=False,
        output=False,
        graded_spikes_factor=1.0,
        learn_graded_spikes_factor=False,
        **further,
    ):
        super().__init__(
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
            graded_spikes_factor,
            learn_graded_spikes_factor,
            **further,
        )
        self._register_value("beta", beta, learn_beta)


def _reset_number(kind, name):
    if name not in RESETS:
        raise ValueError(f"[{kind}] reset_mechanism must be one of {', '.join(RESETS)}, got {name!r}")
    return RESETS.index(name)


def _text(value):
    if value is None:
        return "None"
    learned = " (learned)" if isinstance(value, nn.Parameter) else ""
    return (f"{value.item():g}" if value.numel() == 1 else str(list(value.shape))) + learned
