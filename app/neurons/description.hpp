// What the registry says of a neuron, in the words that terminal, Markdown and HTML share.
#pragma once

#include <string>
#include <vector>

#include "rheo/nn/registry.hpp"

namespace rheo::app::neurons {

/// The unit, or nothing for a plain number.
[[nodiscard]] std::string unit_of(const std::string& unit);

/// "membrane U (mV)"; the name alone for a plain number.
[[nodiscard]] std::string with_unit(const std::string& name, const std::string& unit);

/// "10 mV"; the number alone for a plain number.
[[nodiscard]] std::string amount(double value, const std::string& unit);

[[nodiscard]] std::string joined(const std::vector<std::string>& words);

/// The default as a reader needs it; "no default" where there is none.
[[nodiscard]] std::string default_of(const ParameterDescription& parameter);

/// What a user may leave out or cannot set, where it is not what all neurons have.
[[nodiscard]] std::vector<std::string> remarks(const NeuronDescription& neuron);

/// One name in another library: {"Norse", "LIFBoxCell"}.
struct NameElsewhere {
  std::string library, name;
};
[[nodiscard]] std::vector<NameElsewhere> names_elsewhere(const NeuronDescription& neuron);

/// What a header opens with, in pieces: prose, whose lines run on, and equations, which stand as they are.
struct Passage {
  bool equations = false;
  std::string text;
};
[[nodiscard]] std::vector<Passage> passages(const std::string& text);

}  // namespace rheo::app::neurons
