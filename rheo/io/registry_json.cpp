#include "rheo/io/registry_json.hpp"

#include <torch/library.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "rheo/nn/options.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/surrogate.hpp"

namespace rheo::io {
namespace {

using nlohmann::ordered_json;

ordered_json neuron_json(const NeuronDescription& n) {
  ordered_json out{{"name", n.name},
                   {"brief", n.brief},
                   {"text", n.text},
                   {"layered", n.layered},
                   {"input", n.input},
                   {"input_unit", n.input_unit},
                   {"reset", to_string(n.reset)},
                   {"refuses", n.refuses},
                   {"constants", n.constants},
                   {"threshold", n.threshold},
                   {"surrogate_scale", n.surrogate_scale},
                   {"fires", n.fires},
                   {"rests", n.rests},
                   {"drive", {n.drive.low, n.drive.high}},
                   {"elsewhere", n.elsewhere}};
  auto& params = out["params"] = ordered_json::array();
  for (const auto& p : n.params) {
    params.push_back({{"name", p.name},
                      {"default", p.value ? ordered_json(*p.value) : ordered_json()},
                      {"unit", p.unit},
                      {"domain", p.domain},
                      {"meaning", p.meaning},
                      {"learnable", p.learnable}});
  }
  auto& states = out["states"] = ordered_json::array();
  for (const auto& s : n.states)
    states.push_back({{"name", s.name}, {"unit", s.unit}, {"meaning", s.meaning}});
  auto& modes = out["modes"] = ordered_json::array();
  for (const auto& m : n.modes)
    modes.push_back({{"name", m.name}, {"choices", m.choices}, {"meaning", m.meaning}});
  return out;
}

ordered_json surrogates_json() {
  auto out = ordered_json::array();
  const auto add = [&](const char* name, const SurrogateArgument* args, int slope) {
    auto list = ordered_json::array();
    for (int i = 0; i < max_surrogate_args; ++i) {
      if (!args[i].name.empty()) list.push_back({{"name", args[i].name}, {"default", args[i].value}});
    }
    out.push_back({{"name", name}, {"args", std::move(list)}, {"slope", slope}});
  };
#define RHEO_SURROGATE_JSON_(s) add(#s, surrogates::s::args, surrogate_slope(SurrogateKind::s));
  RHEO_EACH(RHEO_SURROGATE_JSON_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_JSON_
  return out;
}

}  // namespace

std::string registry_json() {
  ordered_json out{{"version", version()}, {"torch", TORCH_VERSION}, {"instruction_set", instruction_set()}};
  auto& neurons = out["neurons"] = ordered_json::array();
  for (const auto& n : list_neurons()) neurons.push_back(neuron_json(n));
  out["surrogates"] = surrogates_json();
  return out.dump();
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) { m.def("describe() -> str", &registry_json); }

}  // namespace rheo::io
