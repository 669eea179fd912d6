// Signatures of the neuron operators, and calls through the dispatcher.
#pragma once

#include <string_view>
#include <tuple>
#include <vector>

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// spk, traces, state; or grad_x, grad_state, grad_constants.
using NeuronOutputs = std::tuple<at::Tensor, std::vector<at::Tensor>, std::vector<at::Tensor>>;

using NeuronSignature = NeuronOutputs(std::string_view kind, const at::Tensor& x, at::TensorList state,
                                      at::TensorList constants, std::int64_t steps, std::int64_t reset,
                                      bool reset_delay, std::string_view surrogate,
                                      at::ArrayRef<double> surrogate_args, std::int64_t outputs);
/// needs: bit 0 grad_x, then a bit for each state, then for each constant; what is not needed comes back with shape [0].
using NeuronBackwardSignature = NeuronOutputs(
    std::string_view kind, const std::optional<at::Tensor>& grad_spk, const OptionalTensors& grad_traces,
    const OptionalTensors& grad_state, const at::Tensor& x, at::TensorList state, at::TensorList constants,
    at::TensorList traces, std::int64_t steps, std::int64_t reset, bool reset_delay,
    std::string_view surrogate, at::ArrayRef<double> surrogate_args, std::int64_t needs);

NeuronSignature neuron_op;
NeuronBackwardSignature neuron_backward_op;
NeuronSignature neuron_autograd;
NeuronBackwardSignature neuron_backward_autograd;

}  // namespace rheo::ops::detail
