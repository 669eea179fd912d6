"""Sequential and fuse: layers over time against plain loops; constant input, states, hooks, dropout, batch normalisation."""

import copy
import unittest

import recorded  # noqa: F401  (ends with 77 without torch)
import rheobase as snn
import torch
from torch import nn


def layers(**hidden):
    torch.manual_seed(0)
    return [nn.Linear(6, 30), snn.Leaky(beta=0.9), nn.Linear(30, 4), snn.Synaptic(alpha=0.6, beta=0.8)]


def by_loop(parts, x):
    states = [layer.reset_mem() for layer in parts if isinstance(layer, snn.SpikingNeuron)]
    states = [(s,) if isinstance(s, torch.Tensor) else s for s in states]
    out = []
    for row in x:
        states_at = iter(range(len(states)))
        for layer in parts:
            if isinstance(layer, snn.SpikingNeuron):
                at = next(states_at)
                row, *states[at] = layer(row, *states[at])
            else:
                row = layer(row)
        out.append((row, states[-1][-1]))
    return [torch.stack(values) for values in zip(*out)]


class Sequential(unittest.TestCase):
    def test_equals_a_loop_forward_and_backward(self):
        parts, x = layers(), torch.rand(9, 5, 6)
        net = snn.Sequential(*parts)
        results = []
        for run in (net, lambda x: by_loop(parts, x)):
            net.zero_grad()
            leaf = x.clone().requires_grad_()
            spk, mem = run(leaf)
            (spk.sum() + mem.pow(2).sum()).backward()
            results.append([spk, mem, leaf.grad] + [p.grad.clone() for p in net.parameters()])
        self.assertGreater(results[0][0].sum().item(), 5)
        for ours, loop in zip(*results):
            torch.testing.assert_close(ours, loop, rtol=1e-4, atol=1e-5)

    def test_constant_input_runs_stateless_layers_once(self):
        parts, calls = layers(), []
        parts[0].register_forward_hook(lambda module, given, out: calls.append(given[0].shape[0]))
        net, x = snn.Sequential(*parts), torch.rand(5, 6)
        spk, mem = net(snn.constant(x, 9))
        self.assertEqual(calls, [5])
        for other in (net(x.expand(9, 5, 6)), net(x, num_steps=9)):
            for a, b in zip((spk, mem), other):
                torch.testing.assert_close(a, b)

    def test_dropout_draws_at_every_step_of_a_constant_input(self):
        net = snn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3))
        y = net(snn.constant(torch.ones(5, 6), 4))
        self.assertFalse(torch.equal(y[0], y[1]))
        net.eval()
        self.assertEqual(net(snn.constant(torch.ones(5, 6), 4)).shape, (4, 5, 3))

    def test_batch_normalisation_sees_all_rows_as_one_batch(self):
        net, x = snn.Sequential(nn.BatchNorm1d(6)), torch.rand(4, 5, 6)
        torch.testing.assert_close(net(x), nn.BatchNorm1d(6)(x.flatten(0, 1)).reshape(4, 5, 6))

    def test_states_in_and_out(self):
        net, x = snn.Sequential(*layers()), torch.rand(9, 5, 6)
        spk, mem, state = net(x[:4], {})
        self.assertEqual(list(state), ["1", "3"])
        self.assertIsInstance(state["3"], snn.Synaptic.State)
        more_spk, more_mem, _ = net(x[4:], state)
        whole = net(x)
        torch.testing.assert_close(torch.cat([spk, more_spk]), whole[0])
        torch.testing.assert_close(torch.cat([mem, more_mem]), whole[1])
        with self.assertRaisesRegex(ValueError, r"state must belong to a layer that has one, 1, 3, got '2'"):
            net(x, {"2": ()})
        with self.assertRaises(TypeError):
            net(x, state["1"])

    def test_layers_of_a_network_that_exists_are_shared(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1, self.lif1, self.fc2, self.lif2 = layers()

        net = Net()
        run = snn.Sequential(net.fc1, net.lif1, net.fc2, net.lif2)
        self.assertIs(run[0].weight, net.fc1.weight)
        spk, mem = run(torch.rand(3, 2, 6))
        mem.sum().backward()
        self.assertIsNotNone(net.fc1.weight.grad)

    def test_nested_and_convolutions(self):
        torch.manual_seed(0)
        net = snn.Sequential(
            snn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), snn.Leaky(beta=0.5)), nn.Flatten(), nn.Linear(27, 4), snn.Leaky(beta=0.5)
        )
        x = torch.rand(5, 2, 1, 8, 8)
        spk, mem, state = net(x, {})
        self.assertEqual(spk.shape, (5, 2, 4))
        self.assertEqual(list(state["0"]), ["2"])
        rows = torch.stack([net[2](net[1](net[0](x[: t + 1])[0][-1])) for t in range(5)])
        torch.testing.assert_close(mem, net[3].sequence(rows, ())[1])

    def test_a_step_of_the_users_own(self):
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.lif = nn.Linear(6, 3), snn.Leaky(beta=0.9, init_hidden=True)

            def forward(self, x):
                return self.lif(self.fc(x))

        block = Block()
        spk = snn.Sequential(block)(torch.rand(4, 2, 6))
        self.assertEqual(spk.shape, (4, 2, 3))
        self.assertGreater(block.lif.mem.abs().sum().item(), 0)

    def test_hooks_see_every_step(self):
        parts, seen = layers(), []
        parts[1].register_forward_hook(lambda module, given, out: seen.append(out[0].shape))
        net, x = snn.Sequential(*parts), torch.rand(4, 5, 6)
        watched = net(x)
        self.assertEqual(seen, [(5, 30)] * 4)
        parts[1]._forward_hooks.clear()
        for a, b in zip(watched, net(x)):
            torch.testing.assert_close(a, b)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "must keep the rows, time steps times batch = 6, got"):
            snn.Sequential(nn.Flatten(0))(torch.rand(3, 2, 4))
        with self.assertRaisesRegex(ValueError, "must have a time dimension"):
            snn.Sequential(nn.Identity())(torch.tensor(1.0))
        with self.assertRaises(ValueError):
            snn.constant(torch.rand(3), -1)
        with self.assertRaises(TypeError):
            snn.constant([1, 2], 3)


def hidden_network(*middle):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 30), *middle, snn.Leaky(beta=0.9, init_hidden=True, learn_beta=True), nn.Linear(30, 4),
        snn.Synaptic(alpha=0.6, beta=0.8, init_hidden=True, output=True),
    )  # fmt: skip


def reset(net):
    for layer in net.modules():
        if isinstance(layer, snn.SpikingNeuron):
            layer.reset_mem()


class Fuse(unittest.TestCase):
    def check(self, net, x, num_steps):
        net, x = net.double(), x.double()
        fused, results = snn.fuse(net, num_steps), []

        def loop(x):
            rows = [net(x) for _ in range(num_steps)] if num_steps else [net(row) for row in x]
            return [torch.stack(values) for values in zip(*rows)]

        start = copy.deepcopy(net.state_dict())
        for run in (fused, loop):
            net.load_state_dict(start)
            net.zero_grad()
            reset(net)
            leaf = x.clone().requires_grad_()
            out = run(leaf)
            sum(values.pow(2).sum() for values in out).backward()
            buffers = [b.clone() for name, b in net.state_dict().items() if "running" in name or "tracked" in name]
            states = [s.detach() for layer in net.modules() if isinstance(layer, snn.SpikingNeuron) for s in layer.state]
            results.append([*out, leaf.grad, *(p.grad.clone() for p in net.parameters()), *buffers, *states])
        self.assertGreater(results[0][0].sum().item(), 5)
        self.assertTrue(torch.equal(results[0][0], results[1][0]))
        for ours, theirs in zip(*results):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)

    def test_constant_input(self):
        self.check(hidden_network(), torch.rand(5, 6), 12)

    def test_sequence(self):
        self.check(hidden_network(), torch.rand(9, 5, 6), None)

    def test_batch_normalisation_of_every_step(self):
        self.check(hidden_network(nn.BatchNorm1d(30)), torch.rand(9, 5, 6), None)
        self.check(hidden_network(nn.BatchNorm1d(30)), torch.rand(5, 6), 7)

    def test_goes_on_from_the_stored_state(self):
        net, x = hidden_network(), torch.rand(5, 6)
        fused = snn.fuse(net, 3)
        first = [fused(x), fused(x)]
        reset(net)
        whole = snn.fuse(net, 6)(x)
        for a, b, w in zip(*first, whole):
            torch.testing.assert_close(torch.cat([a, b]), w)

    def test_what_delta_leaky_hands_out(self):
        net = nn.Sequential(nn.Linear(4, 3), snn.DeltaLeaky(0.1, 0.9, init_hidden=True))
        x = torch.rand(5, 2, 4)
        spk, pair = snn.fuse(net)(x)
        snn.utils.reset(net)
        calls = [net(row) for row in x]
        self.assertTrue(torch.equal(spk, torch.stack([c[0] for c in calls])))
        for k in range(2):
            self.assertTrue(torch.equal(pair[k], torch.stack([c[1][k] for c in calls])))

    def test_spikes_alone_without_output(self):
        net = nn.Sequential(nn.Linear(6, 4), snn.Leaky(beta=0.9, init_hidden=True))
        self.assertEqual(snn.fuse(net, 7)(torch.rand(5, 6)).shape, (7, 5, 4))

    def test_state_dict_is_the_networks(self):
        net = hidden_network()
        self.assertEqual(list(snn.fuse(net, 3).state_dict()), list(net.state_dict()))

    def test_errors(self):
        with self.assertRaisesRegex(TypeError, r"\[fuse\] net must be an nn.Sequential, got Linear"):
            snn.fuse(nn.Linear(3, 3), 4)
        with self.assertRaisesRegex(ValueError, r"layer '0', Leaky, must have init_hidden=True"):
            snn.fuse(nn.Sequential(snn.Leaky(beta=0.9), nn.Linear(3, 3)), 4)
        with self.assertRaisesRegex(ValueError, r"layer '0', Leaky, hands out states in the middle"):
            snn.fuse(nn.Sequential(snn.Leaky(beta=0.9, init_hidden=True, output=True), nn.Linear(3, 3)), 4)
        with self.assertRaises(ValueError):
            snn.fuse(hidden_network(), 0)


@snn.neuron
def Adaptive(x, mem, adapt, *, beta=0.9, rho=0.95, threshold, spike):
    """Leaky integrate-and-fire whose threshold rises with every spike."""
    mem = beta * mem + x
    spk = spike(mem - threshold - adapt)
    return spk, mem - spk * threshold, rho * adapt + 0.2 * spk


class OwnNeuron(unittest.TestCase):
    def test_step_sequence_network_copy(self):
        lif, x = Adaptive(beta=0.8, learn_beta=True, threshold=0.7), torch.rand(6, 2, 3)
        self.assertEqual(lif.State._fields, ("mem", "adapt"))
        rows, state = [], [torch.zeros(2, 3)] * 2
        for row in x:
            spk, *state = lif(row, *state)
            rows.append((spk, state[0]))
        spk, mem, _ = lif.sequence(x, ())
        torch.testing.assert_close(spk, torch.stack([r[0] for r in rows]))
        torch.testing.assert_close(mem, torch.stack([r[1] for r in rows]))
        spk.sum().backward()
        self.assertNotEqual(lif.beta.grad.item(), 0)
        copy.deepcopy(lif)
        net = snn.Sequential(nn.Linear(3, 5), Adaptive(spike_grad=snn.surrogate.fast_sigmoid()))
        self.assertEqual(net(x)[0].shape, (6, 2, 5))

    def test_errors(self):
        with self.assertRaisesRegex(TypeError, "must take the input and at least one state"):
            snn.neuron(lambda x: x)

        @snn.neuron
        def Short(x, mem, *, beta):
            return mem

        with self.assertRaisesRegex(TypeError, r"\[Short\] beta must be given"):
            Short()
        with self.assertRaisesRegex(TypeError, r"the step must return the spikes and mem, got 3 values"):
            Short(beta=1.0)(torch.rand(3))


if __name__ == "__main__":
    unittest.main()
