#include "rheo/nn/layers.hpp"

#include <algorithm>
#include <typeinfo>

#include "rheo/nn/detail/text.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::nn {
namespace {

void walk(const std::string& name, const ModuleRef& layer, std::vector<Layers::Found>& into) {
  into.push_back({name, layer});
  if (dynamic_cast<SpikingImpl*>(layer.get()) != nullptr) return;
  for (const auto& child : layer->named_children()) {
    walk(name.empty() ? child.key() : name + "." + child.key(), child.value(), into);
  }
}

}  // namespace

Layers Layers::named(std::vector<std::string> names) {
  Layers layers;
  layers.names_ = std::move(names);
  return layers;
}

Layers Layers::where(Test test) {
  Layers layers;
  layers.test_ = std::move(test);
  return layers;
}

std::vector<Layers::Found> layers_of(const ModuleRef& net) {
  std::vector<Layers::Found> all;
  walk("", net, all);
  return all;
}

std::vector<Layers::Found> Layers::in(const char* op, const ModuleRef& net) const {
  if (net.get() == nullptr) ops::refuse(op, "net must be a module, got none");
  const auto all = layers_of(net);
  std::vector<Found> found;
  for (const auto& name : names_) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const Found& f) { return f.name == name; });
    if (at == all.end()) {
      std::vector<std::string> known;
      for (const auto& f : all) {
        if (!f.name.empty()) known.push_back(f.name);
      }
      ops::refuse(op, "layers must be of the network, ", detail::listed(known), ", got '", name, "'",
                  detail::suggestion(name, known));
    }
    found.push_back(*at);
  }
  if (!names_.empty()) return found;
  // The same module under two names is one layer.
  const auto taken = [&](const ModuleRef& layer) {
    return std::any_of(found.begin(), found.end(),
                       [&](const Found& f) { return f.layer.get() == layer.get(); });
  };
  for (const auto& f : all) {
    const bool wanted = test_ ? test_(f.name, *f.layer) : typeid(*f.layer) == typeid(*net);
    if (wanted && !taken(f.layer)) found.push_back(f);
  }
  if (found.empty())
    ops::refuse(op, "layers must match one of the network's, got a choice that matches none");
  return found;
}

}  // namespace rheo::nn
