// Probes: what chosen layers read, gave, kept, and what gradient they got (snnTorch's functional.probe).
//   rheo::nn::OutputMonitor spikes(net, rheo::nn::Layers::of<rheo::nn::Leaky>());
//   net->forward(x);
//   spikes["lif1"]      // what lif1 gave, a tensor per call; spikes[0]: the first record of all
//   rheo::nn::OutputMonitor rate(net, {"lif1"}, {.keep = rheo::nn::Keep::mean});   // rate.mean("lif1") [N], and no records
//   rheo::nn::AttributeMonitor mem("mem", false, net, {"lif1", "lif2"});           // [T, B, N] of a sequence, [B, N] of a step
//   rheo::nn::GradOutputMonitor grads(net, {"fc1"});                               // of every backward
// A record has the shape of the call: [T, B, ...] of a sequence, [B, ...] of a step; a constant input is a view of T rows.
// Records keep the history that autograd gave them, unless `detach`. Which calls are seen is in observer.hpp: a stateless
// layer in a module of your own is to be called by rheo::nn::call(fc, x). A probe sees calls from its construction until
// remove() or its end, and leaves nothing behind. It is for one thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/layers.hpp"
#include "rheo/nn/observer.hpp"

namespace rheo::nn {

namespace detail {
class ProbeStore;
}

enum class Keep {
  records,  // each of them
  mean,     // one tensor per layer: over steps, calls and samples [...]; memory does not grow
};

struct ProbeOptions {
  std::function<at::Tensor(const at::Tensor&)> function{};  // what is kept of a record; not given: all of it
  std::int64_t every = 1;  // a layer's steps number 0, every, 2 every ...; they count from call to call
  bool detach = false;     // records without history
  Keep keep = Keep::records;
};

struct ProbeRecord {
  std::string layer;
  at::Tensor value;
};

class RHEO_API Monitor {
 public:
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  virtual ~Monitor();

  /// In the order of the calls; of gradients, of the backward passes.
  const std::vector<ProbeRecord>& records() const;
  std::size_t size() const { return records().size(); }
  /// Throws ValueError past the last record.
  const at::Tensor& operator[](std::size_t index) const;
  /// The records of a layer. Throws ValueError for one that is not monitored.
  std::vector<at::Tensor> operator[](std::string_view layer) const;
  /// Their places among all records.
  const std::vector<std::size_t>& name_records_index(std::string_view layer) const;
  const std::vector<std::string>& monitored_layers() const;

  /// With Keep::mean: the mean over all rows so far, in double; undefined before the first. Where `function` gives a tensor
  /// of a call, the mean of those, weighted by the call's rows. Throws ValueError without Keep::mean.
  at::Tensor mean(std::string_view layer) const;
  /// With Keep::mean: rows so far, steps times samples.
  std::int64_t rows(std::string_view layer) const;

  void enable();
  void disable();
  bool is_enabled() const;
  /// Forgets what was recorded; steps count from 0 again.
  void clear();
  /// No more calls are seen; the records stay. Gradients of passes that are still to come are not recorded.
  void remove();

 protected:
  /// Of the layer with this number in monitored_layers().
  using MakeObserver = std::function<std::shared_ptr<Observer>(
      const std::shared_ptr<detail::ProbeStore>& store, std::size_t number, const ModuleRef& layer)>;
  /// An observer for each of the layers. Throws ValueError for an `every` below 1 and as Layers does.
  Monitor(const char* op, const ModuleRef& net, const Layers& layers, ProbeOptions options,
          const MakeObserver& make);

 private:
  std::shared_ptr<detail::ProbeStore> store_;
  std::vector<Observation> observations_;
};

/// What layers give.
class RHEO_API OutputMonitor : public Monitor {
 public:
  explicit OutputMonitor(const ModuleRef& net, const Layers& layers = {}, ProbeOptions options = {});
};

/// What layers read.
class RHEO_API InputMonitor : public Monitor {
 public:
  explicit InputMonitor(const ModuleRef& net, const Layers& layers = {}, ProbeOptions options = {});
};

/// A state ("mem"), what a spiking layer gives ("spk"), a parameter or buffer by name. A state after the forward is one of
/// every step; before it (pre_forward) the one that the call starts from, empty where that is zero. Throws ValueError from
/// the call, naming what there is, where a layer has no such attribute.
class RHEO_API AttributeMonitor : public Monitor {
 public:
  AttributeMonitor(const std::string& attribute_name, bool pre_forward, const ModuleRef& net,
                   const Layers& layers, ProbeOptions options = {});
};

/// The gradient of what layers read, through this layer alone; of a constant input the row's, [B, ...]. Nothing is recorded
/// where no gradient arrives.
class RHEO_API GradInputMonitor : public Monitor {
 public:
  GradInputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options = {});
};

/// The gradient of what layers give.
class RHEO_API GradOutputMonitor : public Monitor {
 public:
  GradOutputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options = {});
};

}  // namespace rheo::nn
