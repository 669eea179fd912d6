// A run in its folder: begun, gone on with, read back.
//   SavedRun saved = open_run("runs/mnist");                 // or a checkpoint file
//   load_model(*saved.net, saved.checkpoint);
#pragma once

#include "app/train/config.hpp"
#include "app/train/network.hpp"
#include "rheo/train/checkpoint.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app::train {

namespace file_name {
inline constexpr std::string_view checkpoint = "checkpoint.safetensors", best = "checkpoint-best.safetensors",
                                  metrics = "metrics.csv", timing = "timing.csv", config = "config.toml",
                                  result = "result.json", page = "index.html";
}

struct SavedRun {
  std::filesystem::path file;
  rheo::train::Checkpoint checkpoint;
  Recipe recipe;
  std::string data;  // the folder that was given for the data; may be empty
};

/// Failure naming what is not there; the errors of read_checkpoint.
SavedRun open_run(const std::filesystem::path& run);
/// Its network, with the weights of the checkpoint.
nn::Sequential network_of(const SavedRun& saved);

/// Of a run that was stopped before its first checkpoint: what its config.toml says.
Request request_in(const std::filesystem::path& config);

/// Removes what an earlier run left in the folder, so that nothing of it can be taken for the new one's.
void clear_run(const std::filesystem::path& folder);

/// UsageError where a field was given another value than the run has. More epochs are fine where the learning
/// rate does not depend on their number: those are taken over.
void merge_given(Recipe& recipe, const std::vector<GivenField>& given, const rheo::train::Checkpoint& at,
                 const std::filesystem::path& folder);

/// A row per epoch: what it took. Rows of an earlier part of the run are kept.
class Timing {
 public:
  /// Keeps the rows of the epochs before `first`.
  Timing(std::filesystem::path file, std::int64_t first);
  void add(std::int64_t epoch, double seconds, double samples_per_second);

 private:
  std::filesystem::path file_;
  std::string text_;
};

}  // namespace rheo::app::train
