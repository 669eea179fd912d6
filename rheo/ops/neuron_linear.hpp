// A neuron and the linear layer behind it in one go, without gradients.
//   if (auto out = rheo::ops::neuron_linear(call, weight, bias)) use(out->spk);   // [T, ..., out]: the layer's output
// The spikes of a few rows of the batch stay in the second-level cache, where the product skips their zeros; no tensor of
// spikes is ever made, so memory does not grow with T times the neurons.
#pragma once

#include <optional>

#include "rheo/ops/neuron.hpp"

namespace rheo::ops {

/// As neuron(call), but `spk` is spk times weight [out, N] transposed, plus bias [out] where defined; call.traces is not
/// served. Nothing where two calls do better or must: tensors not float or double on the CPU, more than 32 outputs,
/// a weight that is not finite, constants that do not repeat along the last dimension. Throws as neuron does.
RHEO_API std::optional<NeuronResult> neuron_linear(const NeuronCall& call, const at::Tensor& weight,
                                                   const at::Tensor& bias);

}  // namespace rheo::ops
