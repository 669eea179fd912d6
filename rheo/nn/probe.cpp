#include "rheo/nn/probe.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "rheo/nn/detail/probe_store.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::nn {
namespace {

using detail::ProbeStore;
using StorePtr = std::shared_ptr<ProbeStore>;

/// Records a tensor of the call: &LayerCall::x or &LayerCall::y.
class TensorOfCall : public Observer {
 public:
  TensorOfCall(StorePtr store, std::size_t layer, at::Tensor LayerCall::* tensor)
      : store_(std::move(store)), layer_(layer), tensor_(tensor) {}
  void after(LayerCall& call) override {
    if (!store_->listens()) return;
    store_->add(layer_, call.every_step(call.*tensor_), store_->next_rows(layer_, call.steps), call.sequence);
  }

 private:
  StorePtr store_;
  std::size_t layer_;
  at::Tensor LayerCall::* tensor_;
};

/// An alias of the tensor of the call, whose gradient is recorded when it arrives: what else reads the tensor has no part
/// in it. Without gradients the tensor itself.
at::Tensor with_gradient_recorded(const StorePtr& store, std::size_t layer, const LayerCall& call,
                                  const at::Tensor& tensor) {
  const auto rows = store->next_rows(layer, call.steps);
  if (!tensor.requires_grad() || !at::GradMode::is_enabled()) return tensor;
  auto alias = tensor.view_as(tensor);
  const bool constant = call.sequence && tensor.size(0) != call.steps;
  const bool sequence = call.sequence && !constant;
  const std::weak_ptr<ProbeStore> weak = store;
  alias.register_hook([weak, layer, rows, sequence, constant](const at::Tensor& grad) {
    const auto alive = weak.lock();
    if (alive == nullptr || !alive->listens() || !grad.defined()) return;
    alive->add(layer, constant ? grad.squeeze(0) : grad, rows, sequence);
  });
  return alias;
}

class GradientOfInput : public Observer {
 public:
  GradientOfInput(StorePtr store, std::size_t layer) : store_(std::move(store)), layer_(layer) {}
  void before(LayerCall& call) override {
    if (!store_->listens()) return;
    call.x = with_gradient_recorded(store_, layer_, call, call.x);
  }

 private:
  StorePtr store_;
  std::size_t layer_;
};

class GradientOfOutput : public Observer {
 public:
  GradientOfOutput(StorePtr store, std::size_t layer) : store_(std::move(store)), layer_(layer) {}
  void after(LayerCall& call) override {
    if (store_->listens()) call.y = with_gradient_recorded(store_, layer_, call, call.y);
  }

 private:
  StorePtr store_;
  std::size_t layer_;
};

/// The parameter or buffer of that name, or undefined.
at::Tensor stored(const torch::nn::Module& layer, const std::string& name) {
  const auto parameters = layer.named_parameters();
  if (const auto* found = parameters.find(name)) return *found;
  const auto buffers = layer.named_buffers();
  if (const auto* found = buffers.find(name)) return *found;
  return {};
}

class Attribute : public Observer {
 public:
  Attribute(StorePtr store, std::size_t layer, std::string name, bool pre, const ModuleRef& module)
      : store_(std::move(store)),
        layer_(layer),
        name_(std::move(name)),
        pre_(pre),
        stored_(stored(*module, name_).defined()) {}

  bool wants_traces() const override { return !pre_ && !stored_ && name_ != "spk" && store_->listens(); }

  void before(LayerCall& call) override {
    if (!pre_ || !store_->listens()) return;
    at::Tensor value;
    if (stored_) {
      value = stored(call.layer, name_);
    } else if (call.before.contains(name_) && call.before[name_].defined()) {
      value = call.before[name_];
    } else if (dynamic_cast<SpikingImpl*>(&call.layer) != nullptr) {
      value = at::empty({0}, call.x.options());
    } else {
      refuse(call);
    }
    store_->add(layer_, value, store_->next_rows(layer_, 1), false);
  }

  void after(LayerCall& call) override {
    if (!store_->listens()) return;
    if (pre_) return check(call);
    const bool spiking = dynamic_cast<SpikingImpl*>(&call.layer) != nullptr;
    if (stored_) {
      store_->add(layer_, stored(call.layer, name_), store_->next_rows(layer_, 1), false);
    } else if (spiking && name_ == "spk") {
      store_->add(layer_, call.every_step(call.y), store_->next_rows(layer_, call.steps), call.sequence);
    } else if (call.traces.contains(name_)) {
      store_->add(layer_, call.traces[name_], store_->next_rows(layer_, call.steps), call.sequence);
    } else if (call.after.contains(name_)) {
      store_->add(layer_, call.after[name_], store_->next_rows(layer_, 1), false);
    } else {
      refuse(call);
    }
  }

 private:
  /// A state of which nothing is known before the first call.
  void check(const LayerCall& call) const {
    if (!stored_ && !call.after.contains(name_)) refuse(call);
  }

  [[noreturn]] void refuse(const LayerCall& call) const {
    auto known = call.after.names();
    if (dynamic_cast<SpikingImpl*>(&call.layer) != nullptr && !call.after.contains("spk")) {
      known.emplace_back("spk");
    }
    for (const auto& item : call.layer.named_parameters()) known.push_back(item.key());
    for (const auto& item : call.layer.named_buffers()) known.push_back(item.key());
    ops::refuse(store_->op, "attribute_name must be of layer '", store_->names[layer_], "', ",
                known.empty() ? "which has none" : detail::listed(known), ", got '", name_, "'",
                detail::suggestion(name_, known));
  }

  StorePtr store_;
  std::size_t layer_;
  std::string name_;
  bool pre_, stored_;
};

}  // namespace

Monitor::Monitor(const char* op, const ModuleRef& net, const Layers& layers, ProbeOptions options,
                 const MakeObserver& make)
    : store_(std::make_shared<detail::ProbeStore>(op, std::move(options))) {
  for (const auto& [name, layer] : layers.in(op, net)) {
    store_->add_layer(name);
    observations_.push_back(observe(layer, make(store_, store_->names.size() - 1, layer)));
  }
}

Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&& other) noexcept {
  if (this == &other) return *this;
  if (store_ != nullptr) remove();
  store_ = std::move(other.store_);
  observations_ = std::move(other.observations_);
  return *this;
}
Monitor::~Monitor() {
  if (store_ != nullptr) remove();
}

const std::vector<ProbeRecord>& Monitor::records() const { return store_->records; }

const at::Tensor& Monitor::operator[](std::size_t index) const {
  if (index >= size()) ops::refuse(store_->op, "index must be below ", size(), ", got ", index);
  return records()[index].value;
}

std::vector<at::Tensor> Monitor::operator[](std::string_view layer) const {
  std::vector<at::Tensor> values;
  for (const auto place : name_records_index(layer)) values.push_back(records()[place].value);
  return values;
}

const std::vector<std::size_t>& Monitor::name_records_index(std::string_view layer) const {
  return store_->layers[store_->index_of(layer)].places;
}

const std::vector<std::string>& Monitor::monitored_layers() const { return store_->names; }

at::Tensor Monitor::mean(std::string_view layer) const {
  const auto& of = store_->layers[store_->index_of(layer)];
  if (store_->options.keep != Keep::mean)
    ops::refuse(store_->op, "keep must be mean to ask for one, got records");
  return of.rows == 0 ? at::Tensor() : of.sum / static_cast<double>(of.rows);
}

std::int64_t Monitor::rows(std::string_view layer) const {
  return store_->layers[store_->index_of(layer)].rows;
}

void Monitor::enable() { store_->enabled = true; }
void Monitor::disable() { store_->enabled = false; }
bool Monitor::is_enabled() const { return store_->enabled; }

void Monitor::clear() { store_->clear(); }

void Monitor::remove() {
  observations_.clear();
  store_->attached = false;
}

OutputMonitor::OutputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options)
    : Monitor("OutputMonitor", net, layers, std::move(options),
              [](const StorePtr& store, std::size_t layer, const ModuleRef&) {
                return std::make_shared<TensorOfCall>(store, layer, &LayerCall::y);
              }) {}

InputMonitor::InputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options)
    : Monitor("InputMonitor", net, layers, std::move(options),
              [](const StorePtr& store, std::size_t layer, const ModuleRef&) {
                return std::make_shared<TensorOfCall>(store, layer, &LayerCall::x);
              }) {}

AttributeMonitor::AttributeMonitor(const std::string& attribute_name, bool pre_forward, const ModuleRef& net,
                                   const Layers& layers, ProbeOptions options)
    : Monitor("AttributeMonitor", net, layers, std::move(options),
              [&](const StorePtr& store, std::size_t layer, const ModuleRef& module) {
                return std::make_shared<Attribute>(store, layer, attribute_name, pre_forward, module);
              }) {}

GradInputMonitor::GradInputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options)
    : Monitor("GradInputMonitor", net, layers, std::move(options),
              [](const StorePtr& store, std::size_t layer, const ModuleRef&) {
                return std::make_shared<GradientOfInput>(store, layer);
              }) {}

GradOutputMonitor::GradOutputMonitor(const ModuleRef& net, const Layers& layers, ProbeOptions options)
    : Monitor("GradOutputMonitor", net, layers, std::move(options),
              [](const StorePtr& store, std::size_t layer, const ModuleRef&) {
                return std::make_shared<GradientOfOutput>(store, layer);
              }) {}

}  // namespace rheo::nn
