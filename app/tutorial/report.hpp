#pragma once

// What the experiments found, in words and numbers: the same rows are printed and stand
// as tables in the page.

#include <cstdint>
#include <string>
#include <vector>

#include "app/tutorial/experiments.hpp"

namespace rheo::app::tutorial {

struct Row {
  std::string quantity, value;  // the value with its unit
};

struct Section {
  std::string id;  // 0, a, b, c, d, e, f, g, h, i, j, k
  std::string title;
  std::vector<Row> rows;
  std::vector<std::vector<std::string>> grid =
      {};  // more than two columns; the first row is the head
};

[[nodiscard]] std::vector<Section> report(const Experiments& all);

/// The grid of the opening with one more column: how long each took on this machine, in nanoseconds.
[[nodiscard]] std::vector<std::vector<std::string>> with_times(
    std::vector<std::vector<std::string>> grid, const std::vector<double>& nanoseconds);

/// The report as text. The seed stands in its first line.
[[nodiscard]] std::string to_text(const std::vector<Section>& sections,
                                  std::uint64_t seed);

}  // namespace rheo::app::tutorial
