// What a run found, as figures and as one HTML page.
//   const auto figures = draw(report);           // SVG by name; empty without gnuplot
//   write(folder / "index.html", page(report, figures));
#pragma once

#include "app/train/network.hpp"
#include "app/train/recipe.hpp"
#include "rheo/train/checkpoint.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rheo::app::train {

/// One sample, as the network saw it.
struct Sample {
  std::int64_t steps = 0, label = 0, prediction = 0;
  std::vector<float> input = {};   // [steps, units]; empty for an image
  std::vector<float> hidden = {};  // spikes [steps, neurons]
  std::vector<float> output = {};  // spikes [steps, classes]
  std::vector<float> mem = {};     // of the output layer, [steps, classes]
};

/// Sample `which` of a batch that was watched.
Sample sample_of(const Watched& watched, const data::Batch& batch, const Recipe& recipe, std::int64_t which);

struct RunReport {
  Recipe recipe = {};
  std::vector<rheo::train::Metrics> history = {};
  std::string part = {};  // "test", "validation"
  Answers answers = {};   // on that part
  std::vector<Firing> firing = {};
  std::int64_t watched = 0;  // samples that the firing was counted on
  Sample sample = {};
  std::vector<LayerRow> layers = {};
  std::map<std::string, std::string> environment = {};
  std::string data = {}, again = {},
              version = {};  // what the data was, the commands to run, the program's version
};

/// "Test accuracy 98.70 %: 987 of 1000 right"
std::string result_line(const RunReport& report);

using Figures = std::map<std::string, std::string>;  // SVG by name: accuracy, firing, loss, raster
/// plot::Error where they cannot be drawn.
Figures draw(const RunReport& report);

std::string page(const RunReport& report, const Figures& figures);

/// For programs: accuracy, loss, firing rates. The same for equal runs.
std::string result_json(const RunReport& report);
std::string metrics_csv(const std::vector<rheo::train::Metrics>& history);

/// "784-1000-10"
std::string net_name(const Recipe& recipe);

}  // namespace rheo::app::train
