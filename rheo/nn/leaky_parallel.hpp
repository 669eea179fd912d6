// A recurrent ReLU layer whose units fire (snnTorch's LeakyParallel and LeakyKernel).
//     h[t] = max(0, W_ih x[t] + b_ih + W_hh h[t-1] + b_hh),   S[t] = 1 if h[t] > threshold
//   rheo::nn::LeakyParallel layer({.input_size = 784, .hidden_size = 64, .beta = 0.9});
//   auto [spk, state] = layer->forward(x);       // x [T, B, 784] -> spk [T, B, 64]
// W_hh is the diagonal of beta, which is one fused scan, or with weight_hh_enable dense: a product per step. W_ih runs
// once for all T. Parameters rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0. State: `mem`, the h.
#pragma once

#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"
#include "rheo/nn/scan.hpp"

namespace rheo::nn {

/// beta       one value or one per unit, clamped to [0, 1] when the layer is made; not given: random within 1/sqrt(H)
/// learn_beta whether W_hh is learned, on its diagonal or, with weight_hh_enable, whole
/// weight_hh_enable  dense W_hh; one beta then fills all of it
/// inhibition, reset_mechanism, reset_delay and state_quant are refused.
struct LeakyParallelOptions {
  std::int64_t input_size = 0;
  std::int64_t hidden_size = 0;
  Value beta{};
  bool bias = true;
  bool learn_beta = false;
  bool weight_hh_enable = false;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

class RHEO_API LeakyParallelImpl : public ScanImpl {
 public:
  /// Throws ValueError for sizes that are not positive and a beta of neither 1 nor hidden_size finite values, TypeError
  /// for options it cannot honour.
  explicit LeakyParallelImpl(const LeakyParallelOptions& options);

  const LeakyParallelOptions& options() const { return options_; }
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  at::Tensor first_weight() const;

  LeakyParallelOptions options_;
  at::Tensor weight_ih_, weight_hh_, bias_ih_, bias_hh_;
};

/// Holder of LeakyParallelImpl.
class LeakyParallel : public torch::nn::ModuleHolder<LeakyParallelImpl> {
 public:
  using torch::nn::ModuleHolder<LeakyParallelImpl>::ModuleHolder;
  LeakyParallel(const LeakyParallelOptions& options)
      : torch::nn::ModuleHolder<LeakyParallelImpl>(std::make_shared<LeakyParallelImpl>(options)) {}
};

}  // namespace rheo::nn
