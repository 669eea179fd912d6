"""The neuron operator as Python sees it: schema, shapes without data, gradients, torch.compile.

    python3 smoke_test.py path/to/librheobase.so

Ends with 77 and a reason where there is no torch to test with."""

import sys
import unittest

try:
    import torch
except ImportError as error:
    print(f"skipped: this Python has no torch ({error})")
    sys.exit(77)

BETA, THRESHOLD, GRADED = 0.8, 0.7, 1.2


def arguments(steps=5, traces=1, state=True, grad=False, dtype=torch.float32, constant=False):
    """Arguments of rheobase::neuron: a Leaky with one beta and one threshold per neuron, [T, 2, 3]."""
    generator = torch.Generator().manual_seed(1)

    def values(*shape):
        return torch.rand(*shape, generator=generator, dtype=dtype).requires_grad_(grad)

    x = values(1 if constant else steps, 2, 3)
    mem = [values(2, 3)] if state else []
    constants = [values(3), values(3), torch.tensor(GRADED, dtype=dtype, requires_grad=grad)]
    return ("Leaky", x, mem, constants, steps, 0, True, "atan", [2.0, 0.0], traces)


def leaky(x, beta, threshold, graded, reset="subtract"):
    """Spikes and membranes [T, B, N] of the equations, as a plain loop with the arctan surrogate of alpha = 2."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u > 0).to(u.dtype)

        @staticmethod
        def backward(ctx, grad):
            (u,) = ctx.saved_tensors
            return grad / (1 + (torch.pi * u) ** 2)

    mem = torch.zeros_like(x[0])
    spikes, membranes = [], []
    for row in x:
        fired = (mem > threshold).to(x.dtype).detach()
        mem = beta * mem + row - fired * threshold
        spikes.append(Spike.apply(mem - threshold) * graded)
        membranes.append(mem)
    return torch.stack(spikes), torch.stack(membranes)


class Operator(unittest.TestCase):
    def test_opcheck_forward(self):
        for case in ({}, {"grad": True}, {"grad": True, "traces": 0, "state": False}, {"grad": True, "constant": True},
                     {"dtype": torch.float64}):
            with self.subTest(**case):
                torch.library.opcheck(torch.ops.rheobase.neuron.default, arguments(**case))

    def test_opcheck_backward(self):
        forward = arguments()
        kind, x, mem, constants, *rest = forward
        spk, traces, last = torch.ops.rheobase.neuron(*forward)
        for needs in (0b1, 0b11111, 0b00100):
            with self.subTest(needs=needs):
                torch.library.opcheck(
                    torch.ops.rheobase.neuron_backward.default,
                    (kind, torch.rand_like(spk), [torch.rand_like(t) for t in traces], [torch.rand_like(s) for s in last],
                     x, mem, constants, traces, *rest[:-1], needs))

    def run_leaky(self, x, beta, threshold, graded):
        spk, (mem,), _ = torch.ops.rheobase.neuron(
            "Leaky", x, [], [beta, threshold, graded], x.shape[0], 0, True, "atan", [2.0, 0.0], 1)
        return spk, mem

    def test_gradient_equals_a_loop(self):
        generator = torch.Generator().manual_seed(2)
        x = torch.rand(20, 3, 7, generator=generator, dtype=torch.float64)
        weights = torch.randn(2, 20, 3, 7, generator=generator, dtype=torch.float64)
        results = []
        for run in (self.run_leaky, leaky):
            leaves = [t.clone().requires_grad_() for t in (x, *torch.tensor([BETA, THRESHOLD, GRADED], dtype=x.dtype))]
            spk, mem = run(*leaves)
            self.assertGreater(spk.sum().item(), 10)
            (spk * weights[0] + mem * weights[1]).sum().backward()
            results.append([spk, mem] + [t.grad for t in leaves])
        for ours, theirs in zip(*results):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)

    def test_compiles_as_one_graph(self):
        def loss(x, beta, threshold, graded):
            spk, mem = self.run_leaky(2 * x, beta, threshold, graded)
            return (spk.cos() + mem.sin()).mean()

        compiled = torch.compile(loss, fullgraph=True)
        x = torch.rand(12, 2, 5, generator=torch.Generator().manual_seed(3))
        grads = []
        for run in (loss, compiled):
            leaves = [t.clone().requires_grad_() for t in (x, *torch.tensor([BETA, THRESHOLD, GRADED]))]
            value = run(*leaves)
            value.backward()
            grads.append([value] + [t.grad for t in leaves])
        for eager, graph in zip(*grads):
            torch.testing.assert_close(eager, graph)

    def test_bad_arguments_are_refused(self):
        with self.assertRaisesRegex(Exception, r"\[neuron\] kind must be the name of a neuron, got 'Leeky'"):
            torch.ops.rheobase.neuron("Leeky", *arguments()[1:])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} LIBRARY")
    torch.ops.load_library(sys.argv.pop())
    unittest.main(verbosity=2)
