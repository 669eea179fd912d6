"""Pointwise neurons from Python: recorded cases in snnTorch's calling convention, state, options, errors."""

import inspect
import unittest
import warnings

import recorded
import rheobase as snn
import torch
from rheobase import _registry

POINTWISE = ("Lapicque", "Leaky", "Synaptic", "Alpha")


def run(layer, x, state):
    """Calls the layer step by step with explicit state; spikes and states stacked by name."""
    names = list(layer.State._fields)
    kept = {name: [] for name in ["spk", *names]}
    for row in x:
        spk, *state = layer(row, *state)
        for name, value in zip(kept, [spk, *state]):
            kept[name].append(value)
    return {name: torch.stack(values) for name, values in kept.items()}


def first_state(layer, inputs, x):
    return [
        recorded.array(inputs[f"state0.{name}"]) if f"state0.{name}" in inputs else torch.zeros_like(x[0])
        for name in layer.State._fields
    ]


def grad_of(leaf):
    """What came back; zero where nothing did."""
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


class Recorded(unittest.TestCase):
    """Every recorded case of the pointwise neurons."""

    def setUp(self):
        warnings.simplefilter("ignore", UserWarning)  # inhibition

    def test_steps(self):
        for case in recorded.cases("neuron.steps", *POINTWISE):
            with self.subTest(case["name"]):
                layer = recorded.build(getattr(snn, case["target"]), case)
                x = recorded.array(case["inputs"]["x"])
                recorded.compare(self, case, run(layer, x, first_state(layer, case["inputs"], x)))

    def test_sequence_agrees_with_the_recorded_steps(self):
        for case in recorded.cases("neuron.steps", *POINTWISE):
            with self.subTest(case["name"]):
                layer = recorded.build(getattr(snn, case["target"]), case)
                x = recorded.array(case["inputs"]["x"])
                spk, mem, state = layer.sequence(x, first_state(layer, case["inputs"], x))
                case = dict(case, outputs={k: v for k, v in case["outputs"].items() if k in ("spk", "mem")})
                recorded.compare(self, case, {"spk": spk, "mem": mem})
                self.assertTrue(torch.equal(state.mem, mem[-1]))

    def test_stored_state(self):
        for case in recorded.cases("neuron.steps_stored_state"):
            with self.subTest(case["name"]):
                layer = recorded.build(getattr(snn, case["target"]), case)
                out = [layer(row) for row in recorded.array(case["inputs"]["x"])]
                recorded.compare(self, case, {n: torch.stack(v) for n, v in zip(["spk", *layer.State._fields], zip(*out))})

    def test_hidden(self):
        for case in recorded.cases("neuron.hidden", *POINTWISE):
            with self.subTest(case["name"]):
                layer = recorded.build(getattr(snn, case["target"]), case)
                ours = {}
                for suffix, x in (("", "x"), ("_after_reset", "x_after_reset")):
                    if x not in case["inputs"]:
                        continue
                    rows = []
                    for row in recorded.array(case["inputs"][x]):
                        out = layer(row)
                        self.assertEqual(isinstance(out, tuple), layer.output)
                        spk = out[0] if layer.output else out
                        rows.append([spk, *layer.state])
                    for name, values in zip(["spk", *layer.State._fields], zip(*rows)):
                        ours[name + suffix] = torch.stack(values)
                    layer.reset_mem()
                recorded.compare(self, case, ours)

    def test_grad(self):
        for case in recorded.cases("neuron.grad", *POINTWISE):
            for fused in (True, False):
                with self.subTest(case["name"], fused=fused):
                    layer = recorded.build(getattr(snn, case["target"]), case, fused=fused)
                    inputs = case["inputs"]
                    x = recorded.array(inputs["x"]).requires_grad_()
                    state = [s.requires_grad_() for s in first_state(layer, inputs, x.detach())]
                    ours = run(layer, x, state)
                    total = sum((recorded.array(inputs[f"w.{n}"]) * v).sum() for n, v in ours.items() if f"w.{n}" in inputs)
                    total.backward()
                    ours["sum"] = total
                    ours["grad.x"] = grad_of(x)
                    for name, s in zip(layer.State._fields, state):
                        ours[f"grad.state0.{name}"] = grad_of(s)
                    for name, p in layer.named_parameters():
                        ours[f"grad.{name}"] = grad_of(p)
                    recorded.compare(self, case, ours)

    def test_delta(self):
        for case in recorded.cases("neuron.delta"):
            with self.subTest(case["name"]):
                layer = recorded.build(snn.DeltaLeaky, case)
                inputs = case["inputs"]
                x = recorded.array(inputs["x"]).requires_grad_()
                state, rows = layer.reset_mem(), []
                for row in x:
                    spk, state = layer(row, state)
                    rows.append((spk, *state))
                ours = {n: torch.stack(v) for n, v in zip(("spk", "mem", "mem_prev"), zip(*rows))}
                if "w.spk" in inputs:
                    total = sum((recorded.array(inputs[f"w.{n}"]) * ours[n]).sum() for n in ("spk", "mem"))
                    total.backward()
                    ours["sum"] = total
                    ours["grad.x"] = grad_of(x)
                    ours |= {f"grad.{name}": grad_of(p) for name, p in layer.named_parameters()}
                recorded.compare(self, case, ours)


class Signature(unittest.TestCase):
    def test_every_neuron_of_the_registry_is_a_class_of_the_package(self):
        for name, info in _registry.neurons.items():
            if info["layered"]:
                continue
            with self.subTest(name):
                made = getattr(snn, name)
                self.assertIn(name, snn.__all__)
                self.assertIn(info["text"].splitlines()[0], made.__doc__)
                for parameter in info["params"]:
                    self.assertIn(parameter["name"], inspect.signature(made).parameters)

    def test_positional_order_is_snntorchs(self):
        common = ["threshold", "spike_grad", "surrogate_disable", "init_hidden", "inhibition"]
        order = {
            "Lapicque": ["beta", "R", "C", "time_step", *common, "learn_beta", "learn_threshold", "reset_mechanism"],
            "Leaky": ["beta", *common, "learn_beta", "learn_threshold", "reset_mechanism", "state_quant", "output"],
            "Synaptic": ["alpha", "beta", *common, "learn_alpha", "learn_beta", "learn_threshold", "reset_mechanism"],
            "Alpha": ["alpha", "beta", *common, "learn_alpha", "learn_beta", "learn_threshold", "reset_mechanism"],
            "DeltaLeaky": ["delta_threshold", "beta", *common, "learn_beta", "learn_threshold", "reset_mechanism"],
        }
        for name, wanted in order.items():
            with self.subTest(name):
                self.assertEqual(list(inspect.signature(getattr(snn, name)).parameters)[: len(wanted)], wanted)


class Options(unittest.TestCase):
    def test_leaky_zero_without_delay_above_threshold_the_spike_of_this_step_resets(self):
        layer = snn.Leaky(beta=0.9, reset_mechanism="zero", reset_delay=False)
        spk, mem = layer(torch.tensor([0.3]), torch.tensor([2.0]))
        self.assertEqual((spk.item(), mem.item()), (1.0, 0.0))

    def test_subtract_without_delay_gives_no_threshold_back(self):
        x = torch.tensor([0.6, 0.6, 0.6, 0.0, 1.5, 0.2, -0.3, 0.9]).unsqueeze(1)
        spk, mem = snn.Leaky(beta=0.9, reset_delay=False).sequence(x)
        torch.testing.assert_close(mem[-3:, 0], torch.tensor([0.179254, -0.138671, 0.775196]))
        self.assertEqual(spk[-3:, 0].tolist(), [1, 0, 0])
        layer = snn.Synaptic(alpha=0.5, beta=0.9, reset_delay=False)
        spk, _, mem = layer(torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([2.0]))
        torch.testing.assert_close((spk, mem), (torch.tensor([1.0]), torch.tensor([0.8])))

    def test_alpha_can_be_learned(self):
        layer = snn.Alpha(alpha=0.9, beta=0.8, learn_alpha=True)
        spk, mem = layer.sequence(torch.rand(9, 2, 3))
        mem.sum().backward()
        self.assertNotEqual(layer.alpha.grad.item(), 0)

    def test_lapicque_takes_all_three_and_vectors(self):
        rc = snn.Lapicque(R=torch.tensor([1.0, 2.0]), C=torch.tensor([5.0, 4.0]))
        self.assertEqual(rc(torch.rand(3, 2))[1].shape, (3, 2))
        beta = float(torch.exp(torch.tensor(-1 / 10.0)))
        both = snn.Lapicque(beta=beta, R=2.0, C=5.0)
        torch.testing.assert_close(both(torch.ones(1))[1], snn.Lapicque(R=2.0, C=5.0)(torch.ones(1))[1])

    def test_parameters_of_different_dimensions_meet(self):
        beta, threshold = torch.rand(5), torch.rand(3, 5)
        x = torch.rand(4, 3, 5)
        spk, mem = snn.Leaky(beta=beta, threshold=threshold).sequence(x)
        whole = snn.Leaky(beta=beta.expand(3, 5).clone(), threshold=threshold).sequence(x)
        self.assertTrue(torch.equal(spk, whole[0]) and torch.equal(mem, whole[1]))

    def test_lapicque_learns_beta_over_several_steps(self):
        layer = snn.Lapicque(beta=0.9, learn_beta=True)
        for _ in range(2):
            layer.reset_mem()
            layer.sequence(torch.rand(5, 3))[1].sum().backward()
        before = layer.C.item()
        with torch.no_grad():
            layer.beta -= 0.2
        self.assertNotEqual(layer.state_dict()["C"].item(), before)

    def test_delta_leaky_refuses_what_it_would_ignore(self):
        for option in ({"threshold": 2.0}, {"reset_mechanism": "zero"}, {"inhibition": True}, {"learn_threshold": True}):
            with self.subTest(option), self.assertRaisesRegex(TypeError, next(iter(option))):
                snn.DeltaLeaky(beta=0.9, **option)

    def test_reset_mechanism_changes_the_dynamics(self):
        x = torch.full((1,), 0.2)
        layer, other = snn.Leaky(beta=0.5), snn.Leaky(beta=0.5, reset_mechanism="none")
        layer.reset_mechanism = "none"
        self.assertEqual(layer(x, torch.tensor([2.0]))[1].item(), other(x, torch.tensor([2.0]))[1].item())
        loaded = snn.Leaky(beta=0.5)
        loaded.load_state_dict(other.state_dict())
        self.assertEqual(loaded.reset_mechanism, "none")
        self.assertEqual(loaded(x, torch.tensor([2.0]))[1].item(), other(x, torch.tensor([2.0]))[1].item())
        with self.assertRaises(ValueError):
            layer.reset_mechanism = "zeros"

    def test_surrogate_disable_has_no_gradient(self):
        x = torch.rand(4, 3, requires_grad=True)
        snn.Leaky(beta=0.9, surrogate_disable=True).sequence(x)[0].sum().backward()
        self.assertEqual(x.grad.abs().max().item(), 0)

    def test_a_spike_function_of_the_users_and_a_module(self):
        class Mine(torch.nn.Module):
            def forward(self, u):
                return snn.surrogate.fast_sigmoid(3)(u)

        x = torch.rand(6, 2, 3)
        grads = []
        for spike_grad in (snn.surrogate.fast_sigmoid(3), Mine(), lambda u: snn.surrogate.fast_sigmoid(3)(u)):
            leaf = x.clone().requires_grad_()
            snn.Leaky(beta=0.9, spike_grad=spike_grad, learn_beta=True).sequence(leaf)[0].sum().backward()
            grads.append(leaf.grad)
        torch.testing.assert_close(grads[0], grads[1])
        torch.testing.assert_close(grads[0], grads[2])

    def test_learned_slope(self):
        layer = snn.Leaky(beta=0.9, spike_grad=snn.surrogate.atan(1.5), learn_slope=True)
        self.assertEqual(layer.surrogate_slope.item(), 1.5)
        layer.sequence(torch.rand(6, 4))[0].sum().backward()
        self.assertNotEqual(layer.surrogate_slope.grad.item(), 0)
        with self.assertRaises(TypeError):
            snn.Leaky(beta=0.9, spike_grad=snn.surrogate.heaviside(), learn_slope=True)


class State(unittest.TestCase):
    def test_no_argument_goes_on_from_the_last_state(self):
        layer, x = snn.Leaky(beta=0.9), torch.rand(2, 3)
        _, first = layer(x)
        _, second = layer(x)
        torch.testing.assert_close(second, layer(x, first)[1])

    def test_an_empty_tensor_means_fresh_zeros(self):
        layer, x = snn.Synaptic(alpha=0.8, beta=0.9), torch.rand(2, 3)
        fresh = layer.init_synaptic()
        self.assertEqual([list(s.shape) for s in fresh], [[0], [0]])
        first = layer(x, *fresh)
        layer(x)
        for a, b in zip(layer(x, *fresh), first):
            self.assertTrue(torch.equal(a, b))

    def test_another_shape_is_an_error(self):
        with self.assertRaisesRegex(ValueError, r"\[Leaky\] mem must have the shape of a state, \[2, 3\], got \[1\]"):
            snn.Leaky(beta=0.9)(torch.rand(2, 3), torch.zeros(1))

    def test_a_stored_state_starts_afresh_when_the_shape_changes(self):
        layer = snn.Leaky(beta=0.9, init_hidden=True, output=True)
        layer(torch.ones(4, 3))
        self.assertEqual(layer(torch.full((2, 3), 0.5))[1].max().item(), 0.5)

    def test_a_state_beside_init_hidden_is_a_type_error(self):
        with self.assertRaisesRegex(TypeError, "mem should not be passed as an argument while init_hidden=True"):
            snn.Leaky(beta=0.9, init_hidden=True)(torch.rand(3), torch.zeros(3))

    def test_states_by_keyword(self):
        layer = snn.Synaptic(alpha=0.8, beta=0.9)
        x, mem = torch.rand(3), torch.rand(3)
        torch.testing.assert_close(layer(x, mem=mem)[2], 0.9 * mem + x)
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'men'"):
            layer(x, men=mem)

    def test_spikes_have_the_inputs_type(self):
        for dtype in (torch.float64, torch.bfloat16, torch.float16):
            spk, mem = snn.Leaky(beta=0.9)(torch.rand(3, dtype=dtype))
            self.assertEqual((spk.dtype, mem.dtype), (dtype, dtype))

    def test_to_moves_the_state(self):
        layer = snn.Leaky(beta=0.9)
        layer(torch.rand(3))
        self.assertEqual(layer.double().mem.dtype, torch.float64)

    def test_explicit_states_leave_the_layer_alone(self):
        layer, x = snn.Leaky(beta=0.9), torch.rand(5, 2, 3)
        spk, mem, state = layer.sequence(x[:2], ())
        more = layer.sequence(x[2:], state)
        self.assertEqual(layer.mem.numel(), 0)
        whole = layer.sequence(x)
        torch.testing.assert_close(torch.cat([mem, more[1]]), whole[1])
        self.assertTrue(torch.equal(layer.mem, more[2].mem))

    def test_class_methods_over_weak_references(self):
        snn.SpikingNeuron.init()
        layers = [snn.Leaky(beta=0.9, init_hidden=True), snn.Synaptic(alpha=0.8, beta=0.9)]
        self.assertEqual(len(snn.SpikingNeuron.instances), 2)
        x = torch.ones(3, requires_grad=True)
        for layer in layers:
            layer(x)
        snn.Leaky.detach_hidden()
        self.assertFalse(layers[0].mem.requires_grad)
        self.assertTrue(layers[1].mem.requires_grad)
        snn.Leaky.reset_hidden()
        self.assertEqual(layers[0].mem.abs().sum().item(), 0)
        self.assertNotEqual(layers[1].mem.abs().sum().item(), 0)
        del layer, layers
        self.assertEqual(len(snn.SpikingNeuron.instances), 0)

    def test_init_on_a_subclass_shadows_nothing(self):
        layer = snn.Leaky(beta=0.9, init_hidden=True)
        snn.Leaky.init()
        self.assertEqual(len(snn.SpikingNeuron.instances), 0)
        other = snn.Leaky(beta=0.9, init_hidden=True)
        other(torch.ones(2))
        snn.SpikingNeuron.reset_hidden()
        self.assertEqual(other.mem.abs().sum().item(), 0)
        del layer

    def test_zeros_and_detach_work_in_place(self):
        t = torch.ones(3, requires_grad=True) * 2
        snn.SpikingNeuron.detach(t)
        self.assertFalse(t.requires_grad)
        snn.SpikingNeuron.zeros(t)
        self.assertEqual(t.abs().sum().item(), 0)


class Errors(unittest.TestCase):
    def test_values_are_refused_with_their_name(self):
        with self.assertRaisesRegex(ValueError, r"\[Lapicque\] R must be positive and finite, got -1"):
            snn.Lapicque(R=-1.0, C=1.0)
        for wrong in ({}, {"R": 1.0}, {"C": 1.0}, {"beta": 0}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                snn.Lapicque(**wrong)
        with self.assertRaises(ValueError):
            snn.Alpha(alpha=0.5, beta=0.8)
        with self.assertRaises(ValueError):
            snn.Leaky(beta=0.9, reset_mechanism="reset")
        with self.assertRaises(TypeError):
            snn.Leaky()
        with self.assertRaises(TypeError):
            snn.Leaky(0.9, betta=1)
        with self.assertRaises(RuntimeError):
            snn.Leaky(None)
        with self.assertRaises(RuntimeError):
            snn.Leaky(0.9, threshold=1, learn_threshold=True)

    def test_a_value_that_became_wrong_is_refused_at_the_next_call(self):
        layer = snn.Leaky(beta=torch.full((3,), 0.9), learn_beta=True)
        layer(torch.rand(2, 3))
        with torch.no_grad():
            layer.beta[1] = float("nan")
        with self.assertRaisesRegex(ValueError, r"\[Leaky\] beta must be finite, got nan"):
            layer(torch.rand(2, 3))

    def test_shapes_and_types(self):
        with self.assertRaisesRegex(ValueError, r"\[Leaky\] beta must have 1 or 4 elements, got 3"):
            snn.Leaky(beta=torch.rand(3))(torch.rand(2, 4))
        with self.assertRaisesRegex(TypeError, r"\[Leaky\] input_ must be a floating-point tensor, got Long"):
            snn.Leaky(beta=0.9)(torch.arange(3))
        with self.assertRaisesRegex(IndexError, r"inhibition needs a dense layer, one step of input_ \[B, N\], got \[3\]"):
            with self.assertWarns(UserWarning):
                layer = snn.Leaky(beta=0.9, inhibition=True)
            layer(torch.rand(3))


if __name__ == "__main__":
    unittest.main()
