#include "rheo/nn/summary.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "rheo/nn/detail/operations.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/nn/layers.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::nn {
namespace {

constexpr auto op = "summary";

/// "Linear" of torch::nn::LinearImpl.
std::string kind_of(const torch::nn::Module& layer) {
  if (const auto* spiking = dynamic_cast<const SpikingImpl*>(&layer)) return spiking->kind();
  auto name = layer.name();
  if (const auto colon = name.rfind(':'); colon != std::string::npos) name.erase(0, colon + 1);
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

/// What one layer does in all its calls.
class Counted : public Observer {
 public:
  Counted(const detail::SpikeSizes& sizes, bool batched) : sizes_(sizes), batched_(batched) {}

  void after(LayerCall& call) override {
    ++calls;
    if (const auto done = detail::operations_of(call, sizes_)) {
      synops += done->synops;
      macs += done->macs;
    } else {
      has_rule = false;
    }
    if (dynamic_cast<SpikingImpl*>(&call.layer) != nullptr) add_spikes(call);
  }

  std::int64_t calls = 0, rows = 0;
  double synops = 0, macs = 0;
  bool has_rule = true, spikes = true;
  at::Tensor fired;  // [...] of a sample: how often each neuron did

 private:
  void add_spikes(const LayerCall& call) {
    const std::int64_t leading = (call.sequence ? 1 : 0) + (batched_ ? 1 : 0);
    spikes = spikes && call.y.dim() >= leading && sizes_.are_all_of(call.y);
    if (!spikes) return;
    const auto y = leading == 2 ? call.y.flatten(0, 1) : leading == 1 ? call.y : call.y.unsqueeze(0);
    const auto more = y.ne(0).sum(0);
    spikes = !fired.defined() || fired.sizes() == more.sizes();
    if (!spikes) return;
    fired = fired.defined() ? fired + more : more;
    rows += y.size(0);
  }

  const detail::SpikeSizes& sizes_;
  bool batched_;
};

/// Eval mode and fresh hidden states until its end, then everything as before.
class Undisturbed {
 public:
  explicit Undisturbed(torch::nn::Module& net) {
    add(net);
    net.eval();
    reset(net);
  }
  ~Undisturbed() {
    // Parents come before their children, whose own modes so have the last word.
    for (auto& [module, training] : training_) module->train(training);
    for (auto& [layer, state] : hidden_) layer->set_hidden(std::move(state));
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  void add(torch::nn::Module& module) {
    training_.emplace_back(&module, module.is_training());
    if (auto* layer = dynamic_cast<SpikingImpl*>(&module)) hidden_.emplace_back(layer, layer->hidden());
    for (const auto& child : module.children()) add(*child);
  }

  std::vector<std::pair<torch::nn::Module*, bool>> training_;
  std::vector<std::pair<SpikingImpl*, State>> hidden_;
};

LayerSummary of_layer(const Layers::Found& found, const Counted& counted, std::int64_t samples) {
  LayerSummary out{.name = found.name, .kind = kind_of(*found.layer)};
  for (const auto& p : found.layer->parameters()) out.parameters += p.numel();
  out.synops = counted.synops / static_cast<double>(samples);
  out.macs = counted.macs / static_cast<double>(samples);
  if (counted.spikes && counted.rows > 0) {
    out.neurons = counted.fired.numel();
    out.rate = counted.fired.sum().item<double>() /
               static_cast<double>(counted.rows * std::max<std::int64_t>(1, out.neurons));
    out.silent = counted.fired.eq(0).sum().item<std::int64_t>();
    out.saturated = counted.fired.eq(counted.rows).sum().item<std::int64_t>();
  }
  return out;
}

Summary summarise(const ModuleRef& net, const std::function<void()>& run, std::int64_t samples,
                  bool batched) {
  if (net.get() == nullptr) ops::refuse(op, "net must be a module, got none");
  if (samples < 1) ops::refuse(op, "samples must be at least 1, got ", samples);
  const at::NoGradGuard no_grad;
  const detail::SpikeSizes sizes(*net);
  const auto layers = layers_of(net);
  std::vector<std::shared_ptr<Counted>> counted;
  {
    std::vector<Observation> watching;
    for (const auto& found : layers) {
      counted.push_back(std::make_shared<Counted>(sizes, batched));
      watching.push_back(observe(found.layer, counted.back()));
    }
    const Undisturbed undisturbed(*net);
    run();
  }
  Summary out{.samples = samples};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& layer = *layers[i].layer;
    const bool spiking = dynamic_cast<const SpikingImpl*>(&layer) != nullptr;
    const auto& did = *counted[i];
    if (did.calls > 0 && !did.has_rule) {
      out.uncounted.push_back(layers[i].name + ": " + kind_of(layer) + ", for which there is no rule");
    } else if (did.calls == 0 && detail::has_weights(layer, spiking)) {
      out.uncounted.push_back(layers[i].name + ": " + kind_of(layer) +
                              ", whose calls are not seen (rheo::nn::call in a module of your own)");
    }
    // A module of layers is their sum.
    if (did.calls > 0 && (spiking || layer.children().empty())) {
      out.layers.push_back(of_layer(layers[i], did, samples));
    }
  }
  return out;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value >= 1e6 ? "%.0f" : "%.6g", value);
  return text;
}

}  // namespace

const LayerSummary& Summary::operator[](std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& layer : layers) {
    if (layer.name == name) return layer;
    names.push_back(layer.name);
  }
  ops::refuse(op, "name must be of a layer that was called, ", detail::listed(names), ", got '",
              std::string(name), "'", detail::suggestion(name, names));
}

double Summary::synops() const {
  double all = 0;
  for (const auto& layer : layers) all += layer.synops;
  return all;
}

double Summary::macs() const {
  double all = 0;
  for (const auto& layer : layers) all += layer.macs;
  return all;
}

Summary summary(const ModuleRef& net, const Input& x) {
  auto* sequential = dynamic_cast<SequentialImpl*>(net.get());
  auto* spiking = dynamic_cast<SpikingImpl*>(net.get());
  if (sequential == nullptr && spiking == nullptr) {
    ops::refuse<TypeError>(
        op, "net must be a Sequential or a layer with a state; of another module say how it runs, got ",
        net.get() != nullptr ? kind_of(*net) : "none");
  }
  if (!x.x.defined()) ops::refuse(op, "x must be a tensor, got an undefined one");
  const bool batched = x.x.dim() > 2;
  const auto run = [&] {
    if (sequential != nullptr) {
      sequential->forward(x);
    } else {
      spiking->forward(x);
    }
  };
  return summarise(net, run, batched ? x.x.size(1) : 1, batched);
}

Summary summary(const ModuleRef& net, const std::function<void()>& run, std::int64_t samples) {
  return summarise(net, run, samples, true);
}

std::string to_string(const Summary& of) {
  std::vector<std::vector<std::string>> rows{{"layer", "kind", "parameters", "neurons", "spikes/neuron/step",
                                              "silent", "saturated", "SynOps", "MACs"}};
  const auto shown = [](double value) { return value == 0 ? std::string() : number(value); };
  for (const auto& l : of.layers) {
    const bool fires = l.neurons > 0;
    rows.push_back(
        {l.name.empty() ? "-" : l.name, l.kind, l.parameters > 0 ? std::to_string(l.parameters) : "",
         fires ? std::to_string(l.neurons) : "", fires ? number(std::round(l.rate * 1e4) / 1e4) : "",
         fires ? std::to_string(l.silent) : "", fires ? std::to_string(l.saturated) : "", shown(l.synops),
         shown(l.macs)});
  }
  rows.push_back({"all", "", "", "", "", "", "", number(of.synops()), number(of.macs())});
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      text += (i == 0 ? "" : "  ") + (i < 2 ? row[i] + space : space + row[i]);
    }
    text += "\n";
  }
  text += "per sample, the mean of " + std::to_string(of.samples) + "\n";
  for (const auto& line : of.uncounted) text += "not counted: " + line + "\n";
  return text;
}

std::ostream& operator<<(std::ostream& stream, const Summary& of) { return stream << to_string(of); }

}  // namespace rheo::nn
