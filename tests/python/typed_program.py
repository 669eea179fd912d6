"""A program that uses every public name of the package: mypy reads it strictly (stubs_test.py), and it runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import torch
from torch import Tensor, nn

import rheobase as snn
import rheobase.functional as SF
from rheobase import backprop, spikegen, spikeplot, surrogate, utils
from rheobase.export_nir import export_to_nir
from rheobase.functional import acc, loss, probe, quant, reg, stdp_learner
from rheobase.functional.quant import StateQuant, state_quant
from rheobase.functional.stdp_learner import (
    STDPLearner,
    mstdp_linear_single_step,
    mstdpet_linear_single_step,
    stdp_conv1d_single_step,
    stdp_conv2d_single_step,
    stdp_linear_single_step,
)
from rheobase.import_nir import import_from_nir

warnings.simplefilter("ignore")
T, B, N = 6, 2, 4
x = torch.rand(T, B, N)


def neurons() -> None:
    lapicque = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
    leaky = snn.Leaky(0.9, learn_beta=True, spike_grad=surrogate.fast_sigmoid(slope=10))
    synaptic = snn.Synaptic(alpha=0.8, beta=torch.full((N,), 0.9), reset_mechanism="zero")
    alpha = snn.Alpha(alpha=0.9, beta=0.8)
    delta = snn.DeltaLeaky(0.1, 0.9, init_hidden=True)
    rleaky = snn.RLeaky(beta=0.9, linear_features=N)
    rsynaptic = snn.RSynaptic(alpha=0.8, beta=0.9, V=0.5, all_to_all=False)
    slstm = snn.SLSTM(N, 3)
    sconv = snn.SConv2dLSTM(1, 2, kernel_size=3, max_pool=2)
    cuba = snn.CubaLIF(tau_syn=5e-3, tau_mem=torch.full((N,), 2e-2), learn_tau_syn=True, integration="euler")
    spk, mem = lapicque(x[0], lapicque.reset_mem())
    spk, syn, mem = cuba(x[0], *cuba.reset_mem())
    spk, mem = leaky(x[0], mem)
    spk, syn, mem = synaptic(x[0], *synaptic.reset_mem())
    spk, syn_exc, syn_inh, mem = alpha(x[0], *alpha.init_alpha())
    spk, (mem, mem_prev) = delta(x[0])
    spk, mem = rleaky(x[0], *rleaky.reset_mem())
    spk, syn, mem = rsynaptic(x[0], *rsynaptic.init_rsynaptic())
    spk, syn, mem = slstm(x[0], *slstm.reset_mem())
    spk, syn, mem = sconv(torch.rand(B, 1, 8, 8))
    beta: Tensor = leaky.beta
    mem = leaky.state.mem + beta
    spk, mem = leaky.sequence(x)
    spk, mem, state = synaptic.sequence(snn.constant(x[0], T), ())
    syn = state.syn
    constant: snn.TimeConstant = snn.constant(x[0], T)
    whole: Tensor = constant.expand()
    for layer in (snn.SpikingNeuron, snn.Leaky, snn.LIF):
        layer.detach_hidden()
    leaky.reset_mechanism = "none"
    shapes: list[torch.Size] = [
        snn.LeakyParallel(N, 3, beta=0.5)(x).shape,
        snn.StateLeaky(beta=0.9, channels=N)(x)[0].shape,
        snn.PSN(T, threshold=0.5)(x)[0].shape,
        snn.SlidingPSN(order=3).sequence(x, ())[2].past.shape,
        snn.LinearLeaky(beta=0.9, in_features=N, out_features=3)(x)[0].shape,
        snn.AssociativeLeaky(in_dim=N, d_value=2, d_key=2, num_spiking_neurons=4)(x).shape,
        snn.GradedSpikes(N, 1.5)(spk).shape,
        snn.BatchNormTT1d(N, T)[0](x[0]).shape,
        snn.BatchNormTT2d(2, T)[0](torch.rand(B, 2, 3, 3)).shape,
        whole.shape,
        syn.shape,
    ]
    assert len(shapes) == 11 and mem_prev.shape == syn_exc.shape == syn_inh.shape


@snn.neuron
def Own(
    x: Tensor, mem: Tensor, *, beta: float = 0.9, threshold: Tensor, spike: surrogate.Surrogate
) -> tuple[Tensor, Tensor]:
    """Leaky, without a reset."""
    mem = beta * mem + x
    return spike(mem - threshold), mem


class Rows:
    """A data set as torchvision's are."""

    def __init__(self) -> None:
        self.data, self.targets = torch.rand(10, 2), torch.arange(10)

    def __len__(self) -> int:
        return len(self.data)


class Mine(snn.LIF):
    """A layer of one's own."""

    def _step(self, x: Tensor, state: list[Tensor]) -> list[Tensor]:
        (mem,) = self._fresh(state, x)
        mem = self.beta * mem + x
        return [self.fire(mem), mem]


def networks() -> None:
    net = nn.Sequential(
        nn.Linear(N, 5),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(5, 3),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    spk, mem = snn.fuse(net, num_steps=T)(x[0])
    utils.reset(net)
    spk, mem = snn.Sequential(nn.Linear(N, 5), Own(beta=0.8), nn.Linear(5, 3), Mine(0.9))(x)
    graph = export_to_nir(net, x[0])
    spk, state = import_from_nir(graph)(x[0])
    data: Iterator[tuple[Tensor, Tensor]] = iter([(x, torch.zeros(B, dtype=torch.int64))])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for train in (backprop.BPTT, backprop.RTRL, backprop.TBPTT):
        batches = [(torch.rand(T, B, N), torch.zeros(B, dtype=torch.int64))]
        average: Tensor = train(net, batches, optimizer, SF.ce_rate_loss())
    assert average.numel() == 1 and next(data)[0] is x


def surrogates() -> None:
    u = torch.linspace(-1, 1, 5)
    closed: list[surrogate.Surrogate] = [
        surrogate.atan(alpha=2.0),
        surrogate.fast_sigmoid(slope=25),
        surrogate.heaviside(),
        surrogate.LSO(slope=0.1),
        surrogate.SFS(slope=25, B=1),
        surrogate.sigmoid(slope=25),
        surrogate.spike_rate_escape(beta=1, slope=25),
        surrogate.SSO(mean=0, variance=0.2),
        surrogate.straight_through_estimator(),
        surrogate.triangular(threshold=1),
        surrogate.gaussian(),
        surrogate.log_tailed_relu(),
        surrogate.multi_gaussian(),
        surrogate.piecewise_linear(),
        surrogate.super_spike(),
    ]
    spikes: list[Tensor] = [spike(u) for spike in closed]
    spikes += [
        surrogate.ATan.apply(u, 2.0),
        surrogate.FastSigmoid.apply(u, 25),
        surrogate.Heaviside.apply(u),
        surrogate.LeakySpikeOperator.apply(u, 0.1),
        surrogate.SparseFastSigmoid.apply(u, 25, 1),
        surrogate.Sigmoid.apply(u, 25),
        surrogate.SpikeRateEscape.apply(u, 1, 25),
        surrogate.StochasticSpikeOperator.apply(u, 0, 0.2),
        surrogate.StraightThroughEstimator.apply(u),
        surrogate.Triangular.apply(u, 1),
        surrogate.custom_surrogate(lambda u, grad, spk: grad * spk)(u),
        surrogate.CustomSurrogate.apply(u, lambda u, grad, spk: grad),
    ]
    assert all(torch.equal(spk, spikes[0]) for spk in spikes)


def encoders() -> None:
    data, labels = torch.rand(B, N), torch.tensor([0, 2])
    spikes: list[Tensor] = [
        spikegen.rate(data, num_steps=T, gain=0.5, seed=1),
        spikegen.rate_conv(data),
        spikegen.latency(data, num_steps=T, tau=5, normalize=True, linear=True),
        spikegen.latency_code(data, num_steps=T)[0],
        spikegen.latency_code_linear(data, num_steps=T)[0],
        spikegen.latency_code_log(data, num_steps=T)[0],
        spikegen.latency_interpolate(torch.ones(B, N), T),
        spikegen.delta(x, threshold=0.2, off_spike=True),
        spikegen.delta_demodulation(spikegen.delta_modulation(x, threshold=0.1)[0], threshold=0.1),
        spikegen.phase(data, T),
        spikegen.burst(data, T),
        spikegen.population(data, num_neurons=5),
        spikegen.population_latency(data, T, num_neurons=5),
        spikegen.targets_convert(labels, 3, code="latency", num_steps=T, normalize=True, linear=True),
        spikegen.targets_rate(labels, 3, num_steps=T),
        spikegen.targets_latency(labels, 3, num_steps=T, normalize=True, linear=True),
        spikegen.target_rate_code(T, rate=0.5)[0],
        spikegen.rate_interpolate(torch.tensor([1.0, 3.0]), T),
        spikegen.to_one_hot(labels, 3),
        spikegen.to_one_hot_inverse(spikegen.to_one_hot(labels, 3)),
        spikegen.from_one_hot(spikegen.to_one_hot(labels, 3)),
    ]
    assert all(isinstance(spk, Tensor) for spk in spikes)


def losses() -> None:
    rec, targets = (torch.rand(T, B, N) < 0.5).float().requires_grad_(), torch.tensor([1, 3])
    criteria: list[loss.LossFunctions] = [
        SF.ce_rate_loss(),
        SF.ce_count_loss(population_code=True, num_classes=2) if N == 2 else SF.ce_count_loss(),
        SF.ce_max_membrane_loss(reduction="sum"),
        SF.ce_membrane_loss(),
        SF.ce_temporal_loss(inverse="negate"),
        SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2),
        SF.mse_membrane_loss(on_target=1.5),
        SF.mse_temporal_loss(on_target=0, off_target=T - 1),
    ]
    total: Tensor = torch.stack([criterion(rec, targets).sum() for criterion in criteria]).sum()
    total = total + SF.van_rossum_distance(tau=5.0)(rec, rec.detach())
    total = total + SF.l1_rate_sparsity(Lambda=1e-4)(rec) + reg.lower_rate_bound(0.1)(rec) + reg.upper_rate_bound(0.5)(rec)
    total = total + SF.membrane_penalty(lower=-1, upper=0.5)(rec) + SF.SpikeTime()(rec, targets)[0].sum()
    torch.autograd.grad(total, rec)
    share: float = acc.accuracy_rate(rec, targets) + SF.accuracy_temporal(rec, targets)
    levels: StateQuant = state_quant(num_bits=4, lower_limit=-1)
    quantised: Tensor = quant.state_quant()(levels(x))
    assert 0 <= share <= 2 and quantised.shape == x.shape and SF.upper_rate_bound is reg.upper_rate_bound


def tools() -> None:
    net = nn.Sequential(nn.Linear(N, 3), snn.Leaky(beta=0.9, init_hidden=True))
    monitors: list[probe.BaseMonitor] = [
        SF.OutputMonitor(net, instance=snn.Leaky),
        SF.InputMonitor(net, instance=snn.Leaky, function_on_input=lambda x: x),
        SF.AttributeMonitor("mem", False, net, instance=snn.Leaky),
        SF.GradInputMonitor(net, instance=snn.Leaky),
        SF.GradOutputMonitor(net, instance=snn.Leaky),
    ]
    sum(g.sum() for g in torch.autograd.grad(net(x[0]).sum(), list(net.parameters())))
    assert all(len(monitor) == 1 for monitor in monitors) and SF.BaseMonitor is probe.BaseMonitor
    for monitor in monitors:
        monitor.remove_hooks()
    fc, learner = net[0], STDPLearner(net[0], net[1], tau_pre=2.0, tau_post=2.0)
    net(x[0])
    change: Tensor | None = learner.step(on_grad=False)
    spk = torch.ones(B, N)
    for rule in (stdp_linear_single_step, mstdp_linear_single_step):
        trace_pre, trace_post, delta_w = rule(fc, spk, torch.ones(B, 3), None, None, 2.0, 2.0)
    stdp_learner.mstdpet_linear_single_step(fc, spk, torch.ones(B, 3), None, None, 2.0, 2.0, 2.0)
    conv1d, conv2d = nn.Conv1d(1, 1, 3), nn.Conv2d(1, 1, 3)
    stdp_conv1d_single_step(conv1d, torch.ones(B, 1, 5), torch.ones(B, 1, 3), None, None, 2.0, 2.0)
    stdp_conv2d_single_step(conv2d, torch.ones(B, 1, 5, 5), torch.ones(B, 1, 3, 3), None, None, 2.0, 2.0)
    assert change is not None and delta_w.shape[-2:] == change.shape and mstdpet_linear_single_step is not None
    learned, held_out = utils.valid_split(Rows(), Rows(), 0.2)
    assert len(learned.data) == 8 and len(held_out.data) == 2
    train = SimpleNamespace(data=torch.rand(10, 2), targets=torch.arange(10))
    half = utils.data_subset(train, 2)
    assert len(half.data) == 5 and snn.__version__


def pictures() -> None:
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    spk = (x[:, 0] > 0.5).float()
    fig, ax = plt.subplots()
    points = spikeplot.raster(spk, ax, s=2)
    spikeplot.spike_count(spk, fig, ax, ["a", "b", "c", "d"])
    spikeplot.traces(x[:, 0], spk=spk, dim=(2, 2))
    animation = spikeplot.animator(torch.rand(3, 4, 4), fig, ax)
    camera = spikeplot.Camera(fig)
    camera.snap()
    animation.pause()
    assert points.axes is ax


if __name__ == "__main__":
    for part in (neurons, networks, surrogates, encoders, losses, tools, pictures):
        part()
