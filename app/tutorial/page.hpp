#pragma once

// The tutorial as one HTML page that needs nothing beside it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/tutorial/report.hpp"

namespace rheo::app::tutorial {

struct PageParts {
  std::vector<Section> sections;  // the tables
  std::map<std::string, std::string>
      svg;  // figures by name; a missing one is said to be missing
  std::vector<double> nanoseconds =
      {};  // of the neurons in the opening, as measured_times gives them
  std::uint64_t seed = 0;
  std::size_t input_spikes = 0;
  std::string version;
};

[[nodiscard]] std::string page(const PageParts& parts);

/// The lines between `// [name]` and `// [end]` in the source of the experiments.
[[nodiscard]] std::string code_between_marks(std::string_view source,
                                             std::string_view name);

/// The files that the build carries into the program.
extern const std::string_view experiments_source;
extern const std::string_view page_template;

}  // namespace rheo::app::tutorial
