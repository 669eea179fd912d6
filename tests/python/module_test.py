"""Layers as torch modules: copying, saving, hooks, threads, grad modes, autocast, functional_call, interruption."""

import copy
import io
import os
import pickle
import signal
import threading
import time
import unittest

import recorded
import rheobase as snn
import torch
from torch import nn


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8),
        snn.Leaky(beta=0.9, init_hidden=True, learn_beta=True, **options),
        nn.Linear(8, 3),
        snn.Synaptic(alpha=0.7, beta=0.9, init_hidden=True, output=True, **options),
    )


def train_step(net, x, optimizer):
    out = net(x)
    loss = out[2].pow(2).mean() + out[0].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    snn.SpikingNeuron.detach_hidden()
    return loss.item()


class Copies(unittest.TestCase):
    def test_deepcopy_in_the_middle_of_training(self):
        net, x = network(), torch.rand(4, 6)
        net(x)  # states with a history
        twin = copy.deepcopy(net)
        self.assertFalse(twin[1].mem.requires_grad)
        self.assertTrue(net[1].mem.requires_grad)
        self.assertIn(twin[1], snn.SpikingNeuron.instances)
        losses = []
        for one in (net, twin):
            one[1]._detach_state(), one[3]._detach_state()
            optimizer = torch.optim.Adam(one.parameters(), 1e-2)
            losses.append([train_step(one, x, optimizer) for _ in range(3)])
        self.assertEqual(*losses)

    def test_pickle_and_save(self):
        for options in ({}, {"spike_grad": snn.surrogate.fast_sigmoid(10)}, {"spike_grad": torch.relu}):
            net, x = network(**options), torch.rand(4, 6)
            net(x)
            file = io.BytesIO()
            torch.save(net, file)
            file.seek(0)
            for twin in (pickle.loads(pickle.dumps(net)), torch.load(file, weights_only=False)):
                for a, b in zip(net(x), twin(x)):
                    torch.testing.assert_close(a, b)
                for layer in (net[1], net[3]):
                    layer._detach_state()
                net[1]._buffers["mem"] = net[1].mem  # the twins go on from one state each
                net.load_state_dict(twin.state_dict())
                net(x)
                break

    def test_states_are_not_saved(self):
        net = network()
        net(torch.rand(4, 6))
        self.assertFalse(any(k.endswith((".mem", ".syn")) for k in net.state_dict()))

    def test_state_is_a_named_tuple_that_pickles(self):
        layer = snn.Synaptic(alpha=0.8, beta=0.9)
        layer(torch.rand(3))
        state = pickle.loads(pickle.dumps(layer.state))
        self.assertIsInstance(state, snn.Synaptic.State)
        self.assertTrue(torch.equal(state.mem, layer.mem))


class StateDicts(unittest.TestCase):
    """state_dicts as snnTorch writes them: keys, shapes, which of them are parameters."""

    LAYERS = {
        "lapicque_rc": lambda: snn.Lapicque(R=1.0, C=2.0),
        "lapicque_beta": lambda: snn.Lapicque(beta=0.9),
        "leaky": lambda: snn.Leaky(beta=0.9),
        "leaky_vector_learn": lambda: snn.Leaky(
            beta=torch.rand(3), threshold=torch.rand(3), learn_beta=True, learn_threshold=True, learn_graded_spikes_factor=True
        ),
        "leaky_after_forward": lambda: snn.Leaky(beta=0.9),
        "synaptic": lambda: snn.Synaptic(alpha=0.9, beta=0.8),
        "synaptic_learn": lambda: snn.Synaptic(
            alpha=0.9, beta=0.8, learn_alpha=True, learn_beta=True, learn_threshold=True
        ),
        "alpha": lambda: snn.Alpha(alpha=0.9, beta=0.8),
        "deltaleaky": lambda: snn.DeltaLeaky(beta=0.9),
    }

    def test_keys_shapes_parameters(self):
        for name, make in self.LAYERS.items():
            (case,) = recorded.cases("state_dict", name)
            with self.subTest(name):
                layer, wanted = make(), case["outputs"]
                if name == "leaky_after_forward":
                    layer(torch.rand(2, 3))
                self.assertEqual(sorted(layer.state_dict()), wanted["keys"])
                shapes = sorted(f"{k} {list(v.shape)}" for k, v in layer.state_dict().items())
                self.assertEqual(shapes, sorted(wanted["shapes"]))
                self.assertEqual(sorted(n for n, _ in layer.named_parameters()), wanted["parameters"])
                self.assertEqual(sorted(n for n, p in layer.named_parameters() if p.requires_grad), wanted["trainable"])

    def test_a_state_dict_of_the_wrong_mechanism_is_refused(self):
        layer = snn.Leaky(beta=0.9)
        with self.assertRaisesRegex(ValueError, "reset_mechanism_val must be 0, 1 or 2, got 7"):
            layer.load_state_dict(layer.state_dict() | {"reset_mechanism_val": torch.tensor(7)})


class Modes(unittest.TestCase):
    def test_no_grad_and_inference_mode(self):
        x = torch.rand(5, 2, 6)
        results = []
        for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
            net = network()
            with mode():
                results.append([net(row)[0].clone() for row in x])
        for other in results[1:]:
            for a, b in zip(results[0], other):
                self.assertTrue(torch.equal(a, b))

    def test_a_layer_made_in_inference_mode(self):
        with torch.inference_mode():
            layer = snn.Leaky(beta=0.9)
            self.assertEqual(layer(torch.ones(2))[1].tolist(), [1.0, 1.0])
            self.assertEqual(layer(torch.ones(2), torch.zeros(2))[1].tolist(), [1.0, 1.0])

    def test_autocast_to_bfloat16_keeps_membranes_in_float32(self):
        net = network()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            spk, syn, mem = net(torch.rand(4, 6))
            self.assertEqual(net[0](torch.rand(4, 6)).dtype, torch.bfloat16)
            self.assertEqual((spk.dtype, mem.dtype), (torch.float32, torch.float32))
            mem.sum().backward()
            run = snn.Sequential(nn.Linear(6, 8), snn.Leaky(beta=0.9))
            spk, mem = run(torch.rand(3, 4, 6))
        self.assertEqual(mem.dtype, torch.float32)
        self.assertTrue(bool(net[0].weight.grad.isfinite().all()))

    def test_functional_call(self):
        layer, x = snn.Leaky(beta=0.5, learn_beta=True), torch.ones(3)
        beta = torch.tensor(0.9, requires_grad=True)
        _, mem = torch.func.functional_call(layer, {"beta": beta}, (x, torch.ones(3) * 0.5))
        torch.testing.assert_close(mem, torch.full((3,), 1.45))
        mem.sum().backward()
        self.assertAlmostEqual(beta.grad.item(), 1.5, places=6)
        self.assertIsNone(layer.beta.grad)

    def test_hooks(self):
        net, seen = network(), []
        net[1].register_forward_hook(lambda module, given, out: seen.append(("forward", out.shape)))
        net[1].register_full_backward_hook(lambda module, gi, go: seen.append(("backward", go[0].shape)))
        net(torch.rand(4, 6, requires_grad=True))[2].sum().backward()
        self.assertEqual(seen, [("forward", (4, 8)), ("backward", (4, 8))])

    def test_second_derivatives_on_the_reference_path_only(self):
        x = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
        for fused in (True, False):
            _, mem = snn.Leaky(beta=0.9, fused=fused).double().sequence(x)
            if fused:
                with self.assertRaisesRegex(RuntimeError, "for second derivatives set fused = false"):
                    torch.autograd.grad(mem.pow(2).sum(), x, create_graph=True)
                continue
            (first,) = torch.autograd.grad(mem.pow(2).sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(first.sum(), x)
            self.assertGreater(second.abs().sum().item(), 0)


class Threads(unittest.TestCase):
    def test_two_networks_in_two_threads(self):
        def losses(net, x):
            optimizer = torch.optim.Adam(net.parameters(), 1e-2)
            out = []
            for _ in range(20):
                for layer in (net[1], net[3]):
                    layer.reset_mem()
                loss = sum(net(row)[2].pow(2).mean() for row in x)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                out.append(loss.item())
            return out

        inputs = [torch.rand(6, 4, 6), torch.rand(6, 4, 6)]
        alone = [losses(network(), x) for x in inputs]
        together, nets = [None, None], [network(), network()]

        def run(i):
            together[i] = losses(nets[i], inputs[i])

        threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(alone, together)

    def test_one_layer_in_two_threads_with_explicit_state(self):
        layer, results = snn.Leaky(beta=0.9), [None] * 4
        inputs = [torch.rand(50, 3, 20) for _ in results]

        def run(i):
            results[i] = [layer.sequence(inputs[i], ())[1] for _ in range(20)]

        threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for x, found in zip(inputs, results):
            for mem in found:
                self.assertTrue(torch.equal(mem, layer.sequence(x, ())[1]))


class Interruption(unittest.TestCase):
    def setUp(self):
        # A process started in the background ignores SIGINT.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def test_ctrl_c_during_a_long_call(self):
        layer = snn.Leaky(beta=0.9)
        x = torch.rand(100, 1, 500_000)  # a call takes long enough to be met

        def interrupt():
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        with self.assertRaises(KeyboardInterrupt):
            thread.start()
            while True:
                layer.sequence(x, ())
        thread.join()
        _, mem = layer(torch.ones(2))
        self.assertEqual(mem.tolist(), [1.0, 1.0])


if __name__ == "__main__":
    unittest.main()
