"""Layers that are linear in time, from Python: recorded cases, streaming, what differs from snnTorch, errors, torch.compile."""

import copy
import inspect
import pickle
import unittest
import warnings

import recorded
import replay
import rheobase as snn
import torch
from torch import nn

KINDS = ("LeakyParallel", "StateLeaky", "LinearLeaky", "AssociativeLeaky")


def layers(**common):
    """One of every kind, with an input row [B, ...] for it."""
    torch.manual_seed(0)
    return [
        (snn.StateLeaky(0.9, 5, **common), (3, 5)),
        (snn.StateLeaky(torch.rand(5), 5, kernel_truncation_steps=4, **common), (3, 5)),
        (snn.LinearLeaky(0.9, 4, 5, **common), (3, 4)),
        (snn.LinearLeaky(torch.rand(5), 4, 5, bias=False, kernel_truncation_steps=3, **common), (3, 4)),
        (snn.LeakyParallel(4, 5, beta=0.8, **common), (3, 4)),
        (snn.LeakyParallel(4, 5, weight_hh_enable=True, **common), (3, 4)),
        (snn.AssociativeLeaky(4, 3, 3, **common), (3, 4)),
        (snn.AssociativeLeaky(4, 2, 3, use_q_projection=False, **common), (3, 4)),
    ]


def low(**common):
    """The same with a threshold that is reached often."""
    return layers(threshold=0.2, **common)


def inputs(steps, row, dtype=torch.float32, seed=1):
    return 2 * torch.rand(steps, *row, generator=torch.Generator().manual_seed(seed), dtype=dtype) - 0.5


class Recorded(unittest.TestCase):
    """Every recorded case of these layers."""

    def called(self, layer, case, x):
        out = layer(x)
        names = [n for n in ("spk", "mem", "out") if n in case["outputs"]]
        return dict(zip(names, out if isinstance(out, tuple) else (out,), strict=True))

    def test_sequence(self):
        for case in recorded.cases("neuron.sequence", *KINDS):
            for fused in (True, False):
                with self.subTest(case["name"], fused=fused):
                    layer = recorded.build(getattr(snn, case["target"]), case, fused=fused)
                    recorded.compare(self, case, self.called(layer, case, recorded.array(case["inputs"]["x"])))

    def test_sequence_grad(self):
        for case in recorded.cases("neuron.sequence_grad", *KINDS):
            for fused in (True, False):
                with self.subTest(case["name"], fused=fused):
                    layer = recorded.build(getattr(snn, case["target"]), case, fused=fused)
                    x = recorded.array(case["inputs"]["x"]).requires_grad_()
                    ours = self.called(layer, case, x)
                    sum((recorded.array(case["inputs"][f"w.{name}"]) * value).sum() for name, value in ours.items()).backward()
                    ours["grad.x"] = x.grad
                    for name, p in layer.named_parameters():
                        ours[f"grad.{name}"] = p.grad if p.grad is not None else torch.zeros_like(p)
                    recorded.compare(self, case, ours)

    def test_state_dict(self):
        built = {
            "leakyparallel": lambda: snn.LeakyParallel(3, 5, beta=0.9),
            "leakyparallel_learn": lambda: snn.LeakyParallel(3, 5, learn_beta=True, learn_threshold=True),
            "stateleaky": lambda: snn.StateLeaky(0.9, 3),
            "linearleaky": lambda: snn.LinearLeaky(0.9, 3, 4),
            "associativeleaky": lambda: snn.AssociativeLeaky(4, 2, 3, 6),
            "associativeleaky_no_q": lambda: snn.AssociativeLeaky(4, 2, 3, 6, use_q_projection=False),
        }
        cases = [c for c in recorded.cases("state_dict") if c["target"] in built]
        self.assertEqual(len(cases), len(built))
        for case in cases:
            with self.subTest(case["target"]):
                replay.check_state_dict(self, case, built[case["target"]]())

    def test_positional_order_is_snntorchs(self):
        order = {
            "LeakyParallel": "input_size hidden_size beta bias threshold dropout spike_grad surrogate_disable learn_beta "
            "learn_threshold graded_spikes_factor learn_graded_spikes_factor weight_hh_enable device dtype",
            "StateLeaky": "beta channels threshold spike_grad surrogate_disable learn_beta learn_threshold state_quant output "
            "graded_spikes_factor learn_graded_spikes_factor kernel_truncation_steps",
            "LinearLeaky": "beta in_features out_features bias device dtype threshold spike_grad surrogate_disable learn_beta "
            "learn_threshold state_quant output graded_spikes_factor learn_graded_spikes_factor kernel_truncation_steps",
            "AssociativeLeaky": "in_dim d_value d_key num_spiking_neurons use_q_projection",
        }
        for name, wanted in order.items():
            with self.subTest(name):
                found = list(inspect.signature(getattr(snn, name)).parameters)
                self.assertEqual(found[: len(wanted.split())], wanted.split())


class Sequences(unittest.TestCase):
    def test_a_call_is_a_sequence_from_zero(self):
        for layer, row in low():
            with self.subTest(repr(layer)):
                x = inputs(9, row)
                spk, mem = layer.sequence(x)
                self.assertNotEqual(spk.abs().sum(), 0)
                for out in (layer(x), layer(x)):  # nothing is kept between calls
                    first = out[0] if isinstance(out, tuple) else out
                    self.assertTrue(torch.equal(first, spk))

    def test_a_sequence_may_be_cut_anywhere(self):
        for common in ({}, {"fused": False}):
            for layer, row in low(**common):
                with self.subTest(repr(layer)):
                    x = inputs(9, row)
                    whole, mem, end = layer.sequence(x, ())
                    state, spikes, membranes = (), [], []
                    for part in (x[:4], x[4:5], x[5:5], x[5:]):
                        spk, kept, state = layer.sequence(part, state)
                        spikes.append(spk)
                        membranes.append(kept)
                    torch.testing.assert_close(torch.cat(spikes), whole)
                    torch.testing.assert_close(torch.cat(membranes), mem)
                    torch.testing.assert_close(state, end)

    def test_a_constant_input_is_its_repetition(self):
        for layer, row in low():
            x = inputs(1, row)[0]
            for ours, theirs in zip(layer.sequence(snn.constant(x, 7), ()), layer.sequence(x.expand(7, *row), ())):
                torch.testing.assert_close(ours, theirs)

    def test_the_reference_path_agrees(self):
        for (fused, row), (plain, _) in zip(low(), low(fused=False)):
            with self.subTest(repr(fused)):
                plain.load_state_dict(fused.state_dict())
                grads = []
                for layer in (fused, plain):
                    layer.double()
                    x = inputs(8, row, torch.float64).requires_grad_()
                    spk, mem, _ = layer.sequence(x, ())
                    weights = torch.Generator().manual_seed(2)
                    (spk * torch.randn(spk.shape, generator=weights, dtype=spk.dtype)).sum().backward(retain_graph=True)
                    (mem * torch.randn(mem.shape, generator=weights, dtype=mem.dtype)).sum().backward()
                    grads.append([spk, mem, x.grad] + [p.grad for p in layer.parameters() if p.requires_grad])
                for ours, theirs in zip(*grads):
                    torch.testing.assert_close(ours, theirs)

    def test_surrogates_of_the_user_and_quantisers(self):
        mine = snn.surrogate.custom_surrogate(lambda u, grad, spk: grad / (1 + u.abs()))
        for layer, row in low(spike_grad=mine):
            x = inputs(6, row).requires_grad_()
            spk, mem = layer.sequence(x)
            spk.sum().backward()
            self.assertGreater(x.grad.abs().sum(), 0)
        layer = snn.StateLeaky(0.9, 5, threshold=0.2, state_quant=lambda u: (u * 4).round() / 4)
        mem = layer.sequence(inputs(6, (3, 5)))[1]
        self.assertTrue(torch.equal(mem * 4, (mem * 4).round()))

    def test_in_a_time_aware_network(self):
        net = snn.Sequential(nn.Linear(6, 5), snn.StateLeaky(0.9, 5, threshold=0.2), nn.Linear(5, 4), snn.Leaky(beta=0.9))
        x = inputs(7, (3, 6))
        spk, _ = net[1](net[0](x))
        wanted = net[3].sequence(net[2](spk), ())[1]
        torch.testing.assert_close(net(x)[1], wanted)

    def test_float64_and_bfloat16(self):
        for dtype in (torch.float64, torch.bfloat16):
            for layer, row in low():
                layer.to(dtype)
                spk, mem, state = layer.sequence(inputs(6, row).to(dtype), ())
                self.assertEqual({t.dtype for t in (spk, mem, *state)}, {dtype})


class Differences(unittest.TestCase):
    """Rows of the list of differences."""

    def test_state_leaky_applies_the_graded_factor_once(self):
        for layer in (snn.StateLeaky(0.9, 5, 0.2, graded_spikes_factor=3.0), snn.LinearLeaky(0.9, 5, 5, threshold=0.2, graded_spikes_factor=3.0)):
            spk, _ = layer(inputs(6, (2, 5)))
            self.assertEqual(set(spk.unique().tolist()), {0.0, 3.0})

    def test_leaky_parallel_takes_a_vector_beta(self):
        beta = torch.tensor([0.1, 0.5, 1.4])
        for dense in (False, True):
            layer = snn.LeakyParallel(2, 3, beta=beta, weight_hh_enable=dense)
            self.assertTrue(torch.equal(layer.rnn.weight_hh_l0, torch.diag(beta.clamp(0, 1))))
        with self.assertRaisesRegex(ValueError, r"\[LeakyParallel\] beta must have 1 or hidden_size = 3 elements, got 2"):
            snn.LeakyParallel(2, 3, beta=beta[:2])

    def test_leaky_parallel_takes_a_scalar_tensor_beta(self):
        layer = snn.LeakyParallel(2, 3, beta=torch.tensor(0.4))
        self.assertTrue(torch.equal(layer.rnn.weight_hh_l0, 0.4 * torch.eye(3)))

    def test_leaky_parallel_has_its_mask_on_the_layers_device(self):
        layer = snn.LeakyParallel(2, 3, beta=0.5, device="meta")
        self.assertEqual(layer.rnn.weight_hh_l0.device.type, "meta")

    def test_leaky_parallel_learns_the_diagonal_only(self):
        layer = snn.LeakyParallel(4, 5, beta=0.5, learn_beta=True, threshold=0.1)
        layer(inputs(6, (3, 4))).sum().backward()
        grad = layer.rnn.weight_hh_l0.grad
        self.assertGreater(grad.abs().sum(), 0)
        self.assertTrue(torch.equal(grad, torch.diag(grad.diagonal())))

    def test_leaky_parallel_uses_a_loaded_matrix_whole(self):
        layer, dense = snn.LeakyParallel(4, 5, threshold=0.1, learn_beta=True), snn.LeakyParallel(4, 5, threshold=0.1, weight_hh_enable=True)
        layer.load_state_dict(dense.state_dict())
        x = inputs(6, (3, 4))
        for ours, theirs in zip(layer.sequence(x), dense.sequence(x)):
            torch.testing.assert_close(ours, theirs)
        layer.sequence(x)[1].sum().backward()
        grad = layer.rnn.weight_hh_l0.grad
        self.assertTrue(torch.equal(grad, torch.diag(grad.diagonal())))
        layer.load_state_dict(snn.LeakyParallel(4, 5, threshold=0.1, beta=0.5, learn_beta=True).state_dict(), strict=False)
        self.assertFalse(layer._whole)

    def test_associative_leaky_infers_num_spiking_neurons(self):
        layer = snn.AssociativeLeaky(4, 2, 3, num_spiking_neurons=None)
        self.assertEqual(layer.num_spiking_neurons, 6)
        self.assertEqual(layer(torch.rand(5, 2, 4)).shape, (5, 2, 4))

    def test_associative_leaky_remembers_over_long_sequences(self):
        # There: after a few dozen steps at decay 1/2 the state is wrong or gone.
        layer = snn.AssociativeLeaky(4, 3, 2, use_q_projection=False).double()
        x = inputs(200, (2, 4), torch.float64)
        v, k, a = layer.to_v(x), layer.to_k(x), torch.sigmoid(layer.to_alpha(x))
        S = torch.zeros(2, 3, 2, dtype=x.dtype)
        for t in range(200):
            S = S * a[t].unsqueeze(1) + v[t].unsqueeze(2) * k[t].unsqueeze(1)
        spk, mem = layer.sequence(x)
        torch.testing.assert_close(mem[-1], S.flatten(1))
        self.assertTrue(torch.equal(spk, (mem > 1).to(spk.dtype)))

    def test_state_leaky_in_float64(self):
        layer = snn.StateLeaky(0.9, 2).double()
        x = inputs(5, (3, 2), torch.float64)
        decay = torch.exp(torch.tensor(-0.1, dtype=torch.float64))
        mem = sum(decay ** (4 - t) * x[t] for t in range(5))
        torch.testing.assert_close(layer(x)[1][-1], mem, rtol=1e-6, atol=1e-6)


class Errors(unittest.TestCase):
    def test_dimensions_of_associative_leaky(self):
        for arguments in ((0, 2, 3, 6), (4, 0, 3, 0), (4, 2, -1, -2), (4, 2, 3, 7)):
            with self.subTest(arguments), self.assertRaisesRegex(ValueError, r"\[AssociativeLeaky\]"):
                snn.AssociativeLeaky(*arguments)
        for units in (0, -4, 8):
            with self.assertRaisesRegex(ValueError, f"num_spiking_neurons must be a positive perfect square, got {units}"):
                snn.AssociativeLeaky.from_num_spiking_neurons(4, units)
        layer = snn.AssociativeLeaky.from_num_spiking_neurons(4, 9)
        self.assertEqual((layer.d_value, layer.d_key), (3, 3))

    def test_beta_of_another_shape(self):
        with self.assertRaisesRegex(ValueError, r"\[StateLeaky\] beta must have shape \(5,\), \(1,\) or \(\), got \(3,\)"):
            snn.StateLeaky(torch.rand(3), 5)
        with self.assertRaises(ValueError):
            snn.LinearLeaky(torch.rand(3), 4, 5)

    def test_sizes_of_leaky_parallel(self):
        for name, sizes in (("input_size", (0, 3)), ("hidden_size", (3, -1))):
            with self.assertRaisesRegex(ValueError, rf"\[LeakyParallel\] {name} must be positive"):
                snn.LeakyParallel(*sizes)

    def test_truncation_to_nothing(self):
        with self.assertRaisesRegex(RuntimeError, r"\[StateLeaky\] kernel_truncation_steps must be at least 1, got 0"):
            snn.StateLeaky(0.9, 5, kernel_truncation_steps=0)

    def test_options_of_spikes_without_spikes_warn(self):
        for options in (
            {"spike_grad": snn.surrogate.atan()},
            {"surrogate_disable": True},
            {"learn_threshold": True},
            {"graded_spikes_factor": 2.0},
            {"learn_graded_spikes_factor": True},
        ):
            with self.subTest(**options), self.assertWarnsRegex(UserWarning, "spike-related settings are unused"):
                snn.StateLeaky(0.9, 5, output=False, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertIsInstance(snn.StateLeaky(0.9, 5, output=False)(torch.rand(4, 2, 5)), torch.Tensor)

    def test_what_has_no_reset_is_not_reset(self):
        for layer in (snn.StateLeaky(0.9, 5), snn.LinearLeaky(0.9, 4, 5)):
            with self.assertRaises(NotImplementedError):
                layer.mem_reset(torch.rand(2, 5))
            with self.assertRaises(NotImplementedError):
                layer.fire_inhibition(2, torch.rand(2, 5))

    def test_options_without_effect_are_refused(self):
        for name in ("inhibition", "reset_mechanism", "reset_delay", "init_hidden"):
            with self.subTest(name), self.assertRaisesRegex(TypeError, name):
                snn.StateLeaky(0.9, 5, **{name: True})

    def test_inputs_of_another_shape(self):
        for layer, row in layers():
            with self.subTest(repr(layer)):
                for x in (torch.rand(4), torch.rand(4, *row, 2, 2)):
                    with self.assertRaisesRegex(ValueError, rf"\[{type(layer).__name__}\] input_ must be"):
                        layer(x)
                if type(layer) is snn.StateLeaky and layer.beta.numel() == 1:
                    continue  # any number of channels will do
                with self.assertRaises(ValueError if type(layer) is snn.StateLeaky else RuntimeError):
                    layer.sequence(torch.rand(4, *row[:-1], row[-1] + 2), (torch.rand(3, 7),))


class Modules(unittest.TestCase):
    def test_copies(self):
        for layer, row in layers():
            with self.subTest(repr(layer)):
                x = inputs(5, row).requires_grad_()
                out = layer(x)
                (out[0] if isinstance(out, tuple) else out).sum().backward()  # in the middle of training
                for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
                    for a, b in zip(other.sequence(x, ()), layer.sequence(x, ())):
                        torch.testing.assert_close(a, b)

    def test_beta_follows_tau(self):
        layer = snn.StateLeaky(0.9, 5, learn_beta=True)
        self.assertIn("tau", dict(layer.named_parameters()))
        with torch.no_grad():
            layer.tau.fill_(5.0)
        self.assertAlmostEqual(layer.beta.item(), 0.8, places=6)
        self.assertAlmostEqual(layer.state_dict()["beta"].item(), 0.8, places=6)

    def test_linear_leaky_keeps_what_it_returned(self):
        layer = snn.LinearLeaky(0.9, 4, 5)
        spk, mem = layer(torch.rand(6, 2, 4))
        self.assertIs(layer.spk, spk)
        self.assertIs(layer.mem, mem)

    def test_compiles_as_one_graph(self):
        # Code is generated for the first, which takes long; the others are traced and run, forward and backward.
        for index, (layer, row) in enumerate(low()):
            with self.subTest(repr(layer)):
                torch._dynamo.reset()

                def loss(x, layer=layer):
                    spk, mem, state = layer.sequence(x, ())
                    called = layer(x)
                    called = called[0] if isinstance(called, tuple) else called
                    return spk.cos().mean() + mem.sin().mean() + state[0].square().mean() + called.mean()

                compiled = torch.compile(loss, fullgraph=True, backend="aot_eager" if index else "inductor")
                grads = []
                for run in (loss, compiled):
                    layer.zero_grad()
                    x = inputs(6, row).requires_grad_()
                    value = run(x)
                    value.backward()
                    grads.append([value, x.grad] + [p.grad.clone() for p in layer.parameters() if p.requires_grad])
                for eager, graph in zip(*grads):
                    torch.testing.assert_close(eager, graph)

    def test_autocast(self):
        for layer, row in low():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                spk, mem = layer.sequence(inputs(5, row))
            self.assertTrue(bool(mem.isfinite().all()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
