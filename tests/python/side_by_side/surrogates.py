"""Surrogates: the step forward, their factor backward; the autograd functions under them, called with every parameter."""

import torch

from .cases import Differs, Statistic, case

WRAPPERS = {
    "atan": lambda s, d: s.atan(d.number(0.5, 5)),
    "fast_sigmoid": lambda s, d: s.fast_sigmoid(d.number(1, 50)),
    "sigmoid": lambda s, d: s.sigmoid(d.number(1, 25)),
    "straight_through_estimator": lambda s, d: s.straight_through_estimator(),
    "triangular": lambda s, d: s.triangular(d.number(0.3, 3)),
    "heaviside": lambda s, d: s.heaviside(),
    "spike_rate_escape": lambda s, d: s.spike_rate_escape(d.number(0.3, 3), d.number(1, 25)),
    "SFS": lambda s, d: s.SFS(d.number(1, 25), d.number(-1, 1)),
    "custom_surrogate": lambda s, d: s.custom_surrogate(lambda u, g, spk: g * (spk + 0.1) * torch.exp(-u * u)),
}
DEFAULTS = (
    "atan",
    "fast_sigmoid",
    "sigmoid",
    "straight_through_estimator",
    "triangular",
    "heaviside",
    "spike_rate_escape",
    "SFS",
)
FUNCTIONS = {  # parameters that `apply` wants after the input
    "ATan": lambda d: (d.number(0.5, 5),),
    "FastSigmoid": lambda d: (d.number(1, 50),),
    "Sigmoid": lambda d: (d.number(1, 25),),
    "StraightThroughEstimator": lambda d: (),
    "Triangular": lambda d: (d.number(0.3, 3),),
    "Heaviside": lambda d: (),
    "SpikeRateEscape": lambda d: (d.number(0.3, 3), d.number(1, 25)),
    "SparseFastSigmoid": lambda d: (d.number(1, 25), d.number(-1, 1)),
    "CustomSurrogate": lambda d: (lambda u, g, spk: g * (spk + 0.1) * torch.exp(-u * u),),
}


def run(draw, function):
    shape = draw.choice((11,), (3, 4), (2, 3, 4, 5), (0,), ())
    u = draw.tensor(*shape, low=-3, high=3)
    if u.ndim == 1 and u.numel():
        u[0] = 0.0  # no spike at the threshold itself
    u = u.requires_grad_()
    spk = function(u)
    (spk * draw.normal(*shape)).sum().backward()
    return {"spk": spk, "grad": u.grad}


def put_wrapper(name):
    @case(f"surrogate.{name}", draws=8, label="random parameters")
    def random_parameters(snn, draw):
        return run(draw, WRAPPERS[name](snn.surrogate, draw))

    if name in DEFAULTS:

        @case(f"surrogate.{name}", draws=2, label="default parameters")
        def defaults(snn, draw):
            return run(draw, getattr(snn.surrogate, name)())


def put_function(name):
    @case(f"surrogate.{name}", draws=6, label="applied directly")
    def applied(snn, draw):
        parameters = FUNCTIONS[name](draw)
        return run(draw, lambda u: getattr(snn.surrogate, name).apply(u, *parameters))


for key in WRAPPERS:
    put_wrapper(key)
for key in FUNCTIONS:
    put_function(key)


def noise(draw, function):
    """What the random gradient below the threshold is like, and that it is 1 above."""
    u = draw.tensor(200, 200, low=-1, high=1).requires_grad_()
    spk = function(u)
    spk.sum().backward()
    below = u.grad[u <= 0]
    half = below.mean()
    return {
        "spk": spk,
        "above": u.grad[u > 0],
        "mean": Statistic.of(below),
        "spread": Statistic.of((below - half) ** 2),
        "low": round(below.min().item(), 2),
        "high": round(below.max().item(), 2),
    }


@case("surrogate.SSO", draws=3)
def sso(snn, draw):
    return noise(
        draw, snn.surrogate.SSO(draw.number(-1, 1), draw.number(0.1, 1)) if draw.flag(0.7) else snn.surrogate.SSO()
    )


@case("surrogate.StochasticSpikeOperator", draws=2)
def stochastic(snn, draw):
    mean, variance = draw.number(-1, 1), draw.number(0.1, 1)
    return noise(draw, lambda u: snn.surrogate.StochasticSpikeOperator.apply(u, mean, variance))


@case("surrogate.LSO", "surrogate.LeakySpikeOperator")
def lso(snn, draw):
    raise Differs("LSO works")


@case("surrogate.LeakySpikeOperator", label="its forward")
def leaky_operator(snn, draw):
    return {"spk": snn.surrogate.LeakySpikeOperator.apply(draw.normal(5, 6), 0.1)}


@case("surrogate.sigmoid", "surrogate.Sigmoid", label="far below the threshold")
def far(snn, draw):
    raise Differs("sigmoid stays finite")
