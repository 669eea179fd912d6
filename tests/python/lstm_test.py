"""SLSTM and SConv2dLSTM from Python: recorded cases, sequences, what differs from snnTorch, errors, copies, torch.compile."""

import copy
import pickle
import unittest

import recorded  # noqa: F401  (ends with 77 without torch)
import replay
import rheobase as snn
import torch


def layers(**common):
    """One of every kind, with an input row [B, ...] for it."""
    torch.manual_seed(0)
    common = {"threshold": 0.1, **common}
    return [
        (snn.SLSTM(3, 5, **common), (2, 3)),
        (snn.SLSTM(4, 4, bias=False, **common), (2, 4)),
        (snn.SConv2dLSTM(2, 3, 3, **common), (2, 2, 4, 6)),
        (snn.SConv2dLSTM(2, 3, (3, 1), bias=False, max_pool=2, **common), (2, 2, 4, 6)),
        (snn.SConv2dLSTM(2, 3, [1, 5], avg_pool=(2, 3), **common), (2, 2, 4, 6)),
    ]


def inputs(steps, row, dtype=torch.float32, seed=1):
    return 3 * torch.randn(steps, *row, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_steps(layer, x):
    spikes, membranes, state = [], [], [None, None]
    layer.reset_mem()
    for row in x:
        spk, *state = layer(row, *state)
        spikes.append(spk)
        membranes.append(state[1])
    return torch.stack(spikes), torch.stack(membranes), state


class Recorded(replay.Replay, unittest.TestCase):
    targets = ("SLSTM", "SConv2dLSTM")
    state_dicts = {
        "slstm": lambda: snn.SLSTM(3, 5),
        "slstm_no_bias": lambda: snn.SLSTM(3, 5, bias=False),
        "sconv2dlstm": lambda: snn.SConv2dLSTM(1, 2, 3),
    }


class Sequences(unittest.TestCase):
    def test_a_sequence_is_the_loop_of_its_steps(self):
        for reset in ("subtract", "zero", "none"):
            for common in ({}, {"graded_spikes_factor": 1.5}, {"fused": False}):
                for layer, row in layers(reset_mechanism=reset, **common):
                    with self.subTest(repr(layer)):
                        x = inputs(9, row)
                        spk, mem, state = layer.sequence(x, ())
                        self.assertGreater(spk.count_nonzero(), 3)
                        slow, membranes, last = by_steps(layer, x)
                        self.assertTrue(torch.equal(spk, slow))
                        torch.testing.assert_close(mem, membranes)
                        torch.testing.assert_close(list(state), last)

    def test_gradients_of_a_sequence_are_those_of_the_loop(self):
        for reset in ("subtract", "zero", "none"):
            for layer, row in layers(reset_mechanism=reset, learn_threshold=True, learn_graded_spikes_factor=True):
                with self.subTest(repr(layer)):
                    layer.double()
                    grads = []
                    for run in (lambda x, layer=layer: layer.sequence(x, ())[:2], lambda x, layer=layer: by_steps(layer, x)[:2]):
                        layer.zero_grad()
                        x = inputs(7, row, torch.float64).requires_grad_()
                        spk, mem = run(x)
                        weights = torch.Generator().manual_seed(3)
                        (spk * torch.randn(spk.shape, generator=weights, dtype=spk.dtype)).sum().backward(retain_graph=True)
                        (mem * torch.randn(mem.shape, generator=weights, dtype=mem.dtype)).sum().backward()
                        grads.append([x.grad] + [p.grad.clone() for p in layer.parameters()])
                    for ours, theirs in zip(*grads):
                        torch.testing.assert_close(ours, theirs)

    def test_a_sequence_may_be_cut_anywhere(self):
        for layer, row in layers(reset_mechanism="zero"):
            x = inputs(9, row)
            whole, mem, _ = layer.sequence(x, ())
            a, first, state = layer.sequence(x[:4], ())
            b, second, _ = layer.sequence(x[4:], state)
            torch.testing.assert_close(torch.cat([a, b]), whole)
            torch.testing.assert_close(torch.cat([first, second]), mem)
            layer.sequence(x[:4])  # the layer keeps its own state as well
            torch.testing.assert_close(layer.sequence(x[4:])[1], second)

    def test_a_constant_input_is_its_repetition(self):
        for layer, row in layers():
            x = inputs(1, row)[0]
            for ours, theirs in zip(layer.sequence(snn.constant(x, 7), ()), layer.sequence(x.expand(7, *row), ())):
                torch.testing.assert_close(ours, theirs)

    def test_a_function_as_surrogate_and_a_quantiser_have_a_sequence(self):
        mine = snn.surrogate.custom_surrogate(lambda u, grad, spk: grad / (1 + u.abs()))
        for common in ({"spike_grad": mine}, {"state_quant": lambda u: (u * 8).round() / 8}, {"surrogate_disable": True}):
            for layer, row in layers(**common):
                x = inputs(7, row)
                spk, mem, _ = layer.sequence(x, ())
                slow, membranes, _ = by_steps(layer, x)
                self.assertTrue(torch.equal(spk, slow))
                torch.testing.assert_close(mem, membranes)

    def test_the_state_is_not_pooled(self):
        layer = snn.SConv2dLSTM(1, 2, 3, max_pool=2)
        spk, syn, mem = layer(torch.rand(2, 1, 6, 8))
        self.assertEqual(spk.shape, (2, 2, 3, 4))
        self.assertEqual(mem.shape, (2, 2, 6, 8))
        self.assertEqual(layer.sequence(torch.rand(5, 2, 1, 6, 8))[0].shape, (5, 2, 2, 3, 4))


class Differences(unittest.TestCase):
    """Rows of the list of differences."""

    def test_slstm_keeps_its_states_where_sizes_differ(self):
        # There: states are compared with the input's shape and wiped at every step.
        layer, cell = snn.SLSTM(3, 5), torch.nn.LSTMCell(3, 5)
        cell.load_state_dict(layer.lstm_cell.state_dict())
        h = c = torch.zeros(2, 5)
        for row in inputs(4, (2, 3)):
            h, c = cell(row, (h, c))
            _, syn, mem = layer(row)
        torch.testing.assert_close((mem, syn), (h, c))

    def test_slstm_works_in_float64(self):
        for layer, row in layers():
            layer.double()
            x = inputs(4, row, torch.float64)
            for out in (layer(x[0]), layer.sequence(x)):
                self.assertEqual({t.dtype for t in out}, {torch.float64})

    def test_spikes_have_the_type_of_the_input(self):
        for layer, row in layers():
            layer.bfloat16()
            x = inputs(4, row).bfloat16()
            self.assertEqual({t.dtype for t in (*layer(x[0]), *layer.sequence(x))}, {torch.bfloat16})


class Errors(unittest.TestCase):
    def test_both_poolings(self):
        with self.assertRaisesRegex(ValueError, r"\[SConv2dLSTM\] max_pool and avg_pool must not both be given, got 2 and 3"):
            snn.SConv2dLSTM(1, 2, 3, max_pool=2, avg_pool=3)

    def test_an_even_kernel(self):
        with self.assertRaisesRegex(RuntimeError, r"\[SConv2dLSTM\] kernel_size must be odd, got \(3, 2\)"):
            snn.SConv2dLSTM(1, 2, (3, 2))

    def test_states_with_init_hidden(self):
        for layer, row in layers(init_hidden=True):
            with self.assertRaisesRegex(TypeError, "should not be passed as an argument while `?init_hidden"):
                layer(torch.rand(row), torch.rand(row))

    def test_a_sequence_of_another_shape(self):
        with self.assertRaisesRegex(ValueError, r"\[SLSTM\] input_ must be \[T, B, 3\], got \[4, 2, 5\]"):
            snn.SLSTM(3, 5).sequence(torch.rand(4, 2, 5))
        with self.assertRaisesRegex(ValueError, r"\[SConv2dLSTM\] input_ must be \[T, B, 1, H, W\], got \[4, 2, 5\]"):
            snn.SConv2dLSTM(1, 2, 3).sequence(torch.rand(4, 2, 5))

    def test_a_threshold_that_does_not_broadcast(self):
        layer = snn.SLSTM(3, 5, threshold=torch.rand(4))
        with self.assertRaisesRegex(ValueError, r"\[SLSTM\] threshold must broadcast with one step, \[1, 5\], got \[4\]"):
            layer.sequence(torch.rand(4, 2, 3))

    def test_reset_delay_is_refused(self):
        with self.assertRaisesRegex(TypeError, r"\[SLSTM\] reset_delay must not be given"):
            snn.SLSTM(3, 5, reset_delay=False)


class Modules(unittest.TestCase):
    def test_copies(self):
        for layer, row in layers():
            with self.subTest(repr(layer)):
                x = inputs(5, row).requires_grad_()
                layer(x[0])[2].sum().backward()  # in the middle of training
                for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
                    for a, b in zip(other.sequence(x, ()), layer.sequence(x, ())):
                        torch.testing.assert_close(a, b)

    def test_spk_is_an_attribute(self):
        for layer, row in layers(init_hidden=True):
            self.assertIs(layer(inputs(1, row)[0]), layer.spk)

    def test_compiles_as_one_graph(self):
        # Code is generated for the first, which takes long; the others are traced and run, forward and backward.
        for index, (layer, row) in enumerate(layers(reset_mechanism="subtract")):
            with self.subTest(repr(layer)):
                torch._dynamo.reset()

                def loss(x, layer=layer):
                    spk, mem, state = layer.sequence(x, ())
                    one, _, stepped = layer(x[0], *state)
                    return spk.cos().mean() + mem.sin().mean() + stepped.square().mean() + one.mean()

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
                for out in (layer(inputs(1, row)[0]), layer.sequence(inputs(5, row), ())[:2]):
                    self.assertTrue(all(bool(t.isfinite().all()) for t in out))


if __name__ == "__main__":
    unittest.main(verbosity=2)
