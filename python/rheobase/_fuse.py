"""A network built for a loop over time steps, run over all of them at once.

    net = nn.Sequential(nn.Linear(784, 100), snn.Leaky(beta=0.9, init_hidden=True),
                        nn.Linear(100, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True))
    fused = snn.fuse(net, num_steps=25)
    spk, mem = fused(images)            # what 25 calls net(images) return, stacked: [25, B, 10] each

The layers are shared, not copied: training the one trains the other, and `snn.utils.reset(net)` goes before a call as it
went before the loop.
"""

import torch
from torch import nn

from ._sequential import Sequential, _Flow, is_neuron, run_stateless, run_stored, takes_sequences
from ._state import constant, rows_and_steps

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


def fuse(net, num_steps=None):
    """`net`, an nn.Sequential for a loop over time, as a module that runs the whole loop.

    num_steps    the loop `for _ in range(num_steps): net(x)` on one x [B, ...]; None: `for row in x: net(row)` on x [T, B, ...]
    The module returns what the calls return, stacked over time. Spikes and gradients are those of the loop; dropout draws
    its numbers in another order.
    """
    if not isinstance(net, nn.Sequential):
        raise TypeError(f"[fuse] net must be an nn.Sequential, got {type(net).__name__}")
    if num_steps is not None and (isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 1):
        raise ValueError(f"[fuse] num_steps must be a whole number from 1 on, got {num_steps!r}")
    return Fused(net, num_steps)


class Fused(Sequential):
    """What `fuse` returns."""

    def __init__(self, net, num_steps):
        super().__init__()
        for name, layer in net.named_children():
            self.add_module(name, layer)
        self.num_steps = num_steps
        named = list(self._modules.items())
        for index, (name, layer) in enumerate(named):
            if takes_sequences(layer):
                raise TypeError(f"[fuse] layer '{name}', {type(layer).__name__}, takes whole sequences and stands in no loop")
            if not is_neuron(layer):
                continue
            final = index == len(named) - 1
            if not layer.init_hidden and not final:
                raise ValueError(f"[fuse] layer '{name}', {type(layer).__name__}, must have init_hidden=True to stand in a loop")
            if layer._hands_out and not final:
                raise ValueError(f"[fuse] layer '{name}', {type(layer).__name__}, hands out states in the middle of the network")

    def forward(self, input_):
        """`input_` [B, ...] with num_steps, else [T, B, ...]. Returns what the loop's calls return, stacked."""
        every = input_ if self.num_steps is None else constant(input_, self.num_steps)
        flow = _Flow(*rows_and_steps(every, "fuse"))
        named = list(self._modules.items())
        out = None
        for index, (name, layer) in enumerate(named):
            if is_neuron(layer):
                full = index == len(named) - 1 and layer._hands_out
                spk, traces = run_stored(layer, flow, full)
                flow, out = _Flow(spk, flow.steps, spikes=True), layer._handed_out(spk, traces) if full else None
            elif isinstance(layer, nn.Sequential) and not any(is_neuron(m) for m in layer.modules()):
                for inner_name, inner in layer.named_children():
                    flow = self._run_plain(f"{name}.{inner_name}", inner, flow)
            else:
                flow = self._run_plain(name, layer, flow)
        return flow.every_step() if out is None else out

    def _run_plain(self, name, layer, flow):
        if any(is_neuron(m) for m in layer.modules()):
            return self._run_other(name, layer, flow)
        if any(isinstance(m, _BATCH_NORMS) and m.training for m in layer.modules()):
            # Of each step its own statistics, as in the loop; the running ones are updated by every step.
            steps = flow.every_step()
            return _Flow(torch.stack([layer(steps[t]) for t in range(flow.steps)]), flow.steps)
        return run_stateless(name, layer, flow)
