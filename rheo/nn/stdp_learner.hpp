// A synapse that learns by spike timing: it sees what the layer reads and what its neurons make of it.
//   rheo::nn::STDPLearner learner(fc, lif, {.tau_pre = 20, .tau_post = 20});
//   net->forward(x);                // steps or sequences, in a Sequential; in a module of your own lif->step(call(fc, x))
//   learner.step();                 // fc->weight.grad -= delta_w, for any optimizer
//   rheo::nn::STDPLearner by_hand(fc, options);   by_hand.observe(x, spk);   // a step [B, ...], or a sequence [T, B, ...]
// What it keeps is two tensors of the weight's size and the traces, however long it observes. The rule is that of
// rheo/functional/stdp.hpp. It sees calls until its end (observer.hpp says which), and is for one thread at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"
#include "rheo/functional/stdp.hpp"
#include "rheo/nn/observer.hpp"
#include "rheo/nn/state.hpp"

namespace rheo::nn {

class RHEO_API STDPLearner {
 public:
  /// A Linear, Conv1d or Conv2d, that is told by `observe`. Throws TypeError for another module, ValueError for time
  /// constants <= 0.
  explicit STDPLearner(const ModuleRef& synapse, functional::STDPOptions options = {});
  /// The same, and sees every call of both: the steps that the synapse reads are paired, in order, with those that come
  /// out of the neuron. A call of the neuron throws ValueError where the synapse was not called before it. Throws TypeError
  /// for a neuron that is no layer with a state.
  STDPLearner(const ModuleRef& synapse, const ModuleRef& neuron, functional::STDPOptions options = {});
  STDPLearner(STDPLearner&&) noexcept;
  STDPLearner& operator=(STDPLearner&&) noexcept;
  ~STDPLearner();

  /// in, out: a step or a sequence; traces go on from one call to the next. Nothing while disabled.
  /// Throws as stdp_correlation does.
  void observe(const at::Tensor& in, const at::Tensor& out);
  /// Steps observed since the last `step` or `reset`.
  std::int64_t pending() const;
  /// Steps that the synapse has read and the neuron has not answered yet.
  std::int64_t unanswered() const;

  /// scale times delta_w of all that was observed since the last call, at the weights of now; traces stay. With on_grad it
  /// is also taken from the weight's gradient. Nothing observed: zeros, and the gradient stays as it is. Throws ValueError
  /// where steps are unanswered.
  at::Tensor step(bool on_grad = true, double scale = 1);

  /// As new: nothing observed, nothing unanswered, traces zero.
  void reset();
  void enable();
  void disable();
  bool is_enabled() const;

  /// The traces, "trace_pre" and "trace_post"; empty where there are none. rheo/io/state.hpp saves it.
  State state() const;
  /// Throws ValueError for other names. What was observed and not yet learned is dropped.
  void load_state(const State& state);

 private:
  struct Core;
  class Reads;
  class Fires;
  std::unique_ptr<Core> core_;  // observers refer to it
  Observation reads_, fires_;
};

}  // namespace rheo::nn
