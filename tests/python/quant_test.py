"""State quantisers: snnTorch's recorded values, the levels it documents, gradients, copies, neurons that take one."""

import copy
import pickle
import unittest

import recorded
import torch

import rheobase as snn
from rheobase.functional import quant

ops = torch.ops.rheobase


class StateQuant(unittest.TestCase):
    def test_recorded(self):
        for case in recorded.cases("quant"):
            with self.subTest(case["name"]):
                inputs = recorded.arrays(case["inputs"])
                x = inputs["x"].requires_grad_()
                out = quant.state_quant(**recorded.options(case))(x)
                out.backward(inputs["w"])
                recorded.compare(self, case, {"out": out, "grad.x": x.grad})

    def test_levels_of_the_documentation(self):
        two = quant.state_quant(num_bits=2, uniform=False)
        torch.testing.assert_close(two.levels, torch.tensor([-1, 0.801802, 0.981982, 1.2]).double(), rtol=0, atol=1e-6)
        four = quant.state_quant(num_bits=4, uniform=False, thr_centered=False).levels
        for at, level in ((0, -1), (1, -0.496063), (6, -0.007874), (7, 0.002348), (-1, 1.2)):
            self.assertAlmostEqual(four[at].item(), level, places=5)

    def test_nearest_in_every_type(self):
        x = torch.linspace(-1.5, 1.5, 331, dtype=torch.float64)
        for options in ({"num_bits": 3}, {"num_bits": 3, "uniform": False}, {"num_bits": 8, "uniform": False}):
            q = quant.state_quant(**options)
            plain = q.levels[(x[:, None] - q.levels).abs().argmin(1)]
            torch.testing.assert_close(q(x), plain, rtol=0, atol=0)
            for dtype, atol in ((torch.float32, 1e-6), (torch.bfloat16, 0.02), (torch.float16, 0.003)):
                out = q(x.to(dtype))
                self.assertEqual(out.dtype, dtype)
                # Beside a border a rounded value may fall to the other level.
                off = (out.double() - plain).abs() > atol
                self.assertLessEqual(off.double().mean().item(), 0.4 if dtype is torch.bfloat16 else 0.1)
        self.assertTrue(q(torch.tensor([torch.nan])).isnan().all())
        self.assertEqual(q(torch.zeros(0, 3)).shape, (0, 3))

    def test_pickles_and_copies(self):
        q = quant.state_quant(num_bits=4, uniform=False, threshold=2, multiplier=0.6)
        x = torch.randn(50, generator=torch.Generator().manual_seed(1))
        for other in (pickle.loads(pickle.dumps(q)), copy.deepcopy(q)):
            self.assertTrue(torch.equal(other(x), q(x)))
        self.assertEqual(repr(q), "state_quant(num_bits=4, uniform=False, thr_centered=True, threshold=2.0, lower_limit=0.0, "
                                  "upper_limit=0.2, multiplier=0.6)")

    def test_a_neuron_takes_one(self):
        q = quant.state_quant(num_bits=2)
        lif = snn.Leaky(beta=0.9, state_quant=q)
        _, mem = lif(torch.full((2, 3), 0.6), torch.zeros(2, 3))
        self.assertTrue(torch.equal(mem, q(torch.full((2, 3), 0.6))))
        _, mem = pickle.loads(pickle.dumps(lif))(torch.full((2, 3), 0.1), torch.zeros(2, 3))
        self.assertTrue(torch.equal(mem, q(torch.full((2, 3), 0.1))))

    def test_opcheck(self):
        x = torch.randn(3, 7, generator=torch.Generator().manual_seed(2))
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            levels, edges, low, per_step = ops.state_quant_levels(4, True, True, 1.0, 0.0, 0.2, None)
            levels, edges = (levels.float(), edges.float()) if dtype is torch.float32 else (levels, edges)
            for grad in (False, True):
                torch.library.opcheck(
                    ops.nearest_level.default, (x.to(dtype, copy=True).requires_grad_(grad), levels, edges, low, per_step)
                )

    def test_compiles(self):
        q = quant.state_quant(num_bits=4)
        x = torch.randn(3, 7, generator=torch.Generator().manual_seed(3), requires_grad=True)
        out = torch.compile(lambda t: q(2 * t).sin(), fullgraph=True)(x)
        torch.testing.assert_close(out, q(2 * x).sin())
        out.sum().backward()
        torch.testing.assert_close(x.grad, 2 * q(2 * x).cos().detach())

    def test_errors(self):
        for options, text in (
            ({"num_bits": 0}, r"\[state_quant\] num_bits must be 1 to 16, got 0"),
            ({"threshold": -1}, r"\[state_quant\] threshold must be positive and finite, got -1"),
            ({"uniform": False, "multiplier": 0}, r"\[state_quant\] multiplier must be positive and finite, got 0"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                quant.state_quant(**options)
        with self.assertRaisesRegex(TypeError, r"\[state_quant\] x must have a floating-point type, got Long"):
            quant.state_quant()(torch.ones(3, dtype=torch.int64))


if __name__ == "__main__":
    unittest.main(verbosity=2)
