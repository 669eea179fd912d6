// The time loops of a recurrent layer, below autograd: products between, the neuron's kernel for each step.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "rheo/ops/detail/call.hpp"

namespace rheo::ops::detail {

/// A call without its tensors.
struct RecurrentTask {
  const kernels::KernelTable* table = nullptr;
  CallShape shape{};
  bool biased = false;
  bool given_state = false;
  Reset reset = Reset::subtract;
  bool reset_delay = true;
  SurrogateCall surrogate;

  // Tensors of a call stand in the order x, weight, bias (if biased), states (if given), constants.
  std::size_t states() const { return static_cast<std::size_t>(table->states); }
  std::size_t first_state() const { return biased ? 3 : 2; }
  std::size_t first_constant() const { return first_state() + (given_state ? states() : 0); }
  at::TensorList state_of(at::TensorList tensors) const {
    return tensors.slice(first_state(), first_constant() - first_state());
  }
  at::TensorList constants_of(at::TensorList tensors) const { return tensors.slice(first_constant()); }
  at::Tensor bias_of(at::TensorList tensors) const { return biased ? tensors[2] : at::Tensor(); }
};

struct RecurrentOutputs {
  at::Tensor spk;                  // [T, ...]
  std::vector<at::Tensor> traces;  // states 1 ... of every step, [T, ...] each, if kept
  std::vector<at::Tensor> last;    // every state after the last step
  at::Tensor input;                // [T, ...]: x and what was fed back, if kept
};

RecurrentOutputs recurrent_forward(const RecurrentTask& task, at::TensorList tensors, bool keep_traces,
                                   bool keep_input);

/// Incoming gradients; undefined where there is none.
struct RecurrentGradients {
  at::Tensor spk;
  std::vector<at::Tensor> traces;  // of states 1 ...
  std::vector<at::Tensor> state;   // of every state
};

/// Gradients in the order of `tensors`, defined where `needs` says so. tensors[0] is not read: x is part of `kept.input`.
/// `constant`: x was one row that repeats, and so is its gradient.
std::vector<at::Tensor> recurrent_backward(const RecurrentTask& task, bool constant,
                                           const RecurrentGradients& incoming, const RecurrentOutputs& kept,
                                           at::TensorList tensors, const std::vector<bool>& needs);

}  // namespace rheo::ops::detail
