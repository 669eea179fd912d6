"""Neurons that are called step by step: all options, hidden and explicit state, forward and backward."""

import torch

from .cases import Differs, case, fill
from .options import common, decay, gradients, parameters, shape_of_input

STATES = {
    "Lapicque": ("mem",),
    "Leaky": ("mem",),
    "Synaptic": ("syn", "mem"),
    "Alpha": ("syn_exc", "syn_inh", "mem"),
    "RLeaky": ("spk", "mem"),
    "RSynaptic": ("spk", "syn", "mem"),
    "SLSTM": ("syn", "mem"),
    "SConv2dLSTM": ("syn", "mem"),
}
RETURNED = {kind: tuple(s for s in states if s != "spk") for kind, states in STATES.items()}
# It has no reset; "DeltaLeaky refuses what it would ignore".
DELTA_WITHOUT = ("reset_mechanism_val",)
NO_DELAY = "No threshold is given back"


def run_steps(snn, draw, layer, kind, x, keeps_state, state_shape=None):
    """Calls the layer for every step of x [T, ...]; gives all that it returns over time, and the gradients of a random sum."""
    if layer.inhibition and getattr(layer, "reset_delay", True) is False:
        raise Differs(NO_DELAY)  # of the losers' resets
    names, returned = STATES[kind], RETURNED[kind]
    state_shape = state_shape or x.shape[1:]
    x = x.requires_grad_()
    inputs, state = {"x": x}, []
    if not keeps_state:
        if draw.flag(0.3):
            threshold = layer.threshold.detach().min().item()
            state = [draw.tensor(*state_shape, low=-0.5, high=0.95 * threshold).to(x.dtype) for _ in names]
            state = [s.requires_grad_() for s in state]
            inputs |= {f"{name}0": s for name, s in zip(names, state)}
        else:
            state = layer.reset_mem()
            state = list(state) if isinstance(state, tuple) else [state]
    record = {name: [] for name in ("spk", *returned)}
    for current in x.unbind(0):
        before = layer.mem.detach()
        out = layer(current, *state)
        out = out if isinstance(out, tuple) else (out,)
        if not keeps_state:
            state = [*out[:1], *out[1:]] if "spk" in names else list(out[1:])
        else:
            out = (out[0], *(getattr(layer, name) for name in returned))
        if getattr(layer, "reset_delay", True) is False and before.numel() and (before > layer.threshold).any():
            raise Differs(NO_DELAY)
        for name, value in zip(record, out):
            record[name].append(value)
    result = {name: torch.stack(values) for name, values in record.items()}
    loss = sum((draw.normal(*value.shape) * value).sum() for value in result.values())
    loss.backward()
    if x.grad is not None and x.grad.isnan().any():
        raise Differs("sigmoid stays finite")
    return result | {"returned": len(out)} | gradients(layer, **inputs) | {"saved": parameters(layer)}


def length(draw):
    return draw.count(3, 14)


def lapicque(snn, draw, features, options):
    given = draw.choice("beta", "RC", "beta R", "beta C")
    if given == "RC":
        options |= {"R": draw.number(0.5, 3), "C": draw.number(0.5, 3), "time_step": draw.choice(1, 0.5, 0.1)}
    else:
        options["beta"] = draw.number(0.4, 0.95)
        if given != "beta":
            options[given[-1]] = draw.number(0.5, 3)
    return snn.Lapicque(**options), 2.0


def leaky(snn, draw, features, options):
    options |= {
        "beta": decay(draw, features),
        "learn_beta": draw.flag(0.3),
        "graded_spikes_factor": draw.number(0.5, 2),
    }
    options |= {"learn_graded_spikes_factor": draw.flag(0.3), "reset_delay": draw.flag(0.7)}
    if options.get("inhibition") and not options["reset_delay"]:
        options["graded_spikes_factor"] = 1.0
    return snn.Leaky(**options), 0.9 if options["reset_delay"] else 0.5


def synaptic(snn, draw, features, options):
    options |= {"alpha": decay(draw, features), "beta": decay(draw, features), "learn_alpha": draw.flag(0.3)}
    options |= {"learn_beta": draw.flag(0.3), "reset_delay": draw.flag(0.7)}
    return snn.Synaptic(**options), 0.4 if options["reset_delay"] else 0.12


def alpha(snn, draw, features, options):
    low = draw.number(0.3, 0.7)
    options |= {"alpha": draw.number(low + 0.05, 0.95), "beta": low, "learn_beta": draw.flag(0.3)}
    return snn.Alpha(**options), 1.5


NEURONS = {"Lapicque": lapicque, "Leaky": leaky, "Synaptic": synaptic, "Alpha": alpha}


def put_neuron(kind):
    @case(kind, draws=40, label="random options, forward and gradient")
    def run(snn, draw):
        features = draw.count(2, 7)
        shape = shape_of_input(draw, features)
        options = common(snn, draw, features, len(shape) == 2, "zero" if kind == "Alpha" else "subtract")
        layer, high = NEURONS[kind](snn, draw, features, options)
        # snnTorch's levels make float32 of a quantised state; "Spikes have the input's type".
        dtype = torch.float64 if draw.flag(0.1) and not layer.state_quant else torch.float32
        x = draw.tensor(length(draw), *shape, low=-0.3, high=high, dtype=dtype)
        keeps_state = layer.init_hidden or draw.flag(0.3)
        return run_steps(snn, draw, layer, kind, x, keeps_state)


def put_recurrent(kind):
    @case(kind, draws=40, label="random options, forward and gradient")
    def run(snn, draw):
        feedback = draw.choice("one", "linear", "conv")
        features = draw.count(2, 6)
        shape = (2, 3, 4, features) if feedback == "conv" else (draw.count(1, 4), features)
        options = common(snn, draw, features, len(shape) == 2)
        options |= {"beta": decay(draw, features), "learn_beta": draw.flag(0.3), "learn_recurrent": draw.flag(0.7)}
        if kind == "RSynaptic":
            options |= {"alpha": decay(draw, features), "learn_alpha": draw.flag(0.3)}
        else:
            options["reset_delay"] = draw.flag(0.8)
        if feedback == "one":
            value = draw.tensor(features, low=-0.5, high=0.5) if draw.flag() else draw.number(-0.5, 0.5)
            options |= {"V": value, "all_to_all": False}
        elif feedback == "linear":
            options["linear_features"] = features
        else:
            options |= {"conv2d_channels": 3, "kernel_size": draw.choice(3, (3, 1))}
        layer = fill(getattr(snn, kind)(**options), draw)
        high = 0.4 if kind == "RSynaptic" or not options["reset_delay"] else 0.9
        x = draw.tensor(length(draw), *shape, low=-0.3, high=high)
        return run_steps(snn, draw, layer, kind, x, layer.init_hidden or draw.flag(0.3))


for name in NEURONS:
    put_neuron(name)
for name in ("RLeaky", "RSynaptic"):
    put_recurrent(name)


@case("SLSTM", draws=25, label="random options, forward and gradient")
def slstm(snn, draw):
    size = draw.count(2, 6)
    options = common(snn, draw, 1, True, "none")
    options["threshold"] = draw.number(0.05, 0.3)
    # Input and hidden size are the same: otherwise "SLSTM keeps its states".
    layer = fill(snn.SLSTM(size, size, bias=draw.flag(0.8), **options), draw, scale=2)
    x = draw.normal(length(draw), draw.count(1, 4), size)
    return run_steps(snn, draw, layer, "SLSTM", x, layer.init_hidden or draw.flag(0.3))


@case("SConv2dLSTM", draws=25, label="random options, forward and gradient")
def sconv2dlstm(snn, draw):
    ins, outs, batch = draw.count(1, 3), draw.count(1, 3), draw.count(1, 3)
    options = common(snn, draw, 1, False, "none")
    options["threshold"] = draw.number(0.05, 0.3)
    if draw.flag():
        options[draw.choice("max_pool", "avg_pool")] = 2
    layer = fill(snn.SConv2dLSTM(ins, outs, draw.choice(3, (1, 3)), bias=draw.flag(0.8), **options), draw, scale=2)
    x = draw.normal(length(draw), batch, ins, 4, 4)
    keeps_state = layer.init_hidden or draw.flag(0.3)
    return run_steps(snn, draw, layer, "SConv2dLSTM", x, keeps_state, (batch, outs, 4, 4))


@case("DeltaLeaky", draws=20, label="random options, forward and gradient")
def delta_leaky(snn, draw):
    shape = (draw.count(1, 4), draw.count(1, 5))
    options = {"beta": draw.choice(draw.number(0.3, 0.99), 1.1), "learn_beta": draw.flag(0.3)}
    options |= {"init_hidden": draw.flag()} | ({"surrogate_disable": True} if draw.flag(0.1) else {})
    layer = snn.DeltaLeaky(draw.number(0.1, 0.6), **options)
    x = draw.tensor(length(draw), *shape, low=-0.5, high=1).requires_grad_()
    state, record = layer.reset_mem(), []
    for current in x.unbind(0):
        spk, state = layer(current) if layer.init_hidden else layer(current, state)
        record.append((spk, *state))
    spk, mem, previous = (torch.stack(values) for values in zip(*record))
    sum((draw.normal(*value.shape) * value).sum() for value in (spk, mem, previous)).backward()
    return (
        {"spk": spk, "mem": mem, "mem_prev": previous}
        | gradients(layer, x=x)
        | {"saved": parameters(layer, DELTA_WITHOUT)}
    )
