"""What layers that call the library's operators themselves have in common: types, first states, values as kernels take them."""

import torch

from . import surrogate as _surrogates
from ._state import row_of


def has_formula(layer):
    """Whether the layer's spikes have a gradient that any kernel knows: no function of the user's, nothing random or learned."""
    spike_grad = layer.spike_grad
    return isinstance(spike_grad, _surrogates.Surrogate) and spike_grad.name != "SSO" and not layer.learn_slope


def computed(x):
    """x in the type to compute in."""
    if not x.is_floating_point():
        raise TypeError(f"input_ must be a floating-point tensor, got {x.dtype}")
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def in_type_of(x, spk, traces, last):
    """Results in the type of the input; under autocast they stay float32, as everything that adds up over time."""
    if spk.dtype == x.dtype or torch.is_autocast_enabled("cpu"):
        return spk, list(traces), list(last)
    return spk.to(x.dtype), [t.to(x.dtype) for t in traces], [t.to(x.dtype) for t in last]


def given_state(layer, state, x):
    """The state that a sequence x [T, ...] starts from, in its type; [] where none fits: zeros."""
    row = row_of(x)
    shape = layer._state_shape(row)
    return layer._fresh(state, row) if any(s.shape == shape for s in state) else []


def is_one(value):
    """Whether multiplying by a parameter changes nothing."""
    return value.numel() == 1 and not value.requires_grad and value.item() == 1


def _refused(layer, name, value, row):
    return ValueError(
        f"[{type(layer).__name__}] {name} must broadcast with one step, {list(row)}, got {list(value.shape)}"
    )


def of_a_sample(layer, name, shape, like):
    """A value of the layer as one number [], or as a tensor of the shape of one sample of the batch."""
    value = getattr(layer, name).to(like)
    if value.numel() == 1:
        return value.reshape(())
    try:
        return value.expand(1, *shape)[0]
    except RuntimeError:
        raise _refused(layer, name, value, (1, *shape)) from None


def along(layer, named, row, like):
    """Values as the kernels of neurons take them: one number each, or all repeating with one period along a step of shape `row`."""
    values = {name: value.to(like) for name, value in named.items()}
    deepest = max([0, *[v.dim() for v in values.values() if v.numel() != 1]])
    trailing = row[len(row) - deepest :]
    out = []
    for name, value in values.items():
        if value.numel() == 1:
            out.append(value.reshape(()))
            continue
        try:
            out.append(value.expand(trailing).reshape(-1))
        except RuntimeError:
            raise _refused(layer, name, value, row) from None
    return out
