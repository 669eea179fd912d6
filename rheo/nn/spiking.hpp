// A layer with a state over time: neurons, recurrent layers, LSTMs, scans. What Sequential, reset, detach and explain know.
//   auto out = layer->forward(x);              // x [T, B, ...]; out.spk [T, B, ...], out.state after the last step
//   auto rec = layer->record(x, out.state);    // every state after every step as well
//   auto [spk, state] = layer->step(x[0], {});
// With explicit state the calls are re-entrant; hidden state (init_hidden) is for one thread at a time.
// A layer of your own implements do_forward, do_record, kind and keeps_state; the calls tell who observes it (observer.hpp).
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/observer.hpp"
#include "rheo/nn/state.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo {
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

class RHEO_API SpikingImpl : public torch::nn::Module {
 public:
  using torch::nn::Module::Module;

  /// A whole sequence [T, ...], or a TimeConstant. `state` empty: zeros, or the hidden state with init_hidden.
  /// Keeps nothing but spikes and the last state. Throws ValueError for a state of a wrong shape, TypeError for a state
  /// beside init_hidden.
  Output forward(const Input& x, const State& state = {});
  /// The same, and every state after every step.
  Recording record(const Input& x, const State& state = {});
  /// One step: x [...] -> spikes [...].
  Output step(const at::Tensor& x, const State& state = {});

  /// "Leaky": what error messages begin with.
  virtual std::string kind() const = 0;
  /// True with init_hidden: the state stays in the module.
  virtual bool keeps_state() const = 0;
  /// Empty if calls with such an input run fused, else the reason why not.
  virtual std::string why_not_fused(const at::Tensor& x = {}) const;

  /// Hidden state back to fresh zeros; nothing else changes.
  void reset() { hidden_ = {}; }
  /// Cuts the hidden state's history.
  void detach() { hidden_ = hidden_.detach(); }
  const State& hidden() const { return hidden_; }
  void set_hidden(State state) { hidden_ = std::move(state); }

  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

 protected:
  /// What forward and record do.
  virtual Output do_forward(const Input& x, const State& state) = 0;
  virtual Recording do_record(const Input& x, const State& state) = 0;

  /// Throws unless x is a floating-point sequence [T, ...] with at least `dims` dimensions.
  void check_input(const Input& x, std::int64_t dims = 1) const;
  /// What a call starts from, checked, in the order of `names`: `state`, or the hidden state where its shapes fit.
  /// An undefined tensor means zeros; an empty list means zeros throughout. `rule` is the text of the error.
  std::vector<at::Tensor> first_state(const State& state, const std::vector<std::string>& names,
                                      at::ArrayRef<at::IntArrayRef> shapes,
                                      std::string_view rule = "shape") const;
  /// Keeps the last state where keeps_state().
  void keep(const State& last) {
    if (keeps_state()) hidden_ = last;
  }
  /// For clone(): takes the values of parameters and buffers, the mode and the hidden state of a layer with the same options.
  virtual void take(const SpikingImpl& from);

 private:
  friend class SequentialImpl;
  /// A call that `observers` are told of. Without `sequence` x is a step [1, ...] and they see it as [...].
  Recording observed(const Observers& observers, const Input& x, const State& state, bool sequence,
                     bool traces);

  State hidden_;
};

/// Hidden state of every layer inside `module`, at any depth, back to zero; nothing else is touched.
RHEO_API void reset(torch::nn::Module& module);
/// Cuts the history of the hidden state of every layer inside `module`.
RHEO_API void detach(torch::nn::Module& module);

}  // namespace nn

/// What runs fused inside `module`, and why the rest does not: a line per layer with a state.
RHEO_API std::string explain(const torch::nn::Module& module);

}  // namespace rheo
