// Neurons whose own spikes come back as input one step later. snnTorch's RLeaky and RSynaptic.
//   rheo::nn::RLeaky own({.beta = 0.9, .V = 0.5});                                      // each its own spike, times V
//   rheo::nn::RLeaky all({.beta = 0.9, .linear_features = 256});                        // all to all: x [T, B, 256]
//   rheo::nn::RSynaptic near({.alpha = 0.8, .beta = 0.9, .conv2d_channels = 8, .kernel_size = {3, 3}});  // x [T, B, 8, H, W]
// States: spk, (syn,) mem. The product of one step waits for the spikes of the step before; all else is fused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rheo/nn/neurons.hpp"
#include "rheo/ops/recurrent.hpp"

namespace rheo::nn {

/// What a recurrent layer sends back: linear_features > 0, or conv2d_channels > 0 with kernel_size {h, w} or {both}, odd.
struct FeedbackOptions {
  std::int64_t linear_features = 0;
  std::int64_t conv2d_channels = 0;
  std::vector<std::int64_t> kernel_size{};
  bool learn_recurrent = true;
};

/// A neuron with a dense or convolutional feedback of its spikes: submodule `recurrent`, a torch::nn::Linear or Conv2d.
/// Thread safety as the neurons'.
class RHEO_API RecurrentImpl : public NeuronImpl {
 public:
  /// `entry`: RLeaky or RSynaptic. Throws TypeError where the feedback is neither or both, ValueError for sizes that are
  /// not positive and for an even kernel_size.
  RecurrentImpl(const ops::NeuronEntry& entry, NeuronOptions options, FeedbackOptions feedback);

  /// Weight and bias as registered: recurrent.weight, recurrent.bias.
  ops::Feedback feedback() const;

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  ops::NeuronResult run(const ops::ReferenceCall& call, bool fused) override;
  bool fuses_any_surrogate() const override { return false; }

 private:
  FeedbackOptions feedback_;
  std::shared_ptr<torch::nn::Module> recurrent_;
};

/// beta, V                         as the neuron RLeaky; V, 1 if not given, is for feedback one to one
/// linear_features                 size of the last dimension of x: feedback all to all
/// conv2d_channels, kernel_size    channels of x [T, B, C, H, W]: feedback by convolution, zero-padded
/// learn_recurrent                 V, or weight and bias
struct RLeakyOptions {
  Value beta{};
  Value V{};
  std::int64_t linear_features = 0;
  std::int64_t conv2d_channels = 0;
  std::vector<std::int64_t> kernel_size{};
  bool learn_beta = false;
  bool learn_recurrent = true;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

struct RSynapticOptions {
  Value alpha{};
  Value beta{};
  Value V{};
  std::int64_t linear_features = 0;
  std::int64_t conv2d_channels = 0;
  std::vector<std::int64_t> kernel_size{};
  bool learn_alpha = false;
  bool learn_beta = false;
  bool learn_recurrent = true;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

/// U[t] = beta U[t-1] + X[t] + rho(S[t-1]), and the reset: rheo/neurons/rleaky.hpp.
/// Throws TypeError where more than one feedback is asked for, or one by half.
class RHEO_API RLeaky : public Neuron {
 public:
  using Options = RLeakyOptions;
  RLeaky() : RLeaky(Options{}) {}
  RLeaky(const Options& options);
  RLeaky(std::nullptr_t) : Neuron(nullptr) {}
  static const ops::NeuronEntry& entry();
};

/// I[t] = alpha I[t-1] + X[t] + rho(S[t-1]), U[t] = beta U[t-1] + I[t], and the reset: rheo/neurons/rsynaptic.hpp.
class RHEO_API RSynaptic : public Neuron {
 public:
  using Options = RSynapticOptions;
  RSynaptic() : RSynaptic(Options{}) {}
  RSynaptic(const Options& options);
  RSynaptic(std::nullptr_t) : Neuron(nullptr) {}
  static const ops::NeuronEntry& entry();
};

}  // namespace rheo::nn
