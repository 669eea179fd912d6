// Spike-timing dependent plasticity: weights that follow the order of the spikes before and after them. No gradients.
//   auto one = rheo::functional::stdp_linear_single_step(*fc, in, out, {}, {}, {.tau_pre = 20, .tau_post = 20});
//   auto next = rheo::functional::stdp_linear_single_step(*fc, in2, out2, one.trace_pre, one.trace_post, options);
//   auto all = rheo::functional::stdp_sequence(*fc, in, out, {}, {}, options);   // [T, B, ...] each, delta_w: the sum
// Traces p of the inputs and q of the outputs decay and grow by one with each spike; a weight W grows where an output
// spikes after its input, and shrinks where the input spikes after the output:
//   p = p - p / tau_pre + in,  q = q - q / tau_post + out,  delta_w = f_post(W) sum(out p) - f_pre(W) sum(q in)
// over the batch and, of a convolution, all its positions. f_pre and f_post are the identity unless given: the change is
// in proportion to the weight (Gerstner and Kistler 2002, "Spiking Neuron Models", section 10).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "rheo/core/export.hpp"

namespace torch::nn {
class Module;
class LinearImpl;
class Conv1dImpl;
class Conv2dImpl;
}  // namespace torch::nn

namespace rheo::functional {

struct STDPOptions {
  using OfWeight = std::function<at::Tensor(const at::Tensor&)>;

  double tau_pre = 20;   // time constants in steps, > 0
  double tau_post = 20;  //
  OfWeight f_pre{};      // [weight] -> [weight], how much a weight shrinks; not given: the weight itself
  OfWeight f_post{};     // how much it grows
};

struct STDPOutput {
  at::Tensor trace_pre;   // p, the shape of a step of `in` (of a convolution: padded as it pads)
  at::Tensor trace_post;  // q, the shape of a step of `out`
  at::Tensor delta_w;
};

/// What a sequence tells about the weights, whatever they are: delta_w = f_post(W) potentiation - f_pre(W) depression.
struct STDPCorrelation {
  at::Tensor trace_pre;
  at::Tensor trace_post;
  at::Tensor potentiation;  // sum(out p), the shape of the weight
  at::Tensor depression;    // sum(q in)
};

// For all of them: `in` and `out` are what the layer read and what its neurons made of it, of the type of its weight,
// float32 or float64. Traces are those of the step before, or undefined: zero. The weight is read, not changed.
// Errors: ValueError for shapes that do not fit and time constants <= 0, TypeError for types and other kinds of layers.

/// One step: in [B, in_features], out [B, out_features], delta_w [out_features, in_features].
RHEO_API STDPOutput stdp_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                            const at::Tensor& out, const at::Tensor& trace_pre = {},
                                            const at::Tensor& trace_post = {},
                                            const STDPOptions& options = {});
/// One step: in [B, C, L], out [B, out_channels, L']; any stride, padding, dilation and number of groups.
RHEO_API STDPOutput stdp_conv1d_single_step(const torch::nn::Conv1dImpl& conv, const at::Tensor& in,
                                            const at::Tensor& out, const at::Tensor& trace_pre = {},
                                            const at::Tensor& trace_post = {},
                                            const STDPOptions& options = {});
/// One step: in [B, C, H, W], out [B, out_channels, H', W'].
RHEO_API STDPOutput stdp_conv2d_single_step(const torch::nn::Conv2dImpl& conv, const at::Tensor& in,
                                            const at::Tensor& out, const at::Tensor& trace_pre = {},
                                            const at::Tensor& trace_post = {},
                                            const STDPOptions& options = {});

/// T steps of a Linear, Conv1d or Conv2d at once: in and out [T, B, ...]. delta_w is the sum over the steps.
RHEO_API STDPOutput stdp_sequence(const torch::nn::Module& synapse, const at::Tensor& in,
                                  const at::Tensor& out, const at::Tensor& trace_pre = {},
                                  const at::Tensor& trace_post = {}, const STDPOptions& options = {});
/// The same before the weights come in: sums of several sequences are added, and the memory of a learner is that of two
/// weights.
RHEO_API STDPCorrelation stdp_correlation(const torch::nn::Module& synapse, const at::Tensor& in,
                                          const at::Tensor& out, const at::Tensor& trace_pre = {},
                                          const at::Tensor& trace_post = {}, const STDPOptions& options = {});

/// Reward-modulated (Florian 2007): traces decay by exp(-1 / tau), and delta_w [B, out_features, in_features] is each
/// sample's eligibility, to be multiplied by its reward. in [B, in_features], out [B, out_features].
RHEO_API STDPOutput mstdp_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                             const at::Tensor& out, const at::Tensor& trace_pre = {},
                                             const at::Tensor& trace_post = {},
                                             const STDPOptions& options = {});
/// The same for one sample: in [in_features], out [out_features], delta_w [out_features, in_features], the eligibility
/// of this step. `eligibility_trace` remembers it for rewards that come late.
RHEO_API STDPOutput mstdpet_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                               const at::Tensor& out, const at::Tensor& trace_pre = {},
                                               const at::Tensor& trace_post = {},
                                               const STDPOptions& options = {});
/// exp(-1 / tau_trace) trace + eligibility / tau_trace, of any shape; trace undefined: zero. A change of weights is the
/// reward times this trace (Florian 2007, "Reinforcement learning through modulation of STDP").
RHEO_API at::Tensor eligibility_trace(const at::Tensor& trace, const at::Tensor& eligibility,
                                      double tau_trace);

}  // namespace rheo::functional
