// The settings of a TOML file: one table of keys with plain values.
//   for (const Setting& setting : read_toml("--config", "run.toml")) ...
#pragma once

#include "app/train/recipe.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app::train {

struct Setting {
  std::string key;
  FieldValue value;
};

/// In the order of the file. Failure if it cannot be read; UsageError naming file and line if it is no TOML, has
/// tables, or values other than words, numbers, true and false.
std::vector<Setting> read_toml(std::string_view option, const std::filesystem::path& file);

}  // namespace rheo::app::train
