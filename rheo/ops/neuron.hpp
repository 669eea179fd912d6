// The neuron operator: one family for all neurons, `rheobase::neuron` and `rheobase::neuron_backward`.
//
//   neuron(kind, x, state[], constants[], steps, reset, reset_delay, surrogate, surrogate_args, outputs)
//       -> (spk, traces[], state[])
//
// x         [T, ...], float32 or float64; [1, ...] with steps > 1 is an input that does not change
// state     the neuron's states [...], or none: zero
// constants the neuron's constants, then threshold and graded_spikes_factor: one value each, or N values that repeat
//           along the trailing dimensions of x (numel of x[0] must be a multiple of N, the same N for all); then, where
//           it is learned, the surrogate's slope, one value, instead of that in surrogate_args
// outputs   bit 0: traces, the states after every step [T, ...]
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/core/rule.hpp"

namespace rheo::ops {

struct NeuronCall {
  std::string_view kind;
  at::Tensor x;
  std::vector<at::Tensor> state;
  std::vector<at::Tensor> constants;
  std::int64_t steps = 0;
  Reset reset = Reset::subtract;
  bool reset_delay = true;
  SurrogateCall surrogate;
  at::Tensor slope;  // one value: the surrogate's slope, where it is learned, else undefined
  bool traces = false;
};

struct NeuronResult {
  at::Tensor spk;                  // [T, ...]
  std::vector<at::Tensor> traces;  // [T, ...] each, if asked for
  std::vector<at::Tensor> state;   // [...] each, after the last step
};

/// Runs the operator, through the dispatcher (autograd, Meta, tracing).
RHEO_API NeuronResult neuron(const NeuronCall& call);

RHEO_API std::string_view to_string(SurrogateKind kind);

}  // namespace rheo::ops
