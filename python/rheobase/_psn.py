"""Parallel spiking neurons: without a reset nothing feeds back, so that the weights over time are learned."""

import math

import torch
from torch import nn

from ._kernels import computed, given_state, in_type_of
from ._neuron import SpikingNeuron
from ._scan import Past, Scan, product, refuse_useless


def _positive(kind, name, value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"[{kind}] {name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"[{kind}] {name} must be positive, got {value}")


class _Parallel(Scan, SpikingNeuron):
    """What both are: `weight` over time, `bias`, and membranes that are fired all at once."""

    def forward(self, input_):
        return self._from_zero(input_)


class PSN(_Parallel):
    """A parallel spiking neuron: the membrane of every step is a weighted sum over all steps, past and to come.

        mem[t] = sum over s of weight[t, s] x[s] + bias[t]        spk = graded_spikes_factor if mem > threshold

    steps    T, the only sequence length it takes

    weight [T, T] begins uniform within 1/sqrt(T), bias [T] at 0; both are learned.
    forward(input_) -> (spk, mem): input_ [T, B, ...], one product. It carries no state.

    W. Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies";
    SpikingJelly's PSN, whose bias is bias - threshold here.
    """

    _state_names = ()

    def __init__(self, steps, **common):
        refuse_useless("PSN", common)
        _positive("PSN", "steps", steps)
        super().__init__(**common)
        self.steps = steps
        bound = 1 / math.sqrt(steps)
        self.weight = nn.Parameter(torch.empty(steps, steps).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(steps))

    def _sequence(self, x, steps, state, traces):
        if steps != self.steps:
            raise ValueError(f"[PSN] input_ must have steps = {self.steps} time steps, got {[steps, *x.shape[1:]]}")
        values = computed(x).expand(steps, *x.shape[1:])
        flat = values.reshape(steps, math.prod(x.shape[1:]))
        mem = product(self.weight.to(values.dtype), flat.t(), None) + self.bias.to(values.dtype)[:, None]
        spk, mem = self._fired(mem.view(values.shape))
        return in_type_of(x, spk, [mem], [])


class SlidingPSN(_Parallel):
    """A parallel spiking neuron that looks at the last `order` steps, the same way at every step.

        mem[t] = sum over i of weight[i] x[t - order + 1 + i] + bias        spk = graded_spikes_factor if mem > threshold

    order    k, how many steps it looks at

    weight [k] begins with 2^(i - k + 1), bias [1] at 0; both are learned.
    forward(input_) -> (spk, mem): input_ [T, B, ...], any T, from zero
    sequence(input_, state) -> (spk, mem, state): goes on. The state is `past`, the last k - 1 inputs

    W. Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies";
    SpikingJelly's SlidingPSN, whose bias is bias - threshold here.
    """

    _state_names = Past._fields

    def __init__(self, order, **common):
        refuse_useless("SlidingPSN", common)
        _positive("SlidingPSN", "order", order)
        super().__init__(**common)
        self.order = order
        self.weight = nn.Parameter(torch.exp2(torch.arange(order, dtype=torch.get_default_dtype()) - (order - 1)))
        self.bias = nn.Parameter(torch.zeros(1))

    def _state_shape(self, x):
        return torch.Size((self.order - 1, *x.shape))

    def _sequence(self, x, steps, state, traces):
        values = computed(x).expand(steps, *x.shape[1:])
        first = given_state(self, state, values)
        past = first[0] if first else values.new_zeros((self.order - 1, *x.shape[1:]))
        every = torch.cat([past, values])
        weight = self.weight.to(values.dtype)
        mem = self.bias.to(values.dtype).expand(values.shape)
        for i in range(self.order):
            mem = mem + weight[i] * every[i : i + steps]
        spk, mem = self._fired(mem)
        return in_type_of(x, spk, [mem], [every[steps:]])
