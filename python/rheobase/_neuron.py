"""The base of all layers with a threshold and a state: snnTorch's options, its calling convention, its class methods.

A layer derives from SpikingNeuron and says what it carries, and how one step of it goes:

    class Mine(SpikingNeuron):
        _state_names = ("syn", "mem")                      # in the order in which they are passed and returned

        def __init__(self, alpha, **common):
            super().__init__(**common)                     # threshold, spike_grad, init_hidden, ... (see SpikingNeuron)
            self._register_value("alpha", alpha, learn=False)

        def _state_shape(self, x):                         # of one state, for one step x; default: that of x
            return x.shape

        def _step(self, x, state):                         # state: a tensor per name; another shape counts as zeros,
            ...                                            # see _fresh(); returns [spk, syn, mem]

        def _sequence(self, x, steps, state, traces):      # optional: all steps at once. x [T, ...] or [1, ...];
            ...                                            # returns spk [T, ...], [a trace [T, ...] per state] or [], [last]

`forward`, `sequence`, `reset_mem`, `init_mine`, `Mine.State`, `reset_hidden`, pickling and copying then work. States are
buffers outside of the state-dict; `.to()` moves them. What `_step` returns is what is kept, and handed out.
"""

import weakref
from collections import namedtuple

import torch
from torch import nn

from . import surrogate as _surrogates
from ._functions import Function
from ._state import Instances, row_of, rows_and_steps

RESETS = ("subtract", "zero", "none")
# What a change of these makes a layer work out anew.
_PLANNED = frozenset(("spike_grad", "state_quant", "inhibition", "fused"))

_spike = torch.ops.rheobase.spike.default


class SpikingNeuron(nn.Module):
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
    _state_names = ("mem",)

    def __init_subclass__(cls, **named):
        super().__init_subclass__(**named)
        cls.State = namedtuple(f"{cls.__name__}State", cls._state_names, module=cls.__module__)
        cls.State.__qualname__ = f"{cls.__qualname__}.State"
        cls.State.__doc__ = f"The state of {cls.__name__}: {', '.join(cls._state_names)}."
        alias = f"init_{cls.__name__.lower()}"
        if alias not in cls.__dict__:
            setattr(cls, alias, lambda self: self.reset_mem())
            cls.__dict__[alias].__doc__ = "snnTorch's old name of reset_mem."

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
            import warnings

            warnings.warn("Inhibition is an unstable feature that has only been tested for dense (fully-connected) layers. "
                          "Use with caution!", UserWarning, stacklevel=2)
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

    # ---- the common forward --------------------------------------------------------------------------------------

    def forward(self, input_, *given, **named):
        """One time step. Returns (spikes, states ...), or the spikes alone with init_hidden.

        A state that is None continues from the layer's last; an empty tensor means fresh zeros.
        """
        if named:
            given = self._ordered(given, named)
        if given:
            self._accept(given, input_)
        buffers = self._buffers
        names = self._state_names
        out = self._step(input_, [buffers[name] for name in names])
        for name, value in zip(names, out[1:]):
            buffers[name] = value
        if self.init_hidden and not self.output:
            return out[0]
        return tuple(out)

    def _ordered(self, given, named):
        names = self._state_names
        given = list(given) + [None] * (len(names) - len(given))
        for name, value in named.items():
            if name not in names:
                raise TypeError(
                    f"[{type(self).__name__}] states are {', '.join(names)}, got an unexpected keyword argument '{name}'"
                )
            given[names.index(name)] = value
        return given

    def _accept(self, given, input_):
        """Takes states that the caller hands in for the layer's own."""
        if len(given) > len(self._state_names):
            raise TypeError(
                f"[{type(self).__name__}] takes the input and {', '.join(self._state_names)}, got {len(given)} states"
            )
        taken = [(name, value) for name, value in zip(self._state_names, given) if value is not None]
        if taken and self.init_hidden:
            raise TypeError(
                f"[{type(self).__name__}] {taken[0][0]} should not be passed as an argument while init_hidden=True"
            )
        for name, value in taken:
            self._check_state(name, value, input_)
        for name, value in taken:
            self._buffers[name] = value

    def _check_state(self, name, value, x):
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"[{type(self).__name__}] {name} must be a tensor, got {type(value).__name__}")
        shape = self._state_shape(x)
        if value.shape != shape and value.numel() > 0:
            raise ValueError(
                f"[{type(self).__name__}] {name} must have the shape of a state, {list(shape)}, got {list(value.shape)}"
            )

    def _state_shape(self, x):
        """The shape of each state for one step x."""
        return x.shape

    def _fresh(self, state, x):
        """`state` in the type of x, with zeros for a tensor of another shape than _state_shape(x)."""
        shape = self._state_shape(x)
        return [s.to(x) if s.shape == shape else x.new_zeros(shape) for s in state]

    def _step(self, x, state):
        raise NotImplementedError(f"[{type(self).__name__}] a layer must define _step(x, state)")

    # ---- whole sequences -----------------------------------------------------------------------------------------

    def sequence(self, input_, state=None):
        """All time steps in one call: `input_` [T, B, ...] or `snn.constant(x, T)`.

        sequence(x)         -> spk, mem            [T, B, ...] each; goes on from the layer's last state, and keeps the new one
        sequence(x, state)  -> spk, mem, state     goes on from `state` (`()`: zeros) and leaves the layer alone
        """
        x, steps = rows_and_steps(input_, type(self).__name__)
        if state is None:
            first = [self._buffers[name] for name in self._state_names]
            spk, traces, last = self._sequence(x, steps, first, True)
            for name, value in zip(self._state_names, last):
                self._buffers[name] = value
            return spk, self._membrane(traces)
        if self.init_hidden:
            raise TypeError(f"[{type(self).__name__}] state should not be passed as an argument while init_hidden=True")
        spk, traces, last = self._sequence(x, steps, self._explicit(state, row_of(x)), True)
        return spk, self._membrane(traces), self.State(*last)

    def _explicit(self, state, row):
        """What an explicit state holds, checked: a tensor per name. `()` is zeros."""
        if isinstance(state, torch.Tensor):
            state = (state,)
        state = list(state)
        if not state:
            return [row.new_zeros(0) for _ in self._state_names]
        if len(state) != len(self._state_names):
            raise ValueError(
                f"[{type(self).__name__}] state must hold {', '.join(self._state_names)}, got {len(state)} tensors"
            )
        state = [row.new_zeros(0) if value is None else value for value in state]
        for name, value in zip(self._state_names, state):
            self._check_state(name, value, row)
        return state

    def _membrane(self, traces):
        return traces[self._state_names.index("mem") if "mem" in self._state_names else -1]

    def _sequence(self, x, steps, state, traces):
        """The steps one by one; a layer that can do better has its own."""
        spikes, kept = [], [[] for _ in state]
        for t in range(steps):
            spk, *state = self._step(x[t if x.shape[0] > 1 else 0], list(state))
            spikes.append(spk)
            for values, value in zip(kept, state):
                values.append(value)
        if not steps:
            state = self._fresh(state, x.new_zeros(x.shape[1:]))
            empty = x.new_zeros((0, *x.shape[1:]))
            return empty, [empty for _ in state] if traces else [], state
        return torch.stack(spikes), [torch.stack(values) for values in kept] if traces else [], list(state)

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

    @property
    def state(self):
        """The layer's last state."""
        return self.State(*(self._buffers[name] for name in self._state_names))

    def reset_mem(self):
        """Sets every state to zeros of its present shape, and returns it: a tensor, or a tuple of several."""
        for name in self._state_names:
            self._buffers[name] = torch.zeros_like(self._buffers[name].detach())
        states = tuple(self._buffers[name] for name in self._state_names)
        return states[0] if len(states) == 1 else states

    def _detach_state(self):
        for name in self._state_names:
            if self._buffers[name] is not None:
                self._buffers[name] = self._buffers[name].detach()

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
