"""Parts of data sets, and the state of networks.

    utils.reset(net)                                     # every neuron inside net, and none elsewhere
    utils.data_subset(mnist_train, 10)                   # the first tenth, in place
    utils.valid_split(mnist_train, mnist_val, 0.1)       # a random tenth for validation, in place"""

import numpy as np

from ._neuron import SpikingNeuron

__all__ = ["data_subset", "reset", "valid_split"]


def _taken(values, index):
    return [values[i] for i in index] if isinstance(values, list) else values[index]


def data_subset(dataset, subset, idx=0):
    """Keeps part idx of `subset` equal parts of dataset.data and dataset.targets, in place, and returns dataset. What is left
    over by the division belongs to none of them; beyond it there is nothing; a subset of 1 or less keeps all."""
    if idx < 0:
        raise ValueError(f"[data_subset] idx must not be negative, got {idx}")
    if subset > 1:
        size = len(dataset.data)
        step = size // subset
        index = np.arange(size)[step * idx : step * (idx + 1)]
        dataset.data, dataset.targets = _taken(dataset.data, index), _taken(dataset.targets, index)
    return dataset


def valid_split(ds_train, ds_val, split, seed=0):
    """Draws int(n * split) samples of ds_train into ds_val, in place, and returns both. Training samples are in the order of
    numpy's default_rng(seed).choice, validation samples in that of the data: snnTorch's numbers."""
    if not 0 <= split <= 1:
        raise ValueError(f"[valid_split] split must be within [0, 1], got {split}")
    size = len(ds_train)
    train = np.random.default_rng(seed=seed).choice(size, size=size - int(size * split), replace=False)
    left = np.ones(size, dtype=bool)
    left[train] = False
    val = np.flatnonzero(left)
    ds_val.data, ds_val.targets = _taken(ds_train.data, val), _taken(ds_train.targets, val)
    ds_train.data, ds_train.targets = _taken(ds_train.data, train), _taken(ds_train.targets, train)
    return ds_train, ds_val


def _neurons(net):
    return (module for module in net.modules() if isinstance(module, SpikingNeuron))


def reset(net):
    """Sets the states of every neuron inside net, at any depth, to zeros without a history. net may be a neuron."""
    for neuron in _neurons(net):
        neuron.reset_mem()
        neuron._detach_state()


def _detach(net):
    """Cuts the history of every state inside net."""
    for neuron in _neurons(net):
        neuron._detach_state()
