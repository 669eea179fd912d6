// What `--input` says: const:V, step:V@S, pulse:V@A-B, spikes:p=P or a CSV file.
// V may be a list, one value per neuron.
#pragma once

#include "app/csv.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app {

inline constexpr const char* input_help =
    "const:V        V in every step\n"
    "step:V@S       V from step S on\n"
    "pulse:V@A-B    V in the steps A to B-1\n"
    "spikes:p=P     1 with probability P, else 0\n"
    "FILE           CSV, a row per step, a column per neuron\n"
    "V may be a list, one value per neuron: step:0.1,0.2@10.\n"
    "Several inputs add up. Without one: a step that makes it spike";

struct InputSpec {
  enum class Kind { level, spikes, table };
  std::string text{};  // as it was given
  Kind kind = Kind::level;
  std::vector<double> values{};  // level: the value(s) V; spikes: the probability
  std::uint64_t begin = 0;       // level: the steps [begin, end)
  std::uint64_t end = UINT64_MAX;
  Table table{};  // the columns to use

  /// Neurons it speaks of; 1 also means that all get the same.
  [[nodiscard]] std::size_t neurons() const { return kind == Kind::table ? table.columns : values.size(); }
};

/// UsageError with what is accepted. Reads the CSV file.
[[nodiscard]] InputSpec parse_input(const std::string& text);

}  // namespace rheo::app
