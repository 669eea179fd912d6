"""The state of layers: who has one (weakly), and an input that is the same at every step."""

import weakref
from typing import NamedTuple

import torch


class Instances:
    """The layers there are, over weak references, in the order in which they were made: nothing is kept alive."""

    def __init__(self):
        self._layers = {}

    def add(self, layer):
        key = id(layer)
        self._layers[key] = weakref.ref(layer, lambda _: self._layers.pop(key, None))

    append = add

    def clear(self):
        self._layers = {}

    def __iter__(self):
        return iter([layer for layer in (ref() for ref in list(self._layers.values())) if layer is not None])

    def __len__(self):
        return sum(1 for _ in self)

    def __getitem__(self, index):
        return list(self)[index]

    def __contains__(self, layer):
        return any(layer is other for other in self)

    def __repr__(self):
        return repr(list(self))


class TimeConstant(NamedTuple):
    """An input that is the same at every one of `steps` time steps: `row` [B, ...] stands for [T, B, ...]."""

    row: torch.Tensor
    steps: int

    def expand(self):
        """[T, B, ...], a view that repeats the row."""
        return self.row.unsqueeze(0).expand(self.steps, *self.row.shape)


def constant(x, num_steps):
    """`x` [B, ...] as the input of every one of `num_steps` steps, without ever being repeated in memory.

    Layers without a state run on it once instead of `num_steps` times:

        spk, mem = net(snn.constant(images, 25))
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"[constant] x must be a tensor, got {type(x).__name__}")
    if isinstance(num_steps, bool) or not isinstance(num_steps, (int, torch.SymInt)) or num_steps < 0:
        raise ValueError(f"[constant] num_steps must be a whole number from 0 on, got {num_steps!r}")
    return TimeConstant(x, num_steps)


def row_of(x):
    """One step of x [T, ...], for its shape and type; of an empty sequence too."""
    return x.detach()[0] if x.shape[0] else x.new_zeros(x.shape[1:])


def rows_and_steps(x, kind):
    """What a time-aware layer takes, [T, ...] or a TimeConstant, as a tensor [T, ...] or [1, ...] and the step count."""
    if isinstance(x, TimeConstant):
        return x.row.unsqueeze(0), x.steps
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"[{kind}] input_ must be a tensor or snn.constant(...), got {type(x).__name__}")
    if x.dim() == 0:
        raise ValueError(f"[{kind}] input_ must have a time dimension, [T, ...], got shape []")
    return x, x.shape[0]
