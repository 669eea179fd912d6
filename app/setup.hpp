// From the options of `rheobase simulate` to a neuron: which, how many, its settings, its first state.
#pragma once

#include "app/input.hpp"
#include "rheo/nn/neuron.hpp"
#include "rheo/nn/registry.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rheo::app {

/// The command line as it was typed.
struct SimulateArguments {
  std::string neuron;
  std::vector<std::string> set, input, init;
  std::optional<std::string> steps, seed, reset_mechanism, csv, plot;
  bool force = false;
};

using NumberList = std::vector<double>;  // one value, or one per neuron

struct Setup {
  const NeuronDescription* neuron = nullptr;
  std::size_t neurons = 1;
  std::vector<std::pair<std::string, NumberList>> params;  // presets included
  std::vector<std::pair<std::string, std::string>> modes;
  std::vector<std::pair<std::string, NumberList>> init;
  NumberList threshold;  // empty where the neuron has none
  NumberList graded_spikes_factor{1.0};
  std::optional<Reset> reset_mechanism;  // not given: the neuron's own
  bool reset_delay = true;
  std::vector<InputSpec> inputs;

  /// The module. Errors: those of make_neuron.
  [[nodiscard]] nn::Neuron make() const;
  [[nodiscard]] State first_state() const;
  /// "R=5.1 C=0.005 threshold=1 reset_mechanism=subtract"
  [[nodiscard]] std::string describe() const;
};

/// UsageError, with the nearest name where one was mistyped; reads the CSV files.
[[nodiscard]] Setup read_setup(const SimulateArguments& arguments);

}  // namespace rheo::app
