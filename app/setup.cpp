#include "app/setup.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace rheo::app {
namespace {

/// For what a neuron needs and has no default for: `simulate NEURON` alone must show something.
struct Preset {
  std::string_view neuron;
  std::string_view parameter;
  double value;
  std::string_view unless;  // another parameter that makes up for it
};
constexpr Preset presets[] = {
    {"Lapicque", "R", 5.1, "beta"},
    {"Lapicque", "C", 5e-3, "beta"},
    {"Lapicque", "time_step", 1e-3, "beta"},
};

struct Setting {
  std::string name, value;
  std::string text;  // as typed, for errors
};

Setting parse_setting(std::string_view option, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name(trimmed(std::string_view(text).substr(0, equals)));
  const std::string value(equals == std::string::npos ? ""
                                                      : trimmed(std::string_view(text).substr(equals + 1)));
  if (name.empty() || value.empty()) {
    throw UsageError(std::string(option) + " must be name=value, got \"" + text + "\"");
  }
  return {name, value, std::string(option) + " " + text};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// `of`: empty, or " of Leaky".
UsageError unknown(const std::string& what, const std::string& name, const std::string& of,
                   const std::vector<std::string>& known) {
  const std::string_view guess = nearest_name(name, known);
  return UsageError("unknown " + what + " \"" + name + "\"" + of + "; " +
                    (guess.empty() ? "known: " + listed(known) : "did you mean " + std::string(guess) + "?"));
}

const NeuronDescription& choose_neuron(const std::string& name) {
  std::vector<std::string> names;
  for (const NeuronDescription& known : rheo::list_neurons()) {
    if (edit_distance(known.name, name) == 0) return known;  // whatever the case
    names.emplace_back(known.name);
  }
  if (name.empty()) throw UsageError("simulate needs a neuron: " + listed(names));
  throw unknown("neuron", name, "", names);
}

bool yes_or_no(const Setting& setting) {
  for (const char* yes : {"true", "yes", "on", "1"}) {
    if (setting.value == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "0"}) {
    if (setting.value == no) return false;
  }
  throw UsageError(setting.text + ": " + setting.name + " must be true or false, got \"" + setting.value +
                   "\"");
}

/// Collects the settings, and who first said how many neurons there are.
class Reader {
 public:
  explicit Reader(const NeuronDescription& neuron) {
    setup_.neuron = &neuron;
    const auto& refused = neuron.refuses;
    if (std::find(refused.begin(), refused.end(), "threshold") == refused.end())
      setup_.threshold = {neuron.threshold};
  }

  void set(const Setting& setting) {
    if (std::find(given_.begin(), given_.end(), setting.name) != given_.end()) {
      throw UsageError(setting.text + ": " + setting.name + " was given twice");
    }
    given_.push_back(setting.name);
    const auto& params = setup_.neuron->params;
    const auto& modes = setup_.neuron->modes;
    const auto named = [&](const auto& entry) { return entry.name == setting.name; };
    if (std::any_of(params.begin(), params.end(), named)) {
      setup_.params.emplace_back(setting.name, values(setting));
    } else if (std::any_of(modes.begin(), modes.end(), named)) {
      setup_.modes.emplace_back(setting.name, setting.value);
    } else if (setting.name == "threshold") {
      setup_.threshold = values(setting);
    } else if (setting.name == "graded_spikes_factor") {
      setup_.graded_spikes_factor = values(setting);
    } else if (setting.name == "reset_mechanism") {
      setup_.reset_mechanism = reset(setting);
    } else if (setting.name == "reset_delay") {
      setup_.reset_delay = yes_or_no(setting);
    } else {
      std::vector<std::string> known;
      for (const auto& param : params) known.emplace_back(param.name);
      for (const auto& mode : modes) known.emplace_back(mode.name);
      for (const char* common : {"threshold", "reset_mechanism", "reset_delay", "graded_spikes_factor"}) {
        known.emplace_back(common);
      }
      throw unknown("parameter", setting.name, of_neuron(), known);
    }
  }

  void init(const Setting& setting) {
    std::vector<std::string> known;
    for (const auto& state : setup_.neuron->states) known.emplace_back(state.name);
    if (std::find(known.begin(), known.end(), setting.name) == known.end()) {
      throw unknown("state", setting.name, of_neuron(), known);
    }
    for (const auto& [name, value] : setup_.init) {
      if (name == setting.name) throw UsageError(setting.text + ": " + name + " was given twice");
    }
    setup_.init.emplace_back(setting.name, values(setting));
  }

  void add_presets() {
    const auto given = [&](std::string_view name) {
      return std::find(given_.begin(), given_.end(), name) != given_.end();
    };
    for (const Preset& preset : presets) {
      if (preset.neuron == setup_.neuron->name && !given(preset.parameter) && !given(preset.unless)) {
        setup_.params.emplace_back(preset.parameter, NumberList{preset.value});
      }
    }
  }

  void add_input(const std::string& text) {
    setup_.inputs.push_back(parse_input(text));
    agree(setup_.inputs.back().neurons(), "--input " + text);
  }

  Setup take() { return std::move(setup_); }

 private:
  [[nodiscard]] std::string of_neuron() const { return " of " + setup_.neuron->name; }

  NumberList values(const Setting& setting) {
    NumberList list = numbers(setting.text + ": " + setting.name, setting.value);
    agree(list.size(), setting.text);
    return list;
  }

  Reset reset(const Setting& setting) {
    const std::vector<std::string> known = {"subtract", "zero", "none"};
    if (std::find(known.begin(), known.end(), setting.value) == known.end()) {
      throw unknown("reset_mechanism", setting.value, "", known);
    }
    return parse_reset(setting.value);
  }

  void agree(std::size_t count, const std::string& source) {
    if (count == 1 || count == setup_.neurons) return;
    if (setup_.neurons != 1) {
      throw UsageError(source + " is for " + std::to_string(count) + " neurons, but " + decided_by_ +
                       " for " + std::to_string(setup_.neurons));
    }
    setup_.neurons = count;
    decided_by_ = source;
  }

  Setup setup_;
  std::vector<std::string> given_;
  std::string decided_by_;
};

at::Tensor tensor(const NumberList& list) { return at::tensor(at::ArrayRef<double>(list), at::kFloat); }

Value value(const NumberList& list) { return list.size() == 1 ? Value(list.front()) : Value(tensor(list)); }

std::string text(const NumberList& list) {
  std::string joined;
  for (const double number : list) joined += (joined.empty() ? "" : ",") + rounded(number);
  return joined;
}

}  // namespace

Setup read_setup(const SimulateArguments& arguments) {
  Reader reader(choose_neuron(arguments.neuron));
  for (const std::string& entry : arguments.set) reader.set(parse_setting("--set", entry));
  if (const auto& name = arguments.reset_mechanism) {
    reader.set({"reset_mechanism", *name, "--reset-mechanism " + *name});
  }
  for (const std::string& entry : arguments.init) reader.init(parse_setting("--init", entry));
  reader.add_presets();
  for (const std::string& entry : arguments.input) reader.add_input(entry);
  return reader.take();
}

nn::Neuron Setup::make() const {
  NeuronOptions options;
  for (const auto& [name, list] : params) options.params.emplace_back(name, value(list));
  options.modes = modes;
  if (!threshold.empty()) options.threshold = value(threshold);
  options.graded_spikes_factor = value(graded_spikes_factor);
  options.reset_mechanism = reset_mechanism;
  options.reset_delay = reset_delay;
  return nn::make_neuron(neuron->name, std::move(options));
}

State Setup::first_state() const {
  std::vector<State::Entry> entries;
  for (const auto& [name, list] : init) {
    entries.emplace_back(name, list.size() == neurons ? tensor(list)
                                                      : at::full({static_cast<std::int64_t>(neurons)},
                                                                 list.front(), at::kFloat));
  }
  return State(std::move(entries));
}

std::string Setup::describe() const {
  std::string line;
  for (const auto& [name, list] : params) line += name + '=' + text(list) + ' ';
  for (const auto& [name, choice] : modes) line += name + '=' + choice + ' ';
  if (!threshold.empty()) line += "threshold=" + text(threshold) + ' ';
  line += "reset_mechanism=" + to_string(reset_mechanism.value_or(neuron->reset));
  if (graded_spikes_factor != NumberList{1.0}) line += " graded_spikes_factor=" + text(graded_spikes_factor);
  if (!reset_delay) line += " reset_delay=false";
  return line;
}

}  // namespace rheo::app
