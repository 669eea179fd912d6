// Tables of numbers as text: one row per line, columns separated by commas (or semicolons, or tabs), with or
// without a header line; lines that begin with # and empty lines at the end are skipped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app {

struct Table {
  std::vector<std::string> header;  // empty without a header line
  std::size_t columns = 0;
  std::vector<double> values;  // [rows, columns]

  [[nodiscard]] std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
};

/// Failure if the file cannot be read; UsageError with file and line if it is empty, ragged or not numbers.
[[nodiscard]] Table read_csv(std::string_view option, const std::string& path);

}  // namespace rheo::app
