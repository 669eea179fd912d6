"""Spike-timing dependent plasticity: snnTorch's recorded steps, a sequence against its steps, the learner."""

import unittest

import recorded
import torch
from torch import nn

import rheobase as snn
from rheobase.functional import stdp_learner

ops = torch.ops.rheobase
WEIGHT_FUNCTIONS = {"0.5*w*w": lambda w: 0.5 * w * w, "1-w": lambda w: 1 - w}


def spikes(*shape, seed=1, dtype=torch.float32):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) > 0.6).to(dtype)


def layer_of(case):
    options, shape = case["options"], case["inputs"]["weight"]["shape"]
    if len(shape) == 2:
        layer = nn.Linear(shape[1], shape[0])
    else:
        kind = nn.Conv2d if len(shape) == 4 else nn.Conv1d
        layer = kind(shape[1], shape[0], shape[2:], options["conv_stride"], options["conv_padding"],
                     padding_mode=options["conv_padding_mode"])
    layer.weight.data = recorded.array(case["inputs"]["weight"])
    return layer


class SingleSteps(unittest.TestCase):
    def test_recorded(self):
        for case in recorded.cases("stdp"):
            with self.subTest(case["name"]):
                layer, inputs = layer_of(case), recorded.arrays(case["inputs"])
                options = {k: WEIGHT_FUNCTIONS.get(v, v) for k, v in case["options"].items() if not k.startswith("conv_")}
                step = getattr(stdp_learner, case["target"].rsplit(".")[-1])
                pre = post = None
                ours = {}
                for t in range(3):
                    pre, post, delta_w = step(layer, inputs[f"in{t}"], inputs[f"out{t}"], pre, post, **options)
                    ours |= {f"trace_pre{t}": pre, f"trace_post{t}": post, f"delta_w{t}": delta_w}
                recorded.compare(self, case, ours)

    def test_behaviour_check(self):
        """The numbers of snnTorch's behaviour: W = [.5, 2], in (1, 0), out (1), taus 2 and 4."""
        fc = nn.Linear(2, 1)
        fc.weight.data = torch.tensor([[0.5, 2.0]])
        pre, post, delta_w = stdp_learner.stdp_linear_single_step(
            fc, torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0]]), torch.tensor([[0.4, 0.8]]), torch.tensor([[0.6]]), 2.0, 4.0
        )
        torch.testing.assert_close(pre, torch.tensor([[1.2, 0.4]]))
        torch.testing.assert_close(post, torch.tensor([[1.45]]))
        torch.testing.assert_close(delta_w, torch.tensor([[-0.125, 0.8]]))

    def test_a_trace_may_be_a_number(self):
        conv = nn.Conv1d(2, 3, 3, padding=1)
        before, after = spikes(2, 2, 6), spikes(2, 3, 6)
        one = stdp_learner.stdp_conv1d_single_step(conv, before, after, 0.5, 0.25, 2.0, 3.0)
        full = torch.full((2, 2, 8), 0.5), torch.full((2, 3, 6), 0.25)
        for a, b in zip(one, stdp_learner.stdp_conv1d_single_step(conv, before, after, *full, 2.0, 3.0)):
            self.assertTrue(torch.equal(a, b))

    def test_dilation_and_groups(self):
        conv = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2).double()
        before = spikes(2, 4, 7, 6, dtype=torch.float64)
        after = spikes(*conv(before).shape, seed=2, dtype=torch.float64)
        with self.assertRaisesRegex(NotImplementedError, r"dilation and groups must be 1, got \(1, 2\) and 2"):
            stdp_learner.stdp_conv2d_single_step(conv, before, after, None, None, 2.0, 2.0)
        learner = stdp_learner.STDPLearner(conv, spiking := nn.Identity(), 2.0, 2.0, torch.zeros_like, torch.ones_like)
        conv(before)
        spiking(after)
        delta_w = learner.step(on_grad=False)
        # Potentiation alone, from empty traces: the gradient of the weight where `after` is that of the output.
        weight = conv.weight.detach().requires_grad_()
        out = nn.functional.conv2d(before, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)
        torch.testing.assert_close(delta_w, torch.autograd.grad(out, weight, after)[0])

    def test_errors(self):
        fc = nn.Linear(3, 2)
        step = stdp_learner.stdp_linear_single_step
        for call, kind, text in (
            (lambda: step(fc, spikes(2, 4), spikes(2, 2), None, None, 2.0, 2.0), ValueError, r"\[stdp_linear_single_step\] in "),
            (lambda: step(fc, spikes(2, 3), spikes(2, 2), None, None, 0.0, 2.0), ValueError, r"tau_pre must be above 0, got 0"),
            (lambda: step(fc, spikes(2, 3).double(), spikes(2, 2), None, None, 2.0, 2.0), TypeError, "got Double"),
            (lambda: step(nn.Conv1d(3, 2, 1), spikes(2, 3), spikes(2, 2), None, None, 2.0, 2.0), TypeError, "got Conv1d"),
        ):
            with self.assertRaisesRegex(kind, text):
                call()

    def test_opcheck(self):
        fc, conv = nn.Linear(5, 3), nn.Conv2d(2, 3, 3, stride=2, padding=1)
        linear = ("stdp", fc.weight, spikes(4, 2, 5), spikes(4, 2, 3), None, None, 2.0, 3.0)
        torch.library.opcheck(ops.stdp_correlation.default, linear)
        traces = torch.rand(2, 5), torch.rand(2, 3)
        torch.library.opcheck(ops.stdp_correlation.default, (*linear[:4], *traces, 2.0, 3.0))
        geometry = ([2, 2], [1, 1, 1, 1], [1, 1], 1, "reflect")
        torch.library.opcheck(
            ops.stdp_correlation.default,
            ("stdp", conv.weight, spikes(4, 2, 2, 6, 5), spikes(4, 2, 3, 3, 3), None, None, 2.0, 3.0, *geometry),
        )


class Learner(unittest.TestCase):
    def learner(self, **options):
        torch.manual_seed(1)
        fc, lif = nn.Linear(5, 3), snn.Leaky(beta=0.9, init_hidden=True, threshold=0.3)
        return fc, lif, stdp_learner.STDPLearner(fc, lif, tau_pre=3.0, tau_post=4.0, **options)

    def test_a_step_learns_from_all_that_was_recorded(self):
        for options in ({}, {"f_pre": WEIGHT_FUNCTIONS["0.5*w*w"], "f_post": WEIGHT_FUNCTIONS["1-w"]}):
            fc, lif, learner = self.learner(**options)
            x = spikes(6, 2, 5)
            out = [lif(fc(step)) for step in x]
            pre = post = None
            expected = 0
            for step, spk in zip(x, out):
                pre, post, delta_w = stdp_learner.stdp_linear_single_step(fc, step, spk, pre, post, 3.0, 4.0, **options)
                expected = expected + delta_w
            delta_w = learner.step(on_grad=False, scale=0.5)
            self.assertGreater(delta_w.abs().sum().item(), 0)
            torch.testing.assert_close(delta_w, 0.5 * expected)
            torch.testing.assert_close((learner.trace_pre, learner.trace_post), (pre, post))

    def test_a_step_on_the_gradient(self):
        fc, lif, learner = self.learner()
        for step in spikes(4, 2, 5):
            lif(fc(step))
        self.assertIsNone(learner.step())
        first = fc.weight.grad.clone()
        for step in spikes(4, 2, 5, seed=3):
            lif(fc(step))
        learner.step()
        self.assertFalse(torch.equal(fc.weight.grad, first))
        torch.optim.SGD(fc.parameters(), lr=0.1).step()

    def test_a_convolution(self):
        conv, lif = nn.Conv2d(1, 2, 3, padding=1), snn.Leaky(beta=0.5, init_hidden=True, threshold=0.1, output=True)
        learner = stdp_learner.STDPLearner(conv, lif, 2.0, 2.0)
        for step in spikes(3, 2, 1, 6, 6):
            lif(conv(step))
        self.assertEqual(learner.step(on_grad=False).shape, conv.weight.shape)

    def test_reset_clears_recordings_and_traces(self):
        fc, lif, learner = self.learner()
        lif(fc(spikes(2, 5)))
        learner.step(on_grad=False)
        lif(fc(spikes(2, 5)))
        learner.reset()
        self.assertEqual(learner.in_spike_monitor.records, [])
        self.assertIsNone(learner.trace_pre)
        self.assertTrue(torch.equal(learner.step(on_grad=False), torch.zeros(3, 5)))

    def test_a_step_with_nothing_recorded_does_nothing(self):
        fc, _, learner = self.learner()
        learner.step()
        self.assertIsNone(fc.weight.grad)
        self.assertTrue(torch.equal(learner.step(on_grad=False), torch.zeros(3, 5)))

    def test_indices_follow_the_records(self):
        fc, lif, learner = self.learner()
        for _ in range(2):
            lif(fc(spikes(2, 5)))
            self.assertEqual(learner.in_spike_monitor.name_records_index, {"": [0]})
            self.assertEqual(len(learner.in_spike_monitor[""]), 1)
            learner.step()
            self.assertEqual(learner.in_spike_monitor.name_records_index, {"": []})

    def test_disabled_it_records_nothing(self):
        fc, lif, learner = self.learner()
        learner.disable()
        lif(fc(spikes(2, 5)))
        learner.enable()
        self.assertEqual(learner.in_spike_monitor.records, [])

    def test_errors(self):
        with self.assertRaisesRegex(NotImplementedError, r"\[STDPLearner\] synapse must be .* got Conv3d"):
            stdp_learner.STDPLearner(nn.Conv3d(1, 1, 1), nn.Identity(), 2.0, 2.0)
        fc, lif, learner = self.learner()
        fc(spikes(2, 5))
        with self.assertRaisesRegex(RuntimeError, r"\[STDPLearner\] sn must be called once .* got 0 calls for 1"):
            learner.step()


if __name__ == "__main__":
    unittest.main(verbosity=2)
