"""A recurrent ReLU layer that fires: LeakyParallel."""

import math
import warnings

import torch
from torch import nn

from ._kernels import computed, given_state, in_type_of
from ._neuron import SpikingNeuron
from ._scan import Scan, product, refuse_useless

_rectified = torch.ops.rheobase.rectified_recurrence.default


class RecurrentWeights(nn.Module):
    """The parameters of an nn.RNN with one layer, under its names and with its first values. (torch.compile takes no nn.RNN.)"""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"[LeakyParallel] {name} must be positive, got {size}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        shapes = {"weight_ih_l0": (hidden_size, input_size), "weight_hh_l0": (hidden_size, hidden_size)}
        if bias:
            shapes |= {"bias_ih_l0": (hidden_size,), "bias_hh_l0": (hidden_size,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}"


class LeakyParallel(Scan, SpikingNeuron):
    """A recurrent ReLU layer whose units fire.

        mem[t] = max(0, W_ih x[t] + b_ih + W_hh mem[t-1] + b_hh)        spk = graded_spikes_factor if mem > threshold

    beta              the diagonal of W_hh, one value or one per unit, clamped to [0, 1]; None: random within 1/sqrt(hidden_size)
    learn_beta        W_hh is learned, on its diagonal or, with weight_hh_enable, whole
    weight_hh_enable  W_hh is dense; one beta then fills all of it
    dropout           has no effect, as in snnTorch: there is one layer

    forward(input_) -> spk: input_ [T, B, input_size] or [T, input_size], result [T, B, hidden_size], from zero
    sequence(input_) -> (spk, mem); sequence(input_, state) -> (spk, mem, LeakyParallel.State(mem)): goes on

    Parameters rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0.
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        beta=None,
        bias=True,
        threshold=1.0,
        dropout=0.0,
        spike_grad=None,
        surrogate_disable=False,
        learn_beta=False,
        learn_threshold=False,
        graded_spikes_factor=1.0,
        learn_graded_spikes_factor=False,
        weight_hh_enable=False,
        device=None,
        dtype=None,
        **common,
    ):
        refuse_useless("LeakyParallel", common, "state_quant")
        super().__init__(
            threshold=threshold, spike_grad=spike_grad, surrogate_disable=surrogate_disable, learn_threshold=learn_threshold,
            graded_spikes_factor=graded_spikes_factor, learn_graded_spikes_factor=learn_graded_spikes_factor, **common,
        )  # fmt: skip
        del self._buffers["reset_mechanism_val"]  # there is no reset, and no entry in snnTorch's state-dict
        if dropout:
            warnings.warn("LeakyParallel: dropout has no effect on a single recurrent layer.", UserWarning, stacklevel=2)
        self.rnn = RecurrentWeights(input_size, hidden_size, bias, device, dtype)
        self.hidden_size = hidden_size
        self.dense = bool(weight_hh_enable)
        if beta is not None:
            beta = torch.as_tensor(beta).detach().reshape(-1).clamp(0, 1)
            if len(beta) not in (1, hidden_size):
                raise ValueError(f"[LeakyParallel] beta must have 1 or hidden_size = {hidden_size} elements, got {len(beta)}")
        self.register_buffer("beta", beta)
        weight = self.rnn.weight_hh_l0
        with torch.no_grad():
            if beta is not None and len(beta) == 1 and self.dense:
                weight.fill_(beta.item())
            elif beta is not None:
                weight.copy_(torch.diag(beta.expand(hidden_size)))
            elif not self.dense:
                weight.copy_(torch.diag(weight.diagonal()))
        weight.requires_grad_(bool(learn_beta))
        self._whole = self.dense

    def forward(self, input_):
        if input_.dim() not in (2, 3):
            raise ValueError(f"[LeakyParallel] input_ must be [T, B, {self.rnn.input_size}], got {list(input_.shape)}")
        return self._from_zero(input_, traces=False)[0]

    def _state_shape(self, x):
        if x.dim() < 1 or x.shape[-1] != self.rnn.input_size:
            raise RuntimeError(f"[LeakyParallel] input_ must be [T, ..., {self.rnn.input_size}], got [T, *{list(x.shape)}]")
        return torch.Size((*x.shape[:-1], self.hidden_size))

    def _sequence(self, x, steps, state, traces):
        values, rnn = computed(x), self.rnn
        first = given_state(self, state, values)
        current = product(values, rnn.weight_ih_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0 if rnn.bias else None)
        weight = rnn.weight_hh_l0
        if not self._whole:
            results = self._scanned("LeakyParallel", current, steps, first, [weight.diagonal()], traces)
        else:
            if not self.dense:  # only the diagonal learns
                weight = weight.detach() + torch.diag(weight.diagonal() - weight.diagonal().detach())
            results = self._recurred(current.expand(steps, *current.shape[1:]), first, weight.to(current.dtype))
        return in_type_of(x, *results)

    def _recurred(self, current, first, weight):
        """With a dense W_hh: a product per step."""
        start = first[0] if first else current.new_zeros(current.shape[1:])
        if self.fused and not current.is_cuda:
            mem = _rectified(current, weight, start)
        else:
            steps = [start]
            for row in current.unbind(0):
                steps.append(torch.relu(row + steps[-1] @ weight.t()))
            mem = torch.stack(steps[1:]) if len(steps) > 1 else torch.zeros_like(current)
        spk, mem = self._fired(mem)
        return spk, [mem], [mem[-1].clone() if len(mem) else start]

    def _load_from_state_dict(self, state_dict, prefix, *args, **named):
        nn.Module._load_from_state_dict(self, state_dict, prefix, *args, **named)
        loaded = state_dict.get(f"{prefix}rnn.weight_hh_l0")
        if loaded is not None and loaded.dim() == 2:
            # As snnTorch: what is loaded is used whole, whatever weight_hh_enable made of the first values.
            self._whole = self.dense or bool((loaded - torch.diag(loaded.diagonal())).any())
