"""Losses, accuracies, penalties, monitors, quantised states and plasticity, with snnTorch's names.

    import rheobase.functional as SF
    loss = SF.ce_rate_loss()(spk_rec, targets)              # spk_rec [T, B, C], targets [B]"""

from . import acc, loss, probe, quant, reg, stdp_learner
from .acc import accuracy_rate, accuracy_temporal
from .loss import (
    LossFunctions,
    SpikeTime,
    ce_count_loss,
    ce_max_membrane_loss,
    ce_membrane_loss,
    ce_rate_loss,
    ce_temporal_loss,
    mse_count_loss,
    mse_membrane_loss,
    mse_temporal_loss,
    van_rossum_distance,
)
from .probe import AttributeMonitor, BaseMonitor, GradInputMonitor, GradOutputMonitor, InputMonitor, OutputMonitor
from .reg import l1_rate_sparsity, lower_rate_bound, membrane_penalty, upper_rate_bound

__all__ = [
    "AttributeMonitor",
    "BaseMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "LossFunctions",
    "OutputMonitor",
    "SpikeTime",
    "acc",
    "accuracy_rate",
    "accuracy_temporal",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "l1_rate_sparsity",
    "loss",
    "lower_rate_bound",
    "membrane_penalty",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
    "probe",
    "quant",
    "reg",
    "stdp_learner",
    "upper_rate_bound",
    "van_rossum_distance",
]
