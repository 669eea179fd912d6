"""One peer library as a process of its own; run.py starts it, sends it a line per command and reads a JSON line each.

    peers.py PROGRAM FOLDER     PROGRAM is a name of PROGRAMS below
    time SECONDS WORK           {"seconds": least time of a run, "runs": n}
    check WORK                  {"loss": ...}, for `call` the sum of its result; leaky train both also writes
                                FOLDER/PROGRAM.{spk,mem,grad}, layer {spk,grad}
    keep                        from now on the allocator keeps its memory: {"keep": true}
    losses N                    {"losses": [...]} of N training steps of tutorial 5

WORK is `leaky T B N forward|train both|spikes`, both: spikes and membranes are collected; or
`layer NAME forward|train SIZES`, NAME of LAYERS below, SIZES of its input; or `call NAME SIZES`, NAME of FUNCTIONS; or
`tutorial5 train|inference`; or `step N forward|train`, a hundred steps of a Leaky layer of N neurons, of which the time of one is given.
"""

import ctypes
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
from torch.nn.functional import cross_entropy

STEPS = 25  # of tutorial 5


@dataclass
class Layer:
    """A layer of snnTorch against ours; ours.cpp makes its own under the same name."""

    title: str
    shape: tuple  # of the input
    make: Callable  # a module of snnTorch; both sides use its parameters
    scale: float = 0.4  # inputs are uniform in [0, scale]
    whole: bool = False  # takes the whole sequence at once


def snntorch_layer(name, *args, **options):
    def make():
        import snntorch

        return getattr(snntorch, name)(*args, **options)

    return make


LAYERS = {
    "lapicque": Layer(
        "Lapicque", (100, 128, 1000), snntorch_layer("Lapicque", R=5.1, C=5e-3, time_step=1e-3), scale=0.8
    ),
    "synaptic": Layer("Synaptic", (100, 128, 1000), snntorch_layer("Synaptic", alpha=0.9, beta=0.8), scale=0.08),
    "alpha": Layer("Alpha", (100, 128, 1000), snntorch_layer("Alpha", alpha=0.9, beta=0.8)),
    "stateleaky": Layer(
        "StateLeaky", (4000, 16, 64), snntorch_layer("StateLeaky", beta=0.9, channels=64), scale=0.2, whole=True
    ),
    "slstm-256": Layer("SLSTM, hidden size 256", (100, 128, 256), snntorch_layer("SLSTM", 256, 256, threshold=0.1)),
    "rleaky-dense": Layer("RLeaky, dense", (100, 128, 256), snntorch_layer("RLeaky", beta=0.9, linear_features=256)),
}


@dataclass
class Function:
    """A function of snnTorch against ours; functions.cpp has its own under the same name."""

    title: str
    shape: tuple  # of the input
    make: Callable  # gives a function of the input, and of targets where there are some
    spikes: float = 0  # the input is spikes with this probability, else uniform in [0, 1)
    classes: int = 0  # how many the targets have


def rate():
    from snntorch import spikegen

    return lambda x: spikegen.rate(x, num_steps=100)


def latency():
    from snntorch import spikegen

    return lambda x: spikegen.latency(x, num_steps=100, normalize=True, linear=True)


def mse_temporal():
    from snntorch import functional

    loss = functional.mse_temporal_loss(on_target=10, off_target=90)

    def run(x, targets):
        spk = x.detach().requires_grad_()
        value = loss(spk, targets)
        value.backward()
        return value.detach() + spk.grad.sum()

    return run


def state_quant():
    from snntorch.functional import quant

    return quant.state_quant(num_bits=8)


FUNCTIONS = {
    "rate": Function("rate of [128, 784] over 100 steps", (128, 784), rate),
    "latency": Function("latency of [128, 784] over 100 steps", (128, 784), latency),
    "mse-temporal": Function(
        "mse_temporal_loss [100, 128, 10] forward + backward", (100, 128, 10), mse_temporal, spikes=0.05, classes=10
    ),
    "state-quant": Function("state_quant of 128,000 values, 8 bit", (128000,), state_quant),
}


class SnnTorch:
    """snnTorch as in its tutorials: a Python loop over time, lists, torch.stack."""

    def __init__(self):
        import snntorch
        import snntorch.surrogate

        self.snntorch = snntorch

    def leaky(self, beta):
        """A function of (x, mem) that gives (spk, mem)."""
        return self.snntorch.Leaky(beta=beta)

    def neurons(self, beta, both):
        """A function of x [T, B, N] that gives spikes, and membranes or None."""
        lif = self.leaky(beta)

        def steps(x, mem):
            spk_rec, mem_rec = [], []
            for current in x.unbind(0):  # indexing x[step] would cost the backward a whole x of zeros per step
                spk, mem = lif(current, mem)
                spk_rec.append(spk)
                if both:
                    mem_rec.append(mem)
            return torch.stack(spk_rec), torch.stack(mem_rec) if both else None, mem

        return self.over_time(steps)

    def over_time(self, steps):
        def run(x):
            spk, mem, _ = steps(x, torch.zeros_like(x[0]))
            return spk, mem

        return run

    def network(self, fc1, fc2):
        """Tutorial 5: a function of x [B, 784] that gives spikes and membranes [T, B, 10] of the output."""
        lif1, lif2 = self.leaky(0.95), self.leaky(0.95)

        def run(x):
            mem1 = torch.zeros(x.shape[0], 1000)
            mem2 = torch.zeros(x.shape[0], 10)
            spk2_rec, mem2_rec = [], []
            for _ in range(STEPS):
                spk1, mem1 = lif1(fc1(x), mem1)
                spk2, mem2 = lif2(fc2(spk1), mem2)
                spk2_rec.append(spk2)
                mem2_rec.append(mem2)
            return torch.stack(spk2_rec), torch.stack(mem2_rec)

        return run

    def loss(self, spk, mem, targets):
        loss = torch.zeros(1)
        for step in range(STEPS):
            loss += cross_entropy(mem[step], targets)
        return loss.squeeze()


class Rheobase(SnnTorch):
    """The same code with another import line."""

    def __init__(self):
        import rheobase
        import rheobase.utils

        self.snntorch = rheobase


class RheobaseFuse(Rheobase):
    """A network as it is built for the step-by-step loop, all steps in one call."""

    def layers(self, fc1, fc2):
        snn = self.snntorch
        lif1, lif2 = snn.Leaky(beta=0.95, init_hidden=True), snn.Leaky(beta=0.95, init_hidden=True, output=True)
        return fc1, lif1, fc2, lif2

    def network(self, fc1, fc2):
        net = torch.nn.Sequential(*self.layers(fc1, fc2))
        fused = self.snntorch.fuse(net, STEPS)

        def run(x):
            self.snntorch.utils.reset(net)
            return fused(x)

        return run

    def loss(self, spk, mem, targets):
        return STEPS * cross_entropy(mem.flatten(0, 1), targets.repeat(STEPS))


class RheobaseSequential(RheobaseFuse):
    """The same layers in a time-aware Sequential."""

    def network(self, fc1, fc2):
        net = self.snntorch.Sequential(*self.layers(fc1, fc2))

        def run(x):
            self.snntorch.utils.reset(net)
            return net(self.snntorch.constant(x, STEPS))

        return run


class SnnTorchCompiled(SnnTorch):
    """The same functions, compiled whole: the loop over time, and for tutorial 5 the loss too."""

    def over_time(self, steps):
        return super().over_time(torch.compile(steps, dynamic=False))

    def network(self, fc1, fc2):
        return torch.compile(super().network(fc1, fc2), dynamic=False)

    def __init__(self):
        super().__init__()
        # A graph per shape and purpose.
        torch._dynamo.config.recompile_limit = 64
        self.loss = torch.compile(super().loss, dynamic=False)


class SpikingJelly:
    """SpikingJelly's torch backend in multi-step mode, as near to snnTorch's equations as its options come: soft reset,
    detached, x not decayed. The threshold is taken off before the decay, snnTorch takes it off after."""

    def __init__(self):
        from spikingjelly.activation_based import functional, neuron, surrogate

        self.neuron, self.surrogate, self.reset = neuron, surrogate, functional.reset_net

    def node(self, beta, both):
        return self.neuron.LIFNode(
            tau=1 / (1 - beta),
            decay_input=False,
            v_reset=None,
            surrogate_function=self.surrogate.ATan(),
            detach_reset=True,
            step_mode="m",
            store_v_seq=both,
        )

    def neurons(self, beta, both):
        lif = self.node(beta, both)

        def run(x):
            self.reset(lif)
            spk = lif(x)
            return spk, lif.v_seq

        return run

    def first_current(self, fc1, x):
        return fc1(x.unsqueeze(0).repeat(STEPS, 1, 1))

    def network(self, fc1, fc2):
        lif1, lif2 = self.node(0.95, False), self.node(0.95, True)

        def run(x):
            self.reset(lif1)
            self.reset(lif2)
            spk = lif2(fc2(lif1(self.first_current(fc1, x))))
            return spk, lif2.v_seq

        return run

    def loss(self, spk, mem, targets):
        # It records membranes after the reset; the loss of tutorial 5 reads them before.
        mem = mem + spk.detach()
        return STEPS * cross_entropy(mem.flatten(0, 1), targets.repeat(STEPS))


class SpikingJellyOnce(SpikingJelly):
    """The constant input's Linear computed once, its result repeated."""

    def first_current(self, fc1, x):
        return fc1(x).unsqueeze(0).repeat(STEPS, 1, 1)


class SoftReset(SnnTorch):
    """SpikingJelly's equations as a plain loop: what its results are checked against."""

    loss = SpikingJelly.loss

    def leaky(self, beta):
        fire = self.snntorch.surrogate.atan()

        def step(x, mem):
            mem = beta * mem + x
            spk = fire(mem - 1)
            return spk, mem - spk.detach()

        return step


PROGRAMS = {
    "snntorch": SnnTorch,
    "snntorch-compiled": SnnTorchCompiled,
    "spikingjelly": SpikingJelly,
    "spikingjelly-once": SpikingJellyOnce,
    "soft-reset": SoftReset,
    "rheobase-steps": Rheobase,
    "rheobase-fuse": RheobaseFuse,
    "rheobase-sequential": RheobaseSequential,
}


class Works:
    """What can be timed or checked; inputs are read from the folder's raw files."""

    def __init__(self, name, folder):
        self.program, self.folder, self.name = PROGRAMS[name](), folder, name
        self.functions = {}

    def read(self, file, shape, dtype=torch.float32):
        return torch.from_file(str(self.folder / file), size=math.prod(shape), dtype=dtype).reshape(shape).clone()

    def write(self, suffix, tensor):
        (self.folder / f"{self.name}.{suffix}").write_bytes(tensor.detach().contiguous().numpy().tobytes())

    def leaky(self, steps, batch, units, purpose, collected):
        """A function without arguments that does the work once and returns spikes, membranes and the input."""
        both = collected == "both"
        shape = (int(steps), int(batch), int(units))
        x = self.read(f"leaky-{steps}-{batch}-{units}.f32", shape).requires_grad_(purpose == "train")
        # One function per way of collecting, so that a compiled one is compiled once.
        if both not in self.functions:
            self.functions[both] = self.program.neurons(0.9, both)
        run = self.functions[both]

        def forward():
            with torch.no_grad():
                return *run(x), x

        def train():
            x.grad = None
            spk, mem = run(x)
            spk.sum().backward()
            return spk, mem, x

        return train if purpose == "train" else forward

    def layer(self, name, purpose, *shape):
        """A function as `leaky` gives it; the gradients of the layer's parameters are part of the work."""
        layer = LAYERS[name]
        x = self.read(f"{name}-x.f32", tuple(map(int, shape))).requires_grad_(purpose == "train")
        module = layer.make()
        with torch.no_grad():
            for kind, parameter in module.named_parameters():
                parameter.copy_(self.read(f"{name}-{kind}.f32", parameter.shape))

        def run():
            if layer.whole:
                out = module(x)
                return out[0] if isinstance(out, tuple) else out
            state = module.reset_mem()
            state = state if isinstance(state, tuple) else (state,)
            spk_rec = []
            for current in x.unbind(0):
                out = module(current, *state)
                state = out[-len(state) :]
                spk_rec.append(out[0])
            return torch.stack(spk_rec)

        def forward():
            with torch.no_grad():
                return run(), None, x

        def train():
            x.grad = None
            module.zero_grad()
            spk = run()
            spk.sum().backward()
            return spk, None, x

        return train if purpose == "train" else forward

    def call(self, name, *shape):
        """A function that does the call once and returns its result."""
        function = FUNCTIONS[name]
        inputs = [self.read(f"call-{name}.f32", tuple(map(int, shape)))]
        if function.classes:
            inputs.append(self.read(f"call-{name}.i64", (int(shape[1]),), torch.int64))
        run = function.make()
        return lambda: run(*inputs)

    def tutorial5(self, purpose):
        """A function that does the work once and returns the loss, or the spikes."""
        x = self.read("tutorial5-x.f32", (128, 784))
        targets = self.read("tutorial5-y.i64", (128,), torch.int64)
        if "tutorial5" not in self.functions:
            layers = torch.nn.Linear(784, 1000), torch.nn.Linear(1000, 10)
            self.functions["tutorial5"] = layers, self.program.network(*layers)
        layers, run = self.functions["tutorial5"]
        with torch.no_grad():
            for index, fc in enumerate(layers, 1):
                for kind, parameter in fc.named_parameters():
                    parameter.grad = None
                    parameter.copy_(self.read(f"tutorial5-fc{index}-{kind}.f32", parameter.shape))
        optimizer = torch.optim.Adam([p for fc in layers for p in fc.parameters()], lr=5e-4, betas=(0.9, 0.999))

        def train():
            optimizer.zero_grad()
            spk, mem = run(x)
            loss = self.program.loss(spk, mem, targets)
            loss.backward()
            optimizer.step()
            return loss

        def inference():
            with torch.no_grad():
                spk, _ = run(x)
                spk.sum(0).argmax(1)
                return spk

        return train if purpose == "train" else inference

    def losses(self, count):
        run = self.tutorial5("train")
        return {"losses": [run().item() for _ in range(int(count))]}

    def step(self, units, purpose):
        """A function that does a hundred steps, each on the state of the last."""
        x = [torch.rand(1, int(units), requires_grad=purpose == "train") for _ in range(100)]
        ones, lif = torch.ones(1, int(units)), self.program.leaky(0.9)

        def steps():
            mem, spk_rec = torch.zeros(1, int(units)), []
            for current in x:
                spk, mem = lif(current, mem)
                spk_rec.append(spk)
            return spk_rec

        def forward():
            with torch.no_grad():
                return steps()

        def train():
            for current in x:
                current.grad = None
            torch.autograd.backward(steps(), [ones] * len(x))

        return train if purpose == "train" else forward

    def work(self, words):
        return {"step": self.step, "leaky": self.leaky, "layer": self.layer, "call": self.call, "tutorial5": self.tutorial5}[words[0]](*words[1:])

    def time(self, seconds, *words):
        run = self.work(words)
        for _ in range(2):
            run()
        times, began = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - began < float(seconds):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return {"seconds": min(times) / (100 if words[0] == "step" else 1), "runs": len(times)}

    def check(self, *words):
        out = self.work(words)()
        if words[0] == "tutorial5":
            return {"loss": out.item()}
        if words[0] == "call":
            return {"loss": out.sum(dtype=torch.float64).item()}
        spk, mem, x = out
        self.write("spk", spk)
        if mem is not None:
            self.write("mem", mem)
        self.write("grad", x.grad)
        return {"loss": spk.sum(dtype=torch.float64).item()}

    def keep(self):
        m_trim_threshold, m_mmap_max = -1, -4
        libc = ctypes.CDLL(None)
        kept = libc.mallopt(m_mmap_max, 0) == 1 and libc.mallopt(m_trim_threshold, 2**31 - 1) == 1
        return {"keep": kept}


def main():
    works = Works(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({"torch": torch.__version__.split("+")[0], "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        print(json.dumps(getattr(works, command)(*words)), flush=True)


if __name__ == "__main__":
    main()
