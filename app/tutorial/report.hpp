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
  std::string id;  // a, b, c, d, e, f, g, h, i, j, k
  std::string title;
  std::vector<Row> rows;
};

[[nodiscard]] std::vector<Section> report(const Experiments& all);

/// The report as text. The seed stands in its first line.
[[nodiscard]] std::string to_text(const std::vector<Section>& sections,
                                  std::uint64_t seed);

}  // namespace rheo::app::tutorial
