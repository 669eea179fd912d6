"""A neuron of one's own as a Python function: the step, on whole tensors, differentiated by autograd.

    @snn.neuron
    def Adaptive(x, mem, adapt, *, beta=0.9, rho=0.95, threshold, spike):
        "Leaky integrate-and-fire whose threshold rises with every spike."
        mem = beta * mem + x
        spk = spike(mem - threshold - adapt)
        return spk, mem - spk * threshold, rho * adapt + 0.2 * spk

    lif = Adaptive(beta=0.8, learn_beta=True, spike_grad=snn.surrogate.fast_sigmoid())
    spk, mem, adapt = lif(x, mem, adapt)
    spk, mem = lif.sequence(xs)

The function's arguments name everything: the input, the states, then as keywords the parameters with their defaults, and,
where it wants them, `threshold`, `graded_spikes_factor` and `spike`, the surrogate of the layer. It returns the spikes and
the states in their order. The class has the options of SpikingNeuron and learn_<parameter>.
"""

import inspect

from ._neuron import SpikingNeuron

_HANDED = ("threshold", "graded_spikes_factor", "spike")


def neuron(step):
    """Makes a layer class of a step function; see the module."""
    parameters = list(inspect.signature(step).parameters.values())
    places = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(places) < 2:
        raise TypeError(f"[neuron] {step.__name__} must take the input and at least one state, got ({', '.join(places)})")
    values = {p.name: p.default for p in keywords if p.name not in _HANDED}
    without = [name for name, default in values.items() if default is inspect.Parameter.empty]
    handed = [p.name for p in keywords if p.name in _HANDED]

    def __init__(self, **options):
        mine = {name: options.pop(name, default) for name, default in values.items()}
        learned = {name: options.pop(f"learn_{name}", False) for name in values}
        for name in without:
            if mine[name] is inspect.Parameter.empty:
                raise TypeError(f"[{step.__name__}] {name} must be given")
        SpikingNeuron.__init__(self, **options)
        for name, value in mine.items():
            self._register_value(name, value, learned[name])

    def _step(self, x, state):
        given = {name: getattr(self, name) for name in values}
        given |= {name: self._spikes if name == "spike" else getattr(self, name) for name in handed}
        out = list(step(x, *self._fresh(state, x), **given))
        if len(out) != 1 + len(self._state_names):
            raise TypeError(
                f"[{step.__name__}] the step must return the spikes and {', '.join(self._state_names)}, got {len(out)} values"
            )
        return out

    return type(
        step.__name__,
        (SpikingNeuron,),
        {
            "_state_names": tuple(places[1:]),
            "__init__": __init__,
            "_step": _step,
            "__doc__": step.__doc__,
            "__module__": step.__module__,
            "__qualname__": step.__qualname__,
        },
    )
