// A matrix-valued associative memory that fires (snnTorch's AssociativeLeaky; gated linear attention).
//     S[t] = S[t-1] diag(a[t]) + v[t] k[t]^T,   spikes H(S - threshold),   y[t] = spikes(S[t]) q[t]
//   rheo::nn::AssociativeLeaky memory({.in_dim = 64, .d_value = 8, .d_key = 8});
//   auto [y, state] = memory->forward(x);                 // x [T, B, 64] -> y [T, B, 8 * 8]
//   auto same = rheo::nn::AssociativeLeaky::from_num_spiking_neurons(64, 64);
// v, k, a = sigmoid and q are linear layers of x: to_v, to_k, to_alpha, to_q, each one product for all T. The recurrence
// itself is the scan, so any T and any decay will do; the backward keeps the projections and about 2 sqrt(T) matrices per
// thread. State: `mem`, S [B, d_value * d_key]. S. Yang et al. 2024, "Gated Linear Attention Transformers".
#pragma once

#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"
#include "rheo/nn/scan.hpp"

namespace rheo::nn {

/// num_spiking_neurons  d_value * d_key; 0: not stated
/// use_q_projection     false: the spikes of S leave, [T, B, d_value * d_key]; else [T, B, d_value * d_value]
/// inhibition, reset_mechanism and reset_delay are refused.
struct AssociativeLeakyOptions {
  std::int64_t in_dim = 0;
  std::int64_t d_value = 0;
  std::int64_t d_key = 0;
  std::int64_t num_spiking_neurons = 0;
  bool use_q_projection = true;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

class RHEO_API AssociativeLeakyImpl : public ScanImpl {
 public:
  /// Throws ValueError for dimensions that are not positive or do not multiply to num_spiking_neurons, TypeError for
  /// options it cannot honour.
  explicit AssociativeLeakyImpl(const AssociativeLeakyOptions& options);

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  AssociativeLeakyOptions options_;
  torch::nn::Linear to_v_{nullptr}, to_k_{nullptr}, to_alpha_{nullptr}, to_q_{nullptr};
};

/// Holder of AssociativeLeakyImpl.
class RHEO_API AssociativeLeaky : public torch::nn::ModuleHolder<AssociativeLeakyImpl> {
 public:
  using torch::nn::ModuleHolder<AssociativeLeakyImpl>::ModuleHolder;
  AssociativeLeaky(const AssociativeLeakyOptions& options)
      : torch::nn::ModuleHolder<AssociativeLeakyImpl>(std::make_shared<AssociativeLeakyImpl>(options)) {}

  /// d_value = d_key = sqrt(num_spiking_neurons). Throws ValueError where that is no whole number.
  static AssociativeLeaky from_num_spiking_neurons(std::int64_t in_dim, std::int64_t num_spiking_neurons,
                                                   bool use_q_projection = true);
};

}  // namespace rheo::nn
