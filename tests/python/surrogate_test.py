"""Surrogates from Python: recorded values, names and arguments, opcheck, errors."""

import copy
import pickle
import unittest

import recorded
import rheobase as snn
import torch
from rheobase import surrogate


class Recorded(unittest.TestCase):
    def test_cases(self):
        for case in recorded.cases("surrogate"):
            with self.subTest(case["name"]):
                if case["target"] == "custom_surrogate":
                    function = recorded.surrogate({"surrogate": "custom_surrogate"})
                else:
                    function = getattr(surrogate, case["target"])(**recorded.options(case))
                u = recorded.array(case["inputs"]["u"]).requires_grad_()
                spk = function(u)
                spk.backward(recorded.array(case["inputs"]["w"]))
                recorded.compare(self, case, {"spk": spk, "grad.u": u.grad})


class Functions(unittest.TestCase):
    def test_lso_one_where_a_spike_else_slope(self):
        u = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
        surrogate.LSO(slope=0.3)(u).sum().backward()
        torch.testing.assert_close(u.grad, torch.tensor([0.3, 0.3, 1.0]))

    def test_sigmoid_is_finite_and_symmetric_far_below_threshold(self):
        u = torch.tensor([-100.0, -3.6, 3.6, 100.0], requires_grad=True)
        surrogate.sigmoid()(u).sum().backward()
        self.assertTrue(bool(u.grad.isfinite().all()))
        torch.testing.assert_close(u.grad, u.grad.flip(0))

    def test_sso_is_noise_below_and_one_above(self):
        torch.manual_seed(1)
        u = torch.cat([torch.full((1000,), -1.0), torch.ones(10)]).requires_grad_()
        grads = []
        for _ in range(2):
            u.grad = None
            surrogate.SSO(mean=0.5, variance=0.2)(u).sum().backward()
            grads.append(u.grad)
        below = grads[0][:1000]
        self.assertTrue(bool((grads[0][1000:] == 1).all()))
        self.assertGreaterEqual(below.min().item(), 0.0)
        self.assertLess(below.max().item(), 0.2)
        self.assertAlmostEqual(below.mean().item(), 0.1, delta=0.006)
        self.assertFalse(torch.equal(*grads))

    def test_sso_repeats_with_torchs_seed(self):
        def grad():
            torch.manual_seed(3)
            u = torch.full((7,), -1.0, requires_grad=True)
            surrogate.SSO()(u).sum().backward()
            return u.grad

        self.assertTrue(torch.equal(grad(), grad()))

    def test_classes_take_every_argument(self):
        u = torch.tensor([-0.1, 0.1], requires_grad=True)
        surrogate.FastSigmoid.apply(u, 25).sum().backward()
        torch.testing.assert_close(u.grad, torch.full((2,), 1 / 3.5**2))
        with self.assertRaisesRegex(TypeError, r"\[FastSigmoid\] apply takes u, slope, got 0"):
            surrogate.FastSigmoid.apply(u)

    def test_second_derivative_of_the_smooth_factor(self):
        u = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(surrogate.atan(2.0)(u).sum(), u, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), u)
        v = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
        (by_hand,) = torch.autograd.grad((1 / (1 + (torch.pi * v) ** 2)).sum(), v)
        torch.testing.assert_close(second, by_hand)

    def test_text_equality_pickle_copy(self):
        one = surrogate.fast_sigmoid(slope=10)
        self.assertEqual(repr(one), "fast_sigmoid(slope=10)")
        for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            self.assertEqual(one, other)
        self.assertNotEqual(one, surrogate.fast_sigmoid())

    def test_errors(self):
        with self.assertRaisesRegex(TypeError, "steepness"):
            surrogate.atan(steepness=2)
        with self.assertRaisesRegex(TypeError, r"\[spike\] u must be a floating-point tensor, got Long"):
            surrogate.atan()(torch.arange(3))
        with self.assertRaisesRegex(ValueError, r"\[neuron\] surrogate must be the name of a surrogate, got 'atanh'"):
            torch.ops.rheobase.spike(torch.rand(3), "atanh", [2.0])


class Operator(unittest.TestCase):
    def test_opcheck(self):
        for dtype in (torch.float32, torch.float64):
            u = torch.randn(3, 5, dtype=dtype)
            slope = torch.tensor(1.5, dtype=dtype)
            for arguments in (
                (u, "atan", [2.0]),
                (u.clone().requires_grad_(), "fast_sigmoid", [25.0]),
                (u.clone().requires_grad_(), "atan", [2.0], slope.requires_grad_()),
                (u.clone().requires_grad_(), "SSO", [0.0, 0.2, 7.0]),
            ):
                torch.library.opcheck(torch.ops.rheobase.spike.default, arguments)
            torch.library.opcheck(
                torch.ops.rheobase.spike_backward.default, (torch.rand_like(u), u, "atan", [2.0], None, 0)
            )
            torch.library.opcheck(
                torch.ops.rheobase.spike_backward.default, (torch.rand_like(u), u, "atan", [2.0], slope.detach(), 0)
            )

    def test_every_surrogate_has_a_gradient_through_a_neuron(self):
        for name in snn.surrogate.__all__:
            made = getattr(surrogate, name)
            if isinstance(made, type):
                continue
            with self.subTest(name):
                x = torch.full((4, 3), 0.6).requires_grad_()
                spk, _ = snn.Leaky(beta=0.9, spike_grad=made()).sequence(x)
                spk.sum().backward()
                self.assertEqual(x.grad.shape, x.shape)


if __name__ == "__main__":
    unittest.main()
