// LSTM cells over time with spikes and resets on their output: `rheobase::lstm`, one operator for the whole sequence.
//   a[t] = input(x[t]) + feedback(mem[t-1])    i, f, o = logistic, g = tanh of a's quarters
//   syn[t] = f syn[t-1] + i g                  mem[t] = o tanh(syn[t]), reset where mem[t-1] > threshold
//   spk[t] = H(mem[t] - threshold)
// Input and feedback are matrices, weight [4H, in] and [4H, H], or convolutions, weight [4C, in, h, w] and [4C, C, h, w]
// with odd kernels, padded to keep the size. The input's product is made for all T at once.
// Matrix: rows of the batch are shared out among threads once, each runs all T; the same bits for any number of threads.
// Saved for the backward: x, the gates (in the memory of the input's product), syn and mem: 6 numbers per cell and step.
#pragma once

#include "rheo/ops/neuron_entry.hpp"

namespace rheo::ops {

/// Where the gates i, f, g, o lie in the quarters of a.
struct GateOrder {
  int i = 0, f = 1, g = 2, o = 3;
};

struct LstmCall {
  std::string_view kind;  // for errors
  at::Tensor x;           // [T, B, in] or [T, B, in, h, w], float32 or float64; [1, ...] for a constant input
  std::int64_t steps = 0;
  at::Tensor weight_ih, weight_hh;
  at::Tensor bias;       // [4H] or [4C], or undefined
  at::Tensor syn, mem;   // [B, H] or [B, C, h, w]; undefined: zero
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
/// applied to both states after every step.
RHEO_API NeuronResult lstm_reference(const LstmCall& call,
                                     const std::function<at::Tensor(const at::Tensor&)>& quantise = {});

}  // namespace rheo::ops
