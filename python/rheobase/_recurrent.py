"""Neurons whose own spikes come back as input one step later: RLeaky and RSynaptic."""

import torch
from torch import nn
from torch.compiler import is_compiling

from ._kernels import along, computed, given_state, has_formula, in_type_of
from ._neuron import SpikingNeuron
from ._pointwise import PointwiseNeuron
from ._registry import neurons as _known

_recurrent = torch.ops.rheobase.recurrent.default
_check = torch.ops.rheobase.neuron_check.default

_FEEDBACK = """
    What comes back, rho(spk'):
        all_to_all=False                        V spk', one number or one per neuron: each neuron its own spike
        linear_features=N                       `recurrent`, an nn.Linear(N, N): every spike to every neuron of [B, N]
        conv2d_channels=C, kernel_size=k        `recurrent`, an nn.Conv2d(C, C, k) that keeps the size: [B, C, H, W]; k odd
    learn_recurrent: V, or weight and bias, are learned.
"""


class RecurrentOneToOne(nn.Module):
    """Each neuron's own spike times V."""

    def __init__(self, V):  # noqa: N803  (snnTorch's name)
        super().__init__()
        self.V = V

    def forward(self, x):
        return x * self.V


class _Recurrent(PointwiseNeuron):
    """What both have in common."""

    def __init__(self, decays, V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent, learned, common):
        kind = type(self)._kind
        _check_feedback(kind, all_to_all, linear_features, conv2d_channels, kernel_size)
        SpikingNeuron.__init__(self, **common)
        self.all_to_all = all_to_all
        self.learn_recurrent = learn_recurrent
        self.linear_features = linear_features
        self.conv2d_channels = conv2d_channels
        self.kernel_size = kernel_size
        for (name, value), learn in zip(decays.items(), learned):
            self._register_value(name, value, learn)
        if not all_to_all:
            self._register_value("V", V, learn_recurrent)
            self.recurrent = RecurrentOneToOne(self.V)
        elif linear_features:
            self.recurrent = nn.Linear(linear_features, linear_features)
        else:
            sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
            if any(k % 2 == 0 for k in sides):
                raise RuntimeError(f"[{kind}] kernel_size must be odd, got {kernel_size}")
            self.padding = tuple(k // 2 for k in sides)
            self.recurrent = nn.Conv2d(conv2d_channels, conv2d_channels, sides, padding=self.padding)
        if not learn_recurrent:
            for parameter in self.recurrent.parameters():
                parameter.requires_grad = False
        self._modes = []
        self._sources = [True] * (len(decays) + 1)
        self._value_names = [*decays, "V", "threshold", "graded_spikes_factor"] + ["surrogate_slope"] * self.learn_slope
        # Where the layer's own product feeds back, the neuron itself does not.
        self._no_feedback = torch.zeros(())
        self._values()

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "V" and "recurrent" in self.__dict__.get("_modules", ()):
            self.recurrent.V = self.V

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        if not self.all_to_all:
            self.recurrent.V = self.V
        return self

    def _values(self):
        if not self.all_to_all:
            return super()._values()
        parameters, buffers = self._parameters, self._buffers
        values = [
            self._no_feedback if n == "V" else parameters[n] if n in parameters else buffers[n] for n in self._value_names
        ]
        if not is_compiling() and not self._unchanged(values):
            _check(self._kind, values, self._modes)
            self._remember(values)
        return values

    def forward(self, input_, *given, **named):
        """One time step. Returns (spikes, states ... but the spikes), or the spikes alone with init_hidden."""
        out = super().forward(input_, *given, **named)
        return out if isinstance(out, torch.Tensor) else self._handed_out(out[0], out[1:])

    def _handed_out(self, spk, states):
        return (spk, *states[1:])  # the spikes are a state already

    def _with_feedback(self, x, state):
        return x + self.recurrent(self._fresh(state[:1], x)[0])

    def _step(self, x, state):
        if not self.all_to_all:
            return super()._step(x, state)
        x = self._with_feedback(x, state)
        if self._plain:
            return super()._step(x, state)
        spk, _, last = super()._sequence(x.unsqueeze(0), 1, state, False)
        return [spk.squeeze(0), *last]

    def _sequence(self, x, steps, state, traces):
        if not self.all_to_all:
            return super()._sequence(x, steps, state, traces)
        fused = self._plain and has_formula(self) and not x.is_cuda
        if not fused or any(_watched(m) for m in self.recurrent.modules()):
            return self._one_by_one(x, steps, state, traces)
        values = computed(x)
        own = dict(zip(self._value_names, self._values()))
        for name in self._decays:
            own[name] = own[name].clamp(0, 1)
        weight, bias = (None if p is None else p.to(values.dtype) for p in (self.recurrent.weight, self.recurrent.bias))
        surrogate = self._surrogate
        spk, kept, last, _ = _recurrent(
            self._kind, values, weight, bias, given_state(self, state, values), along(self, own, x.shape[1:], values), steps,
            self._reset, self.reset_delay, surrogate.name, surrogate.args, 1 if traces else 0,
        )  # fmt: skip
        return in_type_of(x, spk, [spk, *kept] if traces else [], last)

    def _one_by_one(self, x, steps, state, traces):
        """Step by step: spikes wait for those of the step before."""
        spikes, kept = [], [[] for _ in state]
        for t in range(steps):
            row = self._with_feedback(x[t if x.shape[0] > 1 else 0], state)
            spk, _, state = super()._sequence(row.unsqueeze(0), 1, state, False)
            spikes.append(spk)
            for values, value in zip(kept, state):
                values.append(value)
        if not steps:
            return super()._sequence(x, 0, state, traces)
        return torch.cat(spikes), [torch.stack(values) for values in kept] if traces else [], list(state)


def _watched(module):
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks)


def _check_feedback(kind, all_to_all, linear_features, conv2d_channels, kernel_size):
    convolution = bool(conv2d_channels) or bool(kernel_size)
    if not all_to_all:
        if linear_features or convolution:
            raise TypeError(
                f"[{kind}] linear_features, conv2d_channels and kernel_size must not be given with all_to_all=False, "
                "where V is what comes back"
            )
    elif linear_features and convolution:
        raise TypeError(f"[{kind}] linear_features must not be given with conv2d_channels or kernel_size")
    elif not linear_features and not convolution:
        raise TypeError(f"[{kind}] all_to_all needs linear_features, or conv2d_channels and kernel_size, got none of them")
    elif not linear_features and bool(conv2d_channels) != bool(kernel_size):
        raise TypeError(
            f"[{kind}] conv2d_channels and kernel_size must be given together, got {conv2d_channels} and {kernel_size}"
        )


class RLeaky(_Recurrent):
    __doc__ = f"""Leaky integrate-and-fire whose own last spikes come back.

        mem = clamp(beta) mem' + x + rho(spk') - R threshold        reset "subtract"; R: mem' was above threshold
        mem = (1 - R) (clamp(beta) mem' + x + rho(spk'))            reset "zero"
        spk = graded_spikes_factor if mem > threshold
    {_FEEDBACK}
    forward(input_, spk=None, mem=None) -> (spk, mem): one step
    sequence(input_) -> (spk, mem): input_ [T, B, ...], results [T, B, ...]
    sequence(input_, state) -> (spk, mem, RLeaky.State(spk, mem))
    """

    _kind = "RLeaky"
    _info = _known["RLeaky"]
    _decays = ("beta",)
    _state_names = ("spk", "mem")

    def __init__(
        self,
        beta,
        V=1.0,
        all_to_all=True,
        linear_features=None,
        conv2d_channels=None,
        kernel_size=None,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_beta=False,
        learn_threshold=False,
        learn_recurrent=True,
        reset_mechanism="subtract",
        state_quant=False,
        output=False,
        reset_delay=True,
        **common,
    ):
        common |= dict(
            threshold=threshold, spike_grad=spike_grad, surrogate_disable=surrogate_disable, init_hidden=init_hidden,
            inhibition=inhibition, learn_threshold=learn_threshold, reset_mechanism=reset_mechanism, state_quant=state_quant,
            output=output, reset_delay=reset_delay,
        )  # fmt: skip
        super().__init__(
            {"beta": beta}, V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent, [learn_beta], common
        )


class RSynaptic(_Recurrent):
    __doc__ = f"""Leaky integrate-and-fire behind a synaptic current into which its own last spikes come back.

        syn = clamp(alpha) syn' + x + rho(spk')
        mem = clamp(beta) mem' + syn - R threshold                  reset "subtract"; R: mem' was above threshold
        mem = (1 - R) (clamp(beta) mem' + syn)                      reset "zero"
        spk = graded_spikes_factor if mem > threshold
    {_FEEDBACK}
    forward(input_, spk=None, syn=None, mem=None) -> (spk, syn, mem): one step
    sequence(input_) -> (spk, mem): input_ [T, B, ...], results [T, B, ...]
    sequence(input_, state) -> (spk, mem, RSynaptic.State(spk, syn, mem))
    """

    _kind = "RSynaptic"
    _info = _known["RSynaptic"]
    _decays = ("alpha", "beta")
    _state_names = ("spk", "syn", "mem")

    def __init__(
        self,
        alpha,
        beta,
        V=1.0,
        all_to_all=True,
        linear_features=None,
        conv2d_channels=None,
        kernel_size=None,
        threshold=1.0,
        spike_grad=None,
        surrogate_disable=False,
        init_hidden=False,
        inhibition=False,
        learn_alpha=False,
        learn_beta=False,
        learn_threshold=False,
        learn_recurrent=True,
        reset_mechanism="subtract",
        state_quant=False,
        output=False,
        reset_delay=True,
        **common,
    ):
        common |= dict(
            threshold=threshold, spike_grad=spike_grad, surrogate_disable=surrogate_disable, init_hidden=init_hidden,
            inhibition=inhibition, learn_threshold=learn_threshold, reset_mechanism=reset_mechanism, state_quant=state_quant,
            output=output, reset_delay=reset_delay,
        )  # fmt: skip
        super().__init__(
            {"alpha": alpha, "beta": beta}, V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent,
            [learn_alpha, learn_beta], common,
        )  # fmt: skip
