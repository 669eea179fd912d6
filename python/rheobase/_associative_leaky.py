"""A matrix-valued associative memory that fires: AssociativeLeaky."""

import math

import torch
from torch import nn

from ._kernels import computed, given_state, has_formula, in_type_of
from ._neuron import SpikingNeuron
from ._scan import Scan, product, refuse_useless

_associative = torch.ops.rheobase.associative.default


class AssociativeLeaky(Scan, SpikingNeuron):
    """A matrix-valued associative memory that fires (gated linear attention).

        S[t] = S[t-1] diag(a[t]) + v[t] k[t]^T,   spikes(S) = 1 where S > threshold,   y[t] = spikes(S[t]) q[t]

    v, k, a = sigmoid and q are the linear layers to_v, to_k, to_alpha and to_q of the input. Linear in T, at any decay.

    d_value, d_key       the size of S
    num_spiking_neurons  d_value d_key, or None
    use_q_projection     False: the spikes of S are the output, [T, B, d_value d_key]; else [T, B, d_value d_value]

    forward(input_) -> y: input_ [T, B, in_dim], from zero
    sequence(input_) -> (y, mem): mem [T, B, d_value d_key], the S of every step
    sequence(input_, state) -> (y, mem, AssociativeLeaky.State(mem)): goes on

    S. Yang et al. 2024, "Gated linear attention transformers with hardware-efficient training".
    """

    def __init__(self, in_dim, d_value, d_key, num_spiking_neurons=None, use_q_projection=True, **common):
        refuse_useless("AssociativeLeaky", common)
        for name, size in (("in_dim", in_dim), ("d_value", d_value), ("d_key", d_key)):
            if size <= 0:
                raise ValueError(f"[AssociativeLeaky] {name} must be a positive integer, got {size}")
        units = d_value * d_key
        if num_spiking_neurons not in (None, units):
            raise ValueError(
                f"[AssociativeLeaky] num_spiking_neurons must be d_value * d_key = {units}, got {num_spiking_neurons}"
            )
        super().__init__(output=True, **common)
        self.in_dim = in_dim
        self.d_value = d_value
        self.d_key = d_key
        self.num_spiking_neurons = units
        self.use_q_projection = use_q_projection
        self.to_v = nn.Linear(in_dim, d_value)
        self.to_k = nn.Linear(in_dim, d_key)
        self.to_alpha = nn.Linear(in_dim, d_key)
        self.to_q = nn.Linear(in_dim, units) if use_q_projection else None

    @classmethod
    def from_num_spiking_neurons(cls, in_dim, num_spiking_neurons, use_q_projection=True, **common):
        """d_value = d_key = sqrt(num_spiking_neurons)."""
        side = math.isqrt(max(num_spiking_neurons, 0))
        if num_spiking_neurons <= 0 or side * side != num_spiking_neurons:
            raise ValueError(
                f"[AssociativeLeaky] num_spiking_neurons must be a positive perfect square, got {num_spiking_neurons}"
            )
        return cls(in_dim, side, side, num_spiking_neurons, use_q_projection, **common)

    def forward(self, input_):
        if input_.dim() != 3:
            raise ValueError(f"[AssociativeLeaky] input_ must be [T, B, {self.in_dim}], got {list(input_.shape)}")
        return self._from_zero(input_, traces=False)[0]

    def _state_shape(self, x):
        if x.dim() < 1 or x.shape[-1] != self.in_dim:
            raise RuntimeError(f"[AssociativeLeaky] input_ must be [T, ..., {self.in_dim}], got [T, *{list(x.shape)}]")
        return torch.Size((*x.shape[:-1], self.d_value * self.d_key))

    def _sequence(self, x, steps, state, traces):
        values, d, n = computed(x), self.d_value, self.d_key
        batch = x.shape[1:-1]
        rows = math.prod(batch)
        first = given_state(self, state, values)
        start = first[0].reshape(rows, d * n) if first else None

        def project(layer):
            y = product(values, layer.weight, layer.bias)
            return y.reshape(y.shape[0], rows, y.shape[-1]).expand(steps, -1, -1)

        v, k, a = project(self.to_v), project(self.to_k), torch.sigmoid(project(self.to_alpha))
        q = project(self.to_q) if self.use_q_projection else None
        threshold, graded = self.threshold.to(v), self.graded_spikes_factor.to(v)
        in_kernel = all(t.numel() in (1, d * n) for t in (threshold, graded))
        fused = self.fused and not x.is_cuda
        fires = fused and has_formula(self) and not self.state_quant and in_kernel
        if fused:
            if not fires:
                threshold = graded = v.new_zeros(())
            surrogate = self._surrogate
            y, last, mem = _associative(
                v, k, a, q if fires else None, start, threshold, graded, surrogate.name, surrogate.args, traces or not fires
            )
        else:
            mem, last = self._matrices(v, k, a, start)
        if not fires:
            spk, mem = self._fired(mem.reshape(steps, *batch, d * n))
            y = spk if q is None else spk.reshape(steps, rows, d, n) @ q.reshape(steps, rows, n, d)
        y = y.reshape(steps, *batch, d * n if q is None else d * d)
        kept = [mem.reshape(steps, *batch, d * n)] if traces else []
        return in_type_of(x, y, kept, [last.reshape(*batch, d * n)])

    def _matrices(self, v, k, a, start):
        """S of every step and the last, as plain tensor operations: [T, B, d n], [B, d n]."""
        S = v.new_zeros(v.shape[1], self.d_value * self.d_key) if start is None else start
        S, every = S.reshape(v.shape[1], self.d_value, self.d_key), []
        for row, key, decay in zip(v, k, a):
            S = S * decay.unsqueeze(1) + row.unsqueeze(2) * key.unsqueeze(1)
            every.append(S)
        mem = torch.stack(every) if every else v.new_zeros(0, *S.shape)
        return mem.flatten(2), S.flatten(1)
