"""Recorded cases of layers that are called step by step, replayed: the tests of such layers derive from `Replay`.

    class Recorded(replay.Replay, unittest.TestCase):
        targets = ("RLeaky", "RSynaptic")
"""

import warnings

import recorded
import rheobase as snn
import torch


def run(layer, x, state):
    """Calls the layer step by step with explicit state; spikes and states stacked by name."""
    rows = []
    for row in x:
        out = layer(row, *state)
        state = list(layer.state)
        rows.append([out[0], *state])
    return {name: torch.stack(values) for name, values in zip(["out", *layer.State._fields], zip(*rows))}


def results(layer, ours):
    """Under the names of the recorded outputs."""
    return dict(ours, spk=ours["out"])


def first_state(layer, inputs, row):
    shape = layer._state_shape(row)
    return [
        recorded.array(inputs[f"state0.{name}"]) if f"state0.{name}" in inputs else torch.zeros(shape, dtype=row.dtype)
        for name in layer.State._fields
    ]


class Replay:
    targets = ()

    def setUp(self):
        warnings.simplefilter("ignore", UserWarning)  # inhibition

    def each(self, kind, **further):
        for case in recorded.cases(kind, *self.targets):
            yield case, recorded.build(getattr(snn, case["target"]), case, **further)

    def test_steps(self):
        for case, layer in self.each("neuron.steps"):
            with self.subTest(case["name"]):
                x = recorded.array(case["inputs"]["x"])
                recorded.compare(self, case, results(layer, run(layer, x, first_state(layer, case["inputs"], x[0]))))

    def test_returned_states_are_snntorchs(self):
        for case, layer in self.each("neuron.steps"):
            with self.subTest(case["name"]):
                x = recorded.array(case["inputs"]["x"])
                out = layer(x[0])
                names = [name for name in layer.State._fields if name != "spk"]
                self.assertEqual(len(out), 1 + len(names))
                for value, name in zip(out[1:], names):
                    self.assertTrue(torch.equal(value, getattr(layer, name)), name)

    def test_sequence_agrees_with_the_recorded_steps(self):
        for case, layer in self.each("neuron.steps"):
            with self.subTest(case["name"]):
                x = recorded.array(case["inputs"]["x"])
                first = first_state(layer, case["inputs"], x[0])
                if layer.init_hidden:
                    for name, value in zip(layer.State._fields, first):
                        setattr(layer, name, value)
                    spk, mem = layer.sequence(x)
                else:
                    spk, mem, state = layer.sequence(x, first)
                    self.assertTrue(torch.equal(state.mem, mem[-1]))
                wanted = {k: v for k, v in case["outputs"].items() if k in ("spk", "mem")}
                recorded.compare(self, dict(case, outputs=wanted), {"spk": spk, "mem": mem})

    def test_hidden(self):
        for case, layer in self.each("neuron.hidden"):
            with self.subTest(case["name"]):
                ours = {}
                for suffix, x in (("", "x"), ("_after_reset", "x_after_reset")):
                    rows = []
                    for row in recorded.array(case["inputs"][x]):
                        out = layer(row)
                        self.assertEqual(isinstance(out, tuple), layer.output)
                        rows.append([out[0] if layer.output else out, *layer.state])
                    named = {n: torch.stack(v) for n, v in zip(["out", *layer.State._fields], zip(*rows))}
                    ours |= {name + suffix: value for name, value in results(layer, named).items()}
                    layer.reset_mem()
                recorded.compare(self, case, ours)

    def gradients(self, case, layer, ours, x, state):
        inputs = case["inputs"]
        sum((recorded.array(inputs[f"w.{n}"]) * v).sum() for n, v in ours.items() if f"w.{n}" in inputs).backward()
        ours["sum"] = sum((recorded.array(inputs[f"w.{n}"]) * v).sum() for n, v in ours.items() if f"w.{n}" in inputs)
        ours["grad.x"] = x.grad
        for name, s in zip(layer.State._fields, state):
            ours[f"grad.state0.{name}"] = s.grad if s.grad is not None else torch.zeros_like(s)
        for name, p in layer.named_parameters():
            ours[f"grad.{name}"] = p.grad if p.grad is not None else torch.zeros_like(p)
        recorded.compare(self, case, ours)

    def prepared(self, case, layer):
        x = recorded.array(case["inputs"]["x"]).requires_grad_()
        return x, [s.requires_grad_() for s in first_state(layer, case["inputs"], x.detach()[0])]

    def test_grad(self):
        for fused in (True, False):
            for case, layer in self.each("neuron.grad", fused=fused):
                with self.subTest(case["name"], fused=fused):
                    x, state = self.prepared(case, layer)
                    self.gradients(case, layer, results(layer, run(layer, x, state)), x, state)

    def test_the_gradient_of_a_sequence_is_that_of_the_recorded_steps(self):
        for fused in (True, False):
            for case, layer in self.each("neuron.grad", fused=fused):
                with self.subTest(case["name"], fused=fused):
                    x, state = self.prepared(case, layer)
                    spk, traces, last = layer._sequence(x, x.shape[0], state, True)
                    ours = dict(zip(layer.State._fields, traces), spk=spk)
                    self.gradients(case, layer, ours, x, state)

    def test_state_dict(self):
        for case in recorded.cases("state_dict"):
            built = self.state_dicts.get(case["target"])
            if built is None:
                continue
            with self.subTest(case["target"]):
                check_state_dict(self, case, built())


def check_state_dict(test, case, layer):
    """Keys, shapes and parameters of a fresh layer are the recorded ones."""
    entries = layer.state_dict()
    outputs = case["outputs"]
    test.assertEqual(sorted(entries), outputs["keys"])
    test.assertEqual([f"{k} {list(entries[k].shape)}" for k in sorted(entries)], outputs["shapes"])
    named = dict(layer.named_parameters())
    test.assertEqual(sorted(named), outputs["parameters"])
    test.assertEqual(sorted(n for n, p in named.items() if p.requires_grad), outputs["trainable"])
