"""Surrogate gradients: the spike is H(u) with u = membrane - threshold, strictly greater; its derivative is replaced.

    lif = snn.Leaky(beta=0.9, spike_grad=snn.surrogate.fast_sigmoid(slope=25))
    spk = snn.surrogate.atan(alpha=2.0)(u)                  # u of any shape; spikes in the type of u

Every closed form of the library is here under its name, and a class with `apply(u, *args)` under snnTorch's. A function
u -> spikes with a gradient of its own serves as well; it runs on the reference path.
"""

import inspect

import torch

from ._registry import surrogates as _known

_spike = torch.ops.rheobase.spike.default


class Surrogate:
    """A spike function of the library: callable on u, and known to the fused kernels by name and numbers."""

    __slots__ = ("name", "args")

    def __init__(self, name, args):
        self.name = name
        self.args = [float(a) for a in args]

    def __call__(self, u):
        return _spike(u, self.name, _seeded(self.name, self.args))

    def __repr__(self):
        names = [a["name"] for a in _known[self.name]["args"]]
        return f"{self.name}({', '.join(f'{n}={v:g}' for n, v in zip(names, self.args))})"

    def __eq__(self, other):
        return isinstance(other, Surrogate) and (self.name, self.args) == (other.name, other.args)

    def __hash__(self):
        return hash((self.name, tuple(self.args)))

    def __reduce__(self):
        return Surrogate, (self.name, self.args)

    @property
    def slope(self):
        """The argument that `learn_slope` learns, or None."""
        at = _known[self.name]["slope"]
        return None if at < 0 else self.args[at]


def _seeded(name, args):
    """The arguments with a seed, where the surrogate draws numbers and has none."""
    if name != "SSO" or args[2] >= 0:
        return args
    return [*args[:2], float(torch.randint(2**32, (1,)).item())]


class custom_surrogate:  # noqa: N801  (snnTorch's name)
    """A spike whose gradient is `gradient(u, incoming gradient, spikes)`. Runs on the reference path."""

    def __init__(self, custom_surrogate_function):
        self.gradient = custom_surrogate_function

    def __call__(self, u):
        return _CustomSpike.apply(u, self.gradient)

    def __repr__(self):
        return f"custom_surrogate({getattr(self.gradient, '__name__', self.gradient)})"


class _CustomSpike(torch.autograd.Function):
    """apply(u, gradient): a spike whose gradient is `gradient(u, incoming gradient, spikes)`."""

    @staticmethod
    def forward(ctx, u, gradient):
        spk = (u > 0).to(u.dtype)
        ctx.save_for_backward(u, spk)
        ctx.gradient = gradient
        return spk

    @staticmethod
    def backward(ctx, grad):
        u, spk = ctx.saved_tensors
        return ctx.gradient(u, grad, spk), None


CustomSurrogate = _CustomSpike

# snnTorch's classes, whose apply(u, *args) wants every argument.
_CLASSES = {
    "StraightThroughEstimator": "straight_through_estimator",
    "Triangular": "triangular",
    "FastSigmoid": "fast_sigmoid",
    "ATan": "atan",
    "Heaviside": "heaviside",
    "Sigmoid": "sigmoid",
    "SpikeRateEscape": "spike_rate_escape",
    "StochasticSpikeOperator": "SSO",
    "LeakySpikeOperator": "LSO",
    "SparseFastSigmoid": "SFS",
}


def _make_function(name, known):
    parameters = [
        inspect.Parameter(a["name"], inspect.Parameter.POSITIONAL_OR_KEYWORD, default=a["default"]) for a in known["args"]
    ]
    signature = inspect.Signature(parameters)

    def make(*args, **named):
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        return Surrogate(name, bound.arguments.values())

    make.__name__ = make.__qualname__ = name
    make.__signature__ = signature
    make.__module__ = __name__
    make.__doc__ = f"The spike function `{name}{signature}` of the library."
    return make


def _make_class(class_name, name):
    count = len(_known[name]["args"])

    @staticmethod
    def apply(u, *args):
        """Spikes of u; every argument of the surrogate must be given."""
        required = [a for a in _known[name]["args"] if a["name"] != "seed"]
        if not len(required) <= len(args) <= count:
            wanted = ", ".join(a["name"] for a in required) or "nothing else"
            raise TypeError(f"[{class_name}] apply takes u, {wanted}, got {len(args)} further arguments")
        return Surrogate(name, [*args, *[a["default"] for a in _known[name]["args"][len(args) :]]])(u)

    return type(class_name, (), {"apply": apply, "__doc__": f"`apply(u, ...)` of {name}.", "__module__": __name__})


for _name, _surrogate in _known.items():
    if _name != "none":
        globals()[_name] = _make_function(_name, _surrogate)
for _class_name, _name in _CLASSES.items():
    globals()[_class_name] = _make_class(_class_name, _name)

#: The default of every neuron.
DEFAULT = Surrogate("atan", [2.0])
#: A plain spike without a gradient (surrogate_disable).
NO_GRADIENT = Surrogate("none", [])

__all__ = [n for n in _known if n != "none"] + [*_CLASSES, "CustomSurrogate", "custom_surrogate", "Surrogate"]
