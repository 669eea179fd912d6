"""Which layer feeds which: one pass of a network over sample data, watched.

A layer is a module that becomes a node. Between layers only sums may be computed, because several edges into a node are all that
NIR has there. Before the first layer anything goes: the graph begins with what that layer gets."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, NamedTuple

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

INPUT = ""  # stands for the network's input among the names of layers


class Origin(NamedTuple):
    """Where a tensor comes from: layers whose outputs it is the sum of; `outside` names a function that made something else of it."""

    layers: frozenset[str]
    outside: str | None = None


@dataclass
class Trace:
    """What a pass showed, in the order of the first calls."""

    layers: dict[str, torch.nn.Module] = field(default_factory=dict)
    sources: dict[str, frozenset[str]] = field(default_factory=dict)  # layer -> the layers, or INPUT, that feed it
    received: dict[str, tuple[int, ...]] = field(default_factory=dict)  # layer -> shape of its input, batch included
    returned: dict[str, tuple[int, ...]] = field(default_factory=dict)  # layer -> shape of its output
    outputs: list[str] = field(default_factory=list)  # layers whose output the network returns


ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}
SAME = {"detach", "clone", "contiguous", "to", "float", "double", "requires_grad_"}


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace()
        self.inside = 0  # depth of layers being run: what they compute is their own affair
        self.origins: dict[int, Origin] = {}
        self.alive: list[torch.Tensor] = []  # an id means something only while its tensor lives

    def mark(self, tensor: torch.Tensor, origin: Origin) -> None:
        self.origins[id(tensor)] = origin
        self.alive.append(tensor)

    def origin(self, value: Any) -> Origin | None:
        return self.origins.get(id(value)) if isinstance(value, torch.Tensor) else None

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self.inside:
            return result
        self.inside += 1  # the questions below are calls of torch too
        try:
            self.follow(func, args, kwargs, result)
        finally:
            self.inside -= 1
        return result

    def follow(self, func: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        values = tree_leaves((args, kwargs))
        known = [origin for value in values if (origin := self.origin(value)) is not None]
        if not known:
            return
        layers = frozenset().union(*(origin.layers for origin in known))
        outside = next((origin.outside for origin in known if origin.outside), None)
        name = getattr(func, "__name__", "")
        sums = name in ADDITIONS and all(self.origin(value) is not None or _is_zero(value) for value in values)
        if outside is None and layers != {INPUT} and not sums and name not in SAME:
            outside = resolve_name(func) or name
        targets = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
        if name == "__setitem__" or "out" in kwargs:
            targets += [value for value in (args[:1] + (kwargs.get("out"),)) if isinstance(value, torch.Tensor)]
        for target in targets:
            self.mark(target, Origin(layers, outside))

    def attach(self, name: str, module: torch.nn.Module, transparent: bool) -> list[Any]:
        """Hooks that report the module's calls; the handles remove them."""
        return [
            module.register_forward_pre_hook(
                lambda layer, args, kwargs: self.enter() if transparent else self.before(name, layer, args, kwargs),
                with_kwargs=True,
            ),
            module.register_forward_hook(lambda layer, args, result: self.after(name, transparent, args, result)),
        ]

    def enter(self) -> None:
        self.inside += 1

    def before(self, name: str, layer: torch.nn.Module, args: Any, kwargs: Any) -> None:
        if not self.inside:
            data: torch.Tensor | None = args[0] if args else next(iter(kwargs.values()), None)
            origin = self.origin(data)
            if origin is None or data is None or not origin.layers:
                raise ValueError(
                    f"[export_to_nir] the input of layer '{name}' must come from a layer or be the network's, got one made elsewhere"
                )
            if origin.outside:
                raise ValueError(
                    f"[export_to_nir] the input of layer '{name}' must be the output of layers or their sum, got what {origin.outside} "
                    "made of it: NIR knows no operation between layers"
                )
            before = self.trace.sources.get(name, origin.layers)
            if not (before <= origin.layers or before >= origin.layers):
                raise ValueError(
                    f"[export_to_nir] layer '{name}' must have one place in the network, got inputs from {_names(before)} and from {_names(origin.layers)}"
                )
            self.trace.layers[name] = layer
            self.trace.sources[name] = before | origin.layers
            self.trace.received.setdefault(name, tuple(data.shape))
        self.inside += 1

    def after(self, name: str, transparent: bool, args: Any, result: Any) -> None:
        self.inside -= 1
        if self.inside:
            return
        first = result[0] if isinstance(result, (tuple, list)) else result
        if transparent:
            self.mark(first, self.origins[id(args[0])])
            return
        self.trace.returned.setdefault(name, tuple(first.shape))
        self.mark(first, Origin(frozenset({name})))


@contextlib.contextmanager
def _unchanged(net: torch.nn.Module) -> Iterator[None]:
    """Gives every module of the network its attributes and buffers back."""
    saved = [(module, dict(module.__dict__), dict(module._buffers)) for module in net.modules()]
    try:
        yield
    finally:
        for module, attributes, buffers in saved:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            module._buffers.clear()
            module._buffers.update(buffers)


def _is_zero(value: Any) -> bool:
    """Adds nothing: the 0 that sum() starts with, the spikes of a step that has not been."""
    return not torch.as_tensor(value).any() if isinstance(value, (int, float, torch.Tensor)) else value is None


def _names(layers: frozenset[str]) -> str:
    return " + ".join(f"'{name}'" if name else "the input" for name in sorted(layers))


def follow(
    net: torch.nn.Module,
    args: tuple[Any, ...],
    is_layer: Callable[[torch.nn.Module], bool],
    is_transparent: Callable[[torch.nn.Module], bool],
    name_of_net: str,
) -> Trace:
    """Runs the network, in evaluation mode, on args and watches. Its states are afterwards what they were."""
    watch = _Watch()
    handles = []
    below: set[torch.nn.Module] = set()
    for name, module in net.named_modules():
        transparent = is_transparent(module)
        if module in below or not (transparent or is_layer(module)):
            continue
        below.update(module.modules())
        handles += watch.attach(name or name_of_net, module, transparent)
    watch.mark(args[0], Origin(frozenset({INPUT})))
    with _unchanged(net), torch.no_grad():
        try:
            net.eval()
            with watch:
                result = net(*args)
        finally:
            for handle in handles:
                handle.remove()
    if not watch.trace.layers:
        raise ValueError(f"[export_to_nir] module must call at least one layer, got a {type(net).__name__} that called none")
    returned = [origin for value in tree_leaves(result) if (origin := watch.origin(value)) is not None]
    ends = {layer for origin in returned for layer in origin.layers if layer}
    if not ends:
        ends = set(watch.trace.layers) - {source for sources in watch.trace.sources.values() for source in sources}
    watch.trace.outputs = [name for name in watch.trace.layers if name in ends]
    return watch.trace
