"""Layers without a state: batch normalisation with statistics of every time step, and spikes of learned size."""

import torch
from torch import nn


class BatchNormTT(nn.ModuleList):
    """One batch normalisation per time step, without a shift. `norm[t](x)` in a loop, or `norm.sequence(x)` for all steps.

    Youngeun Kim, Priyadarshini Panda: Revisiting batch normalization for training low-latency deep spiking neural networks
    from scratch. arXiv:2010.01729
    """

    def sequence(self, x, first=0):
        """x [T, B, C, ...] -> the same shape, step t by layer `first` + t."""
        if not 0 <= first <= first + x.shape[0] <= len(self):
            raise ValueError(
                f"[BatchNormTT] x must have at most time_steps = {len(self)} steps from step {first} on, got {x.shape[0]}"
            )
        steps = [self[first + t](row) for t, row in enumerate(x.unbind(0))]
        return torch.stack(steps) if steps else torch.empty_like(x)


def _through_time(kind, input_features, time_steps, **options):
    layers = BatchNormTT([kind(input_features, **options) for _ in range(time_steps)])
    for layer in layers:
        layer.bias = None
    return layers


def BatchNormTT1d(input_features, time_steps, eps=1e-5, momentum=0.1, affine=True):  # noqa: N802  (snnTorch's name)
    """A list of `time_steps` nn.BatchNorm1d without bias: element t normalises step t, x [B, input_features(, L)]."""
    return _through_time(nn.BatchNorm1d, input_features, time_steps, eps=eps, momentum=momentum, affine=affine)


def BatchNormTT2d(input_features, time_steps, eps=1e-5, momentum=0.1, affine=True):  # noqa: N802  (snnTorch's name)
    """A list of `time_steps` nn.BatchNorm2d without bias: element t normalises step t, x [B, input_features, H, W]."""
    return _through_time(nn.BatchNorm2d, input_features, time_steps, eps=eps, momentum=momentum, affine=affine)


class GradedSpikes(nn.Module):
    """Spikes of a learned size, one for each neuron: x weights.

    size             how many neurons
    constant_factor  what every weight is at first; None or 0: random, from 0.5 to 1.5

    x [..., size] is scaled in its last dimension, x [..., size, K] in the one before where K is another number. Parameter
    `weights` [size, 1].
    """

    def __init__(self, size, constant_factor):
        super().__init__()
        self.size = size
        first = torch.ones(size, 1) * constant_factor if constant_factor else torch.rand(size, 1) + 0.5
        self.weights = nn.Parameter(first)

    def forward(self, x):
        if x.dim() >= 1 and x.shape[-1] == self.size:
            return x * self.weights.squeeze(1)
        if x.dim() >= 2 and x.shape[-2] == self.size:
            return x * self.weights
        raise ValueError(f"[GradedSpikes] x must have shape [..., size = {self.size}], got {list(x.shape)}")

    def extra_repr(self):
        return f"size={self.size}"
