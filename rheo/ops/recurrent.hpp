// A recurrent layer over a whole sequence: the spikes of one step, times a matrix or convolved, join the next one's input.
//   in[t] = x[t] + rho(spk[t-1]),   (spk[t], state[t]) = step(state[t-1], in[t])
//   auto result = rheo::ops::recurrent(call, {weight, bias});   // call.kind = "RLeaky", call.constants with V = 0
// Rows of a batch do not meet: each thread takes some of them through all T steps, forward and backward, and calls the
// neuron's own kernel for one step at a time. One autograd node for the whole sequence; the gradients of weight and bias
// are one product over all T at the end.
// Kept for the backward: in, the spikes and the other states of every step, [T, ...] each: states + 1 times the size of x.
#pragma once

#include "rheo/ops/neuron.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo::ops {

/// What spikes send back: weight [N, N] for the last dimension of x, or [C, C, kh, kw], odd, for the last three
/// [C, H, W], zero-padded to the same size. bias [N] or [C], or undefined.
struct Feedback {
  at::Tensor weight;
  at::Tensor bias;
};

/// The fused operator, on the CPU. State 0 of the neuron must be the spike that is fed back. Results and errors as those
/// of `neuron`; throws ValueError where the sizes of x and weight do not fit.
RHEO_API NeuronResult recurrent(const NeuronCall& call, const Feedback& feedback);

/// The same as whole-tensor operations that autograd sees, with the neuron's reference path for each step.
RHEO_API NeuronResult recurrent_reference(const NeuronEntry& entry, const ReferenceCall& call,
                                          const Feedback& feedback);

}  // namespace rheo::ops
