// What every layer with a threshold has, on whatever module: threshold, graded_spikes_factor, reset_mechanism_val under
// these names, and the spike function. For layers written by hand; NeuronImpl has one too.
//   Firing firing_(*this, "SLSTM", common_options(options), Reset::none);     // registers on the module
//   auto spk = firing_.fire(firing_.quantised(mem));                          // mem [..., N]
// Copies share the tensors. Reading is thread-safe.
#pragma once

#include <torch/nn/module.h>

#include <string>

#include "rheo/core/export.hpp"
#include "rheo/nn/options.hpp"

namespace rheo::nn {

class RHEO_API Firing {
 public:
  /// Throws TypeError for a threshold or factor that is not floating-point, ValueError for one that is not finite.
  Firing(torch::nn::Module& owner, std::string kind, const CommonOptions& options, Reset usual);
  /// Of a layer that never resets: no reset_mechanism_val.
  Firing(torch::nn::Module& owner, std::string kind, const CommonOptions& options);

  /// As registered.
  const at::Tensor& threshold() const { return threshold_; }
  const at::Tensor& graded_spikes_factor() const { return graded_; }
  const at::Tensor& reset_mechanism_val() const { return reset_; }
  /// The learned slope of the surrogate, or an undefined tensor.
  const at::Tensor& slope() const { return slope_; }
  /// In the type and on the device of x; autograd carries their gradients.
  at::Tensor threshold_like(const at::Tensor& x) const { return threshold_.to(x.options()); }
  at::Tensor graded_like(const at::Tensor& x) const { return graded_.to(x.options()); }

  /// Throws ValueError for a stored number that means no mechanism.
  Reset reset_mechanism() const;
  /// Applies from the next call on.
  void set_reset_mechanism(Reset reset);

  /// The surrogate as kernels take it; kind none with surrogate_disable. A stochastic one without a seed gets one here,
  /// from libtorch's generator, where gradients are recorded.
  SurrogateCall surrogate() const;
  /// The learned slope in the type and on the device of x, or an undefined tensor.
  at::Tensor slope_like(const at::Tensor& x) const;
  /// Whether the surrogate is a formula of u: its slope is not learned, and it draws no numbers.
  bool plain_surrogate() const;
  /// The user's gradient, where there is one and it is in use.
  ops::SpikeGradient custom() const;
  bool inhibition() const { return options_.inhibition; }
  const quant::StateQuant& state_quant() const { return options_.state_quant; }

  /// Before a call: values finite, shapes that broadcast with one step `row`, a dense row where inhibition is on.
  void check(at::IntArrayRef row) const;
  /// Why the layer's spikes cannot come from a kernel, or nothing. The kernels of pointwise neurons take any surrogate with
  /// a formula, those of other layers plain ones.
  std::string why_not_fused(bool pointwise = false) const;

  /// u after state_quant; u itself without.
  at::Tensor quantised(const at::Tensor& u) const { return options_.state_quant(u); }
  /// Spikes of the membrane u [..., N]: surrogate gradient and graded factor; with inhibition one neuron per row and no
  /// factor. Any number of leading dimensions.
  at::Tensor fire(const at::Tensor& u) const;
  /// R: 1 where the stored membrane is above threshold, without gradient.
  at::Tensor reset_flag(const at::Tensor& mem) const;

 private:
  void add(torch::nn::Module& owner, const CommonOptions& options);

  std::string kind_;
  CommonOptions options_;
  at::Tensor threshold_, graded_, reset_, slope_;
};

}  // namespace rheo::nn
