"""Layers that are linear in time: they fire without being reset, so one call takes all time steps at once. StateLeaky and
LinearLeaky are here, LeakyParallel and AssociativeLeaky in files of their own.

Called, they start from zero and forget; `sequence(x, state)`
goes on from a state.
"""

import warnings
from collections import namedtuple

import torch
from torch import nn
from torch.compiler import is_compiling

from ._kernels import computed, given_state, has_formula, in_type_of, is_one
from ._neuron import LIF, SpikingNeuron
from ._state import row_of, rows_and_steps

_neuron = torch.ops.rheobase.neuron_sequence.default
_window = torch.ops.rheobase.leaky_window.default
_linear = torch.ops.rheobase.linear.default


Past = namedtuple("Past", ["past"])
Past.__doc__ = "The state of a StateLeaky with kernel_truncation_steps: the last inputs, [K - 1, B, channels]."


def product(x, weight, bias):
    """x W^T + b of [..., in], by the library's product where torch.compile does not look."""
    if torch.is_autocast_enabled("cpu"):
        return nn.functional.linear(x, weight, bias).float()
    weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    return nn.functional.linear(x, weight, bias) if is_compiling() else _linear(x, weight, bias)


def refuse_useless(kind, given, *further):
    for name in ("inhibition", "reset_mechanism", "reset_delay", "init_hidden", *further):
        if name in given:
            raise TypeError(f"[{kind}] {name} must not be given: it would have no effect")


class Scan:
    """What the four have in common; they are SpikingNeurons whose `forward` takes a sequence."""

    _takes_sequences = True

    def _sequence(self, x, steps, state, traces):
        """spk, [mem] or [], [the last state]: x [T, ...], or [1, ...] that repeats."""
        raise NotImplementedError

    def _from_zero(self, x, traces=True):
        """spk and mem, or None, of a sequence x [T, ...]."""
        spk, kept, _ = self._sequence(x, x.shape[0], [x.new_zeros(0)], traces)
        return spk, kept[0] if kept else None

    def sequence(self, input_, state=None):
        """All time steps in one call: `input_` [T, B, ...] or `snn.constant(x, T)`.

        sequence(x)         -> spk, mem            from zero
        sequence(x, state)  -> spk, mem, state     goes on from `state` (`()`: zeros)
        """
        x, steps = rows_and_steps(input_, type(self).__name__)
        spk, traces, last = self._sequence(x, steps, self._explicit(() if state is None else state, row_of(x)), True)
        return (spk, self._membrane(traces)) if state is None else (spk, self._membrane(traces), self.State(*last))

    def _scanned(self, kind, x, steps, state, constant, traces):
        """All steps of the library's neuron `kind` with its one parameter, and spikes of them."""
        surrogate = self._surrogate
        kernel = has_formula(self) and not self.state_quant
        values = [*constant, self.threshold, self.graded_spikes_factor]
        spk, kept, last = _neuron(
            kind, x, steps, state, values, [], 0, True, surrogate.name, surrogate.args, traces or not kernel, -1, -1, False,
            bool(self.fused),
        )  # fmt: skip
        if kernel:
            return spk, list(kept), list(last)
        spk, mem = self._fired(kept[0])
        return spk, [mem], list(last)

    def _fired(self, mem):
        """Spikes of membranes, and the membranes after state_quant."""
        if self.state_quant:
            mem = self.state_quant(mem)
        spk = self._spikes(mem - self.threshold)
        graded = self.graded_spikes_factor
        return spk if not is_compiling() and is_one(graded) else spk * graded, mem

    def __getstate__(self):
        state = super().__getstate__()
        for name in ("spk", "mem"):
            state.pop(name, None)
        return state

    def fire_inhibition(self, batch_size, mem):
        raise NotImplementedError(f"[{type(self).__name__}] inhibition is not available: use a neuron that goes step by step")

    def mem_reset(self, mem):
        raise NotImplementedError(f"[{type(self).__name__}] is never reset")


class StateLeaky(Scan, LIF):
    """Leaky integration without a reset, linear in time.

        mem[t] = sum over k of exp(-k / tau) x[t-k],  tau = 1 / (1 - beta)        spk = graded_spikes_factor if mem > threshold

    The decay per step is exp(beta - 1), not beta.

    channels                 where beta has a value per channel it has this many
    learn_beta               learns `tau`, of which beta is 1 - 1/tau
    output                   False: only the membranes are returned
    kernel_truncation_steps  K: how many inputs are remembered; None: all. Costs the same for any K

    forward(input_) -> (spk, mem), or mem: input_ [T, B, channels], from zero
    sequence(input_, state) -> (spk, mem, state): goes on. The state is `mem` [B, channels], with truncation `past`, the last
    K - 1 inputs
    """

    def __init__(
        self,
        beta,
        channels,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        learn_beta=False,
        learn_threshold=False,
        state_quant=False,
        output=True,
        graded_spikes_factor=1.0,
        learn_graded_spikes_factor=False,
        kernel_truncation_steps=None,
        **common,
    ):
        kind = type(self).__name__
        refuse_useless(kind, common)
        if kernel_truncation_steps is not None:
            self._state_names, self.State = ("past",), Past
        SpikingNeuron.__init__(
            self, threshold=threshold, spike_grad=spike_grad, surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold, state_quant=state_quant, output=output, graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor, **common,
        )  # fmt: skip
        value = torch.as_tensor(beta)
        value = value if value.is_floating_point() else value.float()
        if value.shape not in ((channels,), (), (1,)):
            raise ValueError(f"[{kind}] beta must have shape ({channels},), (1,) or (), got {tuple(value.shape)}")
        steps = kernel_truncation_steps
        if steps is not None and steps < 1:
            raise RuntimeError(f"[{kind}] kernel_truncation_steps must be at least 1, got {steps}")
        own = graded_spikes_factor
        graded = bool((own != 1).any()) if isinstance(own, torch.Tensor) else own != 1
        if not output and (spike_grad is not None or surrogate_disable or learn_threshold or learn_graded_spikes_factor or graded):
            warnings.warn(f"{kind}: spike-related settings are unused when output=False (no spikes emitted).", UserWarning,
                          stacklevel=2)
        self.channels = channels
        self.learn_beta = learn_beta
        self.kernel_truncation_steps = steps
        # snnTorch's parameters: with learn_beta both of them, though only tau has a gradient.
        own = value.detach().clone()
        self.register_parameter("beta", nn.Parameter(own)) if learn_beta else self.register_buffer("beta", own)
        self._register_value("tau", 1 / (1 - value.detach() + 1e-12), learn_beta)

    @property
    def beta(self):
        """1 - 1/tau."""
        return 1 - 1 / self.tau

    def forward(self, input_):
        if input_.dim() != 3:
            raise ValueError(f"[{type(self).__name__}] input_ must be [T, B, channels], got {list(input_.shape)}")
        spk, mem = self._from_zero(input_)
        if not self.output:
            return mem
        self.spk = spk
        return spk, mem

    def _state_shape(self, x):
        row = self._row(x)
        return row if not self.kernel_truncation_steps else torch.Size((self.kernel_truncation_steps - 1, *row))

    def _row(self, x):
        return x.shape

    def _sequence(self, x, steps, state, traces):
        values = computed(x)
        first = given_state(self, state, values)
        values = self._current(values)
        if not self.kernel_truncation_steps:
            results = self._scanned("StateLeaky", values, steps, first, [None, self.tau], traces)
        else:
            results = self._windowed(values.expand(steps, *values.shape[1:]), first)
        return in_type_of(x, *results)

    def _current(self, x):
        return x

    def _windowed(self, x, first):
        """The last K inputs only."""
        steps, kept = x.shape[0], self.kernel_truncation_steps - 1
        decay = torch.exp(-1 / self.tau).to(x).reshape(-1 if self.tau.numel() > 1 else ())
        past = first[0] if first else x.new_zeros((kept, *x.shape[1:]))
        if self.fused and not x.is_cuda:
            spk, mem = self._fired(_window(x, decay, past, kept + 1))
        else:
            every = torch.cat([past, x])
            spk, mem = self._fired(sum(decay**k * every[kept - k : kept - k + steps] for k in range(kept + 1)))
        last = x[steps - kept :] if steps >= kept else torch.cat([past[steps:], x])
        return spk, [mem], [last]

    def _save_to_state_dict(self, *args, **named):
        with torch.no_grad():
            (self._parameters.get("beta") if self.learn_beta else self._buffers["beta"]).copy_(self.beta)
        super()._save_to_state_dict(*args, **named)


class LinearLeaky(StateLeaky):
    """A linear layer `linear` and a StateLeaky behind it.

    forward(input_) -> (spk, mem), or mem with output=False: input_ [T, B, in_features], results [T, B, out_features]
    sequence(input_, state) -> (spk, mem, state): goes on. See StateLeaky.
    """

    def __init__(
        self,
        beta,
        in_features,
        out_features,
        bias=True,
        device=None,
        dtype=None,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        learn_beta=False,
        learn_threshold=False,
        state_quant=False,
        output=True,
        graded_spikes_factor=1.0,
        learn_graded_spikes_factor=False,
        kernel_truncation_steps=None,
        **common,
    ):
        super().__init__(
            beta, out_features, threshold, spike_grad, surrogate_disable, learn_beta, learn_threshold, state_quant, output,
            graded_spikes_factor, learn_graded_spikes_factor, kernel_truncation_steps, **common,
        )  # fmt: skip
        self.linear = nn.Linear(in_features, out_features, bias=bias, device=device, dtype=dtype)

    def forward(self, input_):
        out = super().forward(input_)
        self.mem = out[1] if self.output else out
        return out

    def _row(self, x):
        if x.dim() < 1 or x.shape[-1] != self.linear.in_features:
            raise RuntimeError(f"[LinearLeaky] input_ must be [T, ..., {self.linear.in_features}], got [T, *{list(x.shape)}]")
        return torch.Size((*x.shape[:-1], self.linear.out_features))

    def _current(self, x):
        return product(x, self.linear.weight, self.linear.bias)
