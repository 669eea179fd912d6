"""Losses, spike times, accuracies, penalties: snnTorch's recorded values and gradients, the rows of differences, plain references
in double, and the operators under autograd and torch.compile."""

import pickle
import unittest

import numpy as np
import recorded
import torch
from torch.nn import functional as F

import rheobase.functional as SF

ops = torch.ops.rheobase


def random_rec(*shape, seed=1, dtype=torch.float64, spikes=False):
    rec = torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    return (rec > 0.3).to(dtype) if spikes else rec


def labels(batch, classes, seed=2):
    return torch.randint(classes, (batch,), generator=torch.Generator().manual_seed(seed))


def value_and_grad(function, *inputs):
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    value = function(*leaves)
    value.sum().backward()
    return [value.detach()] + [x.grad for x in leaves if x.is_floating_point()]


class Recorded(unittest.TestCase):
    def test_losses(self):
        for case in recorded.cases("loss"):
            with self.subTest(case["name"]):
                loss_fn = getattr(SF, case["target"].removeprefix("functional."))(**recorded.options(case))
                inputs = recorded.arrays(case["inputs"])
                rec = inputs.pop("recording").requires_grad_()
                w = inputs.pop("w", torch.tensor(1.0))
                loss = loss_fn(rec, *inputs.values())
                (loss * w).sum().backward()
                loss = loss if case["outputs"]["loss"]["shape"] else loss.reshape([])
                recorded.compare(self, case, {"loss": loss, "grad.recording": rec.grad})

    def test_accuracies(self):
        for case in recorded.cases("call", "functional.accuracy_rate", "functional.accuracy_temporal"):
            with self.subTest(case["name"]):
                function = getattr(SF, case["target"].removeprefix("functional."))
                out = function(*recorded.arrays(case["inputs"]).values(), **recorded.options(case))
                self.assertIsInstance(out, np.float64)
                self.assertAlmostEqual(out, case["outputs"]["out"]["data"], places=12)


class Differences(unittest.TestCase):
    def test_mse_temporal_loss_wants_the_last_step_of_wrong_classes(self):
        spk = torch.zeros(5, 1, 3)
        spk[0, 0, 1] = 1  # the target fires first, the others never: at the last step
        self.assertEqual(SF.mse_temporal_loss()(spk, torch.tensor([1])).item(), 0)
        spk[2, 0, 0] = 1
        loss = SF.mse_temporal_loss(reduction="sum")(spk, torch.tensor([1]))
        self.assertAlmostEqual(loss.item(), (2 / 5 - 4 / 5) ** 2, places=6)

    def test_negative_target_times_leave_the_callers_tensor(self):
        times = torch.tensor([[-1.0, 2.0]])
        SF.mse_temporal_loss(target_is_time=True)(random_rec(6, 1, 2, spikes=True), times)
        self.assertEqual(times.tolist(), [[-1, 2]])

    def test_multi_spike_takes_only_that_neurons_spike(self):
        spk = torch.zeros(8, 1, 2)
        spk[[1, 3], 0, 0] = 1
        spk[[1, 5], 0, 1] = 1
        times, _ = SF.SpikeTime(target_is_time=True, multi_spike=True)(spk, torch.zeros(2, 1, 2))
        self.assertEqual(times.tolist(), [[[1, 1]], [[3, 5]]])

    def test_a_weight_with_reduction_sum_is_summed(self):
        rec, y, weight = random_rec(7, 4, 3, spikes=True), labels(4, 3), torch.tensor([0.5, 1.0, 2.0])
        for kind in (SF.ce_rate_loss, SF.ce_count_loss, SF.ce_max_membrane_loss, SF.mse_count_loss, SF.mse_membrane_loss,
                     SF.mse_temporal_loss):
            with self.subTest(kind.__name__):
                each = kind(reduction="none", weight=weight)(rec, y)
                total = kind(reduction="sum", weight=weight)(rec, y)
                self.assertEqual(total.shape, ())
                torch.testing.assert_close(total, each.sum())

    def test_mse_losses_weigh_along_the_batch(self):
        rec, y, weight = random_rec(7, 4, 3, spikes=True), labels(4, 3), torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
        for kind in (SF.mse_count_loss, SF.mse_membrane_loss, SF.mse_temporal_loss):
            with self.subTest(kind.__name__):
                plain = kind(reduction="none")(rec, y)
                torch.testing.assert_close(kind(reduction="none", weight=weight)(rec, y), plain * weight[y][:, None])

    def test_ce_rate_loss_population_code_pools_at_every_step(self):
        rec, y = random_rec(5, 4, 6, spikes=True), labels(4, 3)
        ours = SF.ce_rate_loss(population_code=True, num_classes=3)(rec, y)
        torch.testing.assert_close(ours, SF.ce_rate_loss()(rec.view(5, 4, 3, 2).sum(-1), y))

    def test_mse_membrane_loss_takes_targets_that_vary_in_time(self):
        mem, y = random_rec(5, 4, 3), torch.stack([labels(4, 3, seed) for seed in range(5)])
        loss_fn = SF.mse_membrane_loss(time_var_targets=True, on_target=1.5, off_target=0.25)
        wanted = torch.where(F.one_hot(y, 3).bool(), 1.5, 0.25).double()
        expected = ((mem - wanted) ** 2).mean().reshape(1)
        torch.testing.assert_close(loss_fn(mem, y), expected)
        torch.testing.assert_close(loss_fn(mem, wanted), expected)


class References(unittest.TestCase):
    sizes = ((1, 1, 1), (5, 3, 7), (2, 17, 10), (13, 1, 3))

    def check(self, ours, plain, *inputs):
        for a, b in zip(value_and_grad(ours, *inputs), value_and_grad(plain, *inputs), strict=True):
            torch.testing.assert_close(a.reshape(b.shape), b, rtol=1e-10, atol=1e-12)

    def test_cross_entropies(self):
        plain = {
            SF.ce_rate_loss: lambda r, y: torch.stack([F.cross_entropy(x, y) for x in r]).mean(),
            SF.ce_membrane_loss: lambda r, y: sum(F.cross_entropy(x, y) for x in r),
            SF.ce_count_loss: lambda r, y: F.cross_entropy(r.sum(0), y),
            SF.ce_max_membrane_loss: lambda r, y: F.cross_entropy(r.max(0).values, y),
        }
        for shape in self.sizes:
            rec, y = random_rec(*shape), labels(*shape[1:])
            for kind, reference in plain.items():
                with self.subTest(kind.__name__, shape=shape):
                    self.check(kind(), reference, rec, y)

    def test_shapes_of_reduced_losses(self):
        rec, y = random_rec(4, 3, 5), labels(3, 5)
        for kind in (SF.ce_rate_loss, SF.mse_membrane_loss):
            self.assertEqual(kind()(rec, y).shape, (1,))
            self.assertEqual(kind(weight=torch.ones(5))(rec, y).shape, ())
        for kind in (SF.ce_count_loss, SF.ce_max_membrane_loss, SF.ce_membrane_loss, SF.mse_count_loss,
                     SF.mse_temporal_loss, SF.ce_temporal_loss):
            self.assertEqual(kind()(rec, y).shape, ())

    def test_spike_times_and_their_gradient(self):
        for shape in self.sizes:
            for count in (1, 3):
                with self.subTest(shape=shape, count=count):
                    spk = random_rec(*shape, spikes=True).requires_grad_()
                    times, step = ops.spike_time(spk, count)
                    times.backward(weights := torch.rand_like(times))
                    grad = torch.zeros_like(spk)
                    for b in range(shape[1]):
                        for n in range(shape[2]):
                            at = spk[:, b, n].nonzero()[:, 0].tolist()[:count]
                            at += [shape[0] - 1] * (count - len(at))
                            self.assertEqual(times[:, b, n].tolist(), at)
                            for f, t in enumerate(at):
                                grad[t, b, n] = -weights[f, b, n]  # of several at the last step, the last
                    torch.testing.assert_close(spk.grad, grad)
                    self.assertFalse(step.requires_grad)

    def test_spike_time_module(self):
        spk = torch.zeros(6, 2, 2)
        spk[2, 0, 0] = spk[3, 1, 1] = 1
        times, wanted = SF.SpikeTime(on_target=1, off_target=-2, tolerance=2)(spk, torch.tensor([0, 1]))
        self.assertEqual(wanted.tolist(), [[1, 4], [4, 1]])
        self.assertEqual(times.tolist(), [[1, 4], [4, 3]])  # 2 and 5 are within tolerance of 1 and 4, 3 is not of 1
        with self.assertRaises(IndexError):
            SF.SpikeTime(on_target=[1, 2], off_target=[3], multi_spike=True)(spk, torch.tensor([0, 1]))

    def test_van_rossum_distance(self):
        def plain(a, b, tau=3.0):
            f, total = torch.zeros_like(a[0]), 0
            for x in a - b:
                f = f * torch.exp(torch.tensor(-1 / tau, dtype=a.dtype)) + x
                total = total + (f**2).sum(1) / tau
            return total.mean()

        for shape in self.sizes:
            with self.subTest(shape=shape):
                self.check(SF.van_rossum_distance(tau=3.0), plain, random_rec(*shape), random_rec(*shape, seed=5))

    def test_penalties(self):
        rec = random_rec(9, 3, 7)
        rate = rec.mean(0)
        self.check(SF.lower_rate_bound(0.4, 2.0), lambda r: 2 * F.relu(0.4 - r.mean(0)).pow(2).mean(), rec)
        self.check(SF.upper_rate_bound(-0.1, 2.0), lambda r: 2 * F.relu(r.mean(0) + 0.1).pow(2).mean(), rec)
        self.check(SF.upper_rate_bound(rate.mean().item() - 0.2, population=True),
                   lambda r: F.relu(r.mean((0, 2)) - rate.mean().item() + 0.2).pow(2).mean(), rec)
        self.check(SF.membrane_penalty(-0.5, 0.5, 3.0), lambda r: 3 * (r - r.clamp(-0.5, 0.5)).pow(2).mean(), rec)

    def test_half_precision_is_computed_in_float32(self):
        rec, y = random_rec(5, 3, 4, dtype=torch.float32).bfloat16().requires_grad_(), labels(3, 4)
        for kind in (SF.ce_rate_loss, SF.ce_count_loss, SF.mse_count_loss, SF.ce_temporal_loss):
            loss = kind()(rec, y)
            self.assertEqual(loss.dtype, torch.float32)
            torch.testing.assert_close(loss, kind()(rec.float(), y))
            loss.sum().backward()
        self.assertEqual(rec.grad.dtype, torch.bfloat16)

    def test_a_loss_of_ones_own(self):
        class counts(SF.LossFunctions):
            def _compute_loss(self, spk_out, targets):
                return F.cross_entropy(spk_out.sum(0), targets, self.weight, reduction=self._intermediate_reduction())

        rec, y, weight = random_rec(5, 3, 4), labels(3, 4), torch.rand(4, dtype=torch.float64)
        for reduction in ("mean", "sum", "none"):
            for w in (None, weight):
                torch.testing.assert_close(counts(reduction, w)(rec, y), SF.ce_count_loss(reduction=reduction, weight=w)(rec, y))

    def test_losses_pickle(self):
        rec, y = random_rec(5, 3, 4, spikes=True), labels(3, 4)
        for loss_fn in (SF.ce_rate_loss(), SF.mse_count_loss(0.8, 0.2), SF.mse_temporal_loss(tolerance=1), SF.ce_temporal_loss()):
            torch.testing.assert_close(pickle.loads(pickle.dumps(loss_fn))(rec, y), loss_fn(rec, y))


class Operators(unittest.TestCase):
    def test_opcheck(self):
        spk, y = random_rec(5, 3, 4, dtype=torch.float32, spikes=True), labels(3, 4)
        weight = torch.rand(4, generator=torch.Generator().manual_seed(3))
        for grad in (False, True):
            rec = spk.clone().requires_grad_(grad)
            for count in (1, 2):
                torch.library.opcheck(ops.spike_time.default, (rec, count))
            for over in ("mean", "steps", "sum", "maximum"):
                for w in (None, weight):
                    with self.subTest(over, weighted=w is not None, grad=grad):
                        torch.library.opcheck(ops.cross_entropy.default, ("loss", rec, y, w, over))
            torch.library.opcheck(ops.van_rossum_distance.default, (rec, random_rec(5, 3, 4, dtype=torch.float32), 4.0))
        torch.library.opcheck(ops.by_class.default, (y, "loss", 3, 4, 1.0, 0.0, torch.float64))

    def test_opcheck_backward(self):
        spk, y = random_rec(5, 3, 4, dtype=torch.float32, spikes=True), labels(3, 4)
        time, step = ops.spike_time(spk, 2)
        torch.library.opcheck(ops.spike_time_backward.default, (torch.rand_like(time), step, 5))
        for over in ("mean", "steps", "sum", "maximum"):
            loss, *saved = ops.cross_entropy("loss", spk, y, None, over)
            torch.library.opcheck(
                ops.cross_entropy_backward.default, ("loss", torch.rand_like(loss), spk, y, None, *saved, over)
            )
        distance, trace = ops.van_rossum_distance(spk, spk.flip(0).contiguous(), 4.0)
        torch.library.opcheck(ops.van_rossum_distance_backward.default, (torch.rand_like(distance), trace, 4.0))

    def test_second_derivatives_are_refused_by_name(self):
        y = labels(3, 4)
        for name, function in (
            ("spike_time", lambda r: ops.spike_time(r, 1)[0].square().sum()),
            ("ce_rate_loss", lambda r: SF.ce_rate_loss()(r, y).sum()),
            ("van_rossum_distance", lambda r: SF.van_rossum_distance()(r, torch.zeros_like(r))),
        ):
            rec = random_rec(5, 3, 4).requires_grad_()
            with self.assertRaisesRegex(RuntimeError, rf"\[{name}\] the fused backward has no derivative of its own"):
                torch.autograd.grad(function(rec), rec, create_graph=True)

    def test_losses_compile_as_one_graph(self):
        y = labels(3, 4)
        for loss_fn in (SF.ce_rate_loss(), SF.ce_count_loss(), SF.mse_count_loss(0.8, 0.2), SF.mse_membrane_loss(),
                        SF.mse_temporal_loss(on_target=1), SF.ce_temporal_loss()):
            with self.subTest(loss_fn.__name__):
                torch.compiler.reset()
                rec = random_rec(6, 3, 4, dtype=torch.float32, spikes=True)
                eager = value_and_grad(lambda r, f=loss_fn: f(2 * r, y), rec)
                graph = value_and_grad(torch.compile(lambda r, f=loss_fn: f(2 * r, y), fullgraph=True), rec)
                for a, b in zip(eager, graph):
                    torch.testing.assert_close(a, b)


class Errors(unittest.TestCase):
    def test_texts(self):
        rec, y = random_rec(5, 3, 4), labels(3, 4)
        for call, kind, text in (
            (lambda: SF.ce_rate_loss()(rec[0], y), ValueError, r"\[ce_rate_loss\] rec must be \[T, B, C\] .* got \[3, 4\]"),
            (lambda: SF.ce_count_loss()([1], y), TypeError, r"\[ce_count_loss\] rec must be a tensor, got list"),
            (lambda: SF.ce_count_loss()(rec, y + 4), ValueError, r"\[ce_count_loss\] targets must be below .* 4, got \d at 0"),
            (lambda: SF.mse_count_loss()(rec, y[:2]), ValueError, r"\[mse_count_loss\] targets must be \[B\] = \[3\], got \[2\]"),
            (lambda: SF.mse_temporal_loss()(rec, y[:2]), ValueError, r"\[SpikeTime\] targets must be \[B\] = \[3\], got \[2\]"),
            (lambda: SF.mse_count_loss()(rec, y.float()), TypeError, r"\[mse_count_loss\] targets must be int64 .* got Float"),
            (lambda: SF.ce_rate_loss(weight=torch.ones(3))(rec, y), ValueError, r"\[ce_rate_loss\] weight .* 4, got \[3\]"),
            (lambda: SF.ce_count_loss(population_code=True)(rec, y), ValueError, r"num_classes must be given .* got False"),
            (lambda: SF.ce_count_loss(True, 3)(rec, y), ValueError, r"num_classes must divide the 4 outputs, got 3"),
            (lambda: SF.ce_count_loss(reduction="average"), ValueError, r"reduction must be .* got 'average'"),
            (lambda: SF.ce_temporal_loss(inverse="root"), ValueError, r"inverse must be negate or reciprocal, got 'root'"),
            (lambda: SF.van_rossum_distance(tau=0), ValueError, r"tau must be above 0, got 0"),
            (lambda: SF.membrane_penalty(1, 0), ValueError, r"upper must not be below lower, 1, got 0"),
            (lambda: SF.accuracy_rate(rec, y[:2]), ValueError, r"\[accuracy_rate\] targets must be \[B\] = \[3\] .* got \[2\]"),
            (lambda: ops.cross_entropy("loss", rec, y, None, "median"), ValueError, r"over must be mean, .* got 'median'"),
        ):
            with self.subTest(text):
                with self.assertRaisesRegex(kind, text):
                    call()


if __name__ == "__main__":
    unittest.main(verbosity=2)
