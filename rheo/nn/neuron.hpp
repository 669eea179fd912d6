// The neuron module: one class for all pointwise neurons. The typed holders (neurons.hpp) differ in their options only.
//   rheo::nn::Leaky lif({.beta = 0.9});
//   auto out = lif->forward(x);               // x [T, B, N]; out.spk [T, B, N], out.state after the last step
//   auto rec = lif->record(x, out.state);     // rec.spk and rec.mem [T, B, N]
//   auto [spk, state] = lif->step(x[0], {});  // one step
// All T steps are one fused call, forward and backward, where `explain` says so; else whole-tensor operations.
#pragma once

#include <torch/nn/pimpl.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/firing.hpp"
#include "rheo/nn/options.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/nn/state.hpp"
#include "rheo/nn/surrogate.hpp"
#include "rheo/nn/value.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo {

/// Options of any neuron, by name.
struct NeuronOptions : nn::CommonOptions {
  std::vector<std::pair<std::string, Value>> params;
  std::vector<std::string> learn;  // names of parameters
  std::vector<std::pair<std::string, std::string>> modes;
};

namespace nn {
namespace detail {
struct NeuronParameters;
}

class RHEO_API NeuronImpl : public SpikingImpl {
 public:
  /// `fixed`: parameters that a layer around the step has no use for: the equations see these numbers, the module and its
  /// state-dict have no such parameter.
  NeuronImpl(const ops::NeuronEntry& entry, NeuronOptions options,
             std::vector<std::pair<std::string, double>> fixed = {});

  /// forward, then a linear layer on the spikes: `spk` of the result is [T, ..., out]. Without gradients the spikes go
  /// straight into the product where the call is fused and the layer narrow (ops/neuron_linear.hpp). Observers are not told: there may be no spikes.
  Output forward_linear(const Input& x, const State& state, const at::Tensor& weight, const at::Tensor& bias);

  std::string kind() const override { return kind_; }
  bool keeps_state() const override { return options_.init_hidden; }
  std::string why_not_fused(const at::Tensor& x = {}) const override;

  const NeuronOptions& options() const { return options_; }
  /// Applies from the next call on.
  void set_reset_mechanism(Reset reset);
  Reset reset_mechanism() const { return firing_.reset_mechanism(); }
  /// A parameter, `threshold` or `graded_spikes_factor`, by name.
  at::Tensor parameter(std::string_view name) const;
  /// The constants the equations use, from the present parameters.
  std::vector<std::pair<std::string, at::Tensor>> constants() const;

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void pretty_print(std::ostream& stream) const override;

 protected:
  Output do_forward(const Input& x, const State& state) override;
  Recording do_record(const Input& x, const State& state) override;
  /// Runs a call whose arguments are checked and of one type: float or double. `fused`: by the operator, with constants
  /// of one value or flattened to a period of the row; else the reference path, constants in their own shape. A layer
  /// with more around its step overrides it.
  virtual ops::NeuronResult run(const ops::ReferenceCall& call, bool fused);
  /// Whether `run` by the operator takes a learned slope and stochastic surrogates.
  virtual bool fuses_any_surrogate() const { return true; }
  const ops::NeuronEntry& entry() const { return *entry_; }
  const Firing& firing() const { return firing_; }
  /// The options a copy is made with: those given, at their present values.
  NeuronOptions present_options() const;
  void take(const SpikingImpl& from) override;

 private:
  /// Runs fused or not, what `run` or something else makes of the checked call.
  using Run = std::function<ops::NeuronResult(const ops::ReferenceCall& call, bool fused)>;
  ops::NeuronResult checked_run(const Input& input, const State& state, bool traces, const Run& how);
  ops::RawTensors raw() const;
  detail::NeuronParameters present_values() const;
  void check_values() const;
  void refresh() const;
  State named(const std::vector<at::Tensor>& tensors) const;
  bool is_fixed(std::string_view name) const;

  const ops::NeuronEntry* entry_;
  std::string kind_;
  NeuronOptions options_;
  std::vector<int> modes_;
  Firing firing_;
  // Handles of the registered parameters and buffers, and the fixed ones.
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
  std::vector<std::pair<std::string, double>> fixed_;
  std::vector<bool> given_;  // which parameters the others follow from

  // Values are checked once, when they change.
  mutable std::mutex checking_;
  mutable std::vector<std::pair<const void*, std::uint64_t>> checked_;
};

/// Holder of any neuron's module.
class Neuron : public torch::nn::ModuleHolder<NeuronImpl> {
 public:
  using torch::nn::ModuleHolder<NeuronImpl>::ModuleHolder;
};

/// A neuron of the library by name. Unknown names are a ValueError with the nearest one.
RHEO_API Neuron make_neuron(std::string_view name, NeuronOptions options = {});

}  // namespace nn
}  // namespace rheo
