// Leaky integration without a reset, linear in time (snnTorch's StateLeaky).
//     U[t] = sum over k of exp(-k / tau) X[t-k],   tau = 1 / (1 - beta),   S[t] = 1 if U[t] > threshold
//   rheo::nn::StateLeaky lif({.beta = 0.9, .channels = 64});
//   auto rec = lif->record(x);                         // x [T, B, 64]; rec.spk, rec.mem [T, B, 64]
//   rheo::nn::StateLeaky last({.beta = 0.9, .channels = 64, .kernel_truncation_steps = 32});  // the last 32 inputs only
// The decay per step is exp(beta - 1). Time and memory are linear in T, with truncation too. The state is `mem`, with
// truncation `past` [K-1, ...], the last inputs.
#pragma once

#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "rheo/core/export.hpp"
#include "rheo/nn/scan.hpp"

namespace rheo::nn {

/// beta       one value or one per channel; beyond 1 the state grows
/// channels   where beta has a value per channel it has this many; 0: not stated
/// learn_beta learns tau, of which beta is 1 - 1/tau
/// output     false: the membranes leave the layer, not spikes
/// kernel_truncation_steps   K: how many inputs are remembered; 0: all
/// inhibition, reset_mechanism and reset_delay are refused; so are, without output, the options of spikes.
struct StateLeakyOptions {
  Value beta{};
  std::int64_t channels = 0;
  bool learn_beta = false;
  bool output = true;
  std::int64_t kernel_truncation_steps = 0;
  RHEO_COMMON_OPTIONS(OptionTraits)
};

class RHEO_API StateLeakyImpl : public ScanImpl {
 public:
  /// Throws ValueError for a beta that is missing, not finite or of another shape than (), (1) or (channels), and for
  /// a negative truncation; TypeError for options it cannot honour.
  explicit StateLeakyImpl(const StateLeakyOptions& options, std::string kind = "StateLeaky");

  /// 1 - 1/tau.
  at::Tensor beta() const { return 1 - 1 / tau_; }
  const at::Tensor& tau() const { return tau_; }

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Scanned scan(const Input& x, const State& state, bool traces) override;

 private:
  Scanned scan_window(const Input& x, const State& state, const at::Tensor& decay) const;

  StateLeakyOptions options_;
  at::Tensor beta_, tau_;
};

/// Holder of StateLeakyImpl.
class StateLeaky : public torch::nn::ModuleHolder<StateLeakyImpl> {
 public:
  using torch::nn::ModuleHolder<StateLeakyImpl>::ModuleHolder;
  StateLeaky(const StateLeakyOptions& options)
      : torch::nn::ModuleHolder<StateLeakyImpl>(std::make_shared<StateLeakyImpl>(options)) {}
};

}  // namespace rheo::nn
