"""Spike generation; what draws random numbers is compared by its statistics."""

import torch

from .cases import Differs, Statistic, case


def about(spikes, *times):
    """Shape, type, which values there are, rates over all, of each step and of each place."""
    return {
        "shape": list(spikes.shape),
        "type": str(spikes.dtype),
        "values": sorted(spikes.unique().tolist()),
        "all": Statistic.of(spikes),
        "silent": [not spikes[t].any() for t in times],
        "steps": [Statistic.of(row) for row in spikes.flatten(1)[:3]],
        "places": [Statistic.of(column) for column in spikes.flatten(1)[:, :5].T],
    }


@case("spikegen.rate", draws=8, label="static data, by its statistics")
def rate(snn, draw):
    data = draw.tensor(*draw.choice((40, 30), (5, 6, 7), (300,)), low=-0.2, high=1.2)
    first = draw.choice(0, 0, 2)
    gain, offset = draw.choice((1, 0), (draw.number(0.3, 1), draw.number(0, 0.3)))
    spikes = snn.spikegen.rate(data, num_steps=400, gain=gain, offset=offset, first_spike_time=first)
    return about(spikes, 0, 1) if first else about(spikes)


@case("spikegen.rate", draws=4, label="data that varies over time, by its statistics")
def rate_of_steps(snn, draw):
    first = draw.choice(0, 2)
    spikes = snn.spikegen.rate(draw.tensor(300, 40), time_var_input=True, first_spike_time=first)
    return about(spikes, *range(first))


@case("spikegen.rate", "spikegen.rate_conv", draws=3, label="probabilities that leave nothing to chance")
def certain(snn, draw):
    data = draw.spikes(3, 5) * 2 - 0.5
    return [snn.spikegen.rate(data, num_steps=7), snn.spikegen.rate_conv(data), snn.spikegen.rate(data.double(), 3)]


@case("spikegen.rate_conv", draws=4, label="by its statistics")
def rate_conv(snn, draw):
    return about(snn.spikegen.rate_conv(draw.tensor(300, 40, low=-0.1, high=1.1)))


@case("spikegen.delta", draws=12)
def delta(snn, draw):
    data = draw.normal(*draw.choice((9,), (8, 3), (5, 2, 3)))
    if draw.flag(0.2):
        data = (4 * data).long()
    return snn.spikegen.delta(data, threshold=draw.number(0.1, 1), padding=draw.flag(), off_spike=draw.flag())


def timing(draw):
    """Options that latency and its codes share."""
    options = {"threshold": draw.number(0.005, 0.3), "tau": draw.number(0.5, 5), "normalize": draw.flag()}
    return options | ({"first_spike_time": draw.count(0, 3)} if draw.flag() else {})


@case("spikegen.latency", draws=30)
def latency(snn, draw):
    options = timing(draw) | {"linear": draw.flag(), "clip": draw.flag(0.3), "interpolate": draw.flag(0.3)}
    options |= {"bypass": draw.flag(0.8)} | (
        {"on_target": draw.choice(1, 2), "off_target": draw.choice(0, 0.5)} if draw.flag(0.3) else {}
    )
    data = draw.tensor(*draw.choice((4, 5), (6,), (2, 3, 2)), low=0, high=1)
    steps = False if options["bypass"] and not options["normalize"] and draw.flag(0.2) else draw.count(5, 30)
    return snn.spikegen.latency(
        data, num_steps=steps, **options | {"bypass": options["bypass"] or not options["normalize"]}
    )


@case("spikegen.latency_code", draws=10)
def latency_code(snn, draw):
    return snn.spikegen.latency_code(draw.tensor(4, 5), num_steps=draw.count(5, 30), linear=draw.flag(), **timing(draw))


@case("spikegen.latency_code_linear", draws=10)
def latency_code_linear(snn, draw):
    data = draw.tensor(4, 5, low=0, high=draw.choice(1, 1.5))
    return snn.spikegen.latency_code_linear(data, num_steps=draw.count(5, 30), **timing(draw))


@case("spikegen.latency_code_log", draws=10)
def latency_code_log(snn, draw):
    # Above the threshold: below it the times are a cancellation of float32, kept as it is but not to the last digits.
    options = timing(draw)
    data = draw.tensor(4, 5, low=options["threshold"] * 1.1, high=1)
    return snn.spikegen.latency_code_log(data, num_steps=draw.count(5, 30), **options)


@case("spikegen.to_one_hot", "spikegen.to_one_hot_inverse", "spikegen.from_one_hot", draws=5)
def one_hot(snn, draw):
    s, classes = snn.spikegen, draw.count(2, 6)
    hot = s.to_one_hot(draw.labels(5, classes), classes)
    return [
        hot,
        s.to_one_hot_inverse(hot),
        s.to_one_hot_inverse(draw.normal(3, 4)),
        s.from_one_hot(hot[0]),
        s.from_one_hot(torch.eye(4)),
    ]


@case("spikegen.from_one_hot", label="of a matrix")
def rows(snn, draw):
    raise Differs("from_one_hot gives classes")


@case("spikegen.targets_rate", "spikegen.targets_convert", draws=10, label="the default rates")
def targets_rate(snn, draw):
    labels = draw.labels(4, 3)
    on, off = draw.choice((1, 0), (2, 0.5), (0.3, 0.7), (1, 1))
    options = {"on_target": on, "off_target": off}
    if on > off and draw.flag():
        options |= {"num_steps": 6, "first_spike_time": draw.count(1, 4)}
    return [snn.spikegen.targets_rate(labels, 3, **options), snn.spikegen.targets_convert(labels, 3, **options)]


@case("spikegen.targets_rate", "spikegen.targets_convert", label="other rates than 1 and 0")
def other_rates(snn, draw):
    raise Differs("targets_rate takes other rates")


@case("spikegen.targets_rate", "spikegen.latency", label="an off target below 0")
def negative_off(snn, draw):
    raise Differs("A negative off_target is honoured")


@case("spikegen.targets_latency", draws=10)
def targets_latency(snn, draw):
    options = timing(draw) | {"linear": draw.flag(), "clip": draw.flag(), "interpolate": draw.flag(0.3), "bypass": True}
    return snn.spikegen.targets_latency(draw.labels(4, 3), 3, num_steps=draw.count(5, 12), **options)


@case("spikegen.targets_convert", draws=6, label="latency")
def convert_latency(snn, draw):
    options = timing(draw) | {"linear": draw.flag(), "clip": draw.flag(), "bypass": True}
    return snn.spikegen.targets_convert(draw.labels(4, 3), 3, code="latency", num_steps=draw.count(5, 12), **options)


@case("spikegen.targets_convert", label="latency, with on_target and the like")
def convert_passes_on(snn, draw):
    raise Differs("targets_convert passes every option on")


@case("spikegen.target_rate_code", draws=8, label="regular")
def rate_code(snn, draw):
    rate = draw.choice(0, 1, draw.number(0.1, 1))
    return snn.spikegen.target_rate_code(draw.count(5, 20), first_spike_time=draw.count(0, 4), rate=rate)


@case("spikegen.target_rate_code", draws=4, label="uniform and poisson, by their statistics")
def random_rate_code(snn, draw):
    pattern, rate, first = draw.choice("uniform", "poisson"), draw.number(0.2, 0.8), draw.count(0, 50)
    spikes, times = snn.spikegen.target_rate_code(4000, first_spike_time=first, rate=rate, firing_pattern=pattern)
    return {
        "rate": Statistic.of(spikes[first:]),
        "silent": bool(spikes[:first].any()),
        "where": Statistic.of(times.double()),
        "types": [str(spikes.dtype), str(times.dtype)],
        "inside": bool(((times >= first) & (times < 4000)).all()),
    }


@case("spikegen.rate_interpolate", draws=8)
def rate_interpolate(snn, draw):
    steps = draw.count(8, 15)
    times = torch.tensor(sorted(draw.random.sample(range(steps), draw.count(0, 4))), dtype=torch.int64)
    on, off = draw.choice((1, 0), (2, 0.5), (1, -1))
    return snn.spikegen.rate_interpolate(times, steps, on_target=on, off_target=off)


@case("spikegen.latency_interpolate", draws=8)
def latency_interpolate(snn, draw):
    on, off = draw.choice((1, 0), (2, 0.5), (1, -1))
    return snn.spikegen.latency_interpolate(
        draw.tensor(3, 4, high=draw.choice(5, 9, 12)), 9, on_target=on, off_target=off
    )
