"""What a layer keeps from call to call, who resets it, and what is saved: state dictionaries in both directions."""

import copy
import io

import torch

from .cases import Differs, case, fill, raised, warned
from .options import parameters
from .stepped import DELTA_WITHOUT, RETURNED, STATES

MAKERS = {
    "Lapicque": lambda snn, **o: snn.Lapicque(0.8, **o),
    "Leaky": lambda snn, **o: snn.Leaky(0.8, **o),
    "Synaptic": lambda snn, **o: snn.Synaptic(0.7, 0.8, **o),
    "Alpha": lambda snn, **o: snn.Alpha(0.9, 0.6, **o),
    "RLeaky": lambda snn, **o: snn.RLeaky(0.8, linear_features=4, **o),
    "RSynaptic": lambda snn, **o: snn.RSynaptic(0.7, 0.8, linear_features=4, **o),
    "SLSTM": lambda snn, **o: snn.SLSTM(4, 4, **{"threshold": 0.05} | o),
    "SConv2dLSTM": lambda snn, **o: snn.SConv2dLSTM(2, 2, 3, **{"threshold": 0.05} | o),
}
CALLS = {"SConv2dLSTM": (3, 2, 2, 4)}


def spikes(out):
    return out[0] if isinstance(out, tuple) else out


def held(layer, kind):
    return {name: getattr(layer, name) for name in STATES[kind]}


def put_states(kind):
    make, shape = MAKERS[kind], CALLS.get(kind, (3, 4))

    def call(layer, draw, batch=3):
        return layer(draw.tensor(batch, *shape[1:], high=1.2))

    @case(kind, draws=3, label="state kept between calls, restarted by reset_mem and by another shape")
    def kept(snn, draw):
        layer = fill(make(snn), draw)
        first = layer.reset_mem()
        result = [[list(s.shape) for s in (first if isinstance(first, tuple) else (first,))]]
        # The caller gives no state: the layer goes on from its last one.
        result += [call(layer, draw), call(layer, draw), held(layer, kind)]
        result += [call(layer, draw, batch=2), call(layer, draw, batch=2)]
        result += [layer.reset_mem(), held(layer, kind), call(layer, draw, batch=2)]
        return result

    @case(kind, draws=3, label="reset_hidden, detach_hidden and the old names of reset_mem")
    def reset(snn, draw):
        layers = [fill(make(snn, init_hidden=True), draw) for _ in range(2)]
        result = [spikes(call(layer, draw)) for layer in layers]
        cls = getattr(snn, kind)
        cls.detach_hidden()
        names = RETURNED[kind] if kind == "RSynaptic" else STATES[kind]  # "RSynaptic clears its spikes, too"
        result += [[getattr(layer, name).requires_grad for layer in layers for name in names]]
        result += [spikes(call(layer, draw)) for layer in layers]
        cls.reset_hidden()
        result += [[getattr(layer, name) for layer in layers for name in names]]
        return result + [getattr(layers[0], f"init_{kind.lower()}")()]

    @case(kind, draws=2, label="states of an unknown shape, and given to a layer that hides its own")
    def wrong(snn, draw):
        hidden = fill(make(snn, init_hidden=True), draw)
        state = [draw.tensor(*shape) for _ in STATES[kind]]
        return [
            raised(lambda: hidden(draw.tensor(*shape), *state)),
            raised(lambda: hidden(draw.tensor(*shape), state[0])),
        ]

    @case(kind, draws=3, label="states by keyword, and only some of them")
    def by_keyword(snn, draw):
        layer, names = fill(make(snn), draw), STATES[kind]
        given = {name: draw.tensor(*shape) for name in names}
        some = names[draw.count(0, len(names) - 1)]
        call(layer, draw)
        return [
            layer(draw.tensor(*shape), **given),
            layer(draw.tensor(*shape), **{some: draw.tensor(*shape)}),
            held(layer, kind),
        ]

    @case(kind, label="a state of another shape than the input's")
    def other_shape(snn, draw):
        raise Differs("A state of the wrong shape is an error")

    @case(kind, draws=2, label="a deep copy goes on by itself")
    def copied(snn, draw):
        layer = fill(make(snn), draw)
        with torch.no_grad():
            first = call(layer, draw)
            twin = copy.deepcopy(layer)
            return [first, call(layer, draw), call(twin, draw), held(layer, kind), held(twin, kind)]

    @case(kind, draws=4, label="state_dict saved by the other library", exchange=True)
    def exchanged(snn, draw, other):
        options = {"learn_threshold": draw.flag()} | ({"reset_mechanism": "zero"} if draw.flag() else {})
        saved = fill(make(other, **options), draw)
        call(saved, draw)  # its state is not part of what is saved
        file = io.BytesIO()
        torch.save(saved.state_dict(), file)
        file.seek(0)
        loaded = fill(make(snn, **options | {"threshold": 0.9}), draw)
        answer = loaded.load_state_dict(torch.load(file, weights_only=True))
        return [list(answer.missing_keys), list(answer.unexpected_keys), call(loaded, draw), parameters(loaded)]


for name in MAKERS:
    put_states(name)

SEQUENCES = {
    "LeakyParallel": (lambda snn: snn.LeakyParallel(3, 4, beta=0.8, threshold=0.2), 3),
    "StateLeaky": (lambda snn: snn.StateLeaky(0.8, 3, learn_beta=True), 3),
    "LinearLeaky": (lambda snn: snn.LinearLeaky(0.8, 3, 4, threshold=0.3), 3),
    "AssociativeLeaky": (lambda snn: snn.AssociativeLeaky(3, 2, 2, 4), 3),
    "DeltaLeaky": (lambda snn: snn.DeltaLeaky(0.3, beta=0.8, init_hidden=True, learn_beta=True), 3),
    "GradedSpikes": (lambda snn: snn.GradedSpikes(3, None), 1),
    "BatchNormTT1d": (lambda snn: snn.BatchNormTT1d(3, 1)[0], 3),
}


def put_exchange(kind):
    make, features = SEQUENCES[kind]

    @case(kind, draws=3, label="state_dict saved by the other library", exchange=True)
    def exchanged(snn, draw, other):
        saved, loaded = fill(make(other), draw, scale=1.5), make(snn)
        if kind == "LeakyParallel":
            with torch.no_grad():
                saved.rnn.weight_hh_l0.mul_(torch.eye(4))  # as the layer keeps it
        answer = loaded.load_state_dict(saved.state_dict())
        shape = (3, features) if kind == "BatchNormTT1d" else (3, 3, features)
        out = loaded(draw.tensor(*shape))
        saved = parameters(loaded, DELTA_WITHOUT if kind == "DeltaLeaky" else ())
        if kind == "StateLeaky":
            saved["beta"][2] = "learned or not"  # "StateLeaky learns tau alone"
        return [list(answer.missing_keys), list(answer.unexpected_keys), out, saved]


for name in SEQUENCES:
    put_exchange(name)


@case("Leaky", "Synaptic", label="loading another reset mechanism")
def other_mechanism(snn, draw):
    raise Differs("The reset mechanism can change")


@case("Leaky", label="a network's state_dict saved by the other library", exchange=True)
def network(snn, draw, other):
    def make(library):
        return torch.nn.Sequential(
            torch.nn.Linear(5, 4),
            library.Leaky(0.8, init_hidden=True, learn_beta=True),
            torch.nn.Linear(4, 3),
            library.Synaptic(0.7, 0.8, init_hidden=True, output=True),
        )

    saved, loaded = fill(make(other), draw, scale=2), make(snn)
    loaded.load_state_dict(saved.state_dict())
    return [loaded(draw.tensor(2, 5)) for _ in range(5)] + [sorted(loaded.state_dict())]


@case("SpikingNeuron", "LIF", draws=5, label="the base classes used directly")
def base(snn, draw):
    options = {
        "threshold": draw.number(0.5, 1.5),
        "graded_spikes_factor": draw.number(0.5, 2),
        "learn_threshold": draw.flag(),
    }
    options["reset_mechanism"] = draw.choice("subtract", "zero", "none")
    result = []
    layers = [snn.SpikingNeuron(**options), snn.LIF(draw.number(), learn_beta=draw.flag(), **options)]
    for layer in layers:
        mem = draw.tensor(3, 4, high=2).requires_grad_()
        spk = layer.fire(mem)
        (draw.normal(3, 4) * spk).sum().backward()
        shut = layer.fire_inhibition(3, mem)
        before = layer.reset_mechanism
        layer.reset_mechanism = "zero"
        result += [
            spk,
            mem.grad,
            layer.mem_reset(mem),
            layer.mem_reset(mem).requires_grad,
            shut,
            parameters(layer),
            before,
            layer.reset_mechanism,
            layer.reset_mechanism_val,
            layer.threshold,
            layer.init_hidden,
            layer.output,
        ]
    kept = torch.ones(2, requires_grad=True) * 2
    snn.SpikingNeuron.detach(kept)
    return result + [kept.requires_grad, dict(snn.SpikingNeuron.reset_dict), len(snn.SpikingNeuron.instances)]


@case("SpikingNeuron", label="zeros")
def zeros(snn, draw):
    raise Differs("zeros() zeroes")


@case("SpikingNeuron", label="init() of a subclass")
def init_of_subclass(snn, draw):
    raise Differs("init() of a subclass hides nothing")


@case("LIF", draws=3, label="a user's neuron that inherits from LIF")
def inherited(snn, draw):
    class Own(snn.LIF):
        def forward(self, x, mem):
            reset = self.mem_reset(mem)
            mem = self.beta.clamp(0, 1) * mem + x - reset * self.threshold
            return self.fire(mem), mem

    layer, mem, result = Own(0.8, learn_beta=True, threshold=0.7), torch.zeros(2, 3), []
    for _ in range(6):
        spk, mem = layer(draw.tensor(2, 3), mem)
        result += [spk, mem]
    (mem.sum() + sum(result[::2]).sum()).backward()
    return result + [layer.beta.grad, isinstance(layer, snn.SpikingNeuron), isinstance(layer, torch.nn.Module)]


@case("SpikingNeuron", "Leaky", label="who inherits from whom")
def classes(snn, draw):
    # Without LeakyParallel, which is no SpikingNeuron there, and DeltaLeaky, which is no Leaky here ("DeltaLeaky refuses ...").
    kinds = (
        "Lapicque",
        "Leaky",
        "Synaptic",
        "Alpha",
        "RLeaky",
        "RSynaptic",
        "SLSTM",
        "SConv2dLSTM",
        "StateLeaky",
        "LinearLeaky",
        "AssociativeLeaky",
        "GradedSpikes",
    )
    bases = (torch.nn.Module, snn.SpikingNeuron, snn.LIF, snn.Leaky, snn.StateLeaky)
    return {kind: [issubclass(getattr(snn, kind), b) for b in bases] for kind in kinds}


@case("Leaky", "RLeaky", label="warnings")
def inhibition_warns(snn, draw):
    return [
        warned(lambda: snn.Leaky(0.9, inhibition=True)),
        warned(lambda: snn.Leaky(0.9)),
        warned(lambda: snn.RLeaky(0.9, linear_features=2, inhibition=True)),
    ]
