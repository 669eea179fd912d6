"""BatchNormTT1d, BatchNormTT2d and GradedSpikes from Python."""

import copy
import pickle
import unittest

import recorded
import replay
import rheobase as snn
import torch


class Recorded(unittest.TestCase):
    def test_batch_norm(self):
        for case in recorded.cases("batchnorm"):
            with self.subTest(case["name"]):
                options = dict(case["options"])
                train = options.pop("train")
                layer = getattr(snn, case["target"])(**options)
                self.assertIsInstance(layer, torch.nn.ModuleList)
                inputs = recorded.arrays(case["inputs"])
                for t, norm in enumerate(layer):
                    if f"weight{t}" in inputs:
                        norm.weight.data.copy_(inputs[f"weight{t}"])
                    norm.running_mean.copy_(inputs[f"mean{t}"])
                    norm.running_var.copy_(inputs[f"var{t}"])
                layer.train(train)
                twin = copy.deepcopy(layer)
                x = inputs["x"].requires_grad_()
                out = torch.stack([norm(row) for norm, row in zip(layer, x)])
                (out * inputs["w"]).sum().backward()
                recorded.compare(self, case, {
                    "length": torch.tensor(float(len(layer))), "no_bias": torch.tensor(float(all(n.bias is None for n in layer))),
                    "out": out, "grad.x": x.grad, "running_mean": torch.stack([n.running_mean for n in layer]),
                    "running_var": torch.stack([n.running_var for n in layer]),
                })  # fmt: skip
                torch.testing.assert_close(twin.sequence(x), out)
                torch.testing.assert_close(twin.state_dict(), layer.state_dict())

    def test_graded_spikes(self):
        for case in recorded.cases("graded_spikes"):
            with self.subTest(case["name"]):
                layer = recorded.build(snn.GradedSpikes, case)
                x = recorded.array(case["inputs"]["x"]).requires_grad_()
                out = layer(x)
                (out * recorded.array(case["inputs"]["w"])).sum().backward()
                recorded.compare(self, case, {"out": out, "grad.x": x.grad, "grad.weights": layer.weights.grad})

    def test_state_dict(self):
        built = {
            "gradedspikes": lambda: snn.GradedSpikes(3, 1.0),
            "batchnormtt1d": lambda: snn.BatchNormTT1d(3, 2),
            "batchnormtt2d_plain": lambda: snn.BatchNormTT2d(3, 2, affine=False),
        }
        cases = [c for c in recorded.cases("state_dict") if c["target"] in built]
        self.assertEqual(len(cases), len(built))
        for case in cases:
            with self.subTest(case["target"]):
                replay.check_state_dict(self, case, built[case["target"]]())


class BatchNorm(unittest.TestCase):
    def test_a_sequence_that_is_too_long(self):
        with self.assertRaisesRegex(ValueError, r"\[BatchNormTT\] x must have at most time_steps = 2 steps from step 1 on, got 2"):
            snn.BatchNormTT1d(3, 2).sequence(torch.rand(2, 4, 3), first=1)

    def test_copies(self):
        layer = snn.BatchNormTT1d(3, 2)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            self.assertEqual(len(other), 2)
            self.assertTrue(all(norm.bias is None for norm in other))


class GradedSpikes(unittest.TestCase):
    def test_the_last_dimension_is_scaled(self):
        # snnTorch: an error for [B, size], and [1, 3] becomes [3, 3].
        layer = snn.GradedSpikes(3, None)
        for shape in ((3,), (1, 3), (4, 3), (5, 4, 3)):
            x = torch.rand(shape)
            self.assertTrue(torch.equal(layer(x), x * layer.weights.flatten()))
        x = torch.rand(4, 3, 1)
        self.assertTrue(torch.equal(layer(x), x * layer.weights))
        with self.assertRaisesRegex(ValueError, r"\[GradedSpikes\] x must have shape \[..., size = 3\], got \[4, 2\]"):
            layer(torch.rand(4, 2))

    def test_first_weights(self):
        for factor in (None, 0, 0.0):
            weights = snn.GradedSpikes(1000, factor).weights
            self.assertTrue(bool(((weights >= 0.5) & (weights < 1.5)).all()))
            self.assertGreater(weights.std(), 0.2)
        self.assertTrue(bool((snn.GradedSpikes(4, 0.25).weights == 0.25).all()))
        with self.assertRaises(TypeError):
            snn.GradedSpikes(4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
