"""Quantised states: every value becomes the nearest of 2^num_bits levels, the gradient passes as it is.

    lif = snn.Leaky(beta=0.9, state_quant=quant.state_quant(num_bits=4))"""

import torch

__all__ = ["StateQuant", "state_quant"]


class StateQuant:
    """x [...] -> the nearest level of each value, the lower of two as near; NaN stays NaN. What `state_quant` makes."""

    def __init__(self, *options):
        self._options = options
        levels, edges, self._low, self._per_step = torch.ops.rheobase.state_quant_levels(*options)
        self.levels = levels
        self._double = levels, edges
        self._single = levels.float(), edges.float()

    def __call__(self, x):
        levels, edges = self._single if x.dtype is torch.float32 else self._double
        return torch.ops.rheobase.nearest_level(x, levels, edges, self._low, self._per_step)

    def __reduce__(self):
        return StateQuant, self._options

    def __repr__(self):
        names = ("num_bits", "uniform", "thr_centered", "threshold", "lower_limit", "upper_limit", "multiplier")
        return f"state_quant({', '.join(f'{n}={o!r}' for n, o in zip(names, self._options))})"


def state_quant(
    num_bits=8, uniform=True, thr_centered=True, threshold=1, lower_limit=0, upper_limit=0.2, multiplier=None
):
    """A quantiser for the states of neurons. Its levels lie between -threshold (1 + lower_limit) and threshold (1 +
    upper_limit): evenly, or, not uniform, denser towards the threshold (thr_centered) or towards zero, where neighbouring gaps
    have the ratio `multiplier`; by default that follows from num_bits, 1 to 16."""
    return StateQuant(
        num_bits,
        bool(uniform),
        bool(thr_centered),
        float(threshold),
        float(lower_limit),
        float(upper_limit),
        None if multiplier is None else float(multiplier),
    )
