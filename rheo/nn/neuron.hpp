// The neuron module: one class for all pointwise neurons. The typed holders (neurons.hpp) differ in their options only.
//   rheo::nn::Leaky lif({.beta = 0.9});
//   auto out = lif->forward(x);               // x [T, B, N]; out.spk [T, B, N], out.state after the last step
//   auto rec = lif->record(x, out.state);     // rec.spk and rec.mem [T, B, N]
//   auto [spk, state] = lif->step(x[0], {});  // one step
// All T steps are one fused call, forward and backward, where `explain` says so; else whole-tensor operations.
// With explicit state the calls are re-entrant; hidden state (init_hidden) is for one thread at a time.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/state.hpp"
#include "rheo/nn/surrogate.hpp"
#include "rheo/nn/value.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo {

/// "subtract", "zero", "none"
RHEO_API std::string to_string(Reset reset);
/// Throws ValueError with the valid names.
RHEO_API Reset parse_reset(std::string_view name);

/// Options of any neuron, by name.
struct NeuronOptions {
  std::vector<std::pair<std::string, Value>> params;
  std::vector<std::string> learn;  // names of parameters
  std::vector<std::pair<std::string, std::string>> modes;
  Value threshold;  // 1 if not given
  Surrogate spike_grad;
  bool surrogate_disable = false;  // spikes carry no gradient
  bool init_hidden = false;        // the module keeps its state between calls
  bool learn_threshold = false;
  Reset reset_mechanism = Reset::subtract;
  Value graded_spikes_factor;  // 1 if not given
  bool learn_graded_spikes_factor = false;
  bool reset_delay = true;  // false: the step that fires also resets
  bool fused = true;        // false: the reference path
};

namespace nn {

struct Output {
  at::Tensor spk;  // [T, ...], or [...] of a step
  State state;     // after the last step
};

struct Recording {
  at::Tensor spk;  // [T, ...]
  at::Tensor mem;  // [T, ...]: membrane after each step
  State traces;    // every state [T, ...], mem included
  State state;     // after the last step

  const at::Tensor& operator[](std::string_view name) const { return name == "spk" ? spk : traces[name]; }
};

class RHEO_API NeuronImpl : public torch::nn::Module {
 public:
  NeuronImpl(const ops::NeuronEntry& entry, NeuronOptions options);

  /// One step: x [...] -> spikes [...]. `state` empty: zeros, or the hidden state with init_hidden.
  /// Throws ValueError for a state of another shape than x, TypeError for a state beside init_hidden.
  Output step(const at::Tensor& x, const State& state = {});
  /// A whole sequence [T, ...], or a TimeConstant. Keeps nothing but spikes and the last state.
  Output forward(const Input& x, const State& state = {});
  /// The same, and every state after every step.
  Recording record(const Input& x, const State& state = {});

  /// Hidden state back to fresh zeros; nothing else changes.
  void reset();
  /// Cuts the hidden state's history.
  void detach();
  const State& hidden() const { return hidden_; }
  void set_hidden(State state) { hidden_ = std::move(state); }

  const std::string& kind() const { return kind_; }
  const NeuronOptions& options() const { return options_; }
  /// Applies from the next call on.
  void set_reset_mechanism(Reset reset);
  Reset reset_mechanism() const;
  /// A parameter, `threshold` or `graded_spikes_factor`, by name.
  at::Tensor parameter(std::string_view name) const;
  /// The constants the equations use, from the present parameters.
  std::vector<std::pair<std::string, at::Tensor>> constants() const;
  /// Empty if calls with such an input run fused, else the reason why not.
  std::string why_not_fused(const at::Tensor& x = {}) const;

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void pretty_print(std::ostream& stream) const override;

 private:
  ops::NeuronResult run(const Input& input, const State& state, bool traces);
  State start_state(const at::Tensor& x, const State& state) const;
  std::vector<at::Tensor> prepared_constants(const at::Tensor& x, at::ScalarType dtype) const;
  ops::RawTensors raw() const;
  void check_values() const;
  /// What the given parameters broadcast to; throws ValueError where they do not.
  std::vector<std::int64_t> common_shape() const;
  void refresh() const;
  void keep_reset_integer();
  State named(const std::vector<at::Tensor>& tensors) const;

  const ops::NeuronEntry* entry_;
  std::string kind_;
  NeuronOptions options_;
  std::vector<int> modes_;
  std::vector<std::pair<std::string, at::Tensor>>
      tensors_;              // handles of the registered parameters and buffers
  std::vector<bool> given_;  // which parameters the others follow from
  State hidden_;

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

/// Hidden state of every neuron inside `module`, at any depth, back to zero; nothing else is touched.
RHEO_API void reset(torch::nn::Module& module);
/// Cuts the history of the hidden state of every neuron inside `module`.
RHEO_API void detach(torch::nn::Module& module);

}  // namespace nn

/// What runs fused inside `module`, and why the rest does not: a line per neuron.
RHEO_API std::string explain(const torch::nn::Module& module);

}  // namespace rheo
