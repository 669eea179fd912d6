// The time loops of an LSTM layer, below autograd: the product of the input for all steps, then step by step.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "rheo/ops/lstm.hpp"

namespace rheo::ops::detail {

/// A call without its tensors. Those stand by place: x, weight_ih, bias, weight_hh, threshold, syn, mem; some undefined.
struct LstmTask {
  std::int64_t steps = 0;
  GateOrder order;
  Reset reset = Reset::none;
  SurrogateCall surrogate;
};
enum LstmPlace { at_x, at_weight_ih, at_bias, at_weight_hh, at_threshold, at_syn, at_mem, lstm_places };

struct LstmOutputs {
  at::Tensor spk;                  // [T, B, ...], if asked for
  std::vector<at::Tensor> traces;  // syn, mem [T, B, ...], if asked for
  std::vector<at::Tensor> last;    // syn, mem [B, ...]
  at::Tensor gates;                // [T, B, 4H] or [T, B, 4C, ...], if asked for
};

LstmOutputs lstm_forward(const LstmTask& task, at::TensorList tensors, bool spikes, bool traces, bool gates);

/// Incoming gradients; undefined where there is none.
struct LstmGradients {
  at::Tensor spk, syn, mem, last_syn, last_mem;
};

/// Gradients by place, defined where `needs` says so. `kept`: gates and traces of the forward.
std::vector<at::Tensor> lstm_backward(const LstmTask& task, at::TensorList tensors, const LstmOutputs& kept,
                                      const LstmGradients& incoming, std::int64_t needs);

}  // namespace rheo::ops::detail
