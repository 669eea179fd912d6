"""What losses and accuracies ask of their arguments, and population codes."""

import torch


def recording(name, argument, rec):
    """rec [T, B, C], in float32 where it is narrower."""
    if not isinstance(rec, torch.Tensor):
        raise TypeError(f"[{name}] {argument} must be a tensor, got {type(rec).__name__}")
    if rec.dim() != 3 or rec.shape[0] == 0 or rec.shape[2] == 0:
        raise ValueError(f"[{name}] {argument} must be [T, B, C] with T and C > 0, got {list(rec.shape)}")
    return rec if rec.dtype in (torch.float32, torch.float64) else rec.float()


def pooled(name, rec, num_classes):
    """[..., outputs] to [..., classes]: the sum over the outputs of each class, neighbours all."""
    if not num_classes or num_classes < 0:
        raise ValueError(f"[{name}] num_classes must be given with population_code, and above 0, got {num_classes}")
    if rec.shape[-1] % num_classes:
        raise ValueError(f"[{name}] num_classes must divide the {rec.shape[-1]} outputs, got {num_classes}")
    return rec.unflatten(-1, (num_classes, -1)).sum(-1)
