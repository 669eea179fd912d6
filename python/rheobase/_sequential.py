"""Layers one after another, over time.

    net = snn.Sequential(nn.Linear(784, 1000), snn.Leaky(beta=0.95), nn.Linear(1000, 10), snn.Leaky(beta=0.95))
    spk, mem = net(x)                            # x [T, B, 784] -> [T, B, 10] each, of the last neuron
    spk, mem = net(snn.constant(images, 25))     # the first Linear runs once, not 25 times
    spk, mem, state = net(x, {})                 # with a state: a dict from layer names; hands the last one back
    snn.Sequential(net.fc1, net.lif1, net.fc2, net.lif2)    # the layers of a network that exists: they are shared, not copied

A layer is one of three kinds: time-aware (neurons, another Sequential), stateless (no neuron inside: all time steps in one
call), or a step of the user's own with neurons inside, which is called once per time step.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.compiler import is_compiling

from ._neuron import SpikingNeuron
from ._state import TimeConstant, constant, row_of, rows_and_steps

_linear = torch.ops.rheobase.linear.default

_DRAWING = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU,
)  # fmt: skip
_KEEPS_ZEROS = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool1d, nn.MaxPool2d)


class Sequential(nn.Sequential):
    """Time-aware nn.Sequential: runs layer by layer over whole sequences [T, B, ...].

    Neurons without init_hidden start every call from zeros, or from `state`; those with it keep their state themselves.
    Batch normalisation in training sees the T * B rows of a sequence as one batch. A constant input goes through stateless
    layers once, up to the first neuron, unless a layer draws random numbers.
    """

    def __init__(self, *layers):
        if len(layers) == 1 and type(layers[0]) is nn.Sequential:
            layers = (OrderedDict(layers[0].named_children()),)
        super().__init__(*layers)

    def forward(self, input_, state=None, *, num_steps=None):
        """`input_` [T, B, ...] or `snn.constant(x, T)`; `state` a dict of what layers start from (`{}`: zeros).

        With num_steps `input_` [B, ...] is the input of every one of so many steps.
        Returns (spk, mem) where the last layer is a neuron, else its output; with a state, the last state besides.
        """
        if num_steps is not None:
            input_ = constant(input_, num_steps)
        out, last = self._run(input_, {} if state is None else state, True)
        if state is None:
            return out
        return (*out, last) if isinstance(out, tuple) else (out, last)

    def _run(self, input_, state, is_last):
        x, steps = rows_and_steps(input_, "Sequential")
        named = list(self._modules.items())
        self._check_state(state, named)
        flow = _Flow(x, steps)
        last_state, out = {}, None
        for index, (name, layer) in enumerate(named):
            final = is_last and index == len(named) - 1
            if isinstance(layer, Sequential):
                out, inner = layer._run(flow.input(), state.get(name, {}), final)
                if inner:
                    last_state[name] = inner
                flow = _Flow(out[0] if isinstance(out, tuple) else out, steps)
            elif is_neuron(layer):
                spk, mem, after = self._run_neuron(layer, flow, state.get(name), final)
                if after is not None:
                    last_state[name] = after
                flow, out = _Flow(spk, steps, spikes=True), (spk, mem) if final else None
            elif takes_sequences(layer):
                out = layer(flow.every_step())
                flow = _Flow(out[0] if isinstance(out, tuple) else out, steps)
            else:
                flow, out = self._run_other(name, layer, flow), None
        return (flow.every_step() if out is None else out), last_state

    def _check_state(self, state, named):
        if not isinstance(state, dict):
            raise TypeError(f"[Sequential] state must be a dict from layer names to states, got {type(state).__name__}")
        known = [name for name, layer in named if isinstance(layer, (Sequential, SpikingNeuron))]
        for name in state:
            if name not in known:
                raise ValueError(f"[Sequential] state must belong to a layer that has one, {', '.join(known)}, got {name!r}")

    def _run_neuron(self, layer, flow, state, final):
        """Spikes, membranes (where they are wanted) and, of a layer that does not keep it, the last state."""
        if layer.init_hidden:
            if state is not None:
                raise TypeError(f"[Sequential] {type(layer).__name__} has init_hidden and keeps its own state")
            spk, traces = run_stored(layer, flow, final)
            return spk, layer._membrane(traces) if final else None, None
        first = layer._explicit(() if state is None else state, row_of(flow.x))
        if hooked(layer):
            spk, traces, last = _by_calls(layer, flow, first)
        else:
            spk, traces, last = layer._sequence(flow.x, flow.steps, first, final)
        return spk, layer._membrane(traces) if final else None, layer.State(*last)

    def _run_other(self, name, layer, flow):
        if any(is_neuron(module) for module in layer.modules()):
            if not flow.steps:
                raise ValueError(f"[Sequential] layer '{name}' runs step by step and must have a step, got a sequence of none")
            steps = flow.every_step()
            return _Flow(torch.stack([layer(steps[t]) for t in range(flow.steps)]), flow.steps)
        return run_stateless(name, layer, flow)


class _Flow:
    """What runs through the layers: x [T, ...], or [1, ...] where it is the same at every step."""

    __slots__ = ("x", "steps", "spikes")

    def __init__(self, x, steps, spikes=False):
        self.x = x
        self.steps = steps
        self.spikes = spikes

    @property
    def is_constant(self):
        return self.x.shape[0] != self.steps

    def every_step(self):
        return self.x.expand(self.steps, *self.x.shape[1:]) if self.is_constant else self.x

    def input(self):
        """As a time-aware layer takes it."""
        return TimeConstant(self.x[0], self.steps) if self.is_constant else self.x


def is_neuron(layer):
    """A layer with a state that is called step by step."""
    return isinstance(layer, SpikingNeuron) and not takes_sequences(layer)


def takes_sequences(layer):
    """A layer whose own forward takes all time steps at once."""
    return getattr(type(layer), "_takes_sequences", False)


def hooked(module):
    """Whether somebody watches the calls of this module."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


def run_stored(layer, flow, traces):
    """All steps of a neuron that goes on from its stored state and keeps the new one: spikes and traces."""
    first = [layer._buffers[name] for name in layer._state_names]
    if hooked(layer):
        spk, kept, last = _by_calls(layer, flow, None)
        return spk, kept
    spk, kept, last = layer._sequence(flow.x, flow.steps, first, traces)
    for name, value in zip(layer._state_names, last):
        layer._buffers[name] = value
    return spk, kept


def _by_calls(layer, flow, state):
    """Step by step through the layer's own call, which its hooks see."""
    steps, spikes, kept = flow.every_step(), [], []
    for t in range(flow.steps):
        out = layer(steps[t]) if state is None else layer(steps[t], *state)
        spikes.append(out if isinstance(out, torch.Tensor) else out[0])
        last = list(layer.state)
        state = None if state is None else last
        kept.append(last)
    if not kept:
        raise ValueError(f"[Sequential] {type(layer).__name__} has hooks and must have a step, got a sequence of none")
    return torch.stack(spikes), [torch.stack(values) for values in zip(*kept)], kept[-1]


def run_stateless(name, layer, flow):
    """A layer without neurons on all time steps at once: time and batch are one dimension for it."""
    x = flow.x
    if flow.is_constant and any(isinstance(m, _DRAWING) and m.training for m in layer.modules()):
        x = flow.every_step()
    spikes = flow.spikes and isinstance(layer, _KEEPS_ZEROS)
    if type(layer) is nn.Linear and not hooked(layer) and not is_compiling() and not _autocast():
        return _Flow(_linear(x, layer.weight, layer.bias, flow.spikes), flow.steps)
    if x.dim() < 3:
        return _Flow(layer(x), flow.steps, spikes)
    y = layer(x.flatten(0, 1))
    if not isinstance(y, torch.Tensor):
        raise TypeError(f"[Sequential] layer '{name}' must return a tensor, got {type(y).__name__}")
    if y.dim() < 1 or y.shape[0] != x.shape[0] * x.shape[1]:
        raise ValueError(
            f"[Sequential] layer '{name}' must keep the rows, time steps times batch = {x.shape[0] * x.shape[1]}, "
            f"got {list(y.shape)}"
        )
    return _Flow(y.reshape(x.shape[0], x.shape[1], *y.shape[1:]), flow.steps, spikes)


def _autocast():
    return torch.is_autocast_enabled("cpu")
