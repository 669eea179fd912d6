"""Spike-timing dependent plasticity: weights that follow the order of the spikes before and after them. No gradients.

    learner = STDPLearner(fc, lif, tau_pre=20, tau_post=20)      # lif returns spikes: init_hidden=True
    for x in data:
        lif(fc(x))
    learner.step()                                               # fc.weight.grad -= delta_w, for any optimiser

Traces p of the inputs and q of the outputs decay and grow by one with each spike; a weight W grows where an output spikes after its
input, and shrinks where the input spikes after the output:
    p = p - p / tau_pre + in,  q = q - q / tau_post + out,  delta_w = f_post(W) sum(out p) - f_pre(W) sum(q in)
over the batch and, of a convolution, all its positions. f_pre and f_post are the identity unless given: the change is in
proportion to the weight (Gerstner and Kistler 2002, "Spiking Neuron Models", section 10)."""

import math

import torch
from torch import nn

from . import probe

__all__ = [
    "STDPLearner",
    "mstdp_linear_single_step",
    "mstdpet_linear_single_step",
    "stdp_conv1d_single_step",
    "stdp_conv2d_single_step",
    "stdp_linear_single_step",
]


def _same(x):
    return x


def _geometry(synapse):
    """Of a convolution: strides, padding (before and after, last dimension first), dilation, groups, padding mode."""
    if isinstance(synapse, nn.Linear):
        return ()
    mode = "constant" if synapse.padding_mode == "zeros" else synapse.padding_mode
    return synapse.stride, synapse._reversed_padding_repeated_twice, synapse.dilation, synapse.groups, mode


def _trace(trace, like):
    """A trace of before: a tensor, or a number that all of it is."""
    return torch.full_like(like, trace) if isinstance(trace, (int, float)) else trace


def _correlation(name, synapse, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post):
    """New traces and sum(out p), sum(q in) of spikes [T, B, ...]."""
    trace_post = _trace(trace_post, out_spike[0])
    if isinstance(trace_pre, (int, float)):
        padding = () if isinstance(synapse, nn.Linear) else synapse._reversed_padding_repeated_twice
        trace_pre = _trace(trace_pre, nn.functional.pad(in_spike[0], padding))
    return torch.ops.rheobase.stdp_correlation(
        name, synapse.weight, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, *_geometry(synapse)
    )


def _single_step(name, kind):
    @torch.no_grad()
    def step(synapse, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, f_pre=_same, f_post=_same):
        if not isinstance(synapse, kind):
            raise TypeError(f"[{name}] layer must be a {kind.__name__}, got {type(synapse).__name__}")
        if kind is not nn.Linear and (set(synapse.dilation) != {1} or synapse.groups != 1):
            raise NotImplementedError(
                f"[{name}] dilation and groups must be 1, got {synapse.dilation} and {synapse.groups}; STDPLearner takes any"
            )
        weight = synapse.weight.detach()
        trace_pre, trace_post, potentiation, depression = _correlation(
            name, synapse, in_spike.unsqueeze(0), out_spike.unsqueeze(0), trace_pre, trace_post, tau_pre, tau_post
        )
        return trace_pre, trace_post, f_post(weight) * potentiation - f_pre(weight) * depression

    step.__name__ = step.__qualname__ = name
    return step


stdp_linear_single_step = _single_step("stdp_linear_single_step", nn.Linear)
stdp_linear_single_step.__doc__ = """One step: in_spike [B, in_features], out_spike [B, out_features] ->
    (trace_pre, trace_post, delta_w [out_features, in_features]). Traces are those of the step before, or None."""

stdp_conv1d_single_step = _single_step("stdp_conv1d_single_step", nn.Conv1d)
stdp_conv1d_single_step.__doc__ = """One step: in_spike [B, C, L], out_spike [B, out_channels, L'] ->
    (trace_pre, padded as the layer pads, trace_post, delta_w). Dilation and groups other than 1 are a NotImplementedError, as in
    snnTorch; STDPLearner takes any."""

stdp_conv2d_single_step = _single_step("stdp_conv2d_single_step", nn.Conv2d)
stdp_conv2d_single_step.__doc__ = """One step: in_spike [B, C, H, W], out_spike [B, out_channels, H', W'] ->
    (trace_pre, padded as the layer pads, trace_post, delta_w). Dilation and groups other than 1 are a NotImplementedError, as in
    snnTorch; STDPLearner takes any."""


def _modulated(fc, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, f_pre, f_post):
    weight = fc.weight.detach()
    trace_pre = (0 if trace_pre is None else trace_pre) * math.exp(-1 / tau_pre) + in_spike
    trace_post = (0 if trace_post is None else trace_post) * math.exp(-1 / tau_post) + out_spike
    grows = out_spike.unsqueeze(-1) * trace_pre.unsqueeze(-2)
    shrinks = trace_post.unsqueeze(-1) * in_spike.unsqueeze(-2)
    return trace_pre, trace_post, f_post(weight) * grows - f_pre(weight) * shrinks


@torch.no_grad()
def mstdp_linear_single_step(
    fc, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, f_pre=_same, f_post=_same
):
    """Reward-modulated (Florian 2007): traces decay by exp(-1 / tau), and the third result [B, out_features, in_features] is
    each sample's eligibility, to be multiplied by its reward. in_spike [B, in_features], out_spike [B, out_features]."""
    return _modulated(fc, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, f_pre, f_post)


@torch.no_grad()
def mstdpet_linear_single_step(
    fc, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, tau_trace, f_pre=_same, f_post=_same
):
    """The same for one sample, in_spike [in_features], out_spike [out_features]: the eligibility of this step. tau_trace, that of
    the eligibility's own trace, has no part in it: it is here for snnTorch's argument order."""
    return _modulated(fc, in_spike, out_spike, trace_pre, trace_post, tau_pre, tau_post, f_pre, f_post)


class STDPLearner(nn.Module):
    """A synapse (Linear, Conv1d or Conv2d) that learns by spike timing. Hooks record what `synapse` reads and what `sn` makes of
    it; `step` turns all that was recorded into a change of the weight. `sn` returns spikes, or a tuple that begins with them."""

    def __init__(self, synapse, sn, tau_pre, tau_post, f_pre=_same, f_post=_same):
        super().__init__()
        if not isinstance(synapse, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            raise NotImplementedError(
                f"[STDPLearner] synapse must be a Linear, Conv1d or Conv2d, got {type(synapse).__name__}"
            )
        self.tau_pre = tau_pre
        self.tau_post = tau_post
        self.f_pre = f_pre
        self.f_post = f_post
        self.synapse = synapse
        self.in_spike_monitor = probe.InputMonitor(synapse, function_on_input=torch.Tensor.detach)
        self.out_spike_monitor = probe.OutputMonitor(sn, function_on_output=_spikes)
        self.trace_pre = None
        self.trace_post = None

    def reset(self):
        """As new: nothing recorded, traces zero."""
        self._clear()
        self.trace_pre = self.trace_post = None

    def _clear(self):
        self.in_spike_monitor.clear_recorded_data()
        self.out_spike_monitor.clear_recorded_data()

    def disable(self):
        """Sees nothing until it is enabled."""
        self.in_spike_monitor.disable()
        self.out_spike_monitor.disable()

    def enable(self):
        """Sees what the synapse reads and the neuron answers again."""
        self.in_spike_monitor.enable()
        self.out_spike_monitor.enable()

    @torch.no_grad()
    def step(self, on_grad=True, scale=1.0):
        """scale times delta_w of all that was recorded since the last step, at the weights of now; traces go on. on_grad: it is
        taken from the weight's gradient; else it is returned. Nothing recorded: nothing happens, and it is zero."""
        weight = self.synapse.weight
        delta_w = self._delta_w(weight.detach()) * scale if len(self.in_spike_monitor) else None
        if not on_grad:
            return torch.zeros_like(weight) if delta_w is None else delta_w
        if delta_w is not None:
            weight.grad = -delta_w if weight.grad is None else weight.grad - delta_w
        return None

    def _delta_w(self, weight):
        before, after = self.in_spike_monitor.records, self.out_spike_monitor.records
        if len(before) != len(after):
            raise RuntimeError(
                f"[STDPLearner] sn must be called once for every call of synapse, got {len(after)} calls for {len(before)}"
            )
        self.trace_pre, self.trace_post, potentiation, depression = _correlation(
            "STDPLearner",
            self.synapse,
            torch.stack(before),
            torch.stack(after),
            self.trace_pre,
            self.trace_post,
            self.tau_pre,
            self.tau_post,
        )
        self._clear()
        return self.f_post(weight) * potentiation - self.f_pre(weight) * depression


def _spikes(output):
    return (output if isinstance(output, torch.Tensor) else output[0]).detach()
