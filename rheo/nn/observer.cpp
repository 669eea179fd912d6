#include "rheo/nn/observer.hpp"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "rheo/ops/refuse.hpp"

namespace rheo::nn {
namespace detail {

std::atomic<std::int64_t> watched_layers{0};

namespace {

struct Table {
  std::shared_mutex mutex;
  std::unordered_map<const torch::nn::Module*, Observers> of;
};

/// Never destroyed: an observation may live until the program ends.
Table& table() {
  static auto* made = new Table;
  return *made;
}

}  // namespace

Observers find_observers(const torch::nn::Module& layer) {
  auto& all = table();
  const std::shared_lock lock(all.mutex);
  const auto found = all.of.find(&layer);
  return found == all.of.end() ? nullptr : found->second;
}

}  // namespace detail

namespace {

/// The list is replaced, never changed: a call that is running keeps its own.
template <class Change>
void change(const torch::nn::Module* layer, Change change_list) {
  auto& all = detail::table();
  const std::unique_lock lock(all.mutex);
  const auto found = all.of.find(layer);
  auto list = found == all.of.end() ? std::vector<std::shared_ptr<Observer>>() : *found->second;
  change_list(list);
  if (list.empty()) {
    all.of.erase(layer);
  } else {
    all.of[layer] = std::make_shared<const std::vector<std::shared_ptr<Observer>>>(std::move(list));
  }
  detail::watched_layers = static_cast<std::int64_t>(all.of.size());
}

State without_time(const State& traces) {
  std::vector<State::Entry> entries;
  for (const auto& [name, trace] : traces) {
    entries.emplace_back(name, trace.defined() ? trace.squeeze(0) : trace);
  }
  return State(std::move(entries));
}

}  // namespace

at::Tensor LayerCall::every_step(const at::Tensor& t) const {
  if (!sequence || t.size(0) == steps) return t;
  auto shape = t.sizes().vec();
  shape[0] = steps;
  return t.expand(shape);
}

Observation::Observation(ModuleRef layer, std::shared_ptr<Observer> observer)
    : layer_(std::make_unique<ModuleRef>(std::move(layer))), observer_(std::move(observer)) {
  change(layer_->get(), [&](auto& list) { list.push_back(observer_); });
}

Observation::Observation(Observation&&) noexcept = default;

Observation& Observation::operator=(Observation&& other) noexcept {
  if (this != &other) {
    stop();
    layer_ = std::move(other.layer_);
    observer_ = std::move(other.observer_);
  }
  return *this;
}

void Observation::stop() {
  if (layer_ == nullptr) return;
  change(layer_->get(), [&](auto& list) {
    const auto mine = std::find(list.begin(), list.end(), observer_);
    if (mine != list.end()) list.erase(mine);
  });
  layer_.reset();
  observer_.reset();
}

Observation observe(const ModuleRef& layer, std::shared_ptr<Observer> observer) {
  if (layer.get() == nullptr) ops::refuse("observe", "layer must be a module, got none");
  if (observer == nullptr) ops::refuse("observe", "observer must be one, got none");
  return {layer, std::move(observer)};
}

ObservedCall::ObservedCall(Observers observers, torch::nn::Module& layer, const Input& x, bool sequence,
                           State before)
    : observers_(std::move(observers)),
      call_{.layer = layer,
            .x = sequence ? x.x : x.x.squeeze(0),
            .steps = x.steps,
            .sequence = sequence,
            .before = std::move(before)},
      x_(x) {
  const auto read = call_.x;
  for (const auto& observer : *observers_) observer->before(call_);
  if (!call_.x.is_same(read)) x_.x = sequence ? call_.x : call_.x.unsqueeze(0);
}

bool ObservedCall::wants_traces() const {
  return std::any_of(observers_->begin(), observers_->end(),
                     [](const auto& observer) { return observer->wants_traces(); });
}

at::Tensor ObservedCall::finish(const at::Tensor& y, State after, State traces) {
  call_.y = call_.sequence ? y : y.squeeze(0);
  call_.after = std::move(after);
  call_.traces = call_.sequence ? std::move(traces) : without_time(traces);
  for (const auto& observer : *observers_) observer->after(call_);
  return call_.sequence ? call_.y : call_.y.unsqueeze(0);
}

}  // namespace rheo::nn
