#include "app/input.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"

#include <array>
#include <filesystem>

namespace rheo::app {
namespace {

constexpr std::array<std::string_view, 4> kinds = {"const", "step", "pulse", "spikes"};

UsageError malformed(const std::string& text, std::string_view shape) {
  return UsageError("--input must be " + std::string(shape) + ", got \"" + text + "\"");
}

/// A table written by `simulate --csv` holds steps, states and spikes too: then only its inputs are read.
Table input_columns(Table table) {
  std::vector<std::size_t> keep;
  for (std::size_t c = 0; c < table.header.size(); ++c) {
    if (table.header[c] == "input" || table.header[c].starts_with("input_")) keep.push_back(c);
  }
  if (keep.empty()) {
    for (std::size_t c = 0; c < table.columns; ++c) {
      if (table.header.empty() || table.header[c] != "step") keep.push_back(c);
    }
  }
  if (keep.size() == table.columns || keep.empty()) return table;
  Table chosen;
  chosen.columns = keep.size();
  for (const std::size_t c : keep) chosen.header.push_back(table.header[c]);
  for (std::size_t r = 0; r < table.rows(); ++r) {
    for (const std::size_t c : keep) chosen.values.push_back(table.values[r * table.columns + c]);
  }
  return chosen;
}

InputSpec level(const std::string& text, std::string_view kind, std::string_view rest) {
  InputSpec input{.text = text};
  const std::size_t at = rest.find('@');
  const std::string_view when = at == std::string_view::npos ? "" : rest.substr(at + 1);
  if (kind == "const") {
    if (at != std::string_view::npos) throw malformed(text, "const:V, as const:0.2 (step:V@S begins later)");
  } else if (kind == "step") {
    if (trimmed(when).empty()) throw malformed(text, "step:V@S, as step:0.2@10");
    input.begin = whole_number("--input " + text + ": the step after @", when);
  } else {
    const std::size_t dash = when.find('-');
    if (dash == std::string_view::npos || trimmed(when.substr(0, dash)).empty()) {
      throw malformed(text, "pulse:V@A-B, as pulse:0.2@10-30");
    }
    input.begin = whole_number("--input " + text + ": the first step", when.substr(0, dash));
    input.end = whole_number("--input " + text + ": the end", when.substr(dash + 1));
    if (input.end <= input.begin) {
      throw UsageError("--input " + text + ": the pulse must end after it begins, got steps " +
                       std::to_string(input.begin) + " to " + std::to_string(input.end));
    }
  }
  input.values = numbers("--input " + text + ": the value", rest.substr(0, at));
  return input;
}

}  // namespace

InputSpec parse_input(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = std::string_view(text).substr(0, colon);
  const std::string_view rest = colon == std::string::npos ? "" : std::string_view(text).substr(colon + 1);
  if (colon != std::string::npos) {
    if (kind == "const" || kind == "step" || kind == "pulse") return level(text, kind, rest);
    if (kind == "spikes") {
      if (!rest.starts_with("p=")) throw malformed(text, "spikes:p=P, as spikes:p=0.4");
      const double p = number("--input " + text + ": p", rest.substr(2));
      if (p < 0 || p > 1) throw UsageError("--input " + text + ": p must be from 0 to 1, got " + rounded(p));
      return {.text = text, .kind = InputSpec::Kind::spikes, .values = {p}};
    }
  }
  std::error_code ignored;
  if (!std::filesystem::exists(text, ignored)) {
    const std::string_view meant = colon == std::string::npos ? "" : nearest_name(kind, kinds);
    throw UsageError(
        "--input must be const:V, step:V@S, pulse:V@A-B, spikes:p=P or a CSV file that exists, got \"" +
        text + "\"" + (meant.empty() ? "" : "; did you mean " + std::string(meant) + ":?"));
  }
  return {.text = text, .kind = InputSpec::Kind::table, .table = input_columns(read_csv("--input", text))};
}

}  // namespace rheo::app
