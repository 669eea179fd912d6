"""Losses, accuracies, the penalty, first-spike times and the quantiser."""

import torch

from .cases import Differs, case
from .options import quantiser

WEIGHTED = "Weights go along the batch"
SUMMED = "A weighted sum is a sum"


def run(draw, loss, membranes=False, classes=None, outputs=None):
    """Loss and gradient of a random recording [T, B, N]."""
    steps, batch = draw.count(2, 12), draw.count(1, 5)
    classes = classes or draw.count(2, 6)
    shape = (steps, batch, outputs or classes)
    recording = (draw.normal(*shape) if membranes else draw.spikes(*shape)).requires_grad_()
    value = loss(recording, draw.labels(batch, classes))
    if value.ndim > 1 or value.numel() > 1:
        value.backward(draw.normal(*value.shape))
    else:
        value.backward(torch.ones_like(value))
    return {"loss": value, "grad": recording.grad}


def reduction(draw, classes=None):
    """How it is reduced; with class weights where the number of classes is known."""
    options = {"reduction": draw.choice("mean", "mean", "sum", "none")}
    if classes and draw.flag(0.4):
        options["weight"] = draw.tensor(classes, low=0.2, high=2)
        if options["reduction"] == "sum":
            raise Differs(SUMMED)
    return options


@case("functional.loss.ce_rate_loss", draws=15)
def ce_rate(snn, draw):
    classes = draw.count(2, 5)
    return run(draw, snn.functional.ce_rate_loss(**reduction(draw, classes)), draw.flag(), classes)


@case("functional.loss.ce_rate_loss", label="population code")
def ce_rate_population(snn, draw):
    raise Differs("ce_rate_loss pools")


@case("functional.loss.ce_count_loss", draws=15)
def ce_count(snn, draw):
    classes = draw.count(2, 5)
    options = reduction(draw, classes)
    if draw.flag(0.4):
        return run(
            draw, snn.functional.ce_count_loss(True, classes, **options), False, classes, classes * draw.count(1, 3)
        )
    return run(draw, snn.functional.ce_count_loss(**options), draw.flag(), classes)


@case("functional.loss.ce_max_membrane_loss", draws=15)
def ce_max_membrane(snn, draw):
    classes = draw.count(2, 5)
    return run(draw, snn.functional.ce_max_membrane_loss(**reduction(draw, classes)), True, classes)


@case("functional.loss.mse_count_loss", draws=15)
def mse_count(snn, draw):
    classes = draw.count(2, 5)
    rates = {"correct_rate": draw.number(0.5, 1), "incorrect_rate": draw.number(0, 0.5)} if draw.flag() else {}
    if draw.flag(0.4):
        loss = snn.functional.mse_count_loss(population_code=True, num_classes=classes, **rates, **reduction(draw))
        return run(draw, loss, False, classes, classes * draw.count(1, 3))
    return run(draw, snn.functional.mse_count_loss(**rates, **reduction(draw)), False, classes)


@case("functional.loss.mse_membrane_loss", draws=12)
def mse_membrane(snn, draw):
    options = {"on_target": draw.number(0.5, 2), "off_target": draw.number(0, 0.4)} if draw.flag() else {}
    return run(draw, snn.functional.mse_membrane_loss(**options, **reduction(draw)), True)


@case("functional.loss.mse_membrane_loss", label="targets over time")
def mse_over_time(snn, draw):
    raise Differs("mse_membrane_loss takes targets over time")


@case(
    "functional.loss.mse_count_loss",
    "functional.loss.mse_membrane_loss",
    "functional.loss.mse_temporal_loss",
    label="weights",
)
def weights(snn, draw):
    raise Differs(WEIGHTED)


@case("functional.loss.mse_temporal_loss", draws=15)
def mse_temporal(snn, draw):
    options = {"on_target": draw.count(0, 2), "off_target": draw.count(3, 8), "tolerance": draw.choice(0, 0, 2)}
    loss = snn.functional.mse_temporal_loss(**options, **reduction(draw))
    if draw.flag(0.3):
        times = snn.functional.mse_temporal_loss(target_is_time=True, tolerance=options["tolerance"])
        return run(draw, lambda spk, labels: times(spk, draw.tensor(spk.shape[1], spk.shape[2], high=8).round()))
    return run(draw, loss)


@case("functional.loss.mse_temporal_loss", "functional.loss.SpikeTime", label="its default")
def mse_temporal_default(snn, draw):
    raise Differs("mse_temporal_loss's default tells classes apart")


@case("functional.loss.SpikeTime", label="negative times")
def negative_times(snn, draw):
    raise Differs("The caller's targets stay as they are")


@case("functional.loss.SpikeTime", "functional.loss.mse_temporal_loss", label="several spikes")
def several(snn, draw):
    raise Differs("multi_spike takes one neuron's spike")


@case(
    "functional.loss.SpikeTime",
    "functional.loss.mse_temporal_loss",
    draws=5,
    label="several spikes of one neuron and sample",
)
def several_of_one(snn, draw):
    steps = draw.count(6, 12)
    spk = draw.spikes(steps, 1, 1).requires_grad_()
    value = snn.functional.mse_temporal_loss(on_target=[1, 3], off_target=[2, 4], multi_spike=True)(
        spk, torch.zeros(1, dtype=torch.int64)
    )
    value.backward()
    return [value, spk.grad]


@case("functional.loss.SpikeTime", draws=8)
def spike_time(snn, draw):
    spk = draw.spikes(draw.count(2, 9), 3, 4, rate=0.2)
    spk = spk.requires_grad_()
    if draw.flag():
        times, targets = snn.functional.SpikeTime(target_is_time=True)(spk, draw.tensor(3, 4, high=5).round())
    else:
        times, targets = snn.functional.SpikeTime(on_target=1, off_target=4)(spk, draw.labels(3, 4))
    times.backward(draw.normal(3, 4))
    return [times, targets, spk.grad]


@case("functional.loss.ce_temporal_loss", draws=15)
def ce_temporal(snn, draw):
    classes = draw.count(2, 5)
    options = {"reduction": draw.choice("mean", "sum", "none"), "inverse": draw.choice("negate", "reciprocal")}
    if draw.flag(0.4):
        options["weight"] = draw.tensor(classes, low=0.2, high=2)
    return run(draw, snn.functional.ce_temporal_loss(**options), False, classes)


@case("functional.loss.ce_rate_loss", "functional.loss.mse_count_loss", label="the names that backprop asks losses for")
def names(snn, draw):
    kinds = (
        "ce_rate_loss",
        "ce_count_loss",
        "ce_max_membrane_loss",
        "mse_count_loss",
        "mse_membrane_loss",
        "mse_temporal_loss",
        "ce_temporal_loss",
        "l1_rate_sparsity",
    )
    return [getattr(snn.functional, kind)().__name__ for kind in kinds]


@case("functional.acc.accuracy_rate", draws=10)
def accuracy_rate(snn, draw):
    classes = draw.count(2, 5)
    if draw.flag():
        spk = draw.spikes(7, 9, classes * 3)
        value = snn.functional.accuracy_rate(spk, draw.labels(9, classes), population_code=True, num_classes=classes)
    else:
        value = snn.functional.acc.accuracy_rate(draw.spikes(7, 9, classes), draw.labels(9, classes))
    return [float(value), type(value).__name__]


@case("functional.acc.accuracy_temporal", draws=10)
def accuracy_temporal(snn, draw):
    value = snn.functional.accuracy_temporal(draw.spikes(7, 9, 4, rate=draw.choice(0.05, 0.3)), draw.labels(9, 4))
    return [float(value), type(value).__name__]


@case("functional.reg.l1_rate_sparsity", draws=4)
def sparsity(snn, draw):
    spk = draw.spikes(5, 3, 4).requires_grad_()
    value = snn.functional.reg.l1_rate_sparsity(draw.number(0, 1) if draw.flag() else 1e-5)(spk)
    value.backward()
    return [value, spk.grad]


@case("functional.quant.state_quant", draws=20)
def state_quant(snn, draw):
    x = draw.normal(*draw.choice((17,), (3, 5), (2, 3, 4))).requires_grad_()
    out = (snn.functional.quant.state_quant(draw.count(1, 8)) if draw.flag(0.2) else quantiser(snn, draw))(x)
    out.backward(draw.normal(*x.shape))
    return [out, x.grad]
