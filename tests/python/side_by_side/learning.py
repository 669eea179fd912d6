"""Spike-timing-dependent plasticity: the rules step by step, and the learner."""

import torch

from .cases import Differs, case, fill, raised


def rule(draw, step, layer, ins, outs, *extra):
    """Three steps from empty traces: traces and changes of the weights."""
    options = {"tau_pre": draw.number(1.5, 5), "tau_post": draw.number(1.5, 5)} | dict(extra)
    if draw.flag():
        options |= {"f_pre": lambda w: w.clamp(0, 1), "f_post": lambda w: 1 - w}
    before, after, record = None, None, []
    for _ in range(3):
        before, after, change = step(layer, draw.spikes(*ins), draw.spikes(*outs), before, after, **options)
        record.append([before, after, change])
    return record


@case("functional.stdp_learner.stdp_linear_single_step", draws=6)
def linear(snn, draw):
    batch, i, o = draw.count(1, 4), draw.count(1, 5), draw.count(1, 5)
    step = snn.functional.stdp_learner.stdp_linear_single_step
    return rule(draw, step, fill(torch.nn.Linear(i, o), draw), (batch, i), (batch, o))


@case("functional.stdp_learner.mstdp_linear_single_step", draws=6)
def modulated(snn, draw):
    batch, i, o = draw.count(1, 4), draw.count(1, 5), draw.count(1, 5)
    step = snn.functional.stdp_learner.mstdp_linear_single_step
    return rule(draw, step, fill(torch.nn.Linear(i, o), draw), (batch, i), (batch, o))


@case("functional.stdp_learner.mstdpet_linear_single_step", draws=6)
def traced(snn, draw):
    i, o = draw.count(1, 5), draw.count(1, 5)
    step = snn.functional.stdp_learner.mstdpet_linear_single_step
    return rule(draw, step, fill(torch.nn.Linear(i, o), draw), (i,), (o,), ("tau_trace", draw.number(1.5, 5)))


def convolution(draw, dims):
    kind = torch.nn.Conv2d if dims == 2 else torch.nn.Conv1d
    options = {
        "stride": draw.choice(1, 2),
        "padding": draw.choice(0, 1),
        "padding_mode": draw.choice("zeros", "reflect", "circular"),
    }
    layer = fill(kind(draw.count(1, 3), draw.count(1, 3), draw.count(1, 3), bias=False, **options), draw)
    ins = (2, layer.in_channels, *([6] * dims))
    return layer, ins, tuple(layer(torch.zeros(ins)).shape)


@case("functional.stdp_learner.stdp_conv2d_single_step", draws=8)
def conv2d(snn, draw):
    return rule(draw, snn.functional.stdp_learner.stdp_conv2d_single_step, *convolution(draw, 2))


@case("functional.stdp_learner.stdp_conv1d_single_step", draws=8)
def conv1d(snn, draw):
    return rule(draw, snn.functional.stdp_learner.stdp_conv1d_single_step, *convolution(draw, 1))


@case(
    "functional.stdp_learner.stdp_conv2d_single_step",
    "functional.stdp_learner.stdp_conv1d_single_step",
    label="wrong calls",
)
def wrong(snn, draw):
    s, x = snn.functional.stdp_learner, draw.spikes(1, 2, 6)
    y = draw.spikes(1, 2, 6, 6)
    return [
        raised(lambda: s.stdp_conv1d_single_step(torch.nn.Conv1d(2, 2, 3, dilation=2), x, x, None, None, 2.0, 2.0)),
        raised(lambda: s.stdp_conv1d_single_step(torch.nn.Conv1d(2, 2, 3, groups=2), x, x, None, None, 2.0, 2.0)),
        raised(lambda: s.stdp_conv2d_single_step(torch.nn.Conv2d(2, 2, 3, dilation=2), y, y, None, None, 2.0, 2.0)),
        raised(lambda: s.stdp_conv2d_single_step(torch.nn.Conv2d(2, 2, 3, groups=2), y, y, None, None, 2.0, 2.0)),
    ]


@case("functional.stdp_learner.STDPLearner", draws=8)
def learner(snn, draw):
    dims = draw.choice(0, 1, 2)
    layer, ins = (
        (fill(torch.nn.Linear(5, 4, bias=False), draw, 2), (3, 5)) if dims == 0 else convolution(draw, dims)[:2]
    )
    neuron = snn.Leaky(0.7, init_hidden=True, threshold=0.2)
    net = torch.nn.Sequential(layer, neuron)
    learns = snn.functional.stdp_learner.STDPLearner(layer, neuron, draw.number(1.5, 5), draw.number(1.5, 5))
    result = []
    for grad, scale in ((True, 1.0), (False, 0.5), (True, 2.0)):
        with torch.no_grad():
            for _ in range(draw.count(1, 3)):
                net(draw.spikes(*ins, rate=0.5))
            answer = learns.step(on_grad=grad, scale=scale)
        result += [answer is None, layer.weight.grad if grad else answer]
    return result


@case("functional.stdp_learner.STDPLearner", label="reset")
def learner_reset(snn, draw):
    raise Differs("STDPLearner.reset clears")


@case("functional.stdp_learner.STDPLearner", label="a step with nothing recorded")
def learner_nothing(snn, draw):
    raise Differs("STDPLearner.step does nothing where nothing happened")
