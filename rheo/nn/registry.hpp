// The neurons there are, as data: what the program, the documentation and the Python package list.
//   for (const auto& n : rheo::list_neurons()) std::cout << n.name << ": " << n.brief << "\n";
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo {

struct ParameterDescription {
  std::string name;
  std::optional<double> value;  // the default; none: must be given, or follows from the others
  std::string unit;
  std::string domain;  // "positive", "in (0, 1]" ...
  std::string meaning;
  bool learnable = true;
};

struct StateDescription {
  std::string name;
  std::string unit;
  std::string meaning;
  Range usual;
};

struct ModeDescription {
  std::string name;
  std::vector<std::string> choices;  // the first is the default
  std::string meaning;
};

struct NeuronDescription {
  std::string name;
  std::string brief;
  std::vector<ParameterDescription> params;
  std::vector<StateDescription> states;
  std::vector<ModeDescription> modes;
  std::vector<std::string> constants;
  std::string input;
  std::string input_unit;
  Reset reset = Reset::subtract;     // where the user names none
  std::vector<std::string> refuses;  // common options it has no use for
  double threshold = 1;              // where the user gives none
  double surrogate_scale = 1;        // a surrogate sees (U - threshold) / surrogate_scale
  Range drive{0, 0};                 // noise in this range makes it fire now and then within fifty steps
  bool fires = true;                 // false: what leaves is the membrane, not spikes
  std::string elsewhere;             // its names in other libraries
  bool rests = false;                // a fresh state is the neuron's own rest, not zero
  std::string text;                  // what its header opens with: equations and source
  bool layered = false;              // the step of a layer, which has its name
};

/// The library's neurons, in the order of rheo/neurons/CMakeLists.txt.
RHEO_API const std::vector<NeuronDescription>& list_neurons();

/// Throws ValueError naming the nearest if there is none of that name.
RHEO_API const NeuronDescription& find_neuron(std::string_view name);

namespace nn {
/// The tensor side of a neuron of the library, by name; throws as find_neuron does.
RHEO_API const ops::NeuronEntry& find_entry(std::string_view name);
}  // namespace nn

/// "0.1.0"
RHEO_API std::string version();
/// The instruction set in use: "avx512", "avx2", "baseline".
RHEO_API std::string instruction_set();

}  // namespace rheo
