"""Parts of data sets with snnTorch's numbers, and reset: exactly the network that is given, at any depth."""

import copy
import time
import unittest

import recorded  # noqa: F401 (ends the test where there is no torch)
import torch
from torch import nn

import rheobase as snn
from rheobase import utils


class DataSet:
    def __init__(self, size, as_list=False):
        self.data = torch.arange(size)
        self.targets = list(range(100, 100 + size)) if as_list else torch.arange(100, 100 + size)

    def __len__(self):
        return len(self.data)


class Subset(unittest.TestCase):
    def test_parts(self):
        for idx, wanted in ((0, [0, 1, 2]), (2, [6, 7, 8]), (4, [])):
            part = utils.data_subset(whole := DataSet(10), 3, idx)
            self.assertIs(part, whole)
            self.assertEqual(part.data.tolist(), wanted)
            self.assertEqual(part.targets.tolist(), [100 + i for i in wanted])

    def test_one_part_is_all(self):
        self.assertEqual(len(utils.data_subset(DataSet(10), 1)), 10)

    def test_targets_in_a_list(self):
        self.assertEqual(utils.data_subset(DataSet(10, as_list=True), 5, 1).targets, [102, 103])

    def test_error(self):
        with self.assertRaisesRegex(ValueError, r"\[data_subset\] idx must not be negative, got -1"):
            utils.data_subset(DataSet(10), 5, -1)


class Split(unittest.TestCase):
    def test_numbers_of_snntorch(self):
        for seed, train, val in ((0, [9, 0, 1, 5, 2, 4, 3], [6, 7, 8]), (1, [4, 1, 0, 6, 8, 2, 9], [3, 5, 7])):
            for as_list in (False, True):
                ours = utils.valid_split(DataSet(10, as_list), DataSet(10, as_list), 0.3, seed)
                self.assertEqual([d.data.tolist() for d in ours], [train, val])
                self.assertEqual([list(d.targets) for d in ours], [[100 + i for i in train], [100 + i for i in val]])

    def test_sixty_thousand_samples_in_no_time(self):
        begin = time.perf_counter()
        train, val = utils.valid_split(DataSet(60000), DataSet(60000), 0.1)
        self.assertLess(time.perf_counter() - begin, 1)
        self.assertEqual((len(train), len(val)), (54000, 6000))
        self.assertEqual(sorted(train.data.tolist() + val.data.tolist()), list(range(60000)))

    def test_nothing_for_validation(self):
        train, val = utils.valid_split(DataSet(10), DataSet(10), 0)
        self.assertEqual((len(train), len(val)), (10, 0))

    def test_error(self):
        with self.assertRaisesRegex(ValueError, r"\[valid_split\] split must be within \[0, 1\], got 1.5"):
            utils.valid_split(DataSet(10), DataSet(10), 1.5)


def network():
    return nn.Sequential(
        nn.Linear(4, 4),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Sequential(
            snn.Synaptic(alpha=0.9, beta=0.8, init_hidden=True),
            nn.ModuleDict({"inner": snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True)})["inner"],
        ),
    )


def is_reset(net):
    neurons = [m for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
    states = [s for n in neurons for s in n.state]
    return all(not s.requires_grad and not s.any() for s in states)


class Reset(unittest.TestCase):
    x = torch.ones(2, 4)

    def used(self):
        net = network()
        net(self.x)
        net(self.x)
        self.assertFalse(is_reset(net))
        return net

    def test_reset_reaches_every_depth(self):
        net = self.used()
        utils.reset(net)
        self.assertTrue(is_reset(net))
        net(self.x).sum().backward()
        utils.reset(net)
        net(self.x).sum().backward()  # no history is left

    def test_reset_of_a_bare_neuron(self):
        lif = snn.Leaky(beta=0.9, init_hidden=True)
        lif(self.x)
        utils.reset(lif)
        self.assertTrue(is_reset(lif))
        self.assertEqual(lif.mem.shape, (2, 4))

    def test_reset_leaves_other_networks_alone_and_reaches_deep_copies(self):
        net, other = self.used(), self.used()
        duplicate = copy.deepcopy(net)
        self.assertFalse(is_reset(duplicate))
        utils.reset(net)
        self.assertFalse(is_reset(other))
        self.assertFalse(is_reset(duplicate))
        utils.reset(duplicate)
        self.assertTrue(is_reset(duplicate))

    def test_reset_works_while_an_unused_delta_leaky_exists(self):
        idle = snn.DeltaLeaky(beta=0.9, delta_threshold=0.5, init_hidden=True)
        net = self.used()
        utils.reset(net)
        utils.reset(idle)
        self.assertTrue(is_reset(net))

    def test_a_network_without_neurons(self):
        utils.reset(nn.Linear(2, 2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
