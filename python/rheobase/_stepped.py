"""A layer with a state over time: one step in snnTorch's calling convention, whole sequences, and the state itself.

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

from collections import namedtuple

import torch
from torch import nn

from ._state import row_of, rows_and_steps


class Stepped(nn.Module):
    """What every layer with a state does. `init_hidden` and `output` are attributes of the layer."""

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

    # ---- one step ------------------------------------------------------------------------------------------------

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
        return tuple(out) if self._hands_out else out[0]

    @property
    def _hands_out(self):
        """Whether a call returns states beside the spikes."""
        return self.output or not self.init_hidden

    def _handed_out(self, spk, states):
        """What a call returns where it returns states."""
        return (spk, *states)

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

    # ---- the state -----------------------------------------------------------------------------------------------

    @property
    def state(self):
        """The layer's last state."""
        return self.State(*(self._buffers[name] for name in self._state_names))

    def reset_mem(self):
        """Sets every state to zeros of its present shape, and returns it: a tensor, or a tuple of several."""
        for name in self._state_names:
            self._buffers[name] = self._cleared(self._buffers[name].detach())
        states = tuple(self._buffers[name] for name in self._state_names)
        return states[0] if len(states) == 1 else states

    def _cleared(self, state):
        """What stands for a fresh state in place of this one."""
        return torch.zeros_like(state)

    def _detach_state(self):
        for name in self._state_names:
            if self._buffers[name] is not None:
                self._buffers[name] = self._buffers[name].detach()
