"""Monitors: what they record, in which order, under which name; hooks come and go."""

import gc
import unittest

import recorded  # noqa: F401 (ends the test where there is no torch)
import torch
from torch import nn

import rheobase as snn
from rheobase import utils
from rheobase.functional import probe


def network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(4, 5),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Sequential(nn.Linear(5, 3), snn.Synaptic(alpha=0.8, beta=0.9, init_hidden=True, output=True)),
    )


class Forward(unittest.TestCase):
    x = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(2)) * 4

    def test_outputs_in_order_and_by_name(self):
        net = network()
        monitor = probe.OutputMonitor(net, instance=(snn.Leaky, snn.Synaptic))
        out = [net(x) for x in self.x]
        self.assertEqual(monitor.monitored_layers, ["1", "2.1"])
        self.assertEqual(monitor.name_records_index, {"1": [0, 2, 4], "2.1": [1, 3, 5]})
        self.assertEqual(len(monitor), 6)
        for record, (spk, syn, mem) in zip(monitor["2.1"], out):
            self.assertIsInstance(record, tuple)
            self.assertTrue(all(torch.equal(a, b) for a, b in zip(record, (spk, syn, mem))))
        self.assertIs(monitor[1], monitor["2.1"][0])
        self.assertEqual(monitor["1"][0].shape, (2, 5))

    def test_without_an_instance_the_class_of_the_network_is_meant(self):
        net = network()
        for kind in (probe.OutputMonitor, probe.InputMonitor):
            self.assertEqual(kind(net).monitored_layers, ["", "2"])

    def test_inputs_and_a_function_of_them(self):
        net = network()
        monitor = probe.InputMonitor(net, nn.Linear, lambda x: x.detach().sum())
        net(self.x[0])
        self.assertEqual(len(monitor.records), 2)
        self.assertEqual(monitor["0"][0], self.x[0].sum())
        self.assertFalse(monitor.records[1].requires_grad)

    def test_disabled_cleared_removed(self):
        net = network()
        monitor = probe.OutputMonitor(net, snn.Leaky)
        monitor.disable()
        self.assertFalse(monitor.is_enable())
        net(self.x[0])
        self.assertEqual(monitor.records, [])
        monitor.enable()
        net(self.x[0])
        self.assertEqual(len(monitor["1"]), 1)
        monitor.clear_recorded_data()
        self.assertEqual((monitor.records, monitor["1"]), ([], []))
        net(self.x[0])
        monitor.remove_hooks()
        net(self.x[0])
        self.assertEqual(len(monitor["1"]), 1)

    def test_hooks_go_with_the_monitor(self):
        net = network()
        monitor = probe.AttributeMonitor("mem", False, net, snn.Leaky)
        self.assertEqual(len(net[1]._forward_hooks), 1)
        del monitor
        gc.collect()
        self.assertEqual(len(net[1]._forward_hooks), 0)

    def test_attribute_monitor_before_the_forward(self):
        net = network()
        before = probe.AttributeMonitor("mem", True, net, snn.Leaky)
        after = probe.AttributeMonitor("mem", False, net, snn.Leaky)
        for x in self.x:
            net(x)
        self.assertEqual(before[0].numel(), 0)
        for t in (1, 2):
            self.assertTrue(torch.equal(before[t], after[t - 1]))
            self.assertFalse(torch.equal(before[t], after[t]))

    def test_attribute_monitor_finds_any_attribute(self):
        class Layer(nn.Module):
            def forward(self, x):
                self.doubled = 2 * x  # a plain attribute
                return x

        net = nn.Sequential(Layer(), snn.Lapicque(R=2.0, C=3.0, init_hidden=True))
        doubled = probe.AttributeMonitor("doubled", False, net, Layer)
        hidden = probe.AttributeMonitor("init_hidden", False, net, snn.Lapicque)
        net(self.x[0])
        self.assertTrue(torch.equal(doubled[0], 2 * self.x[0]))
        self.assertEqual(hidden[0], True)


class Backward(unittest.TestCase):
    def test_gradients_from_the_last_step_and_layer_on(self):
        net = network()
        of_inputs = probe.GradInputMonitor(net, (snn.Leaky, snn.Synaptic))
        of_outputs = probe.GradOutputMonitor(net, snn.Leaky)
        inputs = probe.InputMonitor(net, snn.Leaky)
        outputs = probe.OutputMonitor(net, snn.Leaky)
        x = torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(3)) * 4
        total = sum(net(step)[2].square().sum() for step in x)
        for record in (*inputs.records, *outputs.records):
            record.retain_grad()
        total.backward()
        self.assertEqual(of_inputs.name_records_index, {"1": [1, 3], "2.1": [0, 2]})
        self.assertEqual(len(of_outputs.records), 2)
        # A step's input has a gradient of its own; the full backward hook sees the gradient of the layer's first output.
        for given, expected in zip(of_inputs["1"], reversed(inputs.records)):
            torch.testing.assert_close(given, expected.grad)
        for given, expected in zip(of_outputs.records, reversed(outputs.records)):
            torch.testing.assert_close(given, expected.grad)
        of_inputs.remove_hooks()
        utils.reset(net)
        net(x[0])[2].sum().backward()
        self.assertEqual(len(of_inputs.records), 4)


class Errors(unittest.TestCase):
    def test_keys(self):
        monitor = probe.OutputMonitor(network(), snn.Leaky)
        with self.assertRaises(IndexError):
            monitor[0]
        with self.assertRaises(KeyError):
            monitor["7"]
        with self.assertRaisesRegex(ValueError, r"\[OutputMonitor\] key must be a number or the name .* got 1.5"):
            monitor[1.5]

    def test_an_instance_must_be_given(self):
        for kind, arguments in (
            (probe.AttributeMonitor, ("mem", False, network())),
            (probe.GradInputMonitor, (network(),)),
            (probe.GradOutputMonitor, (network(), "Leaky")),
            (probe.OutputMonitor, (network(), snn.Leaky(beta=0.9))),
        ):
            with self.assertRaisesRegex(TypeError, rf"\[{kind.__name__}\] instance must be a class or .* got "):
                kind(*arguments)


if __name__ == "__main__":
    unittest.main(verbosity=2)
