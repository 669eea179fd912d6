"""RLeaky and RSynaptic from Python: recorded cases, sequences, what differs from snnTorch, errors, copies, torch.compile."""

import copy
import io
import pickle
import unittest

import recorded  # noqa: F401  (ends with 77 without torch)
import replay
import rheobase as snn
import torch


def layers(**common):
    """One of every kind of feedback, with an input row [B, ...] for it."""
    torch.manual_seed(0)
    return [
        (snn.RLeaky(0.8, V=0.5, all_to_all=False, **common), (3, 5)),
        (snn.RLeaky(0.8, V=torch.rand(5), all_to_all=False, **common), (3, 5)),
        (snn.RLeaky(0.8, linear_features=5, **common), (3, 5)),
        (snn.RLeaky(0.8, conv2d_channels=2, kernel_size=(3, 1), **common), (3, 2, 4, 5)),
        (snn.RSynaptic(0.7, 0.8, V=0.5, all_to_all=False, **common), (3, 5)),
        (snn.RSynaptic(0.7, torch.rand(5), linear_features=5, **common), (3, 5)),
        (snn.RSynaptic(0.7, 0.8, conv2d_channels=2, kernel_size=3, **common), (3, 2, 4, 5)),
    ]


def inputs(steps, row, dtype=torch.float32, seed=1):
    return 1.5 * torch.rand(steps, *row, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_steps(layer, x):
    """spk, mem and the last state of a loop from zero."""
    shape = x.shape[1:]
    state = [torch.zeros(shape, dtype=x.dtype) for _ in layer.State._fields]
    spikes, membranes = [], []
    for row in x:
        out = layer(row, *state)
        state = list(layer.state)
        spikes.append(out[0])
        membranes.append(out[-1])
    return torch.stack(spikes), torch.stack(membranes), state


class Recorded(replay.Replay, unittest.TestCase):
    targets = ("RLeaky", "RSynaptic")
    state_dicts = {
        "rleaky_one_to_one": lambda: snn.RLeaky(0.9, V=torch.rand(3), all_to_all=False),
        "rleaky_one_to_one_fixed": lambda: snn.RLeaky(0.9, V=torch.rand(3), all_to_all=False, learn_recurrent=False),
        "rleaky_linear": lambda: snn.RLeaky(0.9, linear_features=3, learn_beta=True, learn_threshold=True),
        "rleaky_linear_fixed": lambda: snn.RLeaky(0.9, linear_features=3, learn_recurrent=False),
        "rleaky_conv": lambda: snn.RLeaky(0.9, conv2d_channels=2, kernel_size=3),
        "rsynaptic_one_to_one": lambda: snn.RSynaptic(0.9, 0.8, V=0.5, all_to_all=False),
        "rsynaptic_linear": lambda: snn.RSynaptic(0.9, 0.8, linear_features=3, learn_alpha=True),
        "rsynaptic_conv": lambda: snn.RSynaptic(0.9, 0.8, conv2d_channels=2, kernel_size=(3, 5)),
    }


class Sequences(unittest.TestCase):
    def test_a_sequence_is_the_loop_of_its_steps(self):
        for reset in ("subtract", "zero", "none"):
            for delay in (True, False):
                for layer, row in layers(reset_mechanism=reset, reset_delay=delay):
                    with self.subTest(repr(layer)):
                        x = inputs(11, row)
                        spk, mem, state = layer.sequence(x, ())
                        self.assertGreater(spk.sum(), 5)
                        slow, membranes, last = by_steps(layer, x)
                        self.assertTrue(torch.equal(spk, slow))
                        torch.testing.assert_close(mem, membranes)
                        for a, b in zip(state, last):
                            torch.testing.assert_close(a, b)

    def test_a_sequence_may_be_cut_anywhere(self):
        for layer, row in layers():
            x = inputs(9, row)
            whole, mem, _ = layer.sequence(x, ())
            a, first, state = layer.sequence(x[:4], ())
            b, second, _ = layer.sequence(x[4:], state)
            torch.testing.assert_close(torch.cat([a, b]), whole)
            torch.testing.assert_close(torch.cat([first, second]), mem)

    def test_a_constant_input_is_its_repetition(self):
        for layer, row in layers():
            x = inputs(1, row)[0]
            for ours, theirs in zip(layer.sequence(snn.constant(x, 7), ()), layer.sequence(x.expand(7, *row), ())):
                torch.testing.assert_close(ours, theirs)

    def test_empty_sequences_and_batches(self):
        for layer, row in layers():
            spk, mem, state = layer.sequence(inputs(0, row), ())
            self.assertEqual(spk.shape, (0, *row))
            self.assertEqual(mem.shape, (0, *row))
            self.assertEqual(state.spk.shape, row)
            spk, mem, state = layer.sequence(inputs(4, (0, *row[1:])), ())
            self.assertEqual(spk.shape, (4, 0, *row[1:]))

    def test_float64_and_bfloat16(self):
        for layer, row in layers():
            layer.double()
            out = layer.sequence(inputs(6, row, torch.float64), ())
            self.assertEqual({t.dtype for t in (*out[:2], *out[2])}, {torch.float64})
            self.assertEqual(layer(inputs(1, row, torch.float64)[0])[0].dtype, torch.float64)
            layer.bfloat16()
            out = layer.sequence(inputs(6, row).bfloat16(), ())
            self.assertEqual({t.dtype for t in (*out[:2], *out[2])}, {torch.bfloat16})

    def test_a_function_as_surrogate_and_a_quantiser_have_a_sequence(self):
        def quantised(u):
            return (u * 8).round() / 8

        mine = snn.surrogate.custom_surrogate(lambda u, grad, spk: grad / (1 + u.abs()))
        for common in ({"spike_grad": mine}, {"state_quant": quantised}):
            for layer, row in layers(**common):
                x = inputs(7, row)
                spk, mem, _ = layer.sequence(x, ())
                slow, membranes, _ = by_steps(layer, x)
                self.assertTrue(torch.equal(spk, slow))
                torch.testing.assert_close(mem, membranes)

    def test_a_fused_network_returns_what_its_loop_returns(self):
        for layer, row in layers(init_hidden=True, output=True):
            net = torch.nn.Sequential(torch.nn.Identity(), layer)
            x = inputs(6, row)
            loop = [torch.stack(values) for values in zip(*[net(step) for step in x])]
            layer.reset_mem()
            fused = snn.fuse(net)(x)
            self.assertEqual(len(fused), len(loop))
            for ours, theirs in zip(fused, loop):
                torch.testing.assert_close(ours, theirs)

    def test_hooks_of_the_feedback_are_called_once_a_step(self):
        layer = snn.RLeaky(0.8, linear_features=5)
        x, calls = inputs(6, (3, 5)), []
        plain = layer.sequence(x, ())
        layer.recurrent.register_forward_hook(lambda *a: calls.append(1))
        watched = layer.sequence(x, ())
        self.assertEqual(len(calls), 6)
        torch.testing.assert_close(watched[1], plain[1])


class Differences(unittest.TestCase):
    """Rows of the list of differences."""

    def test_rsynaptic_reset_delay_false_works_as_in_rleaky(self):
        # There: TypeError with init_hidden, else no effect. Here the step that fires resets.
        for mechanism in ("subtract", "zero"):
            layer = snn.RSynaptic(0.5, 0.8, V=0.5, all_to_all=False, init_hidden=True, reset_mechanism=mechanism, reset_delay=False)
            spikes = []
            alpha, beta, spk, syn, mem = 0.5, 0.8, 0.0, 0.0, 0.0
            for x in (0.6, 0.6, 0.6, 0.0, 1.5, 0.2, -0.3, 0.9):
                spikes.append(layer(torch.tensor([[x]])).item())
                syn = alpha * syn + x + 0.5 * spk
                base = beta * mem + syn
                spk = float(base > 1)
                mem = base - spk if mechanism == "subtract" else base * (1 - spk)
                self.assertEqual(spikes[-1], spk)
                self.assertAlmostEqual(layer.mem.item(), mem, places=5)
            self.assertGreater(sum(spikes), 2)

    def test_without_delay_the_threshold_is_not_given_back(self):
        # There the sixth value is 1.179254 without a spike.
        layer = snn.RLeaky(0.9, V=0.0, all_to_all=False, reset_delay=False)
        x = torch.tensor([0.6, 0.6, 0.6, 0.0, 1.5, 0.2, -0.3, 0.9]).reshape(8, 1, 1)
        spk, mem = layer.sequence(x)
        self.assertEqual(spk.flatten().tolist(), [0, 1, 0, 0, 1, 1, 0, 0])
        wanted = torch.tensor([0.6, 0.14, 0.726, 0.6534, 1.08806, 0.179254, -0.138671, 0.775196])
        torch.testing.assert_close(mem.flatten(), wanted, rtol=0, atol=1e-5)

    def test_rsynaptic_reset_hidden_and_detach_hidden_reach_spk(self):
        layer = snn.RSynaptic(0.9, 0.8, V=0.5, all_to_all=False, init_hidden=True)
        layer(torch.full((2, 3), 2.0, requires_grad=True))
        self.assertGreater(layer.spk.sum(), 0)
        self.assertTrue(layer.spk.requires_grad)
        snn.RSynaptic.detach_hidden()
        self.assertFalse(layer.spk.requires_grad)
        snn.RSynaptic.reset_hidden()
        self.assertEqual(layer.spk.abs().sum(), 0)

    def test_one_v_is_used_by_the_recurrence(self):
        # There: with learn_recurrent=False an assigned V has no effect, and .to() does not move it.
        for make in (lambda **o: snn.RLeaky(0.8, **o), lambda **o: snn.RSynaptic(0.7, 0.8, **o)):
            layer = make(V=0.0, all_to_all=False, learn_recurrent=False)
            x = torch.full((1, 2), 1.5)
            first, *_ = layer(x)
            layer.V = torch.tensor(3.0)
            after = layer(torch.zeros(1, 2))[-1]
            other = make(V=3.0, all_to_all=False, learn_recurrent=False)
            other(x)
            torch.testing.assert_close(after, other(torch.zeros(1, 2))[-1])
            self.assertEqual(layer.recurrent.V, 3.0)
            layer.double()
            self.assertEqual(layer.recurrent.V.dtype, torch.float64)
            self.assertIs(layer.recurrent.V, layer.V)

    def test_a_graded_spike_comes_back_graded(self):
        layer = snn.RLeaky(0.8, V=1.0, all_to_all=False, graded_spikes_factor=0.5)
        spk, _ = layer(torch.full((1, 1), 2.0))
        self.assertEqual(spk.item(), 0.5)
        _, mem = layer(torch.zeros(1, 1))
        self.assertAlmostEqual(mem.item(), 0.8 * 2.0 - 1.0 + 0.5, places=6)


class Errors(unittest.TestCase):
    def test_feedback_must_be_one_of_three(self):
        for make in (lambda **o: snn.RLeaky(0.9, **o), lambda **o: snn.RSynaptic(0.9, 0.8, **o)):
            for options in (
                {},
                {"conv2d_channels": 2},
                {"kernel_size": 3},
                {"linear_features": 3, "conv2d_channels": 2, "kernel_size": 3},
                {"linear_features": 3, "kernel_size": 3},
                {"all_to_all": False, "linear_features": 3},
                {"all_to_all": False, "conv2d_channels": 2, "kernel_size": 3},
            ):
                with self.subTest(**options), self.assertRaisesRegex(TypeError, r"\[R(Leaky|Synaptic)\]"):
                    make(**options)

    def test_an_even_kernel_is_named(self):
        with self.assertRaisesRegex(RuntimeError, r"\[RLeaky\] kernel_size must be odd, got 2"):
            snn.RLeaky(0.9, conv2d_channels=2, kernel_size=2)

    def test_states_with_init_hidden(self):
        layer = snn.RLeaky(0.9, V=0.5, all_to_all=False, init_hidden=True)
        with self.assertRaisesRegex(TypeError, r"\[RLeaky\] mem should not be passed"):
            layer(torch.rand(2, 3), mem=torch.rand(2, 3))

    def test_a_state_of_another_shape(self):
        layer = snn.RSynaptic(0.9, 0.8, linear_features=3)
        with self.assertRaisesRegex(ValueError, r"\[RSynaptic\] syn must have the shape of a state, \[2, 3\], got \[1, 3\]"):
            layer(torch.rand(2, 3), syn=torch.rand(1, 3))

    def test_values_that_the_equations_cannot_use(self):
        layer = snn.RLeaky(0.9, linear_features=3)
        with torch.no_grad():
            layer.threshold.fill_(float("nan"))
        with self.assertRaisesRegex(ValueError, r"\[RLeaky\] threshold must be finite"):
            layer(torch.rand(2, 3))


class Modules(unittest.TestCase):
    def test_copies_and_files(self):
        for layer, row in layers(learn_beta=True):
            with self.subTest(repr(layer)):
                x = inputs(5, row).requires_grad_()
                layer.sequence(x)[1].sum().backward()  # in the middle of training
                stored = io.BytesIO()
                torch.save(layer, stored)
                stored.seek(0)
                for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(stored, weights_only=False)):
                    self.assertTrue(torch.equal(other.mem, layer.mem))
                    self.assertFalse(other.mem.requires_grad)
                    for a, b in zip(other.sequence(x, ()), layer.sequence(x, ())):
                        torch.testing.assert_close(a, b)
                    if not layer.all_to_all:
                        self.assertIs(other.recurrent.V, other.V)
                        self.assertIsNot(other.V, layer.V)

    def test_training_reaches_every_parameter(self):
        for layer, row in layers(learn_beta=True, learn_threshold=True):
            spk, mem = layer.sequence(inputs(8, row))
            (spk.sum() + mem.square().sum()).backward()
            for name, parameter in layer.named_parameters():
                self.assertGreater(parameter.grad.abs().sum(), 0, name)

    def test_compiles_as_one_graph(self):
        # Code is generated for the first, which takes long; the others are traced and run, forward and backward.
        for index, (layer, row) in enumerate(layers(learn_beta=True)):
            with self.subTest(repr(layer)):
                torch._dynamo.reset()

                def loss(x, layer=layer):
                    spk, mem, _ = layer.sequence(x, ())
                    *_, stepped = layer(x[0], *[torch.zeros_like(x[0])] * len(layer.State._fields))
                    return spk.cos().mean() + mem.sin().mean() + stepped.square().mean()

                compiled = torch.compile(loss, fullgraph=True, backend="aot_eager" if index else "inductor")
                grads = []
                for run in (loss, compiled):
                    layer.zero_grad()
                    x = inputs(5, row).requires_grad_()
                    value = run(x)
                    value.backward()
                    grads.append([value, x.grad] + [p.grad.clone() for p in layer.parameters()])
                for eager, graph in zip(*grads):
                    torch.testing.assert_close(eager, graph)

    def test_autocast(self):
        for layer, row in layers():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                spk, mem = layer.sequence(inputs(5, row).bfloat16())
                out = layer(inputs(1, row)[0].bfloat16())
            self.assertTrue(bool(mem.isfinite().all()))
            self.assertTrue(bool(out[-1].isfinite().all()))

    def test_no_grad_and_inference_mode(self):
        for mode in (torch.no_grad, torch.inference_mode):
            for layer, row in layers():
                plain = layer.sequence(inputs(5, row), ())
                with mode():
                    for a, b in zip(layer.sequence(inputs(5, row), ()), plain):
                        torch.testing.assert_close(a, b)


if __name__ == "__main__":
    unittest.main(verbosity=2)
