#include "rheo/nn/registry.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "rheo/core/nearest.hpp"
#include "rheo/core/version.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/ops/error.hpp"

namespace rheo {
namespace {

const std::vector<const ops::NeuronEntry*>& entries() {
  static const std::vector<const ops::NeuronEntry*> all = {
#define RHEO_NEURON(Type, stem) &ops::neuron_entry<neurons::Type>(),
#include "rheo/neurons/list.inc"
#undef RHEO_NEURON
  };
  return all;
}

/// What each neuron's header opens with, and whether it is the step of a layer written by hand.
struct Text {
  std::string_view name, text;
  bool layered;
};
constexpr Text texts[] = {
#define RHEO_NEURON_TEXT(Type, text, layered) {#Type, text, layered},
#include "rheo/neurons/texts.inc"
#undef RHEO_NEURON_TEXT
};

const Text& text_of(std::string_view name) {
  return *std::find_if(std::begin(texts), std::end(texts) - 1, [&](const Text& t) { return t.name == name; });
}

std::string domain_text(Domain domain) {
  switch (domain) {
    case Domain::any:
      return "any number";
    case Domain::unit_interval:
      return "clamped to [0, 1]";
    case Domain::positive:
      return "positive";
    case Domain::decay:
      return "in (0, 1]";
  }
  return "";
}

NeuronDescription describe(const ops::NeuronEntry& entry) {
  const auto text = [](std::string_view s) { return std::string(s); };
  const NeuronInfo& info = entry.info;
  NeuronDescription d{text(info.name),
                      text(info.brief),
                      {},
                      {},
                      {},
                      entry.constants,
                      text(info.input),
                      text(info.input_unit),
                      info.reset,
                      {},
                      info.threshold,
                      info.surrogate_scale,
                      info.drive,
                      info.fires,
                      text(info.elsewhere),
                      entry.rests,
                      text(text_of(info.name).text),
                      text_of(info.name).layered};
  for (const auto& p : info.params) {
    if (p.name.empty()) continue;
    d.params.push_back({text(p.name), std::isnan(p.value) ? std::nullopt : std::optional(p.value),
                        text(p.unit), domain_text(p.domain), text(p.meaning), p.learnable});
  }
  for (const auto& r : info.refuses) {
    if (!r.empty()) d.refuses.push_back(text(r));
  }
  for (const auto& s : info.states) {
    if (!s.name.empty()) d.states.push_back({text(s.name), text(s.unit), text(s.meaning), s.usual});
  }
  for (const auto& m : info.modes) {
    if (m.name.empty()) continue;
    ModeDescription mode{text(m.name), {}, text(m.meaning)};
    for (const auto& c : m.choices) {
      if (!c.empty()) mode.choices.push_back(text(c));
    }
    d.modes.push_back(std::move(mode));
  }
  return d;
}

/// The position of a neuron by name.
std::size_t position(std::string_view name) {
  const auto& all = list_neurons();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return i;
  }
  std::vector<std::string> names;
  std::string list;
  for (const auto& n : all) {
    names.push_back(n.name);
    list += (list.empty() ? "" : ", ") + n.name;
  }
  const auto near = nearest_name(name, names);
  throw ValueError("[neuron] name must be one of " + list + ", got '" + std::string(name) + "'" +
                   (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?"));
}

}  // namespace

const std::vector<NeuronDescription>& list_neurons() {
  static const std::vector<NeuronDescription> all = [] {
    std::vector<NeuronDescription> list;
    for (const auto* entry : entries()) list.push_back(describe(*entry));
    return list;
  }();
  return all;
}

const NeuronDescription& find_neuron(std::string_view name) { return list_neurons()[position(name)]; }

const ops::NeuronEntry& nn::find_entry(std::string_view name) { return *entries()[position(name)]; }

std::string version() { return RHEO_VERSION_STRING; }

std::string instruction_set() { return std::string(kernels::to_string(kernels::chosen_isa())); }

}  // namespace rheo
