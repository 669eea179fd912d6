"""Random options of neurons; each library makes its own surrogate and its own quantiser from them."""

import torch


def surrogate(snn, draw):
    """A surrogate of the library by a random name, or None for the default."""
    s = snn.surrogate
    makers = (
        lambda: None,
        lambda: s.atan(draw.number(0.5, 4)),
        lambda: s.fast_sigmoid(draw.number(1, 30)),
        lambda: s.sigmoid(draw.number(1, 10)),
        lambda: s.straight_through_estimator(),
        lambda: s.triangular(draw.number(0.5, 2)),
        lambda: s.heaviside(),
        lambda: s.spike_rate_escape(draw.number(0.5, 2), draw.number(0.5, 5)),
        lambda: s.SFS(draw.number(1, 10), draw.number(-1, 0.2)),
        lambda: s.custom_surrogate(lambda u, grad, spk: grad * (0.5 + 0.5 * spk) / (1 + u.abs()) ** 2),
    )
    return makers[draw.count(0, len(makers) - 1)]()


def decay(draw, features, low=0.3, high=0.99):
    """A number, now and then past the clamp, or a value per feature."""
    if draw.flag(0.3):
        return draw.tensor(features, low=low, high=high)
    return 1.2 if draw.flag(0.1) else draw.number(low, high)


def common(snn, draw, features, flat, reset="subtract"):
    """Options that all neurons with steps have. Flat: the input is [B, N], so that inhibition is defined."""
    options = {"threshold": draw.tensor(features, low=0.5, high=1.2) if draw.flag(0.2) else draw.number(0.5, 1.3)}
    if draw.flag(0.6):
        options["spike_grad"] = surrogate(snn, draw)
    if draw.flag(0.1):
        options["surrogate_disable"] = True
    if draw.flag(0.4):
        options["init_hidden"] = True
    if flat and draw.flag(0.15):
        options["inhibition"] = True
    if draw.flag(0.3):
        options["learn_threshold"] = True
    options["reset_mechanism"] = reset if draw.flag(0.2) else draw.choice("subtract", "zero", "none")
    if draw.flag(0.15):
        options["state_quant"] = quantiser(snn, draw)
    if draw.flag(0.5):
        options["output"] = True
    return options


def quantiser(snn, draw):
    return snn.functional.quant.state_quant(
        num_bits=draw.count(2, 8),
        uniform=draw.flag(),
        thr_centered=draw.flag(),
        threshold=draw.number(0.8, 1.5),
        lower_limit=draw.number(0, 0.5),
        upper_limit=draw.number(0.1, 0.5),
    )


def shape_of_input(draw, features):
    """[B, N], [N] or [B, C, H, N]: features are the last dimension."""
    return draw.choice((draw.count(1, 4), features), (draw.count(1, 4), features), (features,), (2, 3, 2, features))


def parameters(module, without=()):
    """Name -> shape, type, whether it is learned, and the value where that is one number, of what a module saves.

    Numbers that the user gave as integers are integers in snnTorch, and floats in Rheobase: type "number" for both."""
    learned = {name for name, p in module.named_parameters() if p.requires_grad}
    found = {}
    for name, value in sorted(module.state_dict().items()):
        if name not in without:
            kind = "number" if value.dtype in (torch.int64, torch.float32) else str(value.dtype)
            found[name] = [list(value.shape), kind, name in learned, value.double().detach() if value.ndim == 0 else 0]
    return found


def gradients(module, **inputs):
    """Gradients of inputs and parameters; zeros and none are the same."""
    found = {f"grad.{name}": grad_of(value) for name, value in inputs.items()}
    for name, parameter in sorted(module.named_parameters()):
        if parameter.requires_grad:
            found[f"grad.{name}"] = grad_of(parameter)
    return found


def grad_of(value):
    return torch.zeros_like(value) if value.grad is None else value.grad
