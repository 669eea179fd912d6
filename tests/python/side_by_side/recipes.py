"""How to get snnTorch's number where Rheobase differs: the recipes of docs/migrating-from-snntorch.md against snnTorch itself."""

import math

import torch

from .cases import case, fill


def theirs(snn):
    return snn.__name__ == "snntorch"


def recipe(*names, title, draws=5):
    return case(*names, draws=draws, label=f"snnTorch's number: {title}")


@recipe("StateLeaky", title="StateLeaky and LinearLeaky apply the graded factor once")
def graded(snn, draw):
    factor = draw.number(0.5, 2)
    layer = snn.StateLeaky(0.8, 3, graded_spikes_factor=factor if theirs(snn) else factor**2, threshold=0.5)
    return layer(draw.tensor(9, 2, 3))


@recipe("SLSTM", title="SLSTM keeps its states")
def slstm(snn, draw):
    layer = fill(snn.SLSTM(3, 5, init_hidden=True, output=True, threshold=0.05), draw, 2)
    record = []
    for _ in range(4):
        if not theirs(snn):
            layer.reset_mem()
        record.append(layer(draw.normal(2, 3)))
    return record


@recipe("Lapicque", title="Lapicque learns beta")
def lapicque(snn, draw):
    beta = draw.number(0.4, 0.9)
    layer = snn.Lapicque(beta, learn_beta=True) if theirs(snn) else snn.Lapicque(R=1, C=-1 / math.log(beta))
    mem, record = torch.zeros(3), []
    for _ in range(8):
        spk, mem = layer(draw.tensor(3, high=2), mem)
        record += [spk, mem]
    return record


def without_delay(snn, draw, mechanism):
    layer = snn.Leaky(0.9, reset_mechanism=mechanism, reset_delay=not theirs(snn), graded_spikes_factor=1.5)
    mem, record = torch.tensor([2.0, 1.5, 0.5, 0.1]), []
    for _ in range(12):
        reset = layer.mem_reset(mem)
        spk, mem = layer(draw.tensor(4), mem)
        if not theirs(snn):
            mem = mem - (spk / layer.graded_spikes_factor - reset) * (
                layer.threshold if mechanism == "subtract" else mem
            )
        record += [spk, mem]
    return record


@recipe("Leaky", title="No threshold is given back")
def given_back(snn, draw):
    return without_delay(snn, draw, "subtract")


@recipe("Leaky", title="The step that fires resets to zero")
def twice_the_input(snn, draw):
    return without_delay(snn, draw, "zero")


@recipe("AssociativeLeaky", title="AssociativeLeaky does not divide by its decays")
def associative(snn, draw):
    layer, x = fill(snn.AssociativeLeaky(3, 2, 2, 4, use_q_projection=False), draw, 2), draw.normal(20, 2, 3)
    if theirs(snn):
        return layer(x)
    outer = torch.einsum("tbd,tbn->tbdn", layer.to_v(x), layer.to_k(x))
    p = torch.sigmoid(layer.to_alpha(x)).cumprod(0).unsqueeze(2)
    return layer.fire((p * (outer / (p + 1e-8)).cumsum(0)).flatten(2))


@recipe("Leaky", title="The reset mechanism can change")
def mechanism(snn, draw):
    layer = snn.Leaky(0.9, reset_mechanism="zero")
    saved = snn.Leaky(0.8).state_dict()
    if not theirs(snn):
        del saved["reset_mechanism_val"]
    layer.load_state_dict(saved, strict=theirs(snn))
    mem, record = torch.zeros(3), []
    for _ in range(8):
        spk, mem = layer(draw.tensor(3), mem)
        record += [spk, mem]
    return record


@recipe("GradedSpikes", title="GradedSpikes scales the last dimension")
def spikes_in_rows(snn, draw):
    layer, x = snn.GradedSpikes(3, 0.7), draw.spikes(1, 3)
    return layer(x) if theirs(snn) else x * layer.weights


@recipe("spikegen.from_one_hot", title="from_one_hot gives classes")
def rows(snn, draw):
    x = torch.eye(4)[draw.labels(5, 4)]
    return snn.spikegen.from_one_hot(x) if theirs(snn) else torch.where(x == 1)[0]


@recipe("spikegen.targets_rate", title="A negative off_target is honoured")
def off_target(snn, draw):
    labels, on = draw.labels(5, 4), draw.choice(0, 1)
    if theirs(snn):
        return snn.spikegen.targets_rate(labels, 4, on_target=on, off_target=-1)
    return torch.clamp(snn.spikegen.targets_rate(labels, 4) * on, -1)


@recipe("functional.loss.mse_temporal_loss", title="mse_temporal_loss's default tells classes apart")
def temporal(snn, draw):
    loss = (
        snn.functional.mse_temporal_loss()
        if theirs(snn)
        else snn.functional.mse_temporal_loss(on_target=0, off_target=0)
    )
    return loss(draw.spikes(6, 4, 3), draw.labels(4, 3))


@recipe("functional.loss.ce_count_loss", title="A weighted sum is a sum")
def weighted_sum(snn, draw):
    loss = snn.functional.ce_count_loss(reduction="sum" if theirs(snn) else "none", weight=draw.tensor(3))
    return loss(draw.spikes(6, 4, 3), draw.labels(4, 3))


@recipe("functional.loss.mse_count_loss", title="Weights go along the batch")
def weights(snn, draw):
    spk, labels, weight = draw.spikes(6, 3, 3), draw.labels(3, 3), draw.tensor(3)
    if theirs(snn):
        return snn.functional.mse_count_loss(weight=weight)(spk, labels)
    return (snn.functional.mse_count_loss(reduction="none")(spk, labels) * weight[labels]).mean()


@recipe("functional.loss.ce_rate_loss", title="ce_rate_loss pools")
def pools(snn, draw):
    spk, labels = draw.spikes(6, 3, 6), draw.labels(3, 3)
    if theirs(snn):
        return snn.functional.ce_rate_loss(True, 3, weight=torch.tensor([0.5, 2.0]))(spk, labels)
    return snn.functional.ce_rate_loss(weight=torch.tensor([0.5] * 2 + [2.0] * 4))(spk, labels)


@recipe("utils.reset", title="reset leaves other networks alone")
def everywhere(snn, draw):
    layers = [snn.Leaky(0.9, init_hidden=True) for _ in range(2)]
    for layer in layers:
        layer(draw.tensor(2, 3))
    if theirs(snn):
        snn.utils.reset(torch.nn.Sequential(layers[0]))
    else:
        snn.Leaky.reset_hidden()
    return [layer.mem for layer in layers]
