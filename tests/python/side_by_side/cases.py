"""What a case is, how it draws its numbers and how two results are compared.

A case is a table entry: a public name, a label and a function `run(snn, draw)` that does something with the library it is handed and
returns what came out: tensors, numbers, texts, in lists and dictionaries. It is run with snnTorch and with Rheobase, on the same draws.

    @case("Leaky", draws=20)
    def leaky(snn, draw): ...
"""

import contextlib
import io
import math
import random
import warnings
from dataclasses import dataclass
from typing import Callable

import torch

RTOL, ATOL = 1e-4, 1e-5  # |a - b| <= ATOL max(1, max |b|) + RTOL |b|
SHAKE = 2e-6  # a few rounding errors of float32


@dataclass
class Case:
    names: tuple  # public names that it covers, as snnTorch spells them: "Leaky", "spikegen.rate"
    label: str
    run: Callable
    draws: int = 1
    exchange: bool = False  # run(snn, draw, other) takes what `other` has saved


CASES = []


def case(*names, draws=1, label="", exchange=False):
    """Puts the function that follows into the table."""

    def put(run):
        CASES.append(Case(names, label or run.__name__.replace("_", " "), run, draws, exchange))
        return run

    return put


class Differs(Exception):
    """The libraries differ here on purpose; says under which title the migration guide has it."""


@dataclass
class Raised:
    """A call that raised."""

    kind: type


@dataclass
class Escaped(Raised):
    """A case that ended with an exception it did not ask for."""

    text: str


@dataclass
class Statistic:
    """A mean of random values with its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, values):
        values = values.detach().double().flatten()
        return cls(values.mean().item(), values.std().item() / math.sqrt(len(values)) + 1e-9)


def raised(call):
    """What a call that must raise raised; anything else is given back, so that it shows."""
    try:
        return call()
    except Exception as error:
        return Raised(type(error))


def warned(call):
    """The categories of the warnings that a call gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return sorted({w.category.__name__ for w in caught})


class Draw:
    """Random options and tensors of one seed. Shaken, its tensors are off by a rounding error, its options are not."""

    def __init__(self, seed, shake=0.0):
        self.random = random.Random(seed)
        # Not the seed of the global generator: torch.bernoulli would meet the numbers again that its input was drawn with.
        self.generator = torch.Generator().manual_seed(seed + 3)
        self.noise = torch.Generator().manual_seed(seed + 4)
        self.shake = shake

    def choice(self, *values):
        return self.random.choice(values)

    def flag(self, probability=0.5):
        return self.random.random() < probability

    def number(self, low=0.0, high=1.0):
        return round(self.random.uniform(low, high), 3)

    def count(self, low, high):
        return self.random.randint(low, high)

    def shaken(self, values):
        return values * (1 + self.shake * torch.randn(values.shape, generator=self.noise, dtype=values.dtype))

    def tensor(self, *shape, low=0.0, high=1.0, dtype=torch.float32):
        return self.shaken(low + (high - low) * torch.rand(shape, generator=self.generator, dtype=dtype))

    def normal(self, *shape, scale=1.0):
        return self.shaken(scale * torch.randn(shape, generator=self.generator))

    def spikes(self, *shape, rate=0.3):
        return (torch.rand(shape, generator=self.generator) < rate).float()

    def labels(self, count, classes):
        return torch.randint(classes, (count,), generator=self.generator)


def fill(module, draw, scale=0.5):
    """Gives the weights of a module values that do not depend on how its library drew them."""
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters(), key=lambda pair: pair[0]):
            if name.rpartition(".")[2].startswith(("weight", "bias")):
                parameter.copy_(draw.normal(*parameter.shape, scale=scale / math.sqrt(max(1, parameter.shape[-1]))))
    return module


def outcome(case, libraries, seed, shake=0.0):
    """What the case gives, or what it raised; Differs goes through."""
    torch.manual_seed(seed)
    for library in libraries:
        library.SpikingNeuron.init()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the NIR import prints
        warnings.simplefilter("ignore")
        try:
            return case.run(libraries[0], Draw(seed, shake), *libraries[1:])
        except Differs:
            raise
        except Exception as error:
            return Escaped(type(error), str(error))


def difference(ours, theirs, where="result"):
    """What is different, in a line, or None."""
    if isinstance(theirs, Raised):
        if not isinstance(ours, Raised):
            return f"{where}: snnTorch raises {theirs.kind.__name__}, here it passes"
        if not issubclass(ours.kind, theirs.kind):
            return f"{where}: raises {ours.kind.__name__}, there {theirs.kind.__name__}"
        return None
    if isinstance(ours, Raised):
        return f"{where}: raises {ours.kind.__name__}: {getattr(ours, 'text', '')[:300]}"
    if isinstance(theirs, Statistic):
        room = 5 * math.hypot(ours.error, theirs.error)
        return None if abs(ours.value - theirs.value) <= room else f"{where}: mean {ours.value}, there {theirs.value}"
    if isinstance(theirs, torch.Tensor):
        return tensor_difference(ours, theirs, where)
    if isinstance(theirs, dict):
        if not isinstance(ours, dict) or list(ours) != list(theirs):
            return f"{where}: has {list(ours) if isinstance(ours, dict) else ours}, there {list(theirs)}"
        pairs = [(ours[key], theirs[key], f"{where}.{key}") for key in theirs]
    elif isinstance(theirs, (list, tuple)):
        if not isinstance(ours, (list, tuple)) or len(ours) != len(theirs):
            return f"{where}: {len(ours) if isinstance(ours, (list, tuple)) else ours} values, there {len(theirs)}"
        pairs = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(ours, theirs))]
    elif isinstance(theirs, float):
        same = isinstance(ours, (int, float)) and math.isclose(ours, theirs, rel_tol=RTOL, abs_tol=ATOL)
        return None if same else f"{where}: {ours}, there {theirs}"
    else:
        return None if ours == theirs else f"{where}: {ours!r}, there {theirs!r}"
    return next(filter(None, (difference(*pair) for pair in pairs)), None)


def tensor_difference(ours, theirs, where):
    if not isinstance(ours, torch.Tensor):
        return f"{where}: {type(ours).__name__}, there a tensor"
    if ours.shape != theirs.shape:
        return f"{where}: shape {list(ours.shape)}, there {list(theirs.shape)}"
    # Spikes have the input's type here, float32 there.
    spikes_type = where.rpartition(".")[2].startswith("spk") and ours.dtype == torch.float64
    if ours.dtype != theirs.dtype and not spikes_type:
        return f"{where}: {ours.dtype}, there {theirs.dtype}"
    a, b = ours.detach().double(), theirs.detach().double()
    if a.numel() == 0:
        return None
    if not torch.equal(a.isnan(), b.isnan()):
        return f"{where}: NaN in {a.isnan().sum().item()} places, there in {b.isnan().sum().item()}"
    a, b = a.nan_to_num(0), b.nan_to_num(0)
    wrong = (a - b).abs() > ATOL * b.abs().max().clamp(min=1) + RTOL * b.abs()
    if wrong.any():
        place = tuple(wrong.nonzero()[0].tolist())
        return f"{where}: {wrong.sum().item()} of {a.numel()} differ, first {list(place)}: {a[place]:.8g}, there {b[place]:.8g}"
    return None
