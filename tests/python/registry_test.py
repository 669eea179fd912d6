"""Every neuron of the registry, from Python: a loop of calls is the sequence, forward and backward, fused or not; rest, copies,
state-dicts. A neuron added in C++ appears here by itself."""

import copy
import functools
import inspect
import math
import pickle
import unittest
import warnings

import rheobase as snn
import torch
from rheobase import _registry

NEURONS = {name: info for name, info in _registry.neurons.items() if not info["layered"]}
# What must be given; every other neuron is made with its defaults.
GIVEN = {
    "Lapicque": {"R": 4.0, "C": 2.0},
    "Leaky": {"beta": 0.9},
    "Synaptic": {"alpha": 0.8, "beta": 0.9},
    "Alpha": {"alpha": 0.9, "beta": 0.8},
    "DeltaLeaky": {"delta_threshold": 0.3, "beta": 0.9},
}


def made(name, **options):
    return getattr(snn, name)(**GIVEN.get(name, {}) | options)


def driven(name, steps=60, dtype=torch.float64):
    """Noise that makes it fire now and then, [steps, 3, 5]."""
    low, high = NEURONS[name]["drive"]
    return low + (high - low) * torch.rand(steps, 3, 5, generator=torch.Generator().manual_seed(5), dtype=dtype)


def by_calls(layer, x):
    """Spikes and every state of a loop over time."""
    state, spikes, kept = layer.reset_mem(), [], []
    pair = name_of(layer) == "DeltaLeaky"
    for row in x:
        out = layer(row, state) if pair or isinstance(state, torch.Tensor) else layer(row, *state)
        spk, state = out[0], out[1] if pair else out[1:]
        spikes.append(spk)
        kept.append(state)
    return torch.stack(spikes), [torch.stack(values) for values in zip(*kept)]


def spikes_of(layer, x):
    """Of a layer that keeps its state itself; DeltaLeaky hands out its pair all the same, as snnTorch's does."""
    return torch.stack([out if isinstance(out, torch.Tensor) else out[0] for out in map(layer, x)])


def name_of(layer):
    return type(layer).__name__


def for_each(test):
    """The test with every neuron's name."""

    @functools.wraps(test)
    def run(self):
        for name in NEURONS:
            with self.subTest(name):
                test(self, name)

    return run


class EveryNeuron(unittest.TestCase):
    def test_there_are_the_models_from_hodgkin_and_huxley_to_the_integrator(self):
        wanted = "IF ParametricLIF LI CubaLIF AdaptiveLIF SEAdLIF QuadraticIF ExponentialIF AdEx Izhikevich ResonateAndFire"
        self.assertLessEqual({*wanted.split(), "HodgkinHuxley", "RefractoryLIF"}, set(NEURONS))

    @for_each
    def test_a_loop_of_calls_is_the_sequence(self, name):
        x = driven(name)
        spk, mem = made(name).sequence(x)
        spikes, states = by_calls(made(name), x)
        self.assertTrue(torch.equal(spk, spikes))
        names = [s["name"] for s in NEURONS[name]["states"]]
        self.assertTrue(torch.equal(mem, states[names.index("mem")]))
        self.assertGreater(spk.abs().sum(), 0, "its drive leaves it silent")
        self.assertEqual(set((spk != 0).unique().tolist()), {False, True} if NEURONS[name]["fires"] else {True})

    @for_each
    def test_the_reference_path_agrees_forward_and_backward(self, name):
        learn = {f"learn_{p['name']}": True for p in NEURONS[name]["params"] if p["learnable"]}
        results = []
        for fused in (True, False):
            layer = made(name, fused=fused, **(learn if name != "Lapicque" else {"learn_beta": True}))
            x = driven(name, 20).requires_grad_()
            spk, mem = layer.double().sequence(x)
            (spk.sum() + (mem * torch.linspace(0.5, 1, 20, dtype=mem.dtype)[:, None, None]).sum()).backward()
            named = [(n, p.grad) for n, p in layer.named_parameters()]
            self.assertTrue(all(g is not None for _, g in named), named)
            results.append([spk, mem, x.grad, *(g for _, g in named)])
        for ours, plain in zip(*results):
            largest = plain.detach().abs().max().item()
            torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9 * largest)

    @for_each
    def test_a_gradient_reaches_the_input_through_the_spikes(self, name):
        x = driven(name, dtype=torch.float32).requires_grad_()
        made(name).sequence(x)[0].sum().backward()
        self.assertGreater(x.grad.abs().sum(), 0)
        self.assertTrue(x.grad.isfinite().all())

    @for_each
    def test_a_cut_sequence_goes_on(self, name):
        x = driven(name)
        whole = made(name).sequence(x)[1]
        layer = made(name)
        torch.testing.assert_close(torch.cat([layer.sequence(x[:7])[1], layer.sequence(x[7:])[1]]), whole, rtol=0, atol=0)

    @for_each
    def test_copies_and_state_dicts(self, name):
        layer = made(name)
        x = driven(name, dtype=torch.float32)
        layer.sequence(x[:9])
        wanted = copy.deepcopy(layer).sequence(x[9:])
        loaded = made(name)
        loaded.load_state_dict(layer.state_dict())
        loaded.sequence(x[:9])
        for other in (pickle.loads(pickle.dumps(layer)), loaded):
            for ours, theirs in zip(other.sequence(x[9:]), wanted):
                self.assertTrue(torch.equal(ours, theirs))

    @for_each
    def test_a_layer_by_itself_keeps_its_state_and_starts_again_when_told(self, name):
        if "init_hidden" in NEURONS[name]["refuses"]:
            return
        layer, x = made(name, init_hidden=True), driven(name)
        first = spikes_of(layer, x)
        snn.utils.reset(layer)
        self.assertTrue(torch.equal(spikes_of(layer, x), first))

    @for_each
    def test_options_without_a_meaning_are_refused_by_name(self, name):
        usual = {"threshold": 3.0, "reset_mechanism": "none", "reset_delay": False, "inhibition": True, "learn_threshold": True}
        for option in NEURONS[name]["refuses"]:
            if option in usual and NEURONS[name].get(option.replace("reset_mechanism", "reset")) != usual[option]:
                with self.assertRaisesRegex(TypeError, f"{option} must not be given"):
                    made(name, **{option: usual[option]})
                with self.assertRaisesRegex(TypeError, f"{option} must not be given"):
                    made(name, **{option: torch.tensor([1.0, 2.0])})

    @for_each
    def test_inhibition_leaves_one_spike_of_a_row(self, name):
        if "inhibition" in NEURONS[name]["refuses"]:
            return
        with warnings.catch_warnings(action="ignore"):
            layer = made(name, inhibition=True)
        spk = layer.sequence(driven(name))[0]
        self.assertEqual(spk.sum(-1).max().item(), 1)

    @for_each
    def test_strong_input_of_either_sign_leaves_numbers(self, name):
        reach = max(map(abs, NEURONS[name]["drive"]))
        for scale in (-1e3, -10, 10, 1e3):
            layer = made(name)
            x = torch.full((200, 2, 3), scale * reach)
            x[150:] = 0
            x.requires_grad_()
            spk, mem = layer.sequence(x)[:2]
            (spk.sum() + mem.sum()).backward()
            for values in (spk, mem, x.grad):
                self.assertTrue(values.isfinite().all(), scale)


class Rest(unittest.TestCase):
    def test_a_fresh_state_is_the_neurons_rest(self):
        still = torch.zeros(1, 2, dtype=torch.float64)
        for name, near in (("HodgkinHuxley", -65), ("Izhikevich", -70), ("AdEx", -70.6), ("ExponentialIF", -65)):
            with self.subTest(name):
                layer = made(name)
                self.assertAlmostEqual(layer(still, *[s.double() for s in _states(layer.reset_mem())])[-1][0, 0].item(), near, delta=1)
                layer.sequence(still.expand(3, 1, 2) + 20)
                again = layer.reset_mem()
                self.assertEqual([list(s.shape) for s in _states(again)], [[0]] * len(NEURONS[name]["states"]))
                self.assertAlmostEqual(layer(still)[-1][0, 0].item(), near, delta=1)

    def test_a_rest_per_neuron(self):
        layer = snn.CubaLIF(v_leak=torch.tensor([0.0, 0.5, 0.25]))
        mem = layer(torch.zeros(2, 3))[-1]
        torch.testing.assert_close(mem, torch.tensor([0.0, 0.5, 0.25]).expand(2, 3))

    def test_a_rest_that_is_learned_has_a_gradient(self):
        layer = snn.LI(v_leak=0.5, learn_v_leak=True)
        layer.sequence(torch.zeros(3, 1, 2))[1].sum().backward()
        torch.testing.assert_close(layer.v_leak.grad, torch.tensor(6.0))

    def test_thresholds_and_resets_are_the_neurons_own(self):
        for name, info in NEURONS.items():
            with self.subTest(name):
                signature = inspect.signature(getattr(snn, name)).parameters
                self.assertEqual(signature["threshold"].default, info["threshold"])
                layer = made(name)
                self.assertEqual((layer.threshold.item(), layer.reset_mechanism), (info["threshold"], info["reset"]))

    def test_what_follows_is_fresh_as_of_the_last_call(self):
        layer = snn.ParametricLIF(w=-1.0, learn_w=True)
        self.assertAlmostEqual(layer.tau.item(), 1 + math.e, delta=1e-6)
        with torch.no_grad():
            layer.w.fill_(-2.0)
        layer(torch.zeros(1, 2))
        self.assertAlmostEqual(layer.tau.item(), 1 + math.exp(2), delta=1e-5)
        self.assertAlmostEqual(layer.state_dict()["tau"].item(), 1 + math.exp(2), delta=1e-5)

    def test_under_torch_compile(self):
        for name in ("HodgkinHuxley", "CubaLIF"):
            layer, x = made(name), driven(name, 5, torch.float32)
            step = torch.compile(made(name).sequence, fullgraph=True, backend="aot_eager")
            for ours, theirs in zip(step(x, ())[:2], layer.sequence(x, ())[:2]):
                torch.testing.assert_close(ours, theirs)


def _states(state):
    return (state,) if isinstance(state, torch.Tensor) else state


if __name__ == "__main__":
    unittest.main()
