// Who watches the calls of layers. libtorch's modules have no hooks in C++; this is the place for them, and what probes, the
// summary and STDPLearner are made of.
//   struct Count : rheo::nn::Observer {
//     void after(rheo::nn::LayerCall& call) override { spikes += call.y.sum().item<double>(); }
//     double spikes = 0;
//   };
//   auto count = std::make_shared<Count>();
//   auto watching = rheo::nn::observe(net->module_at(1), count);      // until `watching` is destroyed
// Seen are the calls of every layer of a Sequential, at any depth and stateless ones too, of every neuron and every other
// layer with a state, of Sequential itself, and of any other module that your own module calls by rheo::nn::call(fc, x).
// While nothing is watched in the whole process a call costs one load and one test. A copy of a module is not watched.
// Who watches whom is kept beside the modules, under a lock: observing and stopping are thread-safe. Observers are told in
// the thread that makes the call.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/state.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo::nn {

/// One call of a layer.
struct LayerCall {
  torch::nn::Module& layer;
  at::Tensor x;    // a sequence [T, B, ...], a constant [1, B, ...], or without time dimension [B, ...]
  at::Tensor y{};  // what comes out, in the same manner; undefined before the call
  std::int64_t steps = 1;  // T
  bool sequence = false;   // whether there is a time dimension
  State before{};          // what the layer starts from: the state given or hidden; empty: zeros
  State after{};           // its state after the last step
  State traces{};          // after every step, where an observer wants them

  /// x, y or a trace with a row for every step: a view where it is constant.
  at::Tensor every_step(const at::Tensor& t) const;
};

class RHEO_API Observer {
 public:
  virtual ~Observer() = default;
  /// Before the layer runs. x may be replaced by a tensor of the same numbers.
  virtual void before(LayerCall&) {}
  /// After it has run, where it did not throw. y may be replaced by a tensor of the same numbers.
  virtual void after(LayerCall&) {}
  /// Whether every state after every step is asked for, as SpikingImpl::record gives them.
  virtual bool wants_traces() const { return false; }
};

/// A module, however it is held. The module lives as long as this, where a shared_ptr holds it; else it must outlive it.
class ModuleRef {
 public:
  ModuleRef(torch::nn::Module& module) : held_(module.weak_from_this().lock()), module_(&module) {}
  template <class M>
  ModuleRef(const torch::nn::ModuleHolder<M>& holder) : held_(holder.ptr()), module_(held_.get()) {}
  template <class M>
  requires std::derived_from<M, torch::nn::Module>
  ModuleRef(const std::shared_ptr<M>& module) : held_(module), module_(held_.get()) {}

  torch::nn::Module& operator*() const { return *module_; }
  torch::nn::Module* operator->() const { return module_; }
  torch::nn::Module* get() const { return module_; }

 private:
  std::shared_ptr<torch::nn::Module> held_;
  torch::nn::Module* module_;
};

/// While it lives an observer is told of a layer's calls.
class RHEO_API Observation {
 public:
  Observation() = default;
  Observation(Observation&&) noexcept;
  Observation& operator=(Observation&&) noexcept;
  ~Observation() { stop(); }

  /// Before the end of its life. A call that is running still tells the observer.
  void stop();

 private:
  friend Observation observe(const ModuleRef& layer, std::shared_ptr<Observer> observer);
  Observation(ModuleRef layer, std::shared_ptr<Observer> observer);

  std::unique_ptr<ModuleRef> layer_;
  std::shared_ptr<Observer> observer_;
};

/// Throws ValueError for an empty shared_ptr.
[[nodiscard]] RHEO_API Observation observe(const ModuleRef& layer, std::shared_ptr<Observer> observer);

/// Those of a layer, in the order in which they came; null where there are none.
using Observers = std::shared_ptr<const std::vector<std::shared_ptr<Observer>>>;

namespace detail {
RHEO_API extern std::atomic<std::int64_t> watched_layers;  // of the process
RHEO_API Observers find_observers(const torch::nn::Module& layer);
}  // namespace detail

inline Observers observers_of(const torch::nn::Module& layer) {
  if (detail::watched_layers.load(std::memory_order_relaxed) == 0) return nullptr;
  return detail::find_observers(layer);
}

/// For layers over time, which take an Input: tells the observers before, by the constructor, and after.
///   ObservedCall told(observers, *this, x, true);
///   return told.finish(forward_of(told.x()));
class RHEO_API ObservedCall {
 public:
  /// x [T, ...] or [1, ...]; without `sequence` T is 1, and observers see the step without its time dimension.
  ObservedCall(Observers observers, torch::nn::Module& layer, const Input& x, bool sequence,
               State before = {});

  /// What the layer is to read.
  const Input& x() const { return x_; }
  bool wants_traces() const;
  /// y [T, ...] or [1, ...], as it goes on from here.
  at::Tensor finish(const at::Tensor& y, State after = {}, State traces = {});

 private:
  Observers observers_;
  LayerCall call_;
  Input x_;
};

/// layer->forward(x) with its observers told. For stateless layers in a module of your own: at::Tensor h = call(fc, x).
template <class M>
requires requires(M& layer, const at::Tensor& x) {
  { layer.forward(x) } -> std::convertible_to<at::Tensor>;
}
at::Tensor call(M& layer, const at::Tensor& x) {
  const auto observers = observers_of(layer);
  if (observers == nullptr) return layer.forward(x);
  LayerCall seen{.layer = layer, .x = x};
  for (const auto& observer : *observers) observer->before(seen);
  seen.y = layer.forward(seen.x);
  for (const auto& observer : *observers) observer->after(seen);
  return seen.y;
}
template <class M>
at::Tensor call(const torch::nn::ModuleHolder<M>& layer, const at::Tensor& x) {
  return call(*layer.ptr(), x);
}

}  // namespace rheo::nn
