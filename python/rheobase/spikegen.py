"""Encoders: numbers into spikes, with snnTorch's names and arguments, each one call of an operator.

    spk = spikegen.rate(image, num_steps=25)                               # [25, ...], governed by torch.manual_seed
    spk = spikegen.latency(image, num_steps=25, normalize=True, linear=True)

Time is the first dimension. Spikes have the type of the data and carry no gradient. Bad arguments are a ValueError that names
argument and value, or the error that snnTorch has there. What snnTorch does not have: `seed`, phase, burst, population and
reversible delta coding."""

import torch

__all__ = [
    "burst",
    "delta",
    "delta_demodulation",
    "delta_modulation",
    "from_one_hot",
    "latency",
    "latency_code",
    "latency_code_linear",
    "latency_code_log",
    "latency_interpolate",
    "phase",
    "population",
    "population_latency",
    "rate",
    "rate_conv",
    "rate_interpolate",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]

_ops = torch.ops.rheobase


def _call(op, data, *args, **kwargs):
    """The operators run on the CPU: data from elsewhere goes there and its spikes come back."""
    if data.device.type in ("cpu", "meta"):
        return op(data, *args, **kwargs)
    out = op(data.cpu(), *args, **kwargs)
    return tuple(o.to(data.device) for o in out) if isinstance(out, tuple) else out.to(data.device)


def _real(data):
    """data as the kernels of exact times take it, float32 or float64."""
    return data if data.dtype in (torch.float32, torch.float64) else data.float()


def _typed(out, data):
    return out.to(data.dtype) if data.is_floating_point() else out


def _floating(name, argument, data):
    """data, which is of a type that probabilities have. torch.bernoulli has the same error for others."""
    if not data.is_floating_point():
        raise NotImplementedError(f"[{name}] {argument} must have a floating-point type, got {data.dtype}")
    return data


def _labels(targets):
    return torch.as_tensor(targets).to(torch.int64)


# ---- rate coding -----------------------------------------------------------------------------------------------------


def rate(data, num_steps=False, gain=1, offset=0, first_spike_time=0, time_var_input=False, *, seed=None):
    """Each step fires with probability gain * data + offset, cut to [0, 1].

    data [...] -> [num_steps, ...]; with time_var_input data is [T, ...] already and gain and offset are not applied. The
    first `first_spike_time` steps are silent; with time_var_input they come before data. The spikes depend on seed, step,
    position and probability only; without a seed one is drawn from torch's generator."""
    if isinstance(gain, torch.Tensor) or isinstance(offset, torch.Tensor):
        data, gain, offset = (data if time_var_input else data * gain + offset), 1, 0
    data = _floating("rate", "data", data)
    return _call(_ops.rate, data, int(num_steps), gain, offset, first_spike_time, time_var_input, seed)


def rate_conv(data, *, seed=None):
    """Each value, cut to [0, 1], is the probability of a spike: one draw per element, the shape and type of data."""
    return _call(_ops.rate_conv, _floating("rate_conv", "data", data), seed)


# ---- latency coding --------------------------------------------------------------------------------------------------


def latency(
    data,
    num_steps=False,
    threshold=0.01,
    tau=1,
    first_spike_time=0,
    on_target=1,
    off_target=0,
    clip=False,
    normalize=False,
    linear=False,
    interpolate=False,
    bypass=False,
    epsilon=1e-7,
):
    """One spike per value, the earlier the larger it is: at round(tau ln(x / (x - threshold))), or round(tau (1 - x)) if
    linear. Times are rounded half to even.

    data [...] in [0, 1] -> [num_steps, ...], on_target at the spike and off_target elsewhere. Values below threshold fire as
    late as threshold does, or never with clip. normalize: the slowest value fires at the last step. interpolate: a ramp up to
    each spike. bypass: spikes after the last step are dropped instead of refused; without num_steps, as many steps as the
    latest spike needs."""
    out = _call(
        _ops.latency,
        _real(data),
        int(num_steps),
        threshold,
        tau,
        first_spike_time,
        on_target,
        off_target,
        clip,
        normalize,
        linear,
        interpolate,
        bypass,
        epsilon,
    )
    return _typed(out, data)


def _code(data, num_steps, threshold, tau, first_spike_time, normalize, linear, epsilon):
    time, below = _call(
        _ops.latency_code, _real(data), int(num_steps), threshold, tau, first_spike_time, normalize, linear, epsilon
    )
    return _typed(time, data), below


def latency_code(
    data, num_steps=False, threshold=0.01, tau=1, first_spike_time=0, normalize=False, linear=False, epsilon=1e-7
):
    """Spike times before rounding, [...], and where data is below threshold (bool). data may lie outside [0, 1]."""
    return _code(data, num_steps, threshold, tau, first_spike_time, normalize, linear, epsilon)


def latency_code_linear(data, num_steps=False, threshold=0.01, tau=1, first_spike_time=0, normalize=False):
    """Spike times tau (1 - x) + first_spike_time, before rounding; values below threshold take as long as threshold."""
    return _code(data, num_steps, threshold, tau, first_spike_time, normalize, True, 1e-7)[0]


def latency_code_log(data, num_steps=False, threshold=0.01, tau=1, first_spike_time=0, normalize=False, epsilon=1e-7):
    """Spike times tau ln(x / (x - threshold)) + first_spike_time, before rounding: how long an RC circuit charged by x takes
    to reach threshold. Values are kept epsilon above threshold."""
    return _code(data, num_steps, threshold, tau, first_spike_time, normalize, False, epsilon)[0]


def latency_interpolate(spike_time, num_steps, on_target=1, off_target=0):
    """spike_time [...] -> [num_steps, ...]: a ramp from off_target at step 0 to on_target at the spike, off_target after
    it."""
    return _call(_ops.latency_interpolate, _real(spike_time), num_steps, on_target, off_target)


# ---- changes ---------------------------------------------------------------------------------------------------------


def delta(data, threshold=0.1, padding=False, off_spike=False):
    """A spike where data[t] - data[t-1] >= threshold; with off_spike -1 where it falls by threshold. data [T, ...] of any
    real type. The step before the first is zero, or with padding the first one again."""
    return _call(_ops.delta, data, threshold, padding, off_spike)


def delta_modulation(data, threshold=0.1, start=None):
    """Delta coding that can be undone: where data is a threshold or more away from the estimate a spike, 1 or -1, moves the
    estimate by one threshold. data [T, ...]; start [...]: the first estimate, else zero."""
    return _call(_ops.delta_modulation, data, threshold, start)


def delta_demodulation(spk, threshold=0.1, start=None):
    """The estimate after every step, [T, ...], from the spikes of delta_modulation: start + threshold * (their sum so
    far)."""
    return _call(_ops.delta_demodulation, spk, threshold, start)


# ---- phase, burst, population ----------------------------------------------------------------------------------------


def phase(data, num_steps, bits=8, weighted=False):
    """A value as its binary digits, the highest first, over and over: data [...] in [0, 1] -> [num_steps, ...].

    weighted: the spike of phase k is 2^-(1+k) instead of 1. Kim et al., "Deep neural networks with weighted spikes",
    Neurocomputing 311 (2018)."""
    return _call(_ops.phase, data, num_steps, bits, weighted)


def burst(data, num_steps, threshold=0.125, beta=2.0, weighted=False):
    """Large values in short bursts: U += x, g = beta g after a spike, else 1; a spike where U >= g threshold, which U loses.
    data [...] in [0, 1] -> [num_steps, ...].

    weighted: a spike is g threshold instead of 1. Park et al., "Fast and efficient information transmission with burst spikes
    in deep spiking neural networks", DAC 2019."""
    return _call(_ops.burst, data, num_steps, threshold, beta, weighted)


def population(data, num_neurons=8, low=0.0, high=1.0, beta=1.5):
    """The responses, in [0, 1], of num_neurons Gaussian tuning curves spread over [low, high]: data [...] ->
    [..., num_neurons]. Probabilities for `rate`. Bohte, Kok, La Poutre, Neurocomputing 48 (2002)."""
    return _call(_ops.population, data, num_neurons, low, high, beta)


def population_latency(data, num_steps, num_neurons=8, low=0.0, high=1.0, beta=1.5, cutoff=0.1):
    """The same responses as spike times, the stronger the earlier: data [...] -> [num_steps, ..., num_neurons]. Responses
    below cutoff make no spike."""
    return _call(_ops.population_latency, data, num_steps, num_neurons, low, high, beta, cutoff)


# ---- targets ---------------------------------------------------------------------------------------------------------


def targets_convert(
    targets,
    num_classes,
    code="rate",
    num_steps=False,
    first_spike_time=0,
    correct_rate=1,
    incorrect_rate=0,
    on_target=1,
    off_target=0,
    firing_pattern="regular",
    interpolate=False,
    epsilon=1e-7,
    threshold=0.01,
    tau=1,
    clip=False,
    normalize=False,
    linear=False,
    bypass=False,
    *,
    seed=None,
):
    """Classes [B] as target spikes, by `targets_rate` (code="rate") or `targets_latency` (code="latency")."""
    if code == "rate":
        return targets_rate(
            targets,
            num_classes,
            num_steps,
            first_spike_time,
            correct_rate,
            incorrect_rate,
            on_target,
            off_target,
            firing_pattern,
            interpolate,
            epsilon,
            seed=seed,
        )
    if code != "latency":
        raise ValueError(f"[targets_convert] code must be rate or latency, got {code!r}")
    return targets_latency(
        targets,
        num_classes,
        num_steps,
        first_spike_time,
        on_target,
        off_target,
        interpolate,
        threshold,
        tau,
        clip,
        normalize,
        linear,
        epsilon,
        bypass,
    )


def targets_rate(
    targets,
    num_classes,
    num_steps=False,
    first_spike_time=0,
    correct_rate=1,
    incorrect_rate=0,
    on_target=1,
    off_target=0,
    firing_pattern="regular",
    interpolate=False,
    epsilon=1e-7,
    *,
    seed=None,
):
    """Classes [B] as spike trains [num_steps, B, num_classes], float32: correct_rate for the target's neuron,
    incorrect_rate for the others. With the rates 1 and 0 and no first_spike_time [B, num_classes], the same at every step.

    firing_pattern: "regular", "uniform" or "poisson". interpolate: ramps up to the spikes. epsilon has no effect: it is here
    for snnTorch's argument order."""
    return _call(
        _ops.targets_rate,
        _labels(targets),
        num_classes,
        int(num_steps),
        first_spike_time,
        correct_rate,
        incorrect_rate,
        on_target,
        off_target,
        firing_pattern.lower(),
        interpolate,
        seed,
    )


def target_rate_code(num_steps, first_spike_time=0, rate=1, firing_pattern="regular", *, seed=None):
    """A spike train [num_steps] of `rate` spikes per step, and the times of its spikes, int64. A uniform train may have a
    time twice. Of the rate 0 there are none, in a float32 tensor, as in snnTorch."""
    spk, times = _ops.target_rate_code(num_steps, first_spike_time, rate, firing_pattern.lower(), seed)
    return spk, times if rate else times.float()


def rate_interpolate(spike_time, num_steps, on_target=1, off_target=0, epsilon=1e-7):
    """Sorted times [n] -> [num_steps], float32: ramps from off_target, one step after a spike, to on_target at the next.
    epsilon has no effect: it is here for snnTorch's argument order."""
    if not on_target > off_target and len(spike_time):
        raise RuntimeError(f"[rate_interpolate] on_target must be above off_target, {off_target}, got {on_target}")
    return _call(_ops.rate_interpolate, spike_time, num_steps, on_target, off_target)


def targets_latency(
    targets,
    num_classes,
    num_steps=False,
    first_spike_time=0,
    on_target=1,
    off_target=0,
    interpolate=False,
    threshold=0.01,
    tau=1,
    clip=False,
    normalize=False,
    linear=False,
    epsilon=1e-7,
    bypass=False,
):
    """`latency` of the one-hot classes: the target's neuron fires at once, the others as late as values below threshold."""
    return latency(
        to_one_hot(targets, num_classes),
        num_steps,
        threshold,
        tau,
        first_spike_time,
        on_target,
        off_target,
        clip,
        normalize,
        linear,
        interpolate,
        bypass,
        epsilon,
    )


def to_one_hot(targets, num_classes):
    """Classes [B] -> [B, num_classes], float32, 1 at the class. A class below zero is a RuntimeError, as in snnTorch."""
    targets = _labels(targets)
    try:
        return _call(_ops.to_one_hot, targets, num_classes)
    except ValueError as error:
        if targets.numel() and targets.min() < 0:
            raise RuntimeError(str(error)) from None
        raise


def to_one_hot_inverse(one_hot_targets):
    """1 where the target is 0, else 0, in its type."""
    return (one_hot_targets == 0).to(one_hot_targets.dtype)


def from_one_hot(one_hot_label):
    """The class of every row of [B, C], int64: where its 1 is. Of a vector, the positions of its ones."""
    return _call(_ops.from_one_hot, one_hot_label)
