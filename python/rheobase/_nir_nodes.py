"""The NIR node of each layer."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any, Callable

import numpy
import torch

import rheobase as snn

if TYPE_CHECKING:
    import nir

DT = 1e-4  # seconds of a time step; NIR's neurons are equations in continuous time

Shape = tuple[int, ...]


@dataclasses.dataclass
class Layer:
    """What a node is made from."""

    ir: Any  # the package nir
    name: str
    module: Any
    received: Shape  # of input and output, without batch
    returned: Shape
    dropped: int  # how many dimensions of the tensors those do not have
    unsaid: str | None = None  # the reset that other readers will not know of

    def refuse(self, rule: str) -> ValueError:
        return ValueError(f"[export_to_nir] layer '{self.name}', a {type(self.module).__name__}: {rule}")

    def types(self) -> dict[str, dict[str, numpy.ndarray]]:
        """The shapes as a node has them."""
        return {"input_type": {"input": numpy.array(self.received)}, "output_type": {"output": numpy.array(self.returned)}}

    def values(self, tensor: torch.Tensor) -> numpy.ndarray:
        """One number for each neuron, whatever shape the parameter has."""
        numbers = tensor.detach().cpu().double().numpy()
        try:
            return numpy.broadcast_to(numbers, self.returned).copy()
        except ValueError:
            raise self.refuse(f"parameters must broadcast to the neurons {self.returned}, got {numbers.shape}") from None


def _array(tensor: torch.Tensor) -> numpy.ndarray:
    """A weight as it is stored; types that numpy lacks (bfloat16) as float32."""
    tensor = tensor.detach().cpu()
    return tensor.numpy() if tensor.dtype in (torch.float32, torch.float64) else tensor.float().numpy()


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _linear(layer: Layer) -> nir.NIRNode:
    if len(layer.received) != 1:
        raise layer.refuse(
            f"its input must be a vector for each sample, got {layer.received}; ignore_dims names what is batch and time"
        )
    return _matrix(layer.ir, layer.module)


def _matrix(ir: Any, linear: torch.nn.Linear) -> nir.NIRNode:
    if linear.bias is None:
        return ir.Linear(weight=_array(linear.weight))
    return ir.Affine(weight=_array(linear.weight), bias=_array(linear.bias))


def _dense(conv: Any) -> numpy.ndarray:
    """The weight of a grouped convolution as that of a whole one: nir's reader knows no other."""
    weight = _array(conv.weight)
    if conv.groups == 1:
        return weight
    outputs, inputs = weight.shape[:2]
    whole = numpy.zeros((outputs, inputs * conv.groups, *weight.shape[2:]), dtype=weight.dtype)
    for row in range(outputs):
        group = row // (outputs // conv.groups)
        whole[row, group * inputs : (group + 1) * inputs] = weight[row]
    return whole


def _convolution(layer: Layer) -> nir.NIRNode:
    conv = layer.module
    if conv.padding_mode != "zeros":
        raise layer.refuse(f"padding_mode must be 'zeros', got '{conv.padding_mode}'")
    weight = _dense(conv)
    bias = _array(conv.bias) if conv.bias is not None else numpy.zeros(weight.shape[0], dtype=weight.dtype)
    metadata = {"rheobase": {"groups": conv.groups}} if conv.groups > 1 else {}
    if isinstance(conv, torch.nn.Conv1d):
        width = conv.padding if isinstance(conv.padding, str) else conv.padding[0]
        return layer.ir.Conv1d(
            layer.received[1], weight, conv.stride[0], width, conv.dilation[0], groups=1, bias=bias, metadata=metadata
        )
    if weight.shape[2] != weight.shape[3]:
        warnings.warn(
            f"[export_to_nir] layer '{layer.name}' has a kernel of {weight.shape[2]} x {weight.shape[3]}: nir takes every kernel for a "
            "square when it checks shapes, so read the file with nir.read(path, type_check=False)"
        )
    padding = conv.padding if isinstance(conv.padding, str) else _pair(conv.padding)
    return layer.ir.Conv2d(
        layer.received[1:], weight, _pair(conv.stride), padding, _pair(conv.dilation), groups=1, bias=bias, metadata=metadata
    )


def _pooling(layer: Layer) -> nir.NIRNode:
    pool = layer.module
    padding = _pair(pool.padding)
    if pool.ceil_mode:
        raise layer.refuse("ceil_mode must be False, got True")
    if not pool.count_include_pad and padding != (0, 0):
        raise layer.refuse("count_include_pad must be True where there is padding, got False")
    if pool.divisor_override not in (None, 1):
        raise layer.refuse(f"divisor_override must be None, or 1 for a sum, got {pool.divisor_override}")
    node = layer.ir.AvgPool2d if pool.divisor_override is None else layer.ir.SumPool2d
    kernel = _pair(pool.kernel_size)
    stride = kernel if pool.stride is None else _pair(pool.stride)
    return node(numpy.array(kernel), numpy.array(stride), numpy.array(padding))


def _flatten(layer: Layer) -> nir.NIRNode:
    ends = [dim - layer.dropped if dim >= 0 else dim for dim in (layer.module.start_dim, layer.module.end_dim)]
    sizes = len(layer.received)
    if layer.module.start_dim >= 0 > ends[0] or ends[0] < -sizes:
        raise layer.refuse(f"start_dim must not take in the batch, got {layer.module.start_dim}")
    return layer.ir.Flatten(input_type={"input": numpy.array(layer.received)}, start_dim=ends[0], end_dim=ends[1])


def _decay(layer: Layer, name: str) -> numpy.ndarray:
    """A decay as the step uses it, between 0 and 1."""
    return layer.values(getattr(layer.module, name)).clip(0, 1)


def population(layer: Layer) -> nir.NIRNode:
    """The node of the neurons themselves, without feedback."""
    neuron, ir = layer.module, layer.ir
    if neuron.inhibition:
        raise layer.refuse("inhibition must be False, got True: NIR has no lateral inhibition")
    if neuron.state_quant:
        raise layer.refuse("state_quant must be False: NIR has no quantised states")
    threshold = layer.values(neuron.threshold)
    zeros = numpy.zeros(layer.returned)
    metadata = _metadata(layer)
    beta = _decay(layer, "beta")
    if (beta == 1).any() and (isinstance(neuron, (snn.Synaptic, snn.RSynaptic)) or not (beta == 1).all()):
        raise layer.refuse(
            "beta must be below 1, got 1: a time constant would be infinite (a Leaky with beta 1 throughout is an IF)"
        )
    if (beta == 1).all() and beta.size:
        return ir.IF(r=zeros + 1, v_threshold=threshold, v_reset=zeros, metadata=metadata)
    membrane = {"v_leak": zeros, "v_threshold": threshold, "v_reset": zeros.copy(), "metadata": metadata}
    if not isinstance(neuron, (snn.Synaptic, snn.RSynaptic)):
        return ir.LIF(tau=DT / (1 - beta), r=1 / (1 - beta), **membrane)
    alpha = _decay(layer, "alpha")
    if (alpha == 1).any():
        raise layer.refuse("alpha must be below 1, got 1: a time constant would be infinite")
    return ir.CubaLIF(tau_syn=DT / (1 - alpha), tau_mem=DT / (1 - beta), r=1 / (1 - beta), w_in=1 / (1 - alpha), **membrane)


def _metadata(layer: Layer) -> dict[str, Any]:
    """The reset, where NIR's own is another."""
    neuron = layer.module
    delay = bool(getattr(neuron, "reset_delay", True))
    if neuron.reset_mechanism == "zero" and not delay:
        return {}
    if not (neuron.reset_mechanism == "zero" and type(neuron) is snn.Leaky):
        layer.unsaid = f"'{layer.name}' ({neuron.reset_mechanism}{', one step later' if delay else ''})"
    return {"rheobase": {"reset_mechanism": neuron.reset_mechanism, "reset_delay": delay}}


def feedback(layer: Layer, neurons: nir.NIRNode) -> nir.NIRNode:
    """The node from a recurrent layer's spikes to its input. Whether it was one to one, the weight alone does not say."""
    neuron, ir = layer.module, layer.ir
    neurons.metadata.setdefault("rheobase", {})["all_to_all"] = bool(neuron.all_to_all)
    if not neuron.all_to_all:
        weight = layer.values(neuron.V)
        return ir.Linear(weight=numpy.diag(weight)) if weight.ndim == 1 else ir.Scale(scale=weight)
    if isinstance(neuron.recurrent, torch.nn.Linear):
        if len(layer.returned) != 1:
            raise layer.refuse(f"its input must be a vector for each sample, got {layer.returned}")
        return _matrix(ir, neuron.recurrent)
    return _convolution(
        dataclasses.replace(layer, name=f"{layer.name}.recurrent", module=neuron.recurrent, received=layer.returned)
    )


WRITERS: dict[type[torch.nn.Module], Callable[[Layer], Any]] = {
    torch.nn.Linear: _linear,
    torch.nn.Conv1d: _convolution,
    torch.nn.Conv2d: _convolution,
    torch.nn.AvgPool2d: _pooling,
    torch.nn.Flatten: _flatten,
}
NEURONS = (snn.Leaky, snn.Synaptic)
RECURRENT = (snn.RLeaky, snn.RSynaptic)
