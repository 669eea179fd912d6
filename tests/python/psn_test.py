"""Parallel spiking neurons from Python: against their matrix form, streaming, gradients, errors."""

import copy
import pickle
import unittest

import rheobase as snn
import torch
from torch import nn


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Membranes(unittest.TestCase):
    def test_psn_is_a_matrix_over_time(self):
        for steps in (1, 2, 7):
            for row in ((), (3,), (2, 3, 4), (0, 4)):
                with self.subTest(steps=steps, row=row):
                    layer = snn.PSN(steps, threshold=0.3, graded_spikes_factor=1.5).double()
                    with torch.no_grad():
                        layer.bias.copy_(noise(steps, seed=2))
                    x = noise(steps, *row)
                    spk, mem = layer(x)
                    wanted = torch.stack(
                        [sum(layer.weight[t, s] * x[s] for s in range(steps)) + layer.bias[t] for t in range(steps)]
                    )
                    torch.testing.assert_close(mem, wanted)
                    self.assertTrue(torch.equal(spk, (mem > 0.3) * 1.5))

    def test_sliding_psn_is_a_band_of_it(self):
        for steps in (1, 3, 9):
            for order in (1, 2, 5, 12):
                with self.subTest(steps=steps, order=order):
                    layer = snn.SlidingPSN(order, threshold=0.3).double()
                    with torch.no_grad():
                        layer.weight.copy_(noise(order, seed=3))
                        layer.bias.fill_(0.2)
                    x = noise(steps, 2, 3)
                    spk, mem = layer(x)
                    band = torch.zeros(steps, steps, dtype=torch.float64)
                    for t in range(steps):
                        for i in range(order):
                            if t - order + 1 + i >= 0:
                                band[t, t - order + 1 + i] = layer.weight[i]
                    torch.testing.assert_close(mem, torch.einsum("ts,sbn->tbn", band, x) + 0.2)
                    self.assertTrue(torch.equal(spk, (mem > 0.3).double()))

    def test_first_weights(self):
        layer = snn.SlidingPSN(4)
        self.assertEqual(layer.weight.tolist(), [0.125, 0.25, 0.5, 1.0])
        self.assertLessEqual(snn.PSN(16).weight.abs().max().item(), 0.25)

    def test_a_sliding_sequence_may_be_cut_anywhere(self):
        layer, x = snn.SlidingPSN(5).double(), noise(17, 3, 7)
        whole = layer.sequence(x, ())
        state, spikes = (), []
        for part in x.split((1, 2, 0, 9, 5)):
            spk, _, state = layer.sequence(part, state)
            spikes.append(spk)
        self.assertTrue(torch.equal(torch.cat(spikes), whole[0]))
        self.assertTrue(torch.equal(state.past, whole[2].past))
        self.assertTrue(torch.equal(state.past, x[13:]))


class Layers(unittest.TestCase):
    def test_gradients(self):
        for layer in (snn.PSN(6), snn.SlidingPSN(3)):
            layer.double()
            x = noise(6, 5).requires_grad_()
            parameters = tuple(layer.parameters())
            self.assertTrue(torch.autograd.gradcheck(lambda x, *_: layer(x)[1], (x, *parameters)))
            layer(x)[0].sum().backward()
            for p in parameters:
                self.assertGreater(p.grad.abs().sum(), 0)

    def test_inside_a_network(self):
        net = snn.Sequential(nn.Linear(5, 7), snn.PSN(6), nn.Linear(7, 4), snn.SlidingPSN(3))
        x = torch.randn(6, 2, 5)
        spk, mem = net(x)
        self.assertEqual((spk.shape, mem.shape), ((6, 2, 4), (6, 2, 4)))
        row = torch.randn(2, 5)
        for ours, theirs in zip(net(snn.constant(row, 6)), net(row.expand(6, 2, 5))):
            torch.testing.assert_close(ours, theirs)
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            self.assertTrue(torch.equal(other(x)[1], mem))
        net.load_state_dict(net.state_dict())

    def test_under_torch_compile(self):
        for layer in (snn.PSN(6), snn.SlidingPSN(3)):
            x = torch.randn(6, 2, 3)
            compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
            for ours, theirs in zip(compiled(x), layer(x)):
                torch.testing.assert_close(ours, theirs)

    def test_types(self):
        for dtype in (torch.float64, torch.bfloat16):
            for layer in (snn.PSN(4).to(dtype), snn.SlidingPSN(3).to(dtype)):
                self.assertEqual({t.dtype for t in layer(torch.randn(4, 2, dtype=dtype))}, {dtype})

    def test_what_they_refuse(self):
        for error, message, act in (
            (ValueError, r"\[PSN\] steps must be positive, got 0", lambda: snn.PSN(0)),
            (TypeError, r"\[PSN\] steps must be a whole number, got 2.5", lambda: snn.PSN(2.5)),
            (ValueError, r"\[SlidingPSN\] order must be positive, got -1", lambda: snn.SlidingPSN(-1)),
            (TypeError, r"\[PSN\] init_hidden must not be given", lambda: snn.PSN(4, init_hidden=True)),
            (TypeError, r"\[SlidingPSN\] reset_delay must not be given", lambda: snn.SlidingPSN(4, reset_delay=False)),
            (ValueError, r"\[PSN\] input_ must have steps = 4 time steps, got \[5, 2\]", lambda: snn.PSN(4)(torch.zeros(5, 2))),
            (
                ValueError,
                r"\[SlidingPSN\] past must have the shape of a state, \[3, 2\], got \[2, 2\]",
                lambda: snn.SlidingPSN(4).sequence(torch.zeros(5, 2), torch.zeros(2, 2)),
            ),
        ):
            with self.subTest(message), self.assertRaisesRegex(error, message):
                act()


if __name__ == "__main__":
    unittest.main()
