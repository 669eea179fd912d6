"""The pointwise neurons: a class for each neuron of the registry, made when the package is imported."""

import inspect

import torch
from torch.compiler import is_compiling

from ._neuron import LIF, SpikingNeuron
from ._registry import neurons as _known

_step = torch.ops.rheobase.neuron_step.default
_sequence = torch.ops.rheobase.neuron_sequence.default
_check = torch.ops.rheobase.neuron_check.default
_complete = torch.ops.rheobase.neuron_parameters.default

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY

# snnTorch's order of arguments; $ stands for what most of its neurons have in common. What a neuron has besides, and all of
# a neuron that snnTorch does not have, are keywords.
_COMMON = "threshold spike_grad surrogate_disable init_hidden inhibition"
_SNNTORCH = {
    "Lapicque": "beta R C time_step $ learn_beta learn_threshold reset_mechanism state_quant output",
    "Leaky": "beta $ learn_beta learn_threshold reset_mechanism state_quant output graded_spikes_factor "
    "learn_graded_spikes_factor reset_delay",
    "Synaptic": "alpha beta $ learn_alpha learn_beta learn_threshold reset_mechanism state_quant output reset_delay",
    "Alpha": "alpha beta $ learn_alpha learn_beta learn_threshold reset_mechanism state_quant output",
    "DeltaLeaky": "delta_threshold beta $ learn_beta learn_threshold reset_mechanism state_quant output "
    "graded_spikes_factor learn_graded_spikes_factor reset_delay",
}
# Those that snnTorch wants to be given.
_REQUIRED = {"Leaky": ("beta",), "Synaptic": ("alpha", "beta"), "Alpha": ("alpha", "beta"), "DeltaLeaky": ("beta",)}

_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(SpikingNeuron.__init__).parameters.items()
    if name != "self"
}


class PointwiseNeuron(LIF):
    """What all pointwise neurons are: the library's step, on the parameters of the neuron."""

    _info = None  # what the registry says; None: not a neuron yet

    def __init__(self, *args, **named):
        bound = self.__signature__.bind(*args, **named)
        self._refuse_useless(bound.arguments)
        bound.apply_defaults()
        options = bound.arguments
        info = self._info
        names = [p["name"] for p in info["params"]]
        SpikingNeuron.__init__(self, **{name: options[name] for name in _DEFAULTS})
        self._modes = [_mode_number(self._kind, mode, options[mode["name"]]) for mode in info["modes"]]
        # False is snnTorch's word for "not given".
        given = [None if options[n] is None or options[n] is False else _tensor(options[n]) for n in names]
        learned = [bool(options.get(f"learn_{n}")) for n in names]
        complete, sources = _complete(self._kind, [None if g is None else g.detach() for g in given], learned, self._modes)
        for name, value, follows, learn, source in zip(names, given, complete, learned, sources):
            # snnTorch's state-dict has no entry for the threshold of a change.
            self._register_value(name, value if source and value is not None else follows, learn, learn or name != "delta_threshold")
        self._sources = sources
        self._value_names = [n if source else None for n, source in zip(names, sources)]
        self._value_names += ["threshold", "graded_spikes_factor"] + ["surrogate_slope"] * self.learn_slope
        self._values()

    def _refuse_useless(self, given):
        for name in self._info["refuses"]:
            default = self.__signature__.parameters[name].default
            if name in given and (isinstance(given[name], torch.Tensor) or given[name] != default):
                raise TypeError(f"[{self._kind}] {name} must not be given: it would have no effect")

    def _values(self):
        """The parameters as the operators take them; checked where they changed."""
        parameters, buffers = self._parameters, self._buffers
        values = [
            None if n is None else parameters[n] if n in parameters else buffers[n] for n in self._value_names
        ]
        if not is_compiling() and not self._unchanged(values):
            _check(self._kind, values, self._modes)
            self._remember(values)
            self._follow(values)
        return values

    def _follow(self, values):
        """Sets what follows from other parameters."""
        if all(self._sources):
            return
        values = values[: len(self._sources)]
        complete, _ = _complete(self._kind, values, [False] * len(values), self._modes)
        with torch.no_grad():
            for parameter, value, source in zip(self._info["params"], complete, self._sources):
                if not source:
                    own = getattr(self, parameter["name"])
                    own.copy_(value.reshape(own.shape))

    def _step(self, x, state):
        surrogate = self._surrogate
        if self._plain:
            return _step(
                self._kind, x, state, self._values(), self._modes, self._reset, self.reset_delay, surrogate.name, surrogate.args
            )
        spk, _, last = self._sequence(x.unsqueeze(0), 1, state, False)
        return [spk.squeeze(0), *last]

    def _sequence(self, x, steps, state, traces):
        surrogate, spike, quantise = self._surrogate, self._spike_function, self._quantiser
        if self.inhibition and x.dim() != 3:
            raise IndexError(
                f"[{self._kind}] inhibition needs a dense layer, one step of input_ [B, N], got {list(x.shape[1:])}"
            )
        return _sequence(
            self._kind,
            x,
            steps,
            state,
            self._values(),
            self._modes,
            self._reset,
            self.reset_delay,
            surrogate.name,
            surrogate.args,
            traces,
            -1 if spike is None else spike.number,
            -1 if quantise is None else quantise.number,
            bool(self.inhibition),
            bool(self.fused),
        )

    def _spikes(self, u):
        scale = self._info["surrogate_scale"]
        return super()._spikes(u if scale == 1 else u / scale)

    def _cleared(self, state):
        # The rest follows from the parameters, at the next step: an empty state stands for it.
        return state.new_zeros(0) if self._info["rests"] else super()._cleared(state)

    def _save_to_state_dict(self, *args, **named):
        self._follow(self._values())  # is stored as it is now
        super()._save_to_state_dict(*args, **named)


def _tensor(value):
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def _mode_number(kind, mode, choice):
    if choice not in mode["choices"]:
        raise ValueError(f"[{kind}] {mode['name']} must be one of {', '.join(mode['choices'])}, got {choice!r}")
    return mode["choices"].index(choice)


def _signature(info):
    """The arguments of a neuron's class: snnTorch's in its order, then keywords."""
    name = info["name"]
    options = {}
    for p in info["params"]:
        required = p["name"] in _REQUIRED.get(name, ())
        default = inspect.Parameter.empty if required else p["default"]
        options[p["name"]] = False if name == "Lapicque" and default is None else default
    options |= {f"learn_{p['name']}": False for p in info["params"] if p["learnable"]}
    options |= {mode["name"]: mode["choices"][0] for mode in info["modes"]}
    options |= _DEFAULTS | {"threshold": info["threshold"], "reset_mechanism": info["reset"]}
    if name in _SNNTORCH:
        order = _SNNTORCH[name].replace("$", _COMMON).split()
    else:
        order = [p["name"] for p in info["params"]]
    further = [n for n in options if n not in order]
    parameters = [inspect.Parameter(n, _POSITIONAL, default=options[n]) for n in order]
    parameters += [inspect.Parameter(n, _KEYWORD, default=options[n]) for n in further]
    # An argument without a default may follow one with a default (delta_threshold, beta), as it may in a call.
    return inspect.Signature(parameters, __validate_parameters__=False)


def _doc(info):
    """The docstring: brief, equations of the C++ header, parameters, shapes."""
    states = ", ".join(s["name"] for s in info["states"])
    lines = [f"{info['brief'][0].upper()}{info['brief'][1:]}.", "", info["text"], "", "Parameters (numbers or tensors that broadcast with one step):", ""]
    for p in info["params"]:
        default = "" if p["default"] is None else f", {p['default']:g} by default"
        unit = "" if p["unit"] == "1" else f" [{p['unit']}]"
        learn = f"; learn_{p['name']} makes it a parameter" if p["learnable"] else ""
        lines.append(f"    {p['name']}{unit}: {p['meaning']} ({p['domain']}{default}){learn}")
    for m in info["modes"]:
        lines.append(f"    {m['name']}: {m['meaning']}, {' or '.join(repr(c) for c in m['choices'])}")
    if info["threshold"] != 1:
        lines += ["", f"threshold is {info['threshold']:g} by default."]
    if info["surrogate_scale"] != 1:
        lines += ["", f"A surrogate sees (U - threshold) / {info['surrogate_scale']:g}."]
    if info["rests"]:
        lines += ["", "A fresh state is the neuron's rest; reset_mem() returns empty tensors, which stand for it."]
    if not info["fires"]:
        lines += ["", "It does not fire: its membrane is what leaves."]
    if info["refuses"]:
        lines += ["", f"Options without a meaning here are refused: {', '.join(info['refuses'])}."]
    lines += [
        "",
        f"forward(input_, {states.replace(', ', '=None, ')}=None) -> (spk, {states}): one step, all [B, ...] alike",
        f"sequence(input_) -> (spk, mem): input_ [T, B, ...], results [T, B, ...]",
        f"sequence(input_, state) -> (spk, mem, {info['name']}.State({states}))",
        "",
        "The other options are those of SpikingNeuron.",
    ]
    if info["elsewhere"]:
        lines += ["", f"Elsewhere: {info['elsewhere']}."]
    return "\n".join(lines)


def _make(info):
    name = info["name"]
    body = {
        "_kind": name,
        "_info": info,
        "_state_names": tuple(s["name"] for s in info["states"]),
        "__signature__": _signature(info),
        "__doc__": _doc(info),
        "__module__": "rheobase",
        "__qualname__": name,
    }
    return type(name, (_BASES.get(name, PointwiseNeuron),), body)


class _ChangeNeuron(PointwiseNeuron):
    """snnTorch's way to call DeltaLeaky: the two membranes go in and come out as one pair, which may be None."""

    _hands_out = True  # with init_hidden and without `output`, too

    def forward(self, input_, mem=None):
        """One time step. Returns (spikes, (mem, mem_prev)). With init_hidden `mem` is ignored."""
        if not self.init_hidden:
            if not isinstance(mem, tuple) or len(mem) != 2:
                raise TypeError(f"[{self._kind}] mem must be a pair (mem, mem_prev), got {type(mem).__name__}")
            self._accept([input_.new_zeros(0) if m is None else m for m in mem], input_)
        out = self._step(input_, [self._buffers[name] for name in self._state_names])
        for name, value in zip(self._state_names, out[1:]):
            self._buffers[name] = value
        return self._handed_out(out[0], out[1:])

    def _handed_out(self, spk, states):
        return spk, tuple(states)

    def reset_mem(self):
        """Forgets both membranes, and returns (None, None)."""
        super().reset_mem()
        for name in self._state_names:
            self._buffers[name] = self._buffers[name].new_zeros(0)
        return None, None


_BASES = {"DeltaLeaky": _ChangeNeuron}

#: name -> class, for every neuron of the registry that is a layer by itself
classes = {name: _make(info) for name, info in _known.items() if not info["layered"]}
