"""Networks as NIR, the Neuromorphic Intermediate Representation, by the package nir.

    import nir
    from rheobase.export_nir import export_to_nir
    graph = export_to_nir(net, sample_data)   # sample_data: [B, ...], one time step
    nir.write("net.nir", graph)

| layer | node |
|---|---|
| Linear | Affine, or Linear without a bias |
| Conv1d, Conv2d, AvgPool2d, Flatten | the same; SumPool2d for an AvgPool2d with divisor_override=1 |
| Leaky | LIF with tau = dt / (1 - beta), r = 1 / (1 - beta), v_leak = 0, v_reset = 0; IF with r = 1 where beta is 1 |
| Synaptic | CubaLIF with also tau_syn = dt / (1 - alpha), w_in = 1 / (1 - alpha) |
| RLeaky, RSynaptic | `<name>.lif` as above, and `<name>.w_rec` that it feeds and that feeds it |
| Dropout, Identity | nothing: the edge goes through |

dt is 1e-4 seconds, as snnTorch has it. Parameters get the shape of the layer's neurons and are written in double precision, so that
they come back the same. A graded spikes factor is a Scale node behind the neuron.

A neuron of NIR falls to v_reset in the moment it fires. That is reset_mechanism="zero" with reset_delay=False, and for Leaky it
gives the same spikes as "zero" with the delay. Any other reset is kept in the node's metadata, under "rheobase", where import_from_nir
finds it; a warning says that other readers do not. What NIR cannot say at all is refused by name: other layers, inhibition, quantised
states. Surrogates, and what is learned, are not part of NIR."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Sequence

import numpy
import torch

import rheobase as snn

from ._nir_nodes import NEURONS, RECURRENT, WRITERS, Layer, feedback, population
from ._nir_trace import INPUT, Trace, follow
from ._optional import needed

if TYPE_CHECKING:
    import nir

__all__ = ["export_to_nir"]


def export_to_nir(
    module: torch.nn.Module,
    sample_data: torch.Tensor,
    model_name: str = "snntorch",
    model_fwd_args: Sequence[Any] = (),
    ignore_dims: Sequence[int] = (),
) -> nir.NIRGraph:
    """The network as an NIR graph, ready for nir.write.

        graph = export_to_nir(net, torch.rand(1, 784))

    module          the network, a Sequential or a class of your own, with the loop over time in it or not
    sample_data     what its forward takes, [T, B, ...] for a snn.Sequential; it is run once
    model_name      the node's name where module is a single layer
    model_fwd_args  further arguments of forward
    ignore_dims     the dimensions of sample_data that are batch or time; without it, the first of those that the first layer
                    gets, unless that is a single sample

    The node names are the layers' names in the network. Raises ValueError for what NIR has no word for."""
    ir = needed("export_to_nir", "nir")
    if isinstance(module, snn.Sequential):
        constant = getattr(module, "num_steps", None) is not None  # of snn.fuse: the same input at every step
        module, sample_data = _Steps(module), sample_data if constant else sample_data[0]
    trace = follow(module, (sample_data, *model_fwd_args), _is_layer, _is_transparent, model_name)
    return _graph(ir, trace, _dropped_dimensions(trace, sample_data, ignore_dims))


class _Steps(torch.nn.Module):
    """The layers of a snn.Sequential, run for one step and one after the other, so that their calls can be watched."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        for name, layer in net.named_children():
            self.add_module(name, _Steps(layer) if isinstance(layer, snn.Sequential) else layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def _is_layer(module: torch.nn.Module) -> bool:
    return isinstance(module, (snn.SpikingNeuron, *WRITERS)) or not any(True for _ in module.children())


def _is_transparent(module: torch.nn.Module) -> bool:
    """Lets its input through once training is over."""
    return isinstance(module, (torch.nn.Identity, torch.nn.modules.dropout._DropoutNd))


def _dropped_dimensions(trace: Trace, sample_data: torch.Tensor, ignore_dims: Sequence[int]) -> tuple[int, ...]:
    """The dimensions that NIR does not have: batch, or batch and time."""
    first = next(iter(trace.layers))
    got = len(trace.received[first])
    if len(ignore_dims) and sample_data.dim() == got:
        return tuple(dim % got for dim in ignore_dims)
    single = {torch.nn.Conv2d: 3, torch.nn.AvgPool2d: 3, torch.nn.Conv1d: 2}.get(type(trace.layers[first]), 1)
    return () if got <= single else (0,)


def _without(shape: tuple[int, ...], dropped: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for dim, size in enumerate(shape) if dim not in dropped)


def _graph(ir: Any, trace: Trace, dropped: tuple[int, ...]) -> nir.NIRGraph:
    taken = {part for name in trace.layers for part in (name, f"{name}.lif", f"{name}.w_rec")}
    begin, end = (name if name not in taken else f"{name}_node" for name in ("input", "output"))
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    entry, exit = {}, {INPUT: begin}  # layer -> the node that its input goes to, and the one that its output comes from
    unsaid = []
    for name, module in trace.layers.items():
        layer = Layer(
            ir, name, module, _without(trace.received[name], dropped), _without(trace.returned[name], dropped), len(dropped)
        )
        if not nodes:
            nodes[begin] = ir.Input(input_type=numpy.array(layer.received))
        entry[name] = exit[name] = name
        writer = WRITERS.get(type(module))
        if writer:
            nodes[name] = writer(layer)
            vars(nodes[name]).update(layer.types())
            continue
        if type(module) not in NEURONS + RECURRENT:
            known = ", ".join(kind.__name__ for kind in (*WRITERS, *NEURONS, *RECURRENT))
            raise layer.refuse(f"NIR has no node for it; there are nodes for {known}")
        neurons = population(layer)
        graded = layer.values(layer.module.graded_spikes_factor)
        if type(module) in RECURRENT:
            if (graded != 1).any():
                raise layer.refuse(f"graded_spikes_factor must be 1 where spikes are fed back, got {graded.max()}")
            entry[name] = exit[name] = f"{name}.lif"
            nodes[f"{name}.w_rec"] = feedback(layer, neurons)
            vars(nodes[f"{name}.w_rec"]).update(layer.types())
            edges += [(f"{name}.lif", f"{name}.w_rec"), (f"{name}.w_rec", f"{name}.lif")]
        elif (graded != 1).any():
            exit[name] = f"{name}.graded_spikes_factor"
            nodes[exit[name]] = ir.Scale(scale=graded)
            edges.append((name, exit[name]))
        nodes[entry[name]] = neurons
        if layer.unsaid:
            unsaid.append(layer.unsaid)
    edges += [(exit[source], entry[name]) for name, sources in trace.sources.items() for source in sorted(sources)]
    for name in trace.outputs:
        node = end if len(trace.outputs) == 1 else f"{end}_{name}"
        nodes[node] = ir.Output(output_type=numpy.array(_without(trace.returned[name], dropped)))
        edges.append((exit[name], node))
    if unsaid:
        warnings.warn(
            f"[export_to_nir] the resets of {', '.join(unsaid)} are not NIR's, which is to v_reset at once: rheobase reads them back from "
            'the metadata, other readers will reset to v_reset = 0; reset_mechanism="zero" with reset_delay=False is the same everywhere'
        )
    # The types are those of the pass; nir's own inference takes every kernel for a square.
    return ir.NIRGraph(nodes=nodes, edges=edges, type_check=False)
