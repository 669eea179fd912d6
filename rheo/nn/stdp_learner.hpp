// A synapse that learns by spike timing: it is told what the layer read and what its neurons made of it.
//   rheo::nn::STDPLearner learner(fc, {.tau_pre = 20, .tau_post = 20});
//   learner.observe(x, spk);        // a step [B, ...], or a sequence [T, B, ...]
//   learner.step();                 // fc->weight.grad -= delta_w, for any optimizer
// What it keeps is two tensors of the weight's size and the traces, however long it observes. The rule is that of
// rheo/functional/stdp.hpp.
#pragma once

#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"
#include "rheo/functional/stdp.hpp"
#include "rheo/nn/state.hpp"

namespace rheo::nn {

class RHEO_API STDPLearner {
 public:
  /// A Linear, Conv1d or Conv2d. Throws TypeError for another module, ValueError for time constants <= 0.
  explicit STDPLearner(std::shared_ptr<torch::nn::Module> synapse, functional::STDPOptions options = {});
  template <class Module>
  explicit STDPLearner(const torch::nn::ModuleHolder<Module>& synapse, functional::STDPOptions options = {})
      : STDPLearner(std::shared_ptr<torch::nn::Module>(synapse.ptr()), std::move(options)) {}

  /// in, out: a step or a sequence; traces go on from one call to the next. Nothing while disabled.
  /// Throws as stdp_correlation does.
  void observe(const at::Tensor& in, const at::Tensor& out);
  /// Steps observed since the last `step` or `reset`.
  std::int64_t pending() const { return pending_; }

  /// scale times delta_w of all that was observed since the last call, at the weights of now; traces stay. With on_grad it
  /// is also taken from the weight's gradient. Nothing observed: zeros, and the gradient stays as it is.
  at::Tensor step(bool on_grad = true, double scale = 1);

  /// As new: nothing observed, traces zero.
  void reset();
  void enable() { enabled_ = true; }
  void disable() { enabled_ = false; }
  bool is_enabled() const { return enabled_; }

  /// The traces, "trace_pre" and "trace_post"; empty where there are none. rheo/io/state.hpp saves it.
  State state() const;
  /// Throws ValueError for other names. What was observed and not yet learned is dropped.
  void load_state(const State& state);

 private:
  std::shared_ptr<torch::nn::Module> synapse_;
  functional::STDPOptions options_;
  functional::STDPCorrelation seen_;
  std::int64_t pending_ = 0;
  bool enabled_ = true;
};

}  // namespace rheo::nn
