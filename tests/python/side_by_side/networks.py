"""Whole networks: backprop, utils, NIR."""

import warnings

import numpy as np
import torch

from .cases import Differs, case, fill, raised, warned


def network(snn, draw, last):
    lasts = {
        "Lapicque": lambda: snn.Lapicque(0.8, init_hidden=True, output=True),
        "Leaky": lambda: snn.Leaky(0.8, init_hidden=True, output=True, threshold=0.5),
        "Synaptic": lambda: snn.Synaptic(0.5, 0.8, init_hidden=True, output=True),
        "Alpha": lambda: snn.Alpha(0.8, 0.5, init_hidden=True, output=True, threshold=0.3),
        "RLeaky": lambda: snn.RLeaky(0.8, linear_features=3, init_hidden=True, output=True),
        "SLSTM": lambda: snn.SLSTM(3, 3, init_hidden=True, output=True, threshold=0.1),
    }
    hidden = [] if last != "Leaky" else [torch.nn.Linear(4, 4), snn.Leaky(0.7, init_hidden=True, threshold=0.4)]
    return fill(torch.nn.Sequential(*hidden, torch.nn.Linear(4, 3), lasts[last]()), draw, scale=3)


def train(snn, draw, name, **options):
    """One call of a training function: its loss and the weights it left."""
    net = network(snn, draw, draw.choice("Lapicque", "Leaky", "Leaky", "Synaptic", "Alpha", "RLeaky", "SLSTM"))
    loss = draw.choice("ce_rate_loss", "ce_count_loss", "mse_count_loss", "mse_membrane_loss", "ce_max_membrane_loss")
    penalty = snn.functional.l1_rate_sparsity(1e-2) if draw.flag(0.4) else False
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    average = getattr(snn.backprop, name)(
        net, options.pop("data"), optimizer, getattr(snn.functional, loss)(), regularization=penalty, **options
    )
    # Its shape is that of the loss there, [1] of some losses; here it is a scalar.
    return [average.detach().reshape(()), {key: value.detach() for key, value in net.named_parameters()}]


def batches(draw, count, *shape, time_first=True):
    return [
        (draw.tensor(*shape), draw.labels(shape[1 if time_first and len(shape) == 3 else 0], 3)) for _ in range(count)
    ]


@case("backprop.BPTT", draws=10)
def bptt(snn, draw):
    kind = draw.choice("static", "time first", "batch first")
    if kind == "static":
        return train(snn, draw, "BPTT", data=batches(draw, 2, 5, 4), num_steps=draw.count(3, 7), time_var=False)
    shape, first = ((6, 5, 4), True) if kind == "time first" else ((5, 6, 4), False)
    return train(snn, draw, "BPTT", data=batches(draw, 2, *shape, time_first=first), time_first=first)


@case("backprop.TBPTT", draws=12, label="static data, cut every K steps")
def tbptt(snn, draw):
    # A multiple of K and one batch; the rest of the cases are "TBPTT averages over steps" and its like.
    cut = draw.count(1, 4)
    return train(
        snn, draw, "TBPTT", data=batches(draw, 1, 5, 4), num_steps=cut * draw.count(1, 3), time_var=False, K=cut
    )


@case("backprop.RTRL", draws=6, label="static data")
def rtrl(snn, draw):
    return train(snn, draw, "RTRL", data=batches(draw, 1, 5, 4), num_steps=draw.count(1, 5), time_var=False)


@case("backprop.TBPTT", "backprop.RTRL", label="data that varies over time, with K")
def cut_over_time(snn, draw):
    raise Differs("TBPTT cuts data that varies over time")


@case("backprop.TBPTT", label="several classes of neurons, or neurons in containers")
def several_kinds(snn, draw):
    raise Differs("TBPTT cuts every state")


@case("backprop.TBPTT", label="steps that K does not divide")
def remainder(snn, draw):
    raise Differs("TBPTT averages over steps")


@case("backprop.TBPTT", label="a loss of another library")
def foreign(snn, draw):
    raise Differs("TBPTT refuses losses of other libraries")


@case("backprop.TBPTT", "backprop.BPTT", "backprop.RTRL", label="wrong calls")
def wrong_training(snn, draw):
    net = network(snn, draw, "Leaky")
    loss, optimizer, data = (
        snn.functional.ce_rate_loss(),
        torch.optim.SGD(net.parameters(), lr=0.1),
        batches(draw, 1, 5, 4),
    )
    b = snn.backprop
    return [
        raised(lambda: b.TBPTT(net, data, optimizer, loss, num_steps=4)),
        raised(lambda: b.TBPTT(net, data, optimizer, loss, time_var=False)),
        raised(lambda: b.TBPTT(net, data, optimizer, loss, num_steps=4, time_var=False, K=9)),
        raised(lambda: b.TBPTT(net, data, optimizer, loss, num_steps=4, time_var=False, time_first=False, K=2)),
        raised(lambda: b.BPTT(net, data, optimizer, loss, num_steps=4)),
        raised(lambda: b.RTRL(net, data, optimizer, loss, time_var=False)),
    ]


@case("utils.reset", draws=4)
def reset(snn, draw):
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 3),
        snn.Leaky(0.8, init_hidden=True),
        torch.nn.Linear(3, 3),
        snn.Synaptic(0.5, 0.7, init_hidden=True),
        snn.RLeaky(0.8, linear_features=3, init_hidden=True),
        snn.Alpha(0.9, 0.6, init_hidden=True),
        snn.Lapicque(0.7, init_hidden=True),
        snn.SLSTM(3, 3, init_hidden=True, output=True),
    )
    fill(net, draw, scale=2)
    x = draw.tensor(2, 4)
    first = [net(x)[0] for _ in range(3)]
    answer = snn.utils.reset(net)
    states = [
        getattr(layer, name) for layer in net for name in ("syn", "mem", "spk", "syn_exc") if hasattr(layer, name)
    ]
    quiet = [bool((s == 0).all()) for s in states[:-1]]
    again = [net(x)[0] for _ in range(3)]
    again[-1].sum().backward()
    return [answer, first, quiet, again]


@case("utils.reset", label="nested networks, other networks, and beside a DeltaLeaky")
def reset_deep(snn, draw):
    raise Differs(
        draw.choice("reset reaches every depth", "reset leaves other networks alone", "reset works beside a DeltaLeaky")
    )


class Data:
    """As torchvision's data sets are: data, targets, a length."""

    def __init__(self, count, arrays):
        self.data, self.targets = torch.arange(2 * count).reshape(count, 2), torch.arange(count) % 3
        if arrays:
            self.data, self.targets = self.data.numpy(), self.targets.numpy()

    def __len__(self):
        return len(self.data)

    def told(self):
        return [np.asarray(self.data).tolist(), np.asarray(self.targets).tolist(), type(self.data).__name__]


@case("utils.data_subset", draws=8)
def data_subset(snn, draw):
    data = Data(draw.count(5, 40), draw.flag())
    subset = draw.count(1, 5)
    answer = snn.utils.data_subset(data, subset, *((draw.count(0, subset),) if draw.flag() else ()))
    return [data.told(), answer is data]


@case("utils.valid_split", draws=8)
def valid_split(snn, draw):
    count, arrays = draw.count(5, 40), draw.flag()
    train, valid = Data(count, arrays), Data(count, arrays)
    a, b = snn.utils.valid_split(train, valid, draw.number(0, 1), **({"seed": draw.count(0, 9)} if draw.flag() else {}))
    return [a.told(), b.told(), a is train, b is valid]


def plain(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items() if v is not None}
    if isinstance(value, np.ndarray):
        return [list(value.shape), np.asarray(value, dtype=float).round(4).tolist()]
    return value


def told_graph(graph):
    """Nodes by name with their numbers, and edges."""
    nodes = {}
    for name, node in sorted(graph.nodes.items()):
        kind = type(node).__name__
        fields = {} if kind in ("Input", "Output", "NIRGraph") else vars(node)
        keep = (
            "weight",
            "bias",
            "tau",
            "tau_syn",
            "tau_mem",
            "r",
            "w_in",
            "v_leak",
            "v_threshold",
            "stride",
            "padding",
            "start_dim",
        )
        nodes[name] = [kind, {key: plain(fields[key]) for key in keep if key in fields}]
    return [nodes, sorted(map(tuple, graph.edges))]


def spiking(snn, draw):
    """Layers that snnTorch's own round trip keeps: reset to zero without delay, one beta per neuron."""
    options = {
        "init_hidden": True,
        "reset_mechanism": "zero",
        "reset_delay": False,
        "threshold": torch.full((3,), draw.number(0.3, 0.6)),
    }
    beta = torch.full((3,), draw.number(0.5, 0.9))
    if draw.flag():
        return snn.Leaky(beta, **options)
    return snn.Synaptic(torch.full((3,), draw.number(0.5, 0.9)), beta, **options)


@case("export_nir.export_to_nir", draws=6, label="nodes and edges")
def exported(snn, draw):
    net = fill(torch.nn.Sequential(torch.nn.Linear(4, 3, bias=draw.flag()), spiking(snn, draw)), draw, scale=2)
    return told_graph(snn.export_nir.export_to_nir(net, torch.rand(1, 4), ignore_dims=[0]))


@case("import_nir.import_from_nir", draws=6, label="a network exported by either library", exchange=True)
def imported(snn, draw, other):
    net = fill(torch.nn.Sequential(torch.nn.Linear(4, 3), spiking(other, draw)), draw, scale=2)
    graph = other.export_nir.export_to_nir(net, torch.rand(1, 4), ignore_dims=[0])
    back = snn.import_nir.import_from_nir(graph)
    x, state, result = draw.tensor(1, 4, high=0.6), None, []
    for _ in range(5):
        out = back(x, state) if state is not None else back(x)
        spk, state = out if isinstance(out, tuple) else (out, None)
        result.append(spk)
    return result


@case("import_nir.import_from_nir", "export_nir.export_to_nir", label="recurrent layers")
def recurrent_nir(snn, draw):
    raise Differs("Recurrent layers come back from NIR")


@case("import_nir.import_from_nir", label="nir.IF")
def if_nir(snn, draw):
    raise Differs("NIR's IF has no leak")


@case("export_nir.export_to_nir", label="resets, inhibition, graded factors")
def lost_nir(snn, draw):
    raise Differs("NIR files keep what NIR can say")


@case("backprop.BPTT", label="backprop is deprecated")
def deprecated(snn, draw):
    import importlib

    def again():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
        importlib.reload(snn.backprop)

    return warned(again)
