// LSTM cells over time with spikes and resets on their output, one autograd node for the whole sequence.
//   a[t] = share[t] + feedback(mem[t-1])    i, f, o = logistic, g = tanh of a's quarters
//   syn[t] = f syn[t-1] + i g               mem[t] = o tanh(syn[t]), reset where mem[t-1] > threshold
//   spk[t] = H(mem[t] - threshold)
// `share` is what the input contributes to the gates, made for all T at once. The feedback is a matrix, weight [4H, H], or
// a convolution, weight [4C, C, h, w] with odd kernels, padded to keep the size.
// Matrix: rows of the batch are shared out among threads once, each runs all T; the same bits for any number of threads.
// Saved for the backward: the gates (in the memory of `share`), syn and mem: 6 numbers per cell and step.
#pragma once

#include "rheo/ops/neuron_entry.hpp"

namespace rheo::ops {

/// Where the gates i, f, g, o lie in the quarters of a.
struct GateOrder {
  int i = 0, f = 1, g = 2, o = 3;
};

struct LstmCall {
  std::string_view kind;  // for errors
  at::Tensor
      share;  // [T, B, 4H] or [T, B, 4C, ...], float32 or float64; [1, ...] for a constant input. Overwritten
  std::int64_t steps = 0;
  at::Tensor weight;
  at::Tensor syn, mem;   // [B, H] or [B, C, ...]; undefined: zero
  at::Tensor threshold;  // [], or the shape of one sample of mem
  GateOrder order;
  Reset reset = Reset::none;
  SurrogateCall surrogate;
  bool spikes = true;  // false: spk stays undefined
  bool traces = false;
};

/// traces and state: syn, mem.
RHEO_API NeuronResult lstm(const LstmCall& call);

/// The same as whole-tensor operations that autograd sees, always with traces and without spikes; `quantise`, where set, is
/// applied to both states after every step. Leaves `share` as it is.
RHEO_API NeuronResult lstm_reference(const LstmCall& call,
                                     const std::function<at::Tensor(const at::Tensor&)>& quantise = {});

}  // namespace rheo::ops
