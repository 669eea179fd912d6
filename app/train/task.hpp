// The data of a task.
//   Data data = open_data(recipe, "");                 // the files of MNIST are looked for
//   data::Loader loader = training_loader(data, recipe);
#pragma once

#include "app/train/recipe.hpp"
#include "rheo/data/dataset.hpp"
#include "rheo/data/loader.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rheo::app::train {

struct Data {
  std::shared_ptr<const data::Dataset> set = {};
  data::Split split = {};
  std::string where = {};     // the folder of the files; empty without files
  std::string note = {};      // for the user; may be empty
  std::string identity = {};  // what must be the same for a run to go on: "mnist: 9000 to learn, ..."
};

/// Errors: those of the data, for files that are absent or damaged; UsageError for a recipe they cannot serve.
Data open_data(const Recipe& recipe, const std::string& folder);

data::Loader training_loader(const Data& data, const Recipe& recipe);
data::Loader loader_of(const Data& data, const std::vector<std::int64_t>& indices);

/// The part a run is judged by: "test", or "validation" where images were held out.
const char* judged_part(const Recipe& recipe);
/// UsageError for a name other than train, validation, test and all.
const std::vector<std::int64_t>& part_of(const Data& data, const std::string& part);

}  // namespace rheo::app::train
