// Signatures of the recurrent operators. Places of tensors: x, weight, bias, then states and constants.
#pragma once

#include <tuple>

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// -> spk, traces (states 1 ... of every step), last states, what went into the neuron.
using RecurrentResults = std::tuple<at::Tensor, Tensors, Tensors, at::Tensor>;
/// Bits of `outputs`; what is not asked for is empty.
constexpr std::int64_t recurrent_traces = 1, recurrent_input = 2;
using RecurrentSignature = RecurrentResults(std::string_view kind, const at::Tensor& x,
                                            const at::Tensor& weight, const OptionalTensor& bias,
                                            at::TensorList state, at::TensorList constants, c10::SymInt steps,
                                            std::int64_t reset, bool reset_delay, std::string_view surrogate,
                                            at::ArrayRef<double> surrogate_args, std::int64_t outputs);
/// input, spk and traces are the forward's; `constant`: x was one row that repeats. -> gradients by place.
using RecurrentBackwardSignature = Tensors(std::string_view kind, const OptionalTensor& grad_spk,
                                           const OptionalTensors& grad_traces,
                                           const OptionalTensors& grad_state, const at::Tensor& input,
                                           const at::Tensor& spk, at::TensorList traces,
                                           const at::Tensor& weight, at::TensorList state,
                                           at::TensorList constants, bool constant, std::int64_t reset,
                                           bool reset_delay, std::string_view surrogate,
                                           at::ArrayRef<double> surrogate_args, std::int64_t needs);

inline const auto& recurrent_op() {
  static const auto op = find_operator<RecurrentSignature>("rheobase::recurrent");
  return op;
}
inline const auto& recurrent_backward_op() {
  static const auto op = find_operator<RecurrentBackwardSignature>("rheobase::recurrent_backward");
  return op;
}
RecurrentSignature recurrent_autograd;
RecurrentBackwardSignature recurrent_backward_autograd;

}  // namespace rheo::ops::detail
