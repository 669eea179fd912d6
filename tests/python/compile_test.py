"""torch.compile(fullgraph=True) of a step, a sequence and a network; opcheck of the operators on parameters."""

import subprocess
import sys
import unittest

import recorded  # noqa: F401  (ends with 77 without torch)
import rheobase as snn
import torch
from torch import nn


class Compiled(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()

    def same(self, function, *shapes):
        """The function and its compiled self, forward and backward, on two inputs of each shape."""
        compiled = torch.compile(function, fullgraph=True)
        for shape in shapes:
            x = torch.rand(shape)
            leaves = [x.clone().requires_grad_() for _ in range(2)]
            values = [run(leaf) for run, leaf in zip((function, compiled), leaves)]
            torch.testing.assert_close(*values)
            for value in values:
                value.backward()
            torch.testing.assert_close(*(leaf.grad for leaf in leaves))

    def test_steps_with_explicit_state(self):
        lif = snn.Leaky(beta=0.8, learn_beta=True)

        def loss(x):
            mem, total = lif.reset_mem(), 0.0
            mem = torch.zeros_like(x[0])
            for row in x:
                spk, mem = lif(row, mem)
                total = total + spk.cos().mean() + mem.sin().mean()
            return total

        self.same(loss, (4, 2, 5), (4, 3, 5), (4, 4, 5))

    def test_steps_with_hidden_state(self):
        lif = snn.Synaptic(alpha=0.7, beta=0.8, init_hidden=True)

        def loss(x):
            lif.reset_mem()
            return sum(lif(row).cos().mean() for row in x) + lif.mem.sin().mean()

        self.same(loss, (4, 2, 5))

    def test_sequence(self):
        for lif in (snn.Leaky(beta=torch.rand(5)), snn.Lapicque(R=2.0, C=3.0, learn_R=True), snn.Alpha(alpha=0.9, beta=0.8)):
            with self.subTest(type(lif).__name__):
                torch._dynamo.reset()

                def loss(x, lif=lif):
                    spk, mem, state = lif.sequence(x, ())
                    return spk.cos().mean() + mem.sin().mean() + state.mem.sum()

                self.same(loss, (6, 2, 5))

    def test_network(self):
        torch.manual_seed(1)
        net = snn.Sequential(nn.Linear(5, 7), snn.Leaky(beta=0.8), nn.Linear(7, 3), snn.Leaky(beta=0.9))

        def loss(x):
            spk, mem = net(x)
            return spk.cos().mean() + mem.sin().mean()

        self.same(loss, (6, 2, 5), (6, 3, 5))

    def test_fused_network(self):
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Linear(5, 7), snn.Leaky(beta=0.8, init_hidden=True), nn.Linear(7, 3),
            snn.Leaky(beta=0.9, init_hidden=True, output=True),
        )  # fmt: skip
        fused = snn.fuse(net, num_steps=4)

        def loss(x):
            net[1].reset_mem(), net[3].reset_mem()
            spk, mem = fused(x)
            return spk.cos().mean() + mem.sin().mean()

        self.same(loss, (2, 5))

    def test_whole_module_with_a_users_surrogate(self):
        lif = snn.Leaky(beta=0.8, spike_grad=lambda u: torch.sigmoid(5 * u))

        def loss(x):
            spk, mem, _ = lif.sequence(x, ())
            return spk.cos().mean() + mem.sin().mean()

        self.same(loss, (3, 2, 5))


    def test_the_cache_on_disk_takes_no_function_for_another_processs(self):
        # The graph that torch keys its cache with holds a function's number and nothing else of it.
        command = [sys.executable, "-c", "from rheobase._functions import Function; print(Function(abs).number)"]
        numbers = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}
        self.assertEqual(len(numbers), 2)


class Operators(unittest.TestCase):
    def arguments(self, kind, values, dtype=torch.float32, grad=True):
        x = torch.rand(2, 3, dtype=dtype).requires_grad_(grad)
        values = [None if v is None else torch.tensor(v, dtype=dtype) for v in values]
        return x, values

    def test_opcheck_step(self):
        for dtype in (torch.float32, torch.float64):
            x, values = self.arguments("Leaky", [0.9, 0.5, 1.0], dtype)
            values[0].requires_grad_()
            torch.library.opcheck(
                torch.ops.rheobase.neuron_step.default,
                ("Leaky", x, [torch.rand(2, 3, dtype=dtype)], values, [], 0, True, "atan", [2.0]),
            )

    def test_opcheck_sequence(self):
        for fused in (True, False):
            x, values = self.arguments("Synaptic", [0.8, 0.9, 0.5, 1.0])
            torch.library.opcheck(
                torch.ops.rheobase.neuron_sequence.default,
                ("Synaptic", x.unsqueeze(0), 4, [], values, [], 1, True, "fast_sigmoid", [25.0], True, -1, -1, False, fused),
            )

    def test_opcheck_linear(self):
        x, weight, bias = torch.rand(4, 2, 5), torch.rand(3, 5), torch.rand(3)
        for arguments in ((x, weight, bias), (x.requires_grad_(), weight.requires_grad_(), None)):
            torch.library.opcheck(torch.ops.rheobase.linear.default, arguments)


if __name__ == "__main__":
    unittest.main()
