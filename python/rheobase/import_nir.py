"""Networks from NIR, the Neuromorphic Intermediate Representation, by the packages nir and nirtorch.

    import nir
    from rheobase.import_nir import import_from_nir
    net = import_from_nir(nir.read("net.nir"))
    for step in range(num_steps):
        spk, state = net(x[step])          # x[step]: [B, ...]

| node | layer |
|---|---|
| Affine, Linear, Conv1d, Conv2d, AvgPool2d, Flatten | the same of torch |
| SumPool2d | AvgPool2d with divisor_override=1 |
| Scale | a factor for each neuron |
| LIF | Leaky with beta = 1 - dt / tau |
| IF | Leaky with beta = 1: no leak |
| CubaLIF | Synaptic with alpha = 1 - dt / tau_syn, beta = 1 - dt / tau_mem |
| these three with a weight that they feed and that feeds nothing else but them | RLeaky, RSynaptic |

dt is 1e-4 seconds, as in export_to_nir. A gain w of the input (r dt / tau for LIF, r for IF, w_in dt / tau_syn times that for CubaLIF)
becomes a threshold divided by w, with the same spikes; membranes are then in units of w.

Neurons fall to zero in the moment they fire, which is what v_reset = 0 says (reset_mechanism="zero", reset_delay=False), unless the
node's metadata holds another reset from export_to_nir. What a layer cannot do is refused by name: v_reset or v_leak other than 0,
nodes of other types."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable

import numpy
import torch

import rheobase as snn

from ._nir_nodes import DT
from ._optional import needed

if TYPE_CHECKING:
    import nir

__all__ = ["import_from_nir"]

Edges = list[tuple[str, str]]


def import_from_nir(graph: nir.NIRGraph) -> torch.nn.Module:
    """The network of an NIR graph. The graph itself stays as it is.

        net = import_from_nir(graph)
        spk, state = net(x)        # x: [B, ...], one time step

    graph: as nir.read or export_to_nir returns it; graphs within it are taken apart. The neurons keep their states themselves
    (init_hidden=True; rheobase.utils.reset(net) clears them), so the second value returned is of no use unless the graph
    has a loop that is no recurrent layer: then hand it in again as state. Weights are float32.

    The layers are attributes named as the nodes, with _ for a dot. Raises ValueError for what there is no layer for."""
    ir, nirtorch = needed("import_from_nir", "nir"), needed("import_from_nir", "nirtorch")
    nodes, edges = _flat(ir, graph)
    outputs = [name for name, node in nodes.items() if isinstance(node, ir.Output)]
    if len(outputs) != 1:
        raise ValueError(f"[import_from_nir] graph must have one Output node, got {sorted(outputs)}")
    nodes, edges = _fold_recurrence(ir, nodes, edges)

    ports = (ir.Input, ir.Output)
    # Only the wiring is left to nirtorch: its nodes are the layers that are made already.
    made = {name: node if isinstance(node, ports) else _Made(_module(ir, name, node)) for name, node in nodes.items()}
    wired: torch.nn.Module = nirtorch.nir_to_torch(
        ir.NIRGraph(nodes=made, edges=edges, type_check=False), {_Made: lambda node: node.module}
    )
    return wired


class _Made:
    """A node that is a layer already."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module


def _flat(ir: Any, graph: nir.NIRGraph) -> tuple[dict[str, Any], Edges]:
    """Nodes and edges with the graphs inside the graph taken apart."""
    nodes: dict[str, Any] = {}
    edges: Edges = [(str(source), str(target)) for source, target in graph.edges]
    for name, node in graph.nodes.items():
        if not isinstance(node, ir.NIRGraph):
            nodes[name] = node
            continue
        inner, inner_edges = _flat(ir, node)
        ways_in = [target for source, target in inner_edges if isinstance(inner[source], ir.Input)]
        ways_out = [source for source, target in inner_edges if isinstance(inner[target], ir.Output)]
        for inner_name, inner_node in inner.items():
            if not isinstance(inner_node, (ir.Input, ir.Output)):
                nodes[f"{name}.{inner_name}"] = inner_node
        kept = [(f"{name}.{a}", f"{name}.{b}") for a, b in inner_edges if f"{name}.{a}" in nodes and f"{name}.{b}" in nodes]
        before = [(source, f"{name}.{way}") for source, target in edges if target == name for way in ways_in]
        after = [(f"{name}.{way}", target) for source, target in edges if source == name for way in ways_out]
        edges = [edge for edge in edges if name not in edge] + kept + before + after
    return nodes, list(dict.fromkeys(edges))


class _Recurrent:
    """A population and the weight of its feedback, which one layer stands for."""

    def __init__(self, population: Any, weight: Any) -> None:
        self.population, self.weight = population, weight
        self.input_type, self.output_type = population.input_type, population.output_type


def _fold_recurrence(ir: Any, nodes: dict[str, Any], edges: Edges) -> tuple[dict[str, Any], Edges]:
    """Puts a _Recurrent in the place of each population whose spikes come back to it through one weight."""
    nodes = dict(nodes)
    renamed: dict[str, str] = {}
    for name in [name for name, node in nodes.items() if isinstance(node, (ir.LIF, ir.IF, ir.CubaLIF))]:
        loops = [
            weight
            for weight, node in nodes.items()
            if isinstance(node, (ir.Affine, ir.Linear, ir.Scale, ir.Conv2d))
            and [target for source, target in edges if source == weight] == [name]
            and [source for source, target in edges if target == weight] == [name]
        ]
        itself = (name, name) in edges
        if not loops and not itself:
            continue
        if len(loops) + itself > 1:
            raise ValueError(f"[import_from_nir] node '{name}' must have one feedback, got {[*loops, *[name] * itself]}")
        weight = nodes.pop(loops[0]) if loops else ir.Scale(scale=numpy.ones(nodes[name].v_threshold.shape))
        layer = name.removesuffix(".lif")
        renamed[name] = layer if layer == name or layer not in nodes else name
        nodes[renamed[name]] = _Recurrent(nodes.pop(name), weight)
        edges = [edge for edge in edges if edge != (name, name) and not set(edge) & set(loops)]
    return nodes, [(renamed.get(source, source), renamed.get(target, target)) for source, target in edges]


class _Factor(torch.nn.Module):
    """Multiplies every neuron's value by a factor of its own: nir.Scale."""

    def __init__(self, scale: torch.Tensor) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(numpy.array(array, dtype=numpy.float32))


def _numbers(value: Any) -> Any:
    """A size of one dimension or two as plain ints; "same" and "valid" as they are."""
    if isinstance(value, (str, bytes)):
        return value.decode() if isinstance(value, bytes) else value
    whole = numpy.asarray(value)
    return int(whole) if whole.ndim == 0 else tuple(int(number) for number in whole)


def _ours(node: Any) -> dict[str, Any]:
    """What export_to_nir left in the node's metadata."""
    return dict((node.metadata or {}).get("rheobase", {}))


def _linear(ir: Any, name: str, node: Any) -> torch.nn.Module:
    if node.weight.ndim != 2:
        raise ValueError(f"[import_from_nir] node '{name}': weight must be a matrix, got {node.weight.shape}")
    values = {field: _tensor(getattr(node, field)) for field in ("weight", "bias") if hasattr(node, field)}
    linear = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0], bias="bias" in values)
    linear.load_state_dict(values)
    return linear


def _convolution(ir: Any, name: str, node: Any) -> torch.nn.Module:
    weight = _tensor(node.weight)
    groups = int(node.groups)
    if groups == 1 and "groups" in _ours(node):
        groups = int(_ours(node)["groups"])
        weight = torch.cat([part.chunk(groups, dim=1)[i] for i, part in enumerate(weight.chunk(groups))])
    kind: Any = torch.nn.Conv1d if isinstance(node, ir.Conv1d) else torch.nn.Conv2d
    conv: torch.nn.Module = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=_numbers(node.stride),
        padding=_numbers(node.padding),
        dilation=_numbers(node.dilation),
        groups=groups,
    )
    conv.load_state_dict({"weight": weight, "bias": _tensor(node.bias)})
    return conv


def _pooling(ir: Any, name: str, node: Any) -> torch.nn.Module:
    kernel, stride, padding = (_numbers(size) for size in (node.kernel_size, node.stride, node.padding))
    return torch.nn.AvgPool2d(kernel, stride, padding, divisor_override=1 if isinstance(node, ir.SumPool2d) else None)


def _flatten(ir: Any, name: str, node: Any) -> torch.nn.Module:
    # NIR counts dimensions without the batch.
    start, end = (int(dim) + 1 if dim >= 0 else int(dim) for dim in (node.start_dim, node.end_dim))
    return torch.nn.Flatten(start, end)


def _scale(ir: Any, name: str, node: Any) -> torch.nn.Module:
    return _Factor(_tensor(node.scale))


def _parameter(values: numpy.ndarray) -> float | torch.Tensor:
    """One number where all neurons have the same; else a tensor that is as small as still broadcasts to them."""
    for axis, size in enumerate(values.shape):
        first = values.take([0], axis) if size else values
        if (values == first).all():
            values = first
    while values.ndim and values.shape[0] == 1:
        values = values[0]
    return float(values) if values.ndim == 0 else _tensor(values)


def _options(ir: Any, name: str, node: Any) -> dict[str, Any]:
    """The options of the neuron layer for a population."""
    for rule in ("v_leak", "v_reset"):
        values = numpy.asarray(getattr(node, rule, 0.0))
        if (values != 0).any():
            raise ValueError(f"[import_from_nir] node '{name}': {rule} must be 0, got {_first(values, values != 0)}")
    if isinstance(node, ir.IF):
        options, gain = {"beta": numpy.ones(node.v_threshold.shape)}, node.r
    elif isinstance(node, ir.LIF):
        options, gain = {"beta": 1 - DT / _slow(name, node, "tau")}, node.r * DT / node.tau
    else:
        options = {"alpha": 1 - DT / _slow(name, node, "tau_syn"), "beta": 1 - DT / _slow(name, node, "tau_mem")}
        gain = node.w_in * DT / node.tau_syn * (node.r * DT / node.tau_mem)
    if not (gain > 0).all():
        raise ValueError(
            f"[import_from_nir] node '{name}': r and w_in must be positive, got a gain of {_first(gain, ~(gain > 0))}"
        )
    # A gain that is 1 but for its rounding would move the threshold by that.
    threshold = node.v_threshold / numpy.where(numpy.isclose(gain, 1, rtol=1e-6), 1, gain)
    ours = _ours(node)
    mechanism = ours.get("reset_mechanism", "zero")
    return {
        **{key: _parameter(numpy.asarray(value)) for key, value in {**options, "threshold": threshold}.items()},
        "reset_mechanism": mechanism.decode() if isinstance(mechanism, bytes) else str(mechanism),
        "reset_delay": bool(ours.get("reset_delay", False)),
        "init_hidden": True,
    }


def _slow(name: str, node: Any, field: str) -> numpy.ndarray:
    tau = numpy.asarray(getattr(node, field))
    # Exported decays of 0 are a tau of dt, rounding aside.
    if not (tau >= DT * (1 - 1e-6)).all():
        raise ValueError(
            f"[import_from_nir] node '{name}': {field} must be at least the time step of {DT} s, got {_first(tau, ~(tau >= DT))}"
        )
    return numpy.array(numpy.maximum(tau, DT))


def _first(values: numpy.ndarray, wrong: numpy.ndarray) -> float:
    return float(numpy.broadcast_to(values, wrong.shape)[wrong].flat[0])


def _neuron(ir: Any, name: str, node: Any) -> torch.nn.Module:
    return (snn.Synaptic if isinstance(node, ir.CubaLIF) else snn.Leaky)(**_options(ir, name, node))


def _recurrent(ir: Any, name: str, node: _Recurrent) -> torch.nn.Module:
    kind = snn.RSynaptic if isinstance(node.population, ir.CubaLIF) else snn.RLeaky
    build: Callable[..., torch.nn.Module] = functools.partial(kind, **_options(ir, name, node.population))
    weight, shape = node.weight, node.population.v_threshold.shape
    if isinstance(weight, ir.Scale):
        return build(V=_parameter(weight.scale), all_to_all=False)
    if isinstance(weight, ir.Conv2d):
        conv: Any = _convolution(ir, name, weight)
        centred = tuple(size // 2 for size in conv.kernel_size)
        plain = (
            conv.stride == (1, 1) and conv.dilation == (1, 1) and conv.groups == 1 and conv.in_channels == conv.out_channels
        )
        if not plain or conv.padding not in ("same", centred) or not all(size % 2 for size in conv.kernel_size):
            raise ValueError(
                f"[import_from_nir] node '{name}': a convolution that feeds back must keep the shape, got {conv}"
            )
        return _with_feedback(build(conv2d_channels=conv.out_channels, kernel_size=conv.kernel_size), weight)
    if weight.weight.shape != (*shape, *shape):
        raise ValueError(
            f"[import_from_nir] node '{name}': a weight that feeds {shape} neurons back must be square, got {weight.weight.shape}"
        )
    diagonal = numpy.diag(weight.weight)
    is_diagonal = isinstance(weight, ir.Linear) and not (weight.weight - numpy.diag(diagonal)).any()
    if is_diagonal and not _ours(node.population).get("all_to_all", False):
        return build(V=_parameter(diagonal), all_to_all=False)
    return _with_feedback(build(linear_features=len(diagonal)), weight)


def _with_feedback(layer: torch.nn.Module, weight: Any) -> torch.nn.Module:
    """The layer with the weight, and the bias where there is one."""
    values = {"weight": _tensor(weight.weight), "bias": _tensor(getattr(weight, "bias", numpy.zeros(len(weight.weight))))}
    layer.get_submodule("recurrent").load_state_dict(values)
    return layer


_READERS: dict[str, Callable[[Any, str, Any], torch.nn.Module]] = {
    "Affine": _linear,
    "Linear": _linear,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "AvgPool2d": _pooling,
    "SumPool2d": _pooling,
    "Flatten": _flatten,
    "Scale": _scale,
    "LIF": _neuron,
    "IF": _neuron,
    "CubaLIF": _neuron,
    "_Recurrent": _recurrent,
}


def _module(ir: Any, name: str, node: Any) -> torch.nn.Module:
    reader = _READERS.get(type(node).__name__)
    if reader is None:
        known = ", ".join(kind for kind in _READERS if not kind.startswith("_"))
        raise ValueError(f"[import_from_nir] node '{name}' must be one of {known}, got {type(node).__name__}")
    return reader(ir, name, node)
