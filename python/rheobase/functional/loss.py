"""Losses of a classifier over time, with snnTorch's names and values.

    loss = SF.ce_rate_loss()(spk_rec, targets)                           # spk_rec [T, B, C], targets [B] int64
    loss = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(spk_rec, targets)

NLL = -log softmax(x)[target] over the C outputs. Cross-entropy is one operator forward and one backward, whatever T. For all
of them `reduction` is "mean", "sum" or "none" over the samples, and `weight` [C] is a factor of each sample by its target: the
mean stays the plain one. population_code: num_classes groups of neighbouring outputs, whose spikes are added up. Targets that
are no class are a ValueError."""

import torch
from torch import nn

from . import _checks

__all__ = [
    "LossFunctions",
    "SpikeTime",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
    "van_rossum_distance",
]

_ops = torch.ops.rheobase


class LossFunctions:
    """What losses have in common. One of your own gives `_compute_loss(rec, targets)`: reduced, or with a weight one number
    per sample."""

    membrane = False  # whether it is for membranes, not spikes: what rheobase.backprop hands it
    time_var_targets = False  # whether targets have a time dimension as recordings have

    def __init__(self, reduction="mean", weight=None):
        self.__name__ = type(self).__name__
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"[{self.__name__}] reduction must be mean, sum or none, got {reduction!r}")
        self.reduction = reduction
        self.weight = weight

    def __call__(self, spk_out, targets):
        return self._reduce(self._compute_loss(spk_out, targets))

    def __repr__(self):
        shown = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k != "__name__" and not k.startswith("_"))
        return f"{self.__name__}({shown})"

    def _compute_loss(self, spk_out, targets):
        raise NotImplementedError(f"[{self.__name__}] a loss must have _compute_loss")

    def _intermediate_reduction(self):
        return self.reduction if self.weight is None else "none"

    def _reduce(self, loss):
        return loss if self.weight is None else self._reduced(loss)

    def _reduced(self, loss):
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()

    def _weighted(self, loss, targets):
        """loss [..., B, C] times weight[targets] along the batch."""
        return loss if self.weight is None else loss * self.weight.detach().to(loss)[targets].unsqueeze(-1)

    def _by_class(self, targets, batch, classes, on, off, dtype):
        """[B, C]: `on` at the target's class, `off` elsewhere."""
        return _ops.by_class(targets, self.__name__, batch, classes, on, off, dtype)


class _Loss(LossFunctions):
    """`_compute_loss` gives what is not reduced yet."""

    def _reduce(self, loss):
        return self._reduced(loss)


def _as_vector(loss, weight):
    """snnTorch adds some losses up in a tensor of shape [1]."""
    return loss.reshape(1) if loss.dim() == 0 and weight is None else loss


# ---- cross-entropy ---------------------------------------------------------------------------------------------------


class _CrossEntropy(_Loss):
    over = "mean"  # what the softmax sees: "mean" or "steps" (each step), "sum" or "maximum" over time

    def __init__(self, population_code=False, num_classes=False, reduction="mean", weight=None):
        super().__init__(reduction, weight)
        self.population_code = population_code
        self.num_classes = num_classes

    def _compute_loss(self, spk_out, targets):
        rec = _checks.recording(self.__name__, "rec", spk_out)
        if self.population_code:
            rec = _checks.pooled(self.__name__, rec, self.num_classes)
        return _ops.cross_entropy(self.__name__, rec, targets, self.weight, self.over)[0]


class _MembraneCrossEntropy(_CrossEntropy):
    membrane = True

    def __init__(self, reduction="mean", weight=None):
        super().__init__(reduction=reduction, weight=weight)


class ce_rate_loss(_CrossEntropy):
    """Mean over time of NLL(rec[t]). Reduced without a weight it has shape [1], as in snnTorch."""

    def _reduce(self, loss):
        return _as_vector(self._reduced(loss), self.weight)


class ce_count_loss(_CrossEntropy):
    """NLL of the spike counts, the sum over time."""

    over = "sum"


class ce_max_membrane_loss(_MembraneCrossEntropy):
    """NLL of the highest membrane over time. The gradient goes to the first step that reaches it."""

    over = "maximum"


class ce_membrane_loss(_MembraneCrossEntropy):
    """Sum over time of NLL(mem[t]): the loop over nn.CrossEntropyLoss of snnTorch's tutorials 5 to 7, at once."""

    over = "steps"


# ---- squared errors --------------------------------------------------------------------------------------------------


class mse_count_loss(_Loss):
    """(n - wanted)^2 / T of the spike counts n [B, C]: wanted are int(T correct_rate) of the target, int(T incorrect_rate) of
    the others."""

    def __init__(
        self, correct_rate=1, incorrect_rate=0, population_code=False, num_classes=False, reduction="mean", weight=None
    ):
        super().__init__(reduction, weight)
        self.correct_rate = correct_rate
        self.incorrect_rate = incorrect_rate
        self.population_code = population_code
        self.num_classes = num_classes

    def _compute_loss(self, spk_out, targets):
        rec = _checks.recording(self.__name__, "spk_out", spk_out)
        steps, counts, share = rec.shape[0], rec.sum(0), 1
        if self.population_code:
            counts = _checks.pooled(self.__name__, counts, self.num_classes)
            share = rec.shape[2] / self.num_classes
        on, off = (int(steps * rate * share) for rate in (self.correct_rate, self.incorrect_rate))
        wanted = self._by_class(targets, *counts.shape, on, off, counts.dtype)
        return self._weighted((counts - wanted).square() / steps, targets)


class mse_membrane_loss(_Loss):
    """Mean over time of (U[t] - wanted)^2, [B, C]. Reduced without a weight it has shape [1], as in snnTorch.

    time_var_targets: targets are classes [T, B] or membranes [T, B, C], and have no weight."""

    membrane = True

    def __init__(self, time_var_targets=False, on_target=1, off_target=0, reduction="mean", weight=None):
        super().__init__(reduction, weight)
        self.time_var_targets = time_var_targets
        self.on_target = on_target
        self.off_target = off_target
        if time_var_targets and weight is not None:
            raise ValueError(
                "[mse_membrane_loss] weight must not be given with time_var_targets: a sample has no one class"
            )

    def _wanted(self, mem, targets):
        on, off = self.on_target, self.off_target
        if not self.time_var_targets:
            return self._by_class(targets, *mem.shape[1:], on, off, mem.dtype)
        if targets.shape == mem.shape:
            return targets.to(mem)
        if targets.shape != mem.shape[:2]:
            raise ValueError(
                f"[mse_membrane_loss] targets must be [T, B] = {list(mem.shape[:2])} or the shape of mem_out, "
                f"{list(mem.shape)}, got {list(targets.shape)}"
            )
        rows = self._by_class(targets.reshape(-1), targets.numel(), mem.shape[2], on, off, mem.dtype)
        return rows.view(mem.shape)

    def _compute_loss(self, mem_out, targets):
        mem = _checks.recording(self.__name__, "mem_out", mem_out)
        loss = (mem - self._wanted(mem, targets)).square().mean(0)
        return self._weighted(loss, targets)

    def _reduce(self, loss):
        return _as_vector(self._reduced(loss), self.weight)


# ---- spike times -----------------------------------------------------------------------------------------------------


class SpikeTime(nn.Module):
    """First spike times of spk_out [T, B, N] beside the wanted ones: (times, targets), [B, N] each, or with multi_spike
    [F, B, N] of the first F spikes. A neuron that stays silent fires at T - 1. The gradient of a time is -1 at its step.

    targets [B]: classes, whose neuron is wanted at on_target and the others at off_target (with multi_spike lists of F). With
    target_is_time they are times. Times below zero count from the end, -1 is the last step; the caller's tensor stays as it
    is. A time nearer to its target than tolerance is the target."""

    def __init__(self, target_is_time=False, on_target=0, off_target=-1, tolerance=0, multi_spike=False):
        super().__init__()
        if not tolerance >= 0:
            raise ValueError(f"[SpikeTime] tolerance must not be negative, got {tolerance}")
        self.target_is_time = target_is_time
        self.on_target = on_target
        self.off_target = off_target
        self.tolerance = tolerance
        self.multi_spike = multi_spike

    def forward(self, spk_out, targets):
        rec = _checks.recording("SpikeTime", "spk_out", spk_out)
        wanted = self._times(rec, targets) if self.target_is_time else self._of_labels(targets, *rec.shape[1:])
        wanted = wanted.to(rec)
        wanted = torch.where(wanted < 0, wanted + rec.shape[0], wanted)
        times, _ = _ops.spike_time(rec, wanted.shape[0] if self.multi_spike else 1)
        if not self.multi_spike:
            times = times[0]
        if self.tolerance:
            off = (wanted - times).detach()
            times = times + torch.where(off.abs() < self.tolerance, off, 0)
        return times, wanted

    def _times(self, rec, targets):
        if targets.shape[-2:] != rec.shape[1:] or targets.dim() != (3 if self.multi_spike else 2):
            shape = "[F, B, N]" if self.multi_spike else "[B, N]"
            raise ValueError(
                f"[SpikeTime] targets must be times {shape} with B = {rec.shape[1]} and N = {rec.shape[2]}, "
                f"got {list(targets.shape)}"
            )
        return targets

    def labels_to_spike_times(self, targets, num_outputs):
        """Classes [B] as wanted times, [B, N] or [F, B, N]."""
        return self._of_labels(targets, len(targets), num_outputs)

    def _of_labels(self, targets, batch, outputs):
        def row(on, off):
            return _ops.by_class(targets, "SpikeTime", batch, outputs, float(on), float(off), torch.float32)

        if not self.multi_spike:
            return row(self.on_target, self.off_target)
        on, off = list(self.on_target), list(self.off_target)
        if len(on) != len(off) or not on:
            raise IndexError(f"[SpikeTime] off_target must have as many times as on_target, {len(on)}, got {len(off)}")
        return torch.stack([row(*pair) for pair in zip(on, off)])


class _TemporalLoss(_Loss):
    def __init__(self, reduction, weight, **options):
        super().__init__(reduction, weight)
        self.spk_time_fn = SpikeTime(**options)


class mse_temporal_loss(_TemporalLoss):
    """((t - wanted) / T)^2 of the first spikes' times t; the arguments are those of SpikeTime. By default the target's neuron
    is wanted at the first step and the others at the last. Times as targets have no weight."""

    def __init__(
        self,
        target_is_time=False,
        on_target=0,
        off_target=-1,
        tolerance=0,
        multi_spike=False,
        reduction="mean",
        weight=None,
    ):
        super().__init__(
            reduction,
            weight,
            target_is_time=target_is_time,
            on_target=on_target,
            off_target=off_target,
            tolerance=tolerance,
            multi_spike=multi_spike,
        )
        if target_is_time and weight is not None:
            raise ValueError("[mse_temporal_loss] weight must not be given with target_is_time: a sample has no class")

    def _compute_loss(self, spk_rec, targets):
        times, wanted = self.spk_time_fn(spk_rec, targets)
        return self._weighted(((times - wanted) / spk_rec.shape[0]).square(), targets)


class ce_temporal_loss(_TemporalLoss):
    """Cross-entropy of -t (inverse="negate") or 1 / (t + 1) ("reciprocal") of the first spikes' times t: the target is to fire
    first. The mean with weights is normalised by their sum, as torch.nn.CrossEntropyLoss has it."""

    def __init__(self, inverse="negate", reduction="mean", weight=None):
        super().__init__(reduction, weight)
        if inverse not in ("negate", "reciprocal"):
            raise ValueError(f"[ce_temporal_loss] inverse must be negate or reciprocal, got {inverse!r}")
        self.inverse = inverse

    def __call__(self, spk_rec, targets):
        times, _ = self.spk_time_fn(spk_rec, targets)
        score = -times if self.inverse == "negate" else 1 / (times + 1)
        weight = None if self.weight is None else self.weight.to(score)
        return nn.functional.cross_entropy(score, targets, weight, reduction=self.reduction)


class van_rossum_distance(_Loss):
    """Squared distance of spike trains: 1/tau times the sum over t and neurons of (f[t] - g[t])^2, where f and g are the trains
    smoothed by f[t] = exp(-1/tau) f[t-1] + spk[t]. A spike too many costs about 1/2. van Rossum 2001, "A novel spike distance".

    Called on (spk_out, wanted), [T, B, ...] each; both may have gradients."""

    time_var_targets = True

    def __init__(self, tau=10.0, reduction="mean"):
        super().__init__(reduction)
        if not 0 < tau < float("inf"):
            raise ValueError(f"[van_rossum_distance] tau must be above 0, got {tau}")
        self.tau = tau

    def _compute_loss(self, spk_out, targets):
        return _ops.van_rossum_distance(spk_out, targets.to(spk_out.dtype), self.tau)[0]
