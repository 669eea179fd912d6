// Parallel spiking neurons: without a reset nothing feeds back, so that the weights over time are learned and all steps are
// one product.
//     PSN:         U = W X + b,                        W [T, T] looks at every step, past and to come
//     SlidingPSN:  U[t] = sum_i w_i X[t-k+1+i] + b,    the last k steps, whatever T
//     S[t] = 1 if U[t] > threshold
//   rheo::nn::PSN psn({.steps = 25});             // x [25, B, ...]
//   rheo::nn::SlidingPSN sliding({.order = 4});   // x [T, B, ...]; state `past`: the last three inputs
// W. Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies".
// SpikingJelly's PSN and SlidingPSN, whose bias is b - threshold here.
#pragma once

#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"
#include "rheo/nn/scan.hpp"

namespace rheo::nn {

/// steps: T, the only sequence length it takes. weight [T, T] begins uniform within 1/sqrt(T), bias [T] at 0; both are
/// learned. It carries no state; init_hidden, inhibition, reset_mechanism, reset_delay are refused.
struct PSNOptions {
  std::int64_t steps = 0;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

/// order: k. weight [k] begins with 2^(i-k+1), bias [1] at 0; both are learned. inhibition, reset_mechanism and reset_delay
/// are refused.
struct SlidingPSNOptions {
  std::int64_t order = 0;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

class RHEO_API PSNImpl : public ScanImpl {
 public:
  /// Throws ValueError for steps below 1, TypeError for options it cannot honour.
  explicit PSNImpl(const PSNOptions& options);

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  PSNOptions options_;
  at::Tensor weight_, bias_;
};

class RHEO_API SlidingPSNImpl : public ScanImpl {
 public:
  /// Throws ValueError for an order below 1, TypeError for options it cannot honour.
  explicit SlidingPSNImpl(const SlidingPSNOptions& options);

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  SlidingPSNOptions options_;
  at::Tensor weight_, bias_;
};

/// Holder of PSNImpl.
class PSN : public torch::nn::ModuleHolder<PSNImpl> {
 public:
  using torch::nn::ModuleHolder<PSNImpl>::ModuleHolder;
  PSN(const PSNOptions& options) : torch::nn::ModuleHolder<PSNImpl>(std::make_shared<PSNImpl>(options)) {}
};

/// Holder of SlidingPSNImpl.
class SlidingPSN : public torch::nn::ModuleHolder<SlidingPSNImpl> {
 public:
  using torch::nn::ModuleHolder<SlidingPSNImpl>::ModuleHolder;
  SlidingPSN(const SlidingPSNOptions& options)
      : torch::nn::ModuleHolder<SlidingPSNImpl>(std::make_shared<SlidingPSNImpl>(options)) {}
};

}  // namespace rheo::nn
