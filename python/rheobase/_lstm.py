"""LSTM cells whose output spikes and may be reset: SLSTM (dense) and SConv2dLSTM (convolutional)."""

import torch
from torch import nn
from torch.compiler import is_compiling

from ._kernels import computed, given_state, has_formula, in_type_of, is_one, of_a_sample
from ._neuron import SpikingNeuron
from ._state import row_of

_lstm = torch.ops.rheobase.lstm.default

_TRACES, _SPIKES = 1, 2


class _SpikingLSTM(SpikingNeuron):
    """What both have in common. States `syn`, the cell, and `mem`, its output."""

    _state_names = ("syn", "mem")
    _order = (0, 1, 2, 3)  # where the gates i, f, g, o lie

    def _cell(self, x, syn, mem):
        """One step of the cells without a reset: syn, mem."""
        raise NotImplementedError

    def _weights(self):
        """weight_ih, weight_hh, bias of all gates."""
        raise NotImplementedError

    def _fired(self, mem):
        """The membrane that fires, of [B, ...]: pooled or as it is."""
        return mem

    _pools = False

    def forward(self, input_, *given, **named):
        out = super().forward(input_, *given, **named)
        self.spk = out if isinstance(out, torch.Tensor) else out[0]
        return out

    forward.__doc__ = SpikingNeuron.forward.__doc__

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("spk", None)
        return state

    def _step(self, x, state):
        syn, mem = self._fresh(state, x)
        flag = None if self._reset == 2 else self.mem_reset(mem)
        syn, mem = self._cell(x, syn, mem)
        if self._reset == 0:
            mem = mem - flag * self.threshold
        elif self._reset == 1:
            mem = mem * (1 - flag)
        if self.state_quant:
            syn, mem = self.state_quant(syn), self.state_quant(mem)
        return [self.fire(self._fired(mem)), syn, mem]

    def _sequence(self, x, steps, state, traces):
        if self.state_quant or not self.fused or x.is_cuda:
            return super()._sequence(x, steps, state, traces)
        self._check_rows(x)
        values = computed(x)
        first = given_state(self, state, values)
        weight_ih, weight_hh, bias = (None if w is None else w.to(values.dtype) for w in self._weights())
        # Spikes feed nothing back: where the kernel cannot make them, they follow from the membranes.
        fires = has_formula(self) and not self._pools
        outputs = (_TRACES if traces or not fires else 0) | (_SPIKES if fires else 0)
        surrogate = self._surrogate
        threshold = of_a_sample(self, "threshold", self._state_shape(row_of(x))[1:], values)
        spk, kept, last, _ = _lstm(
            type(self).__name__, values, weight_ih, bias, weight_hh, threshold, first, steps, self._order, self._reset, surrogate.name, surrogate.args, outputs,
        )  # fmt: skip
        if not fires:
            mem = kept[1]
            fired = self._fired(mem.flatten(0, 1)) if self._pools else mem
            spk = self.fire(fired.reshape(steps, x.shape[1], *fired.shape[1:]) if self._pools else mem)
        elif is_compiling() or not is_one(self.graded_spikes_factor):
            spk = spk * self.graded_spikes_factor
        return in_type_of(x, spk, kept if traces else [], last)

    def _check_rows(self, x):
        raise NotImplementedError


class SLSTM(_SpikingLSTM):
    """A layer of LSTM cells (nn.LSTMCell) with a threshold on their output.

        i, f, g, o = W_ih x + b_ih + W_hh mem' + b_hh      syn = s(f) syn' + s(i) tanh(g)      mem = s(o) tanh(syn)
        spk = graded_spikes_factor if mem > threshold; the reset acts on mem, one step after it was above threshold

    forward(input_, syn=None, mem=None) -> (spk, syn, mem): one step, input_ [B, input_size], states [B, hidden_size]
    sequence(input_) -> (spk, mem): input_ [T, B, input_size], results [T, B, hidden_size]
    sequence(input_, state) -> (spk, mem, SLSTM.State(syn, mem))

    reset_mechanism is "none" by default. As in snnTorch, `inhibition` has no effect here.
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_threshold=False,
        reset_mechanism="none",
        state_quant=False,
        output=False,
        **common,
    ):
        super().__init__(
            threshold, spike_grad, surrogate_disable, init_hidden, inhibition, learn_threshold, reset_mechanism, state_quant,
            output, **_without_delay("SLSTM", common),
        )  # fmt: skip
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.lstm_cell = nn.LSTMCell(input_size, hidden_size, bias=bias)

    def _state_shape(self, x):
        return torch.Size((*x.shape[:-1], self.hidden_size))

    def _cell(self, x, syn, mem):
        mem, syn = self.lstm_cell(x, (mem, syn))
        return syn, mem

    def _weights(self):
        cell = self.lstm_cell
        return cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh if self.bias else None

    def _check_rows(self, x):
        if x.dim() != 3 or x.shape[2] != self.input_size:
            raise ValueError(f"[SLSTM] input_ must be [T, B, {self.input_size}], got {list(x.shape)}")

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}, {super().extra_repr()}"


class SConv2dLSTM(_SpikingLSTM):
    """LSTM cells on images, their gates from one convolution of input and last output.

        i, f, o, g = conv(cat(x, mem'))      syn = s(f) syn' + s(i) tanh(g)      mem = s(o) tanh(syn)
        spk = graded_spikes_factor if pool(mem) > threshold; the reset acts on mem, one step after it was above threshold

    kernel_size         odd, one number or (height, width); zero-padded to keep the size
    max_pool, avg_pool  what the membrane is pooled by before it fires, one of both; states are never pooled

    forward(input_, syn=None, mem=None) -> (spk, syn, mem): input_ [B, in_channels, H, W], states [B, out_channels, H, W]
    sequence(input_) -> (spk, mem): input_ [T, B, in_channels, H, W]
    sequence(input_, state) -> (spk, mem, SConv2dLSTM.State(syn, mem))

    reset_mechanism is "none" by default. As in snnTorch, `inhibition` has no effect here.
    """

    _order = (0, 1, 3, 2)

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        bias=True,
        max_pool=0,
        avg_pool=0,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_threshold=False,
        reset_mechanism="none",
        state_quant=False,
        output=False,
        **common,
    ):
        super().__init__(
            threshold, spike_grad, surrogate_disable, init_hidden, inhibition, learn_threshold, reset_mechanism, state_quant,
            output, **_without_delay("SConv2dLSTM", common),
        )  # fmt: skip
        if max_pool and avg_pool:
            raise ValueError(f"[SConv2dLSTM] max_pool and avg_pool must not both be given, got {max_pool} and {avg_pool}")
        sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        if any(k % 2 == 0 for k in sides):
            raise RuntimeError(f"[SConv2dLSTM] kernel_size must be odd, got {kernel_size}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.max_pool = max_pool
        self.avg_pool = avg_pool
        self.bias = bias
        self.padding = tuple(k // 2 for k in sides)
        self.conv = nn.Conv2d(in_channels + out_channels, 4 * out_channels, sides, padding=self.padding, bias=bias)

    @property
    def _pools(self):
        return bool(self.max_pool or self.avg_pool)

    def _state_shape(self, x):
        return torch.Size((x.shape[0], self.out_channels, *x.shape[2:]))

    def _cell(self, x, syn, mem):
        i, f, o, g = torch.split(self.conv(torch.cat([x, mem], dim=1)), self.out_channels, dim=1)
        syn = torch.sigmoid(f) * syn + torch.sigmoid(i) * torch.tanh(g)
        return syn, torch.sigmoid(o) * torch.tanh(syn)

    def _weights(self):
        # One linear operator, split by its input channels: the input's part serves all steps at once.
        weight = self.conv.weight
        return weight[:, : self.in_channels], weight[:, self.in_channels :], self.conv.bias

    def _fired(self, mem):
        if self.max_pool:
            return nn.functional.max_pool2d(mem, self.max_pool)
        return nn.functional.avg_pool2d(mem, self.avg_pool) if self.avg_pool else mem

    def _check_rows(self, x):
        if x.dim() != 5 or x.shape[2] != self.in_channels:
            raise ValueError(f"[SConv2dLSTM] input_ must be [T, B, {self.in_channels}, H, W], got {list(x.shape)}")

    def extra_repr(self):
        pool = "".join(f", {name}={size}" for name in ("max_pool", "avg_pool") if (size := getattr(self, name)))
        own = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, bias={self.bias}"
        return f"{own}{pool}, {super().extra_repr()}"


def _without_delay(kind, common):
    if not common.get("reset_delay", True):
        raise TypeError(f"[{kind}] reset_delay must not be given: the reset always acts one step later")
    return common
