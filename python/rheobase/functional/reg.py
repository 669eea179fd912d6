"""Penalties to add to a loss: on how much neurons fire, and on how far membranes go. Each gives a number.

    loss = loss + SF.lower_rate_bound(bound=0.01, Lambda=10)(hidden_spk)          # wakes silent neurons, [T, B, ...]"""

import torch

__all__ = ["l1_rate_sparsity", "lower_rate_bound", "membrane_penalty", "upper_rate_bound"]


def _check(name, argument, rec):
    if not isinstance(rec, torch.Tensor) or rec.dim() == 0 or rec.numel() == 0:
        got = list(rec.shape) if isinstance(rec, torch.Tensor) else type(rec).__name__
        raise ValueError(f"[{name}] {argument} must be a tensor [T, B, ...] that is not empty, got {got}")


class l1_rate_sparsity:
    """Lambda times the number of spikes, of all steps, samples and neurons: the sum, not a mean."""

    def __init__(self, Lambda=1e-5):
        self.Lambda = Lambda
        self.__name__ = "l1_rate_sparsity"

    def __call__(self, spk_out):
        return self.Lambda * torch.sum(spk_out)


class _RateBound:
    sign = 1  # +1: above the bound, -1: below

    def __init__(self, bound=0.01, Lambda=1.0, population=False):
        self.bound, self.Lambda, self.population = bound, Lambda, population
        self.__name__ = type(self).__name__

    def __call__(self, spk_out):
        _check(self.__name__, "spk_out", spk_out)
        rate = spk_out.mean(0)
        if self.population and rate.dim() > 1:
            rate = rate.flatten(1).mean(1)
        return self.Lambda * (self.sign * (rate - self.bound)).clamp_min(0).square().mean()


class lower_rate_bound(_RateBound):
    """Lambda times the mean of max(0, bound - rate)^2 over the rates [B, ...] of the neurons, in spikes per step; population:
    of the mean rate of a sample's neurons. Cramer et al. 2022, "Surrogate gradients for analog neuromorphic computing"."""

    sign = -1


class upper_rate_bound(_RateBound):
    """Lambda times the mean of max(0, rate - bound)^2, as lower_rate_bound."""


class membrane_penalty:
    """Lambda times the mean of the squared distance of mem [T, B, ...] from [lower, upper]."""

    membrane = True

    def __init__(self, lower=-1.0, upper=1.0, Lambda=1.0):
        if not lower <= upper:
            raise ValueError(f"[membrane_penalty] upper must not be below lower, {lower}, got {upper}")
        self.lower, self.upper, self.Lambda = lower, upper, Lambda
        self.__name__ = "membrane_penalty"

    def __call__(self, mem_out):
        _check("membrane_penalty", "mem_out", mem_out)
        return self.Lambda * (mem_out - mem_out.detach().clamp(self.lower, self.upper)).square().mean()
