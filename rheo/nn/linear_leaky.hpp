// A linear layer and a StateLeaky behind it (snnTorch's LinearLeaky).
//   rheo::nn::LinearLeaky layer({.beta = 0.9, .in_features = 784, .out_features = 64});
//   auto rec = layer->record(x);      // x [T, B, 784]; rec.spk, rec.mem [T, B, 64]
// The product runs once for all T; an input that does not change costs one row of it. Parameters linear.weight,
// linear.bias, tau; everything else as in state_leaky.hpp.
#pragma once

#include <torch/nn/modules/linear.h>

#include "rheo/nn/state_leaky.hpp"

namespace rheo::nn {

struct LinearLeakyOptions {
  Value beta{};  // one value or out_features
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
  bool bias = true;
  bool learn_beta = false;
  bool output = true;
  std::int64_t kernel_truncation_steps = 0;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

class RHEO_API LinearLeakyImpl : public StateLeakyImpl {
 public:
  /// Throws as StateLeaky does, and ValueError for feature counts that are not positive.
  explicit LinearLeakyImpl(const LinearLeakyOptions& options);

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  LinearLeakyOptions options_;
  torch::nn::Linear linear_{nullptr};
};

/// Holder of LinearLeakyImpl.
class LinearLeaky : public torch::nn::ModuleHolder<LinearLeakyImpl> {
 public:
  using torch::nn::ModuleHolder<LinearLeakyImpl>::ModuleHolder;
  LinearLeaky(const LinearLeakyOptions& options)
      : torch::nn::ModuleHolder<LinearLeakyImpl>(std::make_shared<LinearLeakyImpl>(options)) {}
};

}  // namespace rheo::nn
