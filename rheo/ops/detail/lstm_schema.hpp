// Signatures of the LSTM operators. Places of tensors: x, weight_ih, bias, weight_hh, threshold, then syn and mem if given.
#pragma once

#include <tuple>

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// Bits of `outputs`; what is not asked for is empty.
constexpr std::int64_t lstm_traces = 1, lstm_spikes = 2, lstm_gates = 4;

/// -> spk, traces (syn, mem), last states (syn, mem), gates. order: where the gates i, f, g, o lie.
using LstmResults = std::tuple<at::Tensor, Tensors, Tensors, at::Tensor>;
using LstmSignature = LstmResults(std::string_view kind, const at::Tensor& x, const at::Tensor& weight_ih,
                                  const OptionalTensor& bias, const at::Tensor& weight_hh,
                                  const at::Tensor& threshold, at::TensorList state, c10::SymInt steps,
                                  at::IntArrayRef order, std::int64_t reset, std::string_view surrogate,
                                  at::ArrayRef<double> surrogate_args, std::int64_t outputs);
/// gates and traces are the forward's. -> gradients by place.
using LstmBackwardSignature = Tensors(std::string_view kind, const OptionalTensor& grad_spk,
                                      const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                                      const at::Tensor& gates, at::TensorList traces, const at::Tensor& x,
                                      const at::Tensor& weight_ih, const at::Tensor& weight_hh,
                                      const at::Tensor& threshold, at::TensorList state,
                                      at::IntArrayRef order, std::int64_t reset, std::string_view surrogate,
                                      at::ArrayRef<double> surrogate_args, std::int64_t needs);

inline const auto& lstm_op() {
  static const auto op = find_operator<LstmSignature>("rheobase::lstm");
  return op;
}
inline const auto& lstm_backward_op() {
  static const auto op = find_operator<LstmBackwardSignature>("rheobase::lstm_backward");
  return op;
}
LstmSignature lstm_autograd;
LstmBackwardSignature lstm_backward_autograd;

}  // namespace rheo::ops::detail
