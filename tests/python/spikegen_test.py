"""Encoders: snnTorch's recorded calls and errors, the rows of differences, the examples of its documentation, statistics of the
random ones, plain references of ours, and the operators under torch.compile."""

import unittest

import recorded
import torch

from rheobase import spikegen

ops = torch.ops.rheobase


def steps_of(spk):
    """The step of each element's only spike, -1 where it has none. spk [T, ...]"""
    return torch.where(spk.bool().any(0), spk.bool().int().argmax(0), -1)


class Recorded(unittest.TestCase):
    targets = sorted({c["target"] for c in recorded.cases("call") if c["target"].startswith("spikegen.")})

    def test_calls(self):
        for case in recorded.cases("call", *self.targets):
            with self.subTest(case["name"]):
                function = getattr(spikegen, case["target"].removeprefix("spikegen."))
                out = function(*recorded.arrays(case["inputs"]).values(), **recorded.options(case))
                out = [o.float() if o.dtype == torch.bool else o for o in (out if isinstance(out, tuple) else (out,))]
                recorded.compare(self, case, dict(zip(["out", "out1"], out)))

    def test_errors(self):
        for case in recorded.cases("raises"):
            with self.subTest(case["name"]):
                given = {**recorded.arrays(case["inputs"]), **recorded.options(case)}
                positional = [given.pop(name) for name in sorted(n for n in given if n.startswith("arg"))]
                name = case["target"].removeprefix("spikegen.")
                with self.assertRaisesRegex(ValueError, rf"\[{name}\] .* got "):
                    getattr(spikegen, name)(*positional, **given)


class Differences(unittest.TestCase):
    labels = torch.tensor([0, 2, 1])

    def test_targets_rate_with_other_rates_than_1_and_0(self):
        on, _ = spikegen.target_rate_code(6, rate=0.5)
        off, _ = spikegen.target_rate_code(6, rate=0.25)
        for interpolate in (False, True):
            spk = spikegen.targets_rate(
                self.labels, 3, num_steps=6, correct_rate=0.5, incorrect_rate=0.25, interpolate=interpolate
            )
            self.assertEqual(list(spk.shape), [6, 3, 3])
            ramp = (lambda s: spikegen.rate_interpolate(s.nonzero()[:, 0], 6)) if interpolate else (lambda s: s)
            for b, label in enumerate(self.labels):
                for c in range(3):
                    torch.testing.assert_close(spk[:, b, c], ramp(on if c == label else off))

    def test_from_one_hot_of_a_matrix_gives_the_class_of_every_row(self):
        self.assertEqual(spikegen.from_one_hot(spikegen.to_one_hot(self.labels, 4)).tolist(), [0, 2, 1])

    def test_targets_convert_latency_passes_its_options_on(self):
        options = {"num_steps": 9, "on_target": 0.8, "off_target": 0.1, "normalize": True, "interpolate": True}
        ours = spikegen.targets_convert(self.labels, 3, code="latency", epsilon=1e-3, **options)
        torch.testing.assert_close(ours, spikegen.latency(spikegen.to_one_hot(self.labels, 3), epsilon=1e-3, **options))
        self.assertAlmostEqual(ours.max().item(), 0.8, places=6)
        self.assertAlmostEqual(ours.min().item(), 0.1, places=6)

    def test_a_negative_off_target_is_honoured(self):
        self.assertEqual(spikegen.targets_convert(torch.tensor([1]), 2, on_target=0, off_target=-1).tolist(), [[-1, 0]])
        self.assertEqual(spikegen.targets_convert(torch.tensor([1]), 2, on_target=1, off_target=-1).tolist(), [[-1, 1]])
        spk = spikegen.latency(torch.tensor([1.0]), 3, on_target=1, off_target=-1)
        self.assertEqual(spk[:, 0].tolist(), [1, -1, -1])

    def test_targets_rate_refuses_a_negative_first_spike_time(self):
        with self.assertRaisesRegex(ValueError, r"\[targets_rate\] first_spike_time must not be negative, got -1"):
            spikegen.targets_rate(self.labels, 3, num_steps=5, first_spike_time=-1)


class Documentation(unittest.TestCase):
    """Numbers that snnTorch's documentation and tutorial 1 print."""

    def test_latency_of_three_values(self):
        spk = spikegen.latency(torch.tensor([0.02, 0.5, 1.0]), num_steps=5, normalize=True, linear=True)
        self.assertEqual(steps_of(spk).tolist(), [4, 2, 0])

    def test_latency_code_of_three_values(self):
        time, below = spikegen.latency_code(torch.tensor([0.02, 0.5, 1.0]), num_steps=5, normalize=True)
        torch.testing.assert_close(time, torch.tensor([4.0, 0.116585, 0.057998]), rtol=1e-4, atol=1e-6)
        self.assertFalse(below.any())

    def test_tutorial_1_latencies(self):
        pixels = torch.tensor([0.0, 0.02, 0.5, 1.0])
        for options, steps in (
            ({}, [58, 3, 0, 0]),
            ({"linear": True}, [5, 5, 2, 0]),
            ({"linear": True, "normalize": True}, [98, 97, 50, 0]),
            ({"linear": True, "normalize": True, "clip": True}, [-1, 97, 50, 0]),
        ):
            with self.subTest(**options):
                spk = spikegen.latency(pixels, num_steps=100, tau=5, threshold=0.01, **options)
                self.assertEqual(steps_of(spk).tolist(), steps)

    def test_times_are_rounded_half_to_even(self):
        self.assertEqual(steps_of(spikegen.latency(torch.tensor([0.5]), 8, tau=5, linear=True)).tolist(), [2])

    def test_tutorial_1_delta(self):
        data = torch.tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0])
        self.assertEqual(spikegen.delta(data, threshold=4).nonzero()[:, 0].tolist(), [4, 6, 8])
        spk = spikegen.delta(data, threshold=4, off_spike=True)
        self.assertEqual((spk < 0).nonzero()[:, 0].tolist(), [5, 7])

    def test_target_rate_code(self):
        for arguments, spk, times in (
            ({"rate": 1}, [1, 1, 1, 1, 1], [0, 1, 2, 3, 4]),
            ({"rate": 1, "first_spike_time": 3}, [0, 0, 0, 1, 1], [3, 4]),
            ({"rate": 0.3}, [1, 0, 0, 1, 0], [0, 3]),
            ({"rate": 0}, [0, 0, 0, 0, 0], []),
        ):
            with self.subTest(**arguments):
                ours = spikegen.target_rate_code(num_steps=5, **arguments)
                self.assertEqual([o.tolist() for o in ours], [spk, times])


class Random(unittest.TestCase):
    def test_rates_are_the_probabilities(self):
        p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
        share = spikegen.rate(p, num_steps=20000, seed=1).mean(0)
        self.assertEqual((share[0].item(), share[4].item()), (0, 1))
        # Five standard deviations of 20,000 draws.
        self.assertTrue(bool(((share - p).abs() <= 5 * (p * (1 - p) / 20000).sqrt()).all()), share)

    def test_gain_and_offset(self):
        x = torch.full((3,), 0.25)
        self.assertTrue(spikegen.rate(x, 50, gain=4).eq(1).all())
        self.assertTrue(spikegen.rate(x, 50, gain=-1, offset=0.25).eq(0).all())
        self.assertTrue(spikegen.rate(x, 50, gain=torch.tensor([4.0, 0.0, 4.0]))[:, [0, 2]].eq(1).all())
        self.assertTrue(spikegen.rate(x, 50, gain=torch.tensor([4.0, 0.0, 4.0]))[:, 1].eq(0).all())

    def test_torch_manual_seed_governs(self):
        def draw(seed):
            torch.manual_seed(seed)
            return spikegen.rate(torch.full((40,), 0.5), 20), spikegen.rate_conv(torch.full((40,), 0.5))

        for one, again, other in zip(draw(3), draw(3), draw(4)):
            self.assertTrue(torch.equal(one, again))
            self.assertFalse(torch.equal(one, other))

    def test_a_seed_governs_and_leaves_the_generator_alone(self):
        x = torch.full((40,), 0.5)
        torch.manual_seed(0)
        before = torch.get_rng_state()
        self.assertTrue(torch.equal(spikegen.rate(x, 20, seed=7), spikegen.rate(x, 20, seed=7)))
        self.assertFalse(torch.equal(spikegen.rate(x, 20, seed=7), spikegen.rate(x, 20, seed=-7)))
        targets = torch.tensor([0, 1])
        kind = {"num_steps": 50, "correct_rate": 0.5, "incorrect_rate": 0.2, "firing_pattern": "poisson", "seed": 5}
        self.assertTrue(torch.equal(spikegen.targets_rate(targets, 2, **kind), spikegen.targets_rate(targets, 2, **kind)))
        self.assertTrue(torch.equal(before, torch.get_rng_state()))

    def test_silent_steps(self):
        ones = torch.ones(2, 3)
        self.assertEqual(spikegen.rate(ones, 5, first_spike_time=2).sum((1, 2)).tolist(), [0, 0, 6, 6, 6])
        spk = spikegen.rate(ones, first_spike_time=2, time_var_input=True)
        self.assertEqual(spk.sum(1).tolist(), [0, 0, 3, 3])

    def test_types(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            x = torch.rand(4, dtype=dtype)
            self.assertEqual(spikegen.rate(x, 3).dtype, dtype)
            self.assertEqual(spikegen.rate_conv(x).dtype, dtype)
            self.assertEqual(spikegen.latency(x, 3, normalize=True).dtype, dtype)
        for call in (lambda x: spikegen.rate(x, 3), spikegen.rate_conv):
            with self.assertRaisesRegex(NotImplementedError, r"data must have a floating-point type, got torch.int64"):
                call(torch.ones(2, dtype=torch.int64))

    def test_patterns(self):
        uniform, times = spikegen.target_rate_code(100, 20, 0.3, "uniform", seed=2)
        self.assertEqual(len(times), 24)
        self.assertEqual(uniform.nonzero()[:, 0].tolist(), sorted(set(times.tolist())))
        self.assertGreaterEqual(min(times), 20)
        poisson, times = spikegen.target_rate_code(4000, 0, 0.3, "poisson", seed=2)
        self.assertEqual(poisson.nonzero()[:, 0].tolist(), times.tolist())
        self.assertLess(abs(poisson.mean().item() - 0.3), 5 * (0.21 / 4000) ** 0.5)


class Further(unittest.TestCase):
    """Encoders that snnTorch does not have, against their definitions in double."""

    def test_phase_is_the_binary_digits(self):
        x = torch.rand(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        spk = spikegen.phase(x, num_steps=11, bits=8)
        for t in range(11):
            digit = (x * 256).floor().long() >> (7 - t % 8) & 1
            self.assertTrue(torch.equal(spk[t], digit.double()))
        total = spikegen.phase(x, num_steps=8, weighted=True).sum(0)
        torch.testing.assert_close(total, (x * 256).floor() / 256, rtol=0, atol=1e-15)

    def test_burst_is_its_recursion(self):
        x = torch.rand(13, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        mem, g = torch.zeros_like(x), torch.ones_like(x)
        for t, spk in enumerate(spikegen.burst(x, num_steps=30, threshold=0.2, beta=1.5, weighted=True)):
            mem = mem + x
            fires = mem >= g * 0.2
            torch.testing.assert_close(spk, torch.where(fires, g * 0.2, 0.0), rtol=1e-12, atol=0, msg=f"step {t}")
            mem = torch.where(fires, mem - g * 0.2, mem)
            g = torch.where(fires, g * 1.5, 1.0)

    def test_population_is_its_tuning_curves(self):
        x = torch.linspace(-1, 1, 9, dtype=torch.float64)
        response = spikegen.population(x, num_neurons=6, low=-1, beta=1.5)
        centres = -1 + (2 * torch.arange(1, 7, dtype=torch.float64) - 3) / 2 * 2 / 4
        width = 2 / (1.5 * 4)
        torch.testing.assert_close(response, (-0.5 * ((x[:, None] - centres) / width) ** 2).exp())
        spk = spikegen.population_latency(x, 10, num_neurons=6, low=-1)
        self.assertEqual(list(spk.shape), [10, 9, 6])
        self.assertTrue(torch.equal(spk.sum(0) > 0, response >= 0.1))
        self.assertTrue(torch.equal(steps_of(spk)[response >= 0.1], steps_of(spikegen.latency(
            response, 10, threshold=0.1, clip=True, normalize=True, linear=True))[response >= 0.1]))

    def test_delta_modulation_can_be_undone(self):
        t = torch.linspace(0, 6, 300, dtype=torch.float64)[:, None]
        signal = (t + torch.arange(5)).sin()
        spk = spikegen.delta_modulation(signal, threshold=0.05, start=signal[0])
        self.assertEqual(set(spk.unique().tolist()), {-1, 0, 1})
        estimate = spikegen.delta_demodulation(spk, threshold=0.05, start=signal[0])
        self.assertLess((estimate - signal).abs().max().item(), 0.05)
        torch.testing.assert_close(estimate, signal[0] + 0.05 * spk.cumsum(0))


class Operators(unittest.TestCase):
    x = torch.rand(3, 7, generator=torch.Generator().manual_seed(3))
    labels = torch.tensor([2, 0, 1])

    def test_opcheck(self):
        latency = (0.01, 1.0, 0, 1.0, 0.0, False, True, False, False, False, 1e-7)
        for op, arguments in (
            (ops.rate, (self.x, 5, 0.5, 0.1, 1, False, 7)),
            (ops.rate, (self.x.double(), 0, 1.0, 0.0, 2, True, 7)),
            (ops.rate_conv, (self.x, 7)),
            (ops.latency, (self.x, 5, *latency)),
            (ops.latency_code, (self.x, 5, 0.01, 1.0, 0, True, False, 1e-7)),
            (ops.latency_interpolate, (self.x * 4, 5, 1.0, 0.0)),
            (ops.delta, (self.x, 0.1, True, True)),
            (ops.delta_modulation, (self.x, 0.1, None)),
            (ops.delta_modulation, (self.x, 0.1, self.x[0].clone())),
            (ops.delta_demodulation, (self.x.round(), 0.1, None)),
            (ops.phase, (self.x, 9, 8, True)),
            (ops.burst, (self.x, 9, 0.125, 2.0, False)),
            (ops.population, (self.x, 5, 0.0, 1.0, 1.5)),
            (ops.population_latency, (self.x, 6, 5, 0.0, 1.0, 1.5, 0.1)),
            (ops.to_one_hot, (self.labels, 4)),
            (ops.from_one_hot, (torch.eye(3),)),
            (ops.targets_rate, (self.labels, 3, 6, 0, 0.5, 0.25, 1.0, 0.0, "regular", False, None)),
            (ops.targets_rate, (self.labels, 3, 6, 1, 1.0, 0.0, 1.0, 0.0, "poisson", False, 4)),
            (ops.rate_interpolate, (torch.tensor([1, 4]), 6, 1.0, 0.0)),
        ):
            with self.subTest(str(op)):
                torch.library.opcheck(op.default, arguments)
                # Where the data require a gradient, the spikes do not.
                if arguments[0].is_floating_point():
                    given = (arguments[0].clone().requires_grad_(), *arguments[1:])
                    torch.library.opcheck(op.default, given)
                    out = op(*given)
                    self.assertFalse(any(o.requires_grad for o in (out if isinstance(out, tuple) else (out,))))

    def test_an_encoder_inside_a_compiled_function(self):
        def encoded(x):
            return spikegen.rate(2 * x, 6, gain=0.5, seed=9).sum(0) + spikegen.latency(x, 6, normalize=True).sum(0)

        torch.testing.assert_close(torch.compile(encoded, fullgraph=True)(self.x), encoded(self.x))

    def test_a_trace_needs_the_number_of_steps(self):
        with self.assertRaisesRegex(ValueError, r"\[latency\] num_steps must be given where a call is traced, got 0"):
            spikegen.latency(self.x.to("meta"), bypass=True)
        self.assertEqual(list(spikegen.latency(self.x.to("meta"), 5).shape), [5, 3, 7])


class Errors(unittest.TestCase):
    def test_texts(self):
        x = torch.tensor([0.25, 0.75])
        for call, text in (
            (lambda: spikegen.rate(x), r"\[rate\] num_steps must be given, or time_var_input be true, got 0"),
            (lambda: spikegen.rate(x, 3, first_spike_time=3), r"\[rate\] first_spike_time must be below num_steps, 3, got 3"),
            (lambda: spikegen.rate_conv(x * torch.nan), r"\[rate_conv\] x must be probabilities, got NaN at element 0"),
            (lambda: spikegen.latency(4 * x, 5), r"\[latency\] data must be within \[0, 1\], got 1 to 3"),
            (lambda: spikegen.latency_code_log(x, tau=0), r"\[latency_code\] tau must be above 0, got 0"),
            (lambda: spikegen.phase(x, 0), r"\[phase\] num_steps must be at least 1, got 0"),
            (lambda: spikegen.to_one_hot(torch.tensor([3]), 3), r"\[to_one_hot\] targets must be .* 3, got 3 at 0"),
            (lambda: spikegen.targets_convert(torch.tensor([0]), 3, code="phase"), r"\[targets_convert\] code .* 'phase'"),
            (lambda: spikegen.from_one_hot(torch.zeros(2, 2)), r"\[from_one_hot\] x must have a single 1 .* got 0 in row 0"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                call()
        for call, text in (
            (lambda: spikegen.to_one_hot(torch.tensor([-1]), 3), r"\[to_one_hot\] targets must be .* got -1 at 0"),
            (lambda: spikegen.rate_interpolate(torch.tensor([3]), 5, 1, 1), r"on_target must be above off_target, 1, got 1"),
        ):
            with self.assertRaisesRegex(RuntimeError, text):
                call()


if __name__ == "__main__":
    unittest.main(verbosity=2)
