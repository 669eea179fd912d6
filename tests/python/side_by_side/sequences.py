"""Layers that take the whole sequence at once, and the small layers beside the neurons."""

import torch

from .cases import Differs, case, fill, warned
from .options import gradients, parameters, quantiser, surrogate


def backward(draw, x, layer, **outputs):
    """The outputs with the gradients of a random sum of them."""
    loss = sum((draw.normal(*value.shape) * value).sum() for value in outputs.values())
    if loss.requires_grad:  # spikes without a surrogate do not
        loss.backward()
    return outputs | gradients(layer, x=x) | {"saved": parameters(layer)}


def firing(snn, draw):
    """Options of when and how it fires."""
    options = {"threshold": draw.number(0.3, 1.2), "learn_threshold": draw.flag(0.3)}
    if draw.flag():
        options["spike_grad"] = surrogate(snn, draw)
    if draw.flag(0.1):
        options["surrogate_disable"] = True
    return options


@case("LeakyParallel", draws=30, label="random options, forward and gradient")
def leaky_parallel(snn, draw):
    inputs, hidden = draw.count(1, 5), draw.count(1, 5)
    options = firing(snn, draw) | {"bias": draw.flag(0.8), "learn_beta": draw.flag(0.4)}
    options |= {"graded_spikes_factor": draw.number(0.5, 2), "learn_graded_spikes_factor": draw.flag(0.3)}
    dense = draw.flag(0.3)
    options["weight_hh_enable"] = dense
    if draw.flag(0.7):
        options["beta"] = draw.choice(draw.number(0.2, 0.98), 1.1)
    layer = snn.LeakyParallel(inputs, hidden, **options)
    kept = layer.rnn.weight_hh_l0.detach().clone()
    fill(layer, draw)
    with torch.no_grad():
        # The recurrent weights are what beta and weight_hh_enable made of them.
        if "beta" in options:
            layer.rnn.weight_hh_l0.copy_(kept)
        elif not dense:
            layer.rnn.weight_hh_l0.mul_(torch.eye(hidden))
    x = draw.tensor(draw.count(2, 12), draw.count(1, 4), inputs, low=-0.3, high=1).requires_grad_()
    return backward(draw, x, layer, spk=layer(x))


def state_options(snn, draw):
    options = firing(snn, draw) | {"learn_beta": draw.flag(0.4), "output": draw.flag(0.7)}
    if draw.flag(0.2):
        options["state_quant"] = quantiser(snn, draw)
    if draw.flag(0.3):
        options["kernel_truncation_steps"] = draw.count(1, 8)
    return options


def run_state(draw, layer, x):
    """ "StateLeaky learns tau alone": the beta that it was given is no parameter here."""
    out = layer(x)
    spk, mem = out if isinstance(out, tuple) else (None, out)
    result = backward(draw, x, layer, mem=mem, **({} if spk is None else {"spk": spk}))
    result.pop("grad.beta", None)
    result["saved"]["beta"][2] = "learned or not"
    return result | {"beta": layer.beta}


@case("StateLeaky", draws=30, label="random options, forward and gradient")
def state_leaky(snn, draw):
    channels = draw.count(1, 5)
    beta = draw.tensor(channels, low=0.2, high=0.95) if draw.flag(0.4) else draw.number(0.2, 0.95)
    layer = snn.StateLeaky(beta, channels, **state_options(snn, draw))
    return run_state(draw, layer, draw.tensor(draw.count(1, 15), 2, channels, low=-0.3, high=0.9).requires_grad_())


@case("LinearLeaky", draws=30, label="random options, forward and gradient")
def linear_leaky(snn, draw):
    inputs, outputs = draw.count(1, 5), draw.count(1, 5)
    beta = draw.tensor(outputs, low=0.2, high=0.95) if draw.flag(0.4) else draw.number(0.2, 0.95)
    layer = fill(
        snn.LinearLeaky(beta, inputs, outputs, bias=draw.flag(0.8), **state_options(snn, draw)), draw, scale=1.5
    )
    return run_state(draw, layer, draw.normal(draw.count(1, 15), 2, inputs).requires_grad_())


@case("StateLeaky", "LinearLeaky", label="graded factor")
def graded_state(snn, draw):
    raise Differs("StateLeaky and LinearLeaky apply the graded factor once")


@case("AssociativeLeaky", draws=25, label="random options, forward and gradient")
def associative(snn, draw):
    inputs, side, projects = draw.count(1, 5), draw.count(1, 3), draw.flag()
    if draw.flag():
        layer = snn.AssociativeLeaky.from_num_spiking_neurons(inputs, side * side, use_q_projection=projects)
    else:
        keys = side if projects else draw.count(1, 3)
        layer = snn.AssociativeLeaky(inputs, side, keys, side * keys, use_q_projection=projects)
    fill(layer, draw, scale=2)
    x = draw.normal(draw.count(1, 6), 2, inputs).requires_grad_()
    if torch.sigmoid(layer.to_alpha(x)).cumprod(0).min() < 3e-3:
        # snnTorch adds 1e-8 to the running product of the decays before it divides by it.
        raise Differs("AssociativeLeaky does not divide by its decays")
    return backward(draw, x, layer, out=layer(x))


def put_batch_norm(kind, dims):
    @case(kind, draws=10, label="training, then evaluation")
    def run(snn, draw):
        features, steps = draw.count(1, 5), draw.count(1, 4)
        affine = draw.flag(0.7)
        layers = getattr(snn, kind)(
            features, steps, eps=draw.choice(1e-5, 1e-3), momentum=draw.number(0.05, 0.5), affine=affine
        )
        fill(layers, draw)
        shape = (4, features) if dims == 1 else (3, features, 2, 2)
        x = draw.normal(steps, *shape).requires_grad_()
        trained = torch.stack([layer(current) for layer, current in zip(layers, x)])
        layers.eval()
        told = torch.stack([layer(current) for layer, current in zip(layers, x)])
        result = backward(draw, x, layers, trained=trained, told=told)
        return result | {
            "is a list": isinstance(layers, torch.nn.ModuleList),
            "bias": [layer.bias is None for layer in layers],
        }


put_batch_norm("BatchNormTT1d", 1)
put_batch_norm("BatchNormTT2d", 2)


@case("GradedSpikes", draws=10, label="a column of inputs")
def graded_spikes(snn, draw):
    size = draw.count(1, 6)
    layer = snn.GradedSpikes(size, draw.choice(draw.number(0.5, 2), None, 0))
    drawn = layer.weights.detach()
    within = bool(((drawn >= 0.5) & (drawn <= 2)).all())
    with torch.no_grad():
        layer.weights.copy_(draw.tensor(size, 1))
    x = draw.spikes(*draw.choice((size, 1), (3, size, 1), (2, 3, size, 1))).requires_grad_()
    return backward(draw, x, layer, out=layer(x)) | {"within": within}


@case("GradedSpikes", label="[B, size]")
def graded_spikes_rows(snn, draw):
    raise Differs("GradedSpikes scales the last dimension")


@case("StateLeaky", "LinearLeaky", label="warnings")
def state_warnings(snn, draw):
    return [
        warned(lambda: snn.StateLeaky(0.9, 2, output=False, learn_threshold=True)),
        warned(lambda: snn.StateLeaky(0.9, 2, output=False, graded_spikes_factor=2.0)),
        warned(lambda: snn.StateLeaky(0.9, 2, output=False)),
        warned(lambda: snn.LinearLeaky(0.9, 2, 3, output=False, surrogate_disable=True)),
    ]
