"""export_to_nir and import_from_nir: what comes back spikes as what went out, and what NIR cannot say is refused.

    python3 nir_test.py

Ends with 77 and a reason where there is no nir or nirtorch to test with."""

import sys
import tempfile
import unittest
import warnings
from pathlib import Path

try:
    import nir
    import nirtorch  # noqa: F401
except ImportError as error:
    print(f"skipped: this Python lacks a package ({error})")
    sys.exit(77)

import numpy
import torch
from torch import nn

import rheobase as snn
from rheobase.export_nir import export_to_nir
from rheobase.import_nir import import_from_nir

NIRS = {"reset_mechanism": "zero", "reset_delay": False}  # the reset that NIR has
RESETS = [NIRS] + [{"reset_mechanism": m, "reset_delay": d} for m in ("subtract", "none") for d in (True, False)]
RESETS.append({"reset_mechanism": "zero", "reset_delay": True})


def run(net, x):
    """The spikes [T, B, ...] of a loop over the steps of x."""
    snn.utils.reset(net)
    out = []
    for step in x:
        spk = net(step)
        out.append(spk[0] if isinstance(spk, tuple) else spk)
    return torch.stack(out).detach()


def exported(net, x, **options):
    """The graph, quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export_to_nir(net, x[0], **options)


def through_a_file(graph, type_check=True):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.nir"
        nir.write(file, graph)
        return nir.read(file, type_check=type_check)


class Case(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def assert_same_after_a_round_trip(self, net, *shape, steps=40, scale=2.0, type_check=True):
        net.eval()
        x = scale * torch.rand(steps, 3, *shape)
        expected = run(net, x)
        self.assertTrue(
            0.01 < (expected != 0).float().mean() < 0.99, f"a test needs spikes and silence, got {expected.mean()}"
        )
        graph = exported(net, x)
        for back in (import_from_nir(graph), import_from_nir(through_a_file(graph, type_check))):
            torch.testing.assert_close(run(back, x), expected, rtol=0, atol=0)
        return graph, back


def dense(*neurons, sizes=(7, 11, 5)):
    layers = []
    for neuron, inputs, outputs in zip(neurons, sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), neuron]
    return nn.Sequential(*layers)


class RoundTrip(Case):
    def test_every_reset_of_every_neuron(self):
        for reset in RESETS:
            options = {"init_hidden": True, "threshold": 0.4, **reset}
            nets = {
                "Leaky, Synaptic": dense(snn.Leaky(beta=0.9, **options), snn.Synaptic(alpha=0.5, beta=0.7, **options)),
                "RLeaky": dense(
                    snn.RLeaky(beta=0.8, linear_features=11, **options),
                    snn.RLeaky(beta=0.8, V=-0.2, all_to_all=False, **options),
                ),
                "RSynaptic": dense(
                    snn.RSynaptic(alpha=0.4, beta=0.6, linear_features=11, **options),
                    snn.RSynaptic(alpha=0.4, beta=0.6, V=-0.2, all_to_all=False, **options),
                ),
            }
            for name, net in nets.items():
                with self.subTest(net=name, **reset):
                    self.assert_same_after_a_round_trip(net, 7)

    def test_recurrent_layers_come_back_with_the_same_output_at_every_step(self):
        for options in (
            {"linear_features": 6},
            {"all_to_all": False, "V": 0.4},
            {"all_to_all": False, "V": torch.linspace(-0.5, 0.5, 6)},
            {"all_to_all": False, "V": 0.4, "learn_recurrent": False},
        ):
            for kind, decays in ((snn.RLeaky, {"beta": 0.8}), (snn.RSynaptic, {"alpha": 0.5, "beta": 0.7})):
                with self.subTest(kind=kind.__name__, **options):
                    layer = kind(**decays, **options, init_hidden=True, **NIRS)
                    graph, back = self.assert_same_after_a_round_trip(dense(layer, sizes=(7, 6)), 7)
                    self.assertEqual(set(graph.nodes), {"input", "0", "1.lif", "1.w_rec", "output"})
                    self.assertIn(("0", "1.lif"), graph.edges)
                    again = back.get_submodule("1")
                    self.assertIs(type(again), kind)
                    self.assertEqual(again.all_to_all, layer.all_to_all)

    def test_a_dense_feedback_that_happens_to_be_diagonal_stays_dense(self):
        layer = snn.RLeaky(beta=0.8, linear_features=4, init_hidden=True, **NIRS)
        layer.recurrent.weight.data = torch.eye(4)
        layer.recurrent.bias.data.zero_()
        _, back = self.assert_same_after_a_round_trip(dense(layer, sizes=(3, 4)), 3, scale=3)
        self.assertTrue(back.get_submodule("1").all_to_all)

    def test_convolutional_network(self):
        options = {"init_hidden": True, "threshold": 0.4, **NIRS}
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, stride=2),
            snn.Leaky(beta=0.8, **options),
            nn.AvgPool2d(2),
            snn.RLeaky(beta=0.8, conv2d_channels=4, kernel_size=3, **options),
            nn.Dropout(0.5),
            nn.Conv2d(4, 6, 3, groups=2, bias=False),
            snn.RSynaptic(alpha=0.3, beta=0.5, all_to_all=False, V=0.1, **options),
            nn.Flatten(),
            nn.Linear(24, 5),
            snn.Synaptic(alpha=0.5, beta=0.8, init_hidden=True, **NIRS, output=True, threshold=0.1),
        )
        graph, back = self.assert_same_after_a_round_trip(net, 2, 16, 16)
        self.assertEqual(back.get_submodule("5").groups, 2)
        self.assertEqual(list(graph.nodes["3.lif"].v_threshold.shape), [4, 4, 4])
        self.assertEqual(graph.nodes["3.w_rec"].weight.shape, (4, 4, 3, 3))

    def test_average_pooling_keeps_its_padding(self):
        options = {"init_hidden": True, "threshold": 0.3, **NIRS}
        for pool in (
            nn.AvgPool2d(3, stride=2, padding=1),
            nn.AvgPool2d((2, 3), padding=(0, 1)),
            nn.AvgPool2d(2, divisor_override=1),
        ):
            with self.subTest(pool=pool):
                net = nn.Sequential(pool, snn.Leaky(beta=0.7, **options))
                graph, back = self.assert_same_after_a_round_trip(
                    net, 2, 8, 8, scale=1.0 if pool.divisor_override is None else 0.15
                )
                padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding,) * 2
                self.assertEqual(tuple(graph.nodes["0"].padding), padding)

    def test_one_dimensional_convolution(self):
        net = nn.Sequential(
            nn.Conv1d(4, 6, 3, padding=1, groups=2), snn.Leaky(beta=0.7, init_hidden=True, threshold=0.3, **NIRS)
        )
        self.assert_same_after_a_round_trip(net, 4, 9)

    def test_oblong_kernel_is_read_without_the_check_of_types(self):
        net = nn.Sequential(
            nn.Conv2d(1, 2, (3, 5), padding="same"),
            nn.Conv2d(2, 2, (1, 3)),
            snn.Leaky(beta=0.7, init_hidden=True, threshold=0.2, **NIRS),
        )
        self.assert_same_after_a_round_trip(net, 1, 6, 7, type_check=False)
        with self.assertWarnsRegex(UserWarning, r"layer '0' has a kernel of 3 x 5: .*type_check=False"):
            export_to_nir(net, torch.rand(1, 1, 6, 7))

    def test_one_value_for_each_neuron_or_channel(self):
        options = {"init_hidden": True, **NIRS}
        net = nn.Sequential(
            nn.Conv2d(1, 3, 3),
            snn.Leaky(
                beta=torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1),
                threshold=torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1),
                **options,
            ),
            nn.Flatten(),
            nn.Linear(48, 5),
            snn.Synaptic(alpha=torch.rand(5), beta=torch.rand(5), threshold=0.2, **options),
        )
        _, back = self.assert_same_after_a_round_trip(net, 1, 6, 6)
        self.assertEqual(tuple(back.get_submodule("1").beta.shape), (3, 1, 1))
        self.assertEqual(tuple(back.get_submodule("4").alpha.shape), (5,))
        self.assertEqual(tuple(back.get_submodule("4").threshold.shape), ())

    def test_decays_come_back_to_the_bit(self):
        betas = torch.rand(1000)
        net = nn.Sequential(snn.Synaptic(alpha=1 - betas, beta=betas, init_hidden=True))
        back = import_from_nir(through_a_file(exported(net, torch.rand(1, 1, 1000)))).get_submodule("0")
        self.assertTrue(torch.equal(back.beta, betas) and torch.equal(back.alpha, 1 - betas))

    def test_parameters_without_dimensions_are_expanded(self):
        leaky = snn.Leaky(beta=torch.tensor(0.9), threshold=torch.tensor(0.5), init_hidden=True)
        node = exported(dense(leaky, sizes=(3, 4)), torch.rand(1, 2, 3)).nodes["1"]
        for field in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
            self.assertEqual(getattr(node, field).shape, (4,))
        numpy.testing.assert_allclose(node.tau, 1e-4 / (1 - float(leaky.beta)), rtol=1e-12)
        numpy.testing.assert_allclose(node.r, 1 / (1 - float(leaky.beta)), rtol=1e-12)

    def test_graded_spikes_factor_is_a_scale(self):
        net = dense(
            snn.Leaky(beta=0.8, graded_spikes_factor=1.5, init_hidden=True, **NIRS),
            snn.Leaky(beta=0.8, init_hidden=True, **NIRS),
        )
        graph, _ = self.assert_same_after_a_round_trip(net, 7)
        numpy.testing.assert_array_equal(graph.nodes["1.graded_spikes_factor"].scale, [1.5] * 11)

    def test_no_leak_is_an_if_node(self):
        net = dense(
            snn.Leaky(beta=1.0, init_hidden=True, threshold=3.0, **NIRS),
            snn.RLeaky(beta=1.5, linear_features=5, init_hidden=True, **NIRS),
        )
        graph, back = self.assert_same_after_a_round_trip(net, 7)
        self.assertIsInstance(graph.nodes["1"], nir.IF)
        self.assertIsInstance(graph.nodes["3.lif"], nir.IF)

    def test_a_network_of_ones_own_with_its_loop_and_a_sum(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1, self.fc2, self.fc3 = nn.Linear(8, 6), nn.Linear(6, 6), nn.Linear(6, 3)
                self.lif1, self.lif2 = snn.Leaky(beta=0.9, **NIRS), snn.Synaptic(alpha=0.5, beta=0.8, **NIRS)
                self.rec = snn.RLeaky(beta=0.8, linear_features=6, **NIRS)
                self.lif3 = snn.Leaky(beta=0.7, threshold=0.2, **NIRS)

            def forward(self, x):  # [T, B, 2, 4]
                mem1, mem3 = self.lif1.reset_mem(), self.lif3.reset_mem()
                (syn2, mem2), (spkr, memr) = self.lif2.reset_mem(), self.rec.reset_mem()
                spikes, membranes = [], []
                for step in range(x.shape[0]):
                    spk1, mem1 = self.lif1(self.fc1(x[step].flatten(1)), mem1)
                    spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
                    spkr, memr = self.rec(spk1 + spk2, spkr, memr)
                    spk3, mem3 = self.lif3(self.fc3(spkr), mem3)
                    spikes.append(spk3)
                    membranes.append(mem3)
                return torch.stack(spikes), torch.stack(membranes)

        net, x = Net(), 3 * torch.rand(30, 2, 2, 4)
        expected = net(x)[0]
        self.assertTrue(5 < expected.sum() < expected.numel() - 5)
        graph = export_to_nir(net, x)
        self.assertEqual(
            set(graph.edges),
            {("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"), ("lif1", "rec.lif"), ("lif2", "rec.lif")}
            | {("rec.lif", "rec.w_rec"), ("rec.w_rec", "rec.lif"), ("rec.lif", "fc3"), ("fc3", "lif3"), ("lif3", "output")},
        )
        back = import_from_nir(through_a_file(graph))
        torch.testing.assert_close(run(back, x.flatten(2)), expected.detach(), rtol=0, atol=0)

    def test_a_loop_over_several_layers_hands_on_the_state(self):
        class Loop(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 4)
                self.first, self.second = snn.Leaky(beta=0.9, **NIRS), snn.Leaky(beta=0.8, threshold=0.1, **NIRS)

            def forward(self, x):
                mem1, mem2, back, out = self.first.reset_mem(), self.second.reset_mem(), torch.zeros(x.shape[1], 4), []
                for step in x:
                    spk, mem1 = self.first(self.a(step) + back, mem1)
                    back, mem2 = self.second(self.b(spk), mem2)
                    out.append(back)
                return torch.stack(out)

        net, x = Loop(), 6 * torch.rand(30, 2, 3)
        expected = net(x)
        self.assertTrue(5 < expected.sum() < expected.numel() - 5)
        back, state, spikes = import_from_nir(through_a_file(export_to_nir(net, x))), None, []
        for step in x:
            spk, state = back(step, state)
            spikes.append(spk)
        torch.testing.assert_close(torch.stack(spikes), expected, rtol=0, atol=0)

    def test_sequential_and_fused_networks(self):
        layers = [
            nn.Linear(7, 6),
            snn.Leaky(beta=0.9, **NIRS),
            nn.Linear(6, 5),
            snn.RLeaky(beta=0.8, linear_features=5, **NIRS),
        ]
        x = 2 * torch.rand(30, 2, 7)
        net = snn.Sequential(layers[0], snn.Sequential(*layers[1:3]), layers[3])
        expected, _ = net(x)
        self.assertTrue(5 < expected.sum() < expected.numel() - 5)
        graph = export_to_nir(net, x)
        self.assertEqual(set(graph.nodes), {"input", "0", "1.0", "1.1", "2.lif", "2.w_rec", "output"})
        torch.testing.assert_close(run(import_from_nir(through_a_file(graph)), x), expected.detach(), rtol=0, atol=0)
        for layer in (layers[1], layers[3]):
            layer.init_hidden = True
        fused = snn.fuse(nn.Sequential(*layers), num_steps=9)
        snn.utils.reset(fused)
        expected = fused(x[0])
        back = import_from_nir(export_to_nir(fused, x[0]))
        torch.testing.assert_close(run(back, x[:1].expand(9, 2, 7)), expected.detach(), rtol=0, atol=0)

    def test_the_network_stays_as_it_is(self):
        net = dense(snn.Leaky(beta=0.9, init_hidden=True), snn.RLeaky(beta=0.9, linear_features=5, init_hidden=True))
        net.train()
        run(net, torch.rand(3, 2, 7))
        before = net[1].mem
        exported(net, torch.rand(1, 1, 7))
        self.assertIs(net[1].mem, before)
        self.assertTrue(net.training and net[1].training)
        self.assertFalse(any(module._forward_hooks or module._forward_pre_hooks for module in net.modules()))

    def test_the_graph_stays_as_it_is(self):
        net = dense(snn.RLeaky(beta=0.9, linear_features=5, init_hidden=True, **NIRS), sizes=(7, 5))
        graph = exported(net, torch.rand(1, 1, 7))
        nodes, edges = dict(graph.nodes), list(graph.edges)
        import_from_nir(graph)
        self.assertEqual((graph.nodes, graph.edges), (nodes, edges))

    def test_gradients_reach_the_weights(self):
        net = dense(
            snn.Leaky(beta=0.9, init_hidden=True, threshold=0.2, **NIRS),
            snn.RLeaky(beta=0.9, linear_features=5, init_hidden=True, threshold=0.2, **NIRS),
        )
        back = import_from_nir(exported(net, torch.rand(1, 2, 7)))
        sum(back(step)[0].sum() for step in 4 * torch.rand(9, 2, 7)).backward()
        self.assertGreater(back.get_submodule("0").weight.grad.abs().sum(), 0)
        self.assertGreater(back.get_submodule("3").recurrent.weight.grad.abs().sum(), 0)


class Shapes(Case):
    def test_the_batch_is_left_out(self):
        net = dense(snn.Leaky(beta=0.9, init_hidden=True, **NIRS), sizes=(7, 5))
        for sample, options in (
            (torch.rand(7), {}),
            (torch.rand(1, 7), {}),
            (torch.rand(4, 7), {"ignore_dims": [0]}),
            (torch.rand(6, 4, 7), {"ignore_dims": [0, 1]}),
            (torch.rand(6, 4, 7), {"ignore_dims": [0, -2]}),
        ):
            with self.subTest(shape=tuple(sample.shape), **options):
                snn.utils.reset(net)
                graph = export_to_nir(net, sample, **options)
                self.assertEqual(graph.nodes["input"].input_type["input"].tolist(), [7])
                self.assertEqual(graph.nodes["output"].output_type["output"].tolist(), [5])

    def test_one_image_without_a_batch(self):
        graph = export_to_nir(nn.Sequential(nn.Conv2d(1, 2, 3)), torch.rand(1, 8, 8))
        self.assertEqual(graph.nodes["input"].input_type["input"].tolist(), [1, 8, 8])

    def test_flatten_counts_without_the_batch(self):
        for module, ends in ((nn.Flatten(), (0, -1)), (nn.Flatten(2, 3), (1, 2)), (nn.Flatten(-2, -1), (-2, -1))):
            with self.subTest(module=module):
                graph = through_a_file(export_to_nir(nn.Sequential(module), torch.rand(5, 2, 3, 4)))
                self.assertEqual((graph.nodes["0"].start_dim, graph.nodes["0"].end_dim), ends)
                x = torch.rand(5, 2, 3, 4)
                torch.testing.assert_close(import_from_nir(graph)(x)[0], module(x))

    def test_a_layer_alone(self):
        graph = export_to_nir(snn.Leaky(beta=0.9, init_hidden=True), torch.rand(2, 3), model_name="only")
        self.assertEqual(graph.edges, [("input", "only"), ("only", "output")])

    def test_layers_called_as_ports_are(self):
        net = nn.ModuleDict({"input": nn.Linear(3, 4), "output": nn.Linear(4, 2)})
        net.forward = lambda x: net["output"](net["input"](x))
        graph = export_to_nir(net, torch.rand(1, 3))
        self.assertEqual(graph.edges, [("input_node", "input"), ("input", "output"), ("output", "output_node")])

    def test_more_arguments_for_forward(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)

            def forward(self, x, twice):
                return self.fc(x) if twice is True else None

        self.assertEqual(len(export_to_nir(Net(), torch.rand(1, 3), model_fwd_args=[True]).nodes), 3)


class Resets(Case):
    def message(self, neuron):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            graph = export_to_nir(dense(neuron, sizes=(3, 4)), torch.rand(1, 3))
        return graph, "\n".join(str(warning.message) for warning in caught)

    def test_another_reset_than_nirs_is_kept_in_the_metadata_and_warned_of(self):
        graph, message = self.message(snn.Leaky(beta=0.9, init_hidden=True))
        self.assertIn("[export_to_nir] the resets of '1' (subtract, one step later) are not NIR's", message)
        metadata = through_a_file(graph).nodes["1"].metadata["rheobase"]
        self.assertEqual((metadata["reset_mechanism"], bool(metadata["reset_delay"])), ("subtract", True))
        numpy.testing.assert_array_equal(graph.nodes["1"].v_reset, numpy.zeros(4))

    def test_nirs_own_reset_says_nothing(self):
        for neuron in (
            snn.Leaky(beta=0.9, init_hidden=True, **NIRS),
            snn.Synaptic(alpha=0.5, beta=0.9, init_hidden=True, **NIRS),
        ):
            graph, message = self.message(neuron)
            self.assertEqual((graph.nodes["1"].metadata, message), ({}, ""))

    def test_a_leaky_that_falls_to_zero_spikes_the_same_with_and_without_delay(self):
        graph, message = self.message(snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="zero"))
        self.assertEqual(message, "")
        x = torch.rand(40, 2, 3) * 2
        as_we_read_it = run(import_from_nir(graph), x)
        graph.nodes["1"].metadata = {}
        as_others_read_it = run(import_from_nir(graph), x)
        self.assertGreater(as_we_read_it.sum(), 5)
        torch.testing.assert_close(as_others_read_it, as_we_read_it)


class Refused(Case):
    def refuse(self, net, message, *shape, **options):
        with self.assertRaisesRegex(ValueError, message):
            export_to_nir(net, torch.rand(2, *(shape or (3,))), **options)

    def test_layers_without_a_node(self):
        hidden = {"init_hidden": True}
        for layer in (
            nn.ReLU(),
            nn.MaxPool2d(2),
            snn.Alpha(alpha=0.9, beta=0.8, **hidden),
            snn.Lapicque(beta=0.9, **hidden),
            snn.DeltaLeaky(0.1, beta=0.9, **hidden),
            snn.SLSTM(3, 3, **hidden),
        ):
            with self.subTest(layer=type(layer).__name__):
                shape = (3, 4, 4) if isinstance(layer, nn.MaxPool2d) else (3,)
                self.refuse(
                    nn.Sequential(nn.Identity(), layer),
                    rf"\[export_to_nir\] layer '1', a {type(layer).__name__}: NIR has no node for it",
                    *shape,
                )

    def test_what_a_neuron_has_that_nir_does_not(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inhibiting = snn.Leaky(beta=0.9, inhibition=True, init_hidden=True)
        for neuron, rule in (
            (inhibiting, "inhibition must be False, got True"),
            (snn.Leaky(beta=0.9, state_quant=lambda u: u, init_hidden=True), "state_quant must be False"),
            (snn.Leaky(beta=torch.tensor([0.5, 1.0, 1.0]), init_hidden=True), "beta must be below 1, got 1"),
            (snn.Synaptic(alpha=1.0, beta=0.9, init_hidden=True), "alpha must be below 1, got 1"),
            (snn.Synaptic(alpha=0.5, beta=1.0, init_hidden=True), "beta must be below 1, got 1"),
        ):
            with self.subTest(rule=rule):
                self.refuse(nn.Sequential(neuron), rule)

    def test_graded_spikes_that_are_fed_back(self):
        layer = snn.RLeaky(beta=0.9, linear_features=3, init_hidden=True, graded_spikes_factor=1.5)
        self.refuse(nn.Sequential(layer), "graded_spikes_factor must be 1 where spikes are fed back, got 1.5")

    def test_options_of_torchs_layers(self):
        for layer, rule, shape in (
            (
                nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"),
                "padding_mode must be 'zeros', got 'circular'",
                (1, 5, 5),
            ),
            (nn.AvgPool2d(2, ceil_mode=True), "ceil_mode must be False", (1, 5, 5)),
            (nn.AvgPool2d(3, padding=1, count_include_pad=False), "count_include_pad must be True", (1, 5, 5)),
            (nn.AvgPool2d(2, divisor_override=3), "divisor_override must be None, or 1 for a sum, got 3", (1, 6, 6)),
            (nn.Flatten(0), "start_dim must not take in the batch, got 0", (3,)),
            (nn.Linear(3, 2), r"its input must be a vector for each sample, got \(5, 3\)", (5, 3)),
        ):
            with self.subTest(rule=rule):
                self.refuse(nn.Sequential(layer), rule, *shape)

    def test_computation_between_layers(self):
        class Net(nn.Module):
            def __init__(self, between):
                super().__init__()
                self.a, self.b, self.between = nn.Linear(3, 3), nn.Linear(3, 3), between

            def forward(self, x):
                return self.between(self, self.a(x))

        for between, rule in (
            (
                lambda net, y: net.b(torch.relu(y)),
                "the input of layer 'b' must be the output of layers or their sum, got what torch.relu made",
            ),
            (lambda net, y: net.b(2 * y), "got what torch.Tensor.*mul.* made of it"),
            (lambda net, y: net.b(y + 1), "got what torch.Tensor.add made of it"),
            (lambda net, y: net.b(torch.rand(2, 3)), "the input of layer 'b' must come from a layer or be the network's"),
            (
                lambda net, y: net.a(net.b(y)),
                "layer 'a' must have one place in the network, got inputs from the input and from 'b'",
            ),
        ):
            with self.subTest(rule=rule):
                self.refuse(Net(between), rule)


def euler(x, beta, gain, threshold, alpha=None):
    """Spikes [T, B, N] of NIR's equations in double precision, one Euler step a row, reset at once: a plain loop."""
    x = x.double().numpy()
    v = numpy.zeros(x.shape[1:])
    i = numpy.zeros(x.shape[1:])
    spikes = []
    for row in x:
        i = row if alpha is None else alpha * i + row
        v = beta * v + gain * i
        spk = v > threshold
        v = numpy.where(spk, 0, v)
        spikes.append(spk)
    return torch.tensor(numpy.array(spikes)).float()


def chain(node, size):
    return nir.NIRGraph(
        {"input": nir.Input(numpy.array([size])), "n": node, "output": nir.Output(numpy.array([size]))},
        [("input", "n"), ("n", "output")],
    )


class OtherPeoplesFiles(Case):
    x = torch.rand(60, 2, 3, generator=torch.Generator().manual_seed(4))

    def assert_spikes(self, node, expected):
        self.assertTrue(10 < expected.sum() < expected.numel() - 10, "a test needs spikes and silence")
        torch.testing.assert_close(run(import_from_nir(through_a_file(chain(node, 3))), self.x), expected)

    def test_an_if_node_has_no_leak(self):
        for r in (1.0, 0.5):
            node = nir.IF(r=numpy.full(3, r), v_threshold=numpy.full(3, 1.7))
            self.assert_spikes(node, euler(self.x, 1.0, r, 1.7))
        self.assertEqual(import_from_nir(chain(node, 3)).get_submodule("n").beta.item(), 1.0)

    def test_lif_with_gains_and_thresholds_of_each_neuron(self):
        tau, r, threshold = numpy.array([2e-4, 1e-3, 5e-4]), numpy.array([2.0, 11.0, 3.0]), numpy.array([0.6, 1.1, 0.9])
        node = nir.LIF(tau=tau, r=r, v_leak=numpy.zeros(3), v_threshold=threshold)
        self.assert_spikes(node, euler(self.x, 1 - 1e-4 / tau, r * 1e-4 / tau, threshold))

    def test_cubalif_with_an_input_weight(self):
        ones = numpy.ones(3)
        node = nir.CubaLIF(
            tau_syn=3e-4 * ones, tau_mem=1e-3 * ones, r=2 * ones, v_leak=0 * ones, v_threshold=0.3 * ones, w_in=1.5
        )
        self.assert_spikes(node, euler(self.x, 0.9, 0.2 * 0.5, 0.3, alpha=1 - 1 / 3))

    def test_a_recurrent_graph_inside_a_graph(self):
        weight = numpy.array([[0.0, 0.5, 0.0], [0.3, 0.0, -0.6], [0.1, 0.2, 0.0]])
        ones = numpy.ones(3)
        lif = nir.LIF(tau=1e-3 * ones, r=10 * ones, v_leak=0 * ones, v_threshold=ones)
        inner = nir.NIRGraph(
            {"in": nir.Input(numpy.array([3])), "cells": lif, "w": nir.Linear(weight), "out": nir.Output(numpy.array([3]))},
            [("in", "cells"), ("cells", "w"), ("w", "cells"), ("cells", "out")],
        )
        net = import_from_nir(through_a_file(chain(inner, 3)))
        layer = net.get_submodule("n_cells")
        self.assertIs(type(layer), snn.RLeaky)
        mem, spk, expected = numpy.zeros((2, 3)), numpy.zeros((2, 3)), []
        for row in self.x.double().numpy():
            mem = 0.9 * mem + row + spk @ weight.T
            spk = (mem > 1).astype(float)
            mem = mem * (1 - spk)
            expected.append(spk)
        torch.testing.assert_close(run(net, self.x).double(), torch.tensor(numpy.array(expected)))

    def test_scale_and_self_feedback(self):
        ones = numpy.ones(3)
        lif = nir.LIF(tau=2e-4 * ones, r=2 * ones, v_leak=0 * ones, v_threshold=ones)
        graph = nir.NIRGraph(
            {
                "input": nir.Input(numpy.array([3])),
                "s": nir.Scale(numpy.array([1.0, 2.0, 0.5])),
                "n": lif,
                "output": nir.Output(numpy.array([3])),
            },
            [("input", "s"), ("s", "n"), ("n", "n"), ("n", "output")],
        )
        layer = import_from_nir(graph).get_submodule("n")
        self.assertEqual((type(layer), layer.all_to_all, float(layer.V)), (snn.RLeaky, False, 1.0))
        x = torch.rand(2, 3)
        torch.testing.assert_close(import_from_nir(graph).get_submodule("s")(x), x * torch.tensor([1.0, 2.0, 0.5]))

    def test_refusals(self):
        ones = numpy.ones(3)
        good = {"tau": 1e-3 * ones, "r": 10 * ones, "v_leak": 0 * ones, "v_threshold": ones}
        for node, rule in (
            (nir.LIF(**{**good, "v_leak": numpy.array([0, -0.1, 0])}), "node 'n': v_leak must be 0, got -0.1"),
            (nir.LIF(**good, v_reset=0.2 * ones), "node 'n': v_reset must be 0, got 0.2"),
            (nir.LIF(**{**good, "tau": 1e-5 * ones}), "node 'n': tau must be at least the time step of 0.0001 s, got 1e-05"),
            (nir.LIF(**{**good, "r": -ones}), "node 'n': r and w_in must be positive"),
            (nir.LI(1e-3 * ones, ones, 0 * ones), "node 'n' must be one of Affine, .*, got LI"),
            (nir.Delay(ones), "node 'n' must be one of Affine, .*, got Delay"),
        ):
            with self.subTest(rule=rule), self.assertRaisesRegex(ValueError, rf"\[import_from_nir\] {rule}"):
                import_from_nir(chain(node, 3))

    def test_two_outputs(self):
        graph = chain(nir.Linear(numpy.eye(3)), 3)
        graph.nodes["output2"], graph.edges = nir.Output(numpy.array([3])), graph.edges + [("n", "output2")]
        with self.assertRaisesRegex(
            ValueError, r"\[import_from_nir\] graph must have one Output node, got \['output', 'output2'\]"
        ):
            import_from_nir(graph)


class WithoutThePackage(unittest.TestCase):
    def test_the_error_names_it(self):
        saved = sys.modules["nir"]
        sys.modules["nir"] = None
        try:
            with self.assertRaisesRegex(ModuleNotFoundError, r"\[export_to_nir\] needs the package nir"):
                export_to_nir(nn.Linear(1, 1), torch.rand(1, 1))
        finally:
            sys.modules["nir"] = saved


if __name__ == "__main__":
    unittest.main(verbosity=2)
