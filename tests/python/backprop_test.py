"""TBPTT, BPTT and RTRL against loops written by hand: any K, any data layout, any nesting of neurons; what they refuse."""

import importlib
import unittest
import warnings

import recorded  # noqa: F401 (ends the test where there is no torch)
import torch
from torch import nn

import rheobase as snn
import rheobase.functional as SF
from rheobase import utils

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from rheobase import backprop

BATCHES, BATCH, CLASSES = 2, 3, 4


class Block(nn.Module):
    """Neurons of other kinds, deeper inside."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([
            snn.Synaptic(alpha=0.8, beta=0.7, init_hidden=True),
            nn.Sequential(nn.Linear(6, 6), snn.Lapicque(R=2.0, C=3.0, init_hidden=True, threshold=0.3)),
        ])

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


def network(output=True):
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(5, 6),
        snn.Leaky(beta=0.9, init_hidden=True, threshold=0.3),
        Block(),
        nn.Linear(6, CLASSES),
        snn.Synaptic(alpha=0.5, beta=0.7, init_hidden=True, output=output, threshold=0.1),
    )


def data(steps=None):
    generator = torch.Generator().manual_seed(2)
    shape = (BATCH, 5) if steps is None else (steps, BATCH, 5)
    return [
        (torch.rand(*shape, generator=generator) * 2, torch.randint(CLASSES, (BATCH,), generator=generator))
        for _ in range(BATCHES)
    ]


def by_hand(net, batches, criterion, K, steps=None, membrane=False, regularization=None):
    """The pieces, written out; the loss is weighed by its steps."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    total, count = 0.0, 0
    for x, y in batches:
        utils.reset(net)
        T = steps or len(x)
        for first in range(0, T, K):
            out = [net(x if steps else x[t]) for t in range(first, min(first + K, T))]
            spk = torch.stack([o[0] for o in out])
            loss = criterion(torch.stack([o[-1] for o in out]) if membrane else spk, y)
            if regularization:
                loss = loss + regularization(spk)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            for module in net.modules():
                if isinstance(module, snn.SpikingNeuron):
                    module._detach_state()
            total, count = total + loss.item() * len(out), count + len(out)
    return total / count


class AgainstALoop(unittest.TestCase):
    def check(self, call, hand):
        """call(net, optimizer) and hand(net) leave the same weights and give the same loss."""
        ours, theirs = network(), network()
        loss = call(ours, torch.optim.SGD(ours.parameters(), lr=0.1))
        self.assertEqual(loss.numel(), 1)
        self.assertFalse(loss.requires_grad)
        self.assertAlmostEqual(loss.item(), hand(theirs), places=5)
        start = network().state_dict()
        moved = 0
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-5, atol=1e-7, msg=name)
            moved += not torch.equal(value, start[name])
        self.assertGreaterEqual(moved, 4)

    def test_every_state_of_nested_neurons_of_many_kinds_is_cut(self):
        for K in (1, 2, 3, 4, 7):
            with self.subTest(K=K):
                self.check(
                    lambda net, opt: backprop.TBPTT(
                        net, data(), opt, SF.mse_count_loss(), num_steps=7, time_var=False, K=K),
                    lambda net: by_hand(net, data(), SF.mse_count_loss(), K, steps=7),
                )

    def test_tbptt_with_K_on_time_varying_data(self):
        for K in (2, 3, False):
            with self.subTest(K=K):
                self.check(
                    lambda net, opt: backprop.TBPTT(net, data(6), opt, SF.ce_rate_loss(), K=K),
                    lambda net: by_hand(net, data(6), SF.ce_rate_loss(), K or 6),
                )

    def test_rtrl_on_time_varying_data(self):
        self.check(lambda net, opt: backprop.RTRL(net, data(5), opt, SF.ce_count_loss()),
                   lambda net: by_hand(net, data(5), SF.ce_count_loss(), 1))

    def test_bptt(self):
        self.check(lambda net, opt: backprop.BPTT(net, data(5), opt, SF.ce_count_loss()),
                   lambda net: by_hand(net, data(5), SF.ce_count_loss(), 5))
        self.check(
            lambda net, opt: backprop.BPTT(net, data(), opt, SF.ce_count_loss(), num_steps=4, time_var=False),
            lambda net: by_hand(net, data(), SF.ce_count_loss(), 4, steps=4),
        )

    def test_batch_first(self):
        swapped = [(x.transpose(0, 1), y) for x, y in data(6)]
        self.check(lambda net, opt: backprop.TBPTT(net, swapped, opt, SF.ce_rate_loss(), time_first=False, K=4),
                   lambda net: by_hand(net, data(6), SF.ce_rate_loss(), 4))

    def test_membranes_and_a_penalty_on_spikes(self):
        for criterion in (SF.mse_membrane_loss(), SF.ce_max_membrane_loss(), SF.ce_membrane_loss()):
            self.check(
                lambda net, opt: backprop.TBPTT(
                    net, data(6), opt, criterion, regularization=SF.l1_rate_sparsity(0.01), K=3),
                lambda net: by_hand(net, data(6), criterion, 3, membrane=True, regularization=SF.l1_rate_sparsity(0.01)),
            )

    def test_the_loss_weighs_pieces_by_their_steps(self):
        # 7 = 4 + 3 steps: `by_hand` weighs them so, and the counter of pieces starts anew with every batch.
        self.check(lambda net, opt: backprop.TBPTT(net, data(7), opt, SF.mse_count_loss(), K=4),
                   lambda net: by_hand(net, data(7), SF.mse_count_loss(), 4))

    def test_targets_that_vary_in_time_are_cut(self):
        y = torch.randint(CLASSES, (6, BATCH), generator=torch.Generator().manual_seed(3))
        criterion = SF.mse_membrane_loss(time_var_targets=True)
        seen = []

        class spied(SF.mse_membrane_loss):
            def _compute_loss(self, mem_out, targets):
                seen.append(targets)
                return super()._compute_loss(mem_out, targets)

        for batches in ([(x, y) for x, _ in data(6)], [(x.transpose(0, 1), y.t()) for x, _ in data(6)]):
            seen.clear()
            net = network()
            backprop.TBPTT(net, batches, torch.optim.SGD(net.parameters(), lr=0.1), spied(time_var_targets=True),
                           time_first=batches[0][0].shape[0] == 6, K=3)
            self.assertTrue(torch.equal(torch.cat(seen), torch.cat([y, y])))
        with self.assertRaisesRegex(ValueError, r"\[TBPTT\] targets must have 6 steps in dimension 0 .* got \[5, 3\]"):
            backprop.TBPTT(network(), [(data(6)[0][0], y[:5])], None, criterion, K=3)


class LastLayers(unittest.TestCase):
    def run_pass(self, net, criterion=None):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        return backprop.TBPTT(net, data(4), optimizer, criterion or SF.ce_rate_loss(), K=2)

    def test_without_output(self):
        self.assertGreater(self.run_pass(network(output=False)).item(), 0)

    def test_of_other_classes(self):
        for last in (
            nn.Linear(6, CLASSES),
            snn.Leaky(beta=0.5, init_hidden=True, output=True),
            snn.DeltaLeaky(beta=0.5, delta_threshold=0.1, init_hidden=True),
        ):
            with self.subTest(type(last).__name__):
                features = nn.Identity() if isinstance(last, nn.Linear) else nn.Linear(6, CLASSES)
                net = nn.Sequential(nn.Linear(5, 6), snn.Leaky(beta=0.9, init_hidden=True, threshold=0.1), features, last)
                self.assertTrue(torch.isfinite(self.run_pass(net)))

    def test_membranes_must_be_returned(self):
        with self.assertRaisesRegex(TypeError, r"\[TBPTT\] criterion on membranes must have .* output=True"):
            self.run_pass(network(output=False), SF.mse_membrane_loss())


class Errors(unittest.TestCase):
    def test_criteria_of_other_libraries(self):
        for criterion, name in ((nn.CrossEntropyLoss(), "CrossEntropyLoss"), (lambda a, b: 0, "<lambda>")):
            with self.assertRaisesRegex(TypeError, rf"\[TBPTT\] criterion must be one of the losses .* got {name}"):
                backprop.TBPTT(network(), data(4), None, criterion)

    def test_arguments(self):
        loss = SF.ce_rate_loss()
        for call, text in (
            (lambda: backprop.BPTT(network(), data(4), None, loss, num_steps=4), r"\[BPTT\] num_steps must not be given .* 4"),
            (lambda: backprop.BPTT(network(), data(), None, loss, time_var=False), r"\[BPTT\] num_steps must be given .* False"),
            (lambda: backprop.TBPTT(network(), data(), None, loss, 4, False, K=5), r"\[TBPTT\] K must be at most .* 4, got 5"),
            (lambda: backprop.TBPTT(network(), data(4), None, loss, K=5), r"\[TBPTT\] K must be at most .* 4, got 5"),
            (lambda: backprop.RTRL(network(), data(), None, loss, 4, False, False), r"\[RTRL\] time_first must be true"),
            (lambda: backprop.RTRL(network(), [], None, loss), r"\[RTRL\] dataloader must give at least one batch"),
            (lambda: backprop.TBPTT(network(), data(4), None, SF.ce_rate_loss(reduction="none"), K=2), "one number, got shape"),
        ):
            with self.subTest(text):
                with self.assertRaisesRegex(ValueError, text):
                    call()

    def test_importing_warns_as_snntorch_does(self):
        with self.assertWarnsRegex(DeprecationWarning, "a training loop of your own is faster"):
            importlib.reload(backprop)


if __name__ == "__main__":
    unittest.main(verbosity=2)
