"""How often a network is right. spk_out [T, B, C], targets [B]; results are numpy.float64, as snnTorch's are."""

import numpy as np
import torch

from . import _checks

__all__ = ["accuracy_rate", "accuracy_temporal"]


def _share_right(name, predicted, targets):
    if targets.shape != predicted.shape or predicted.numel() == 0:
        raise ValueError(
            f"[{name}] targets must be [B] = {list(predicted.shape)} with B > 0, got {list(targets.shape)}"
        )
    return np.float64((predicted == targets).sum().item() / predicted.numel())


@torch.no_grad()
def accuracy_rate(spk_out, targets, population_code=False, num_classes=False):
    """The share of the samples whose output with the most spikes is the target, the lowest of equals. population_code: the
    spikes of num_classes groups of neighbours are added up first."""
    counts = _checks.recording("accuracy_rate", "spk_out", spk_out).sum(0)
    if population_code:
        counts = _checks.pooled("accuracy_rate", counts, num_classes)
    return _share_right("accuracy_rate", counts.argmax(1), targets)


@torch.no_grad()
def accuracy_temporal(spk_out, targets):
    """The share of the samples whose first output to fire is the target, the lowest of equals. A silent neuron's spike is at
    T - 1."""
    time, _ = torch.ops.rheobase.spike_time(_checks.recording("accuracy_temporal", "spk_out", spk_out))
    return _share_right("accuracy_temporal", time[0].argmin(1), targets)
