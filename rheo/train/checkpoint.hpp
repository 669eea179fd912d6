// A training run in one file, enough to go on bit for bit: model, optimiser, random state, position in the
// data, history.
//   auto saved = rheo::train::read_checkpoint("run/checkpoint.safetensors");
//   rheo::train::load_model(*net, saved);                       // parameters and buffers
//   for (const auto& line : rheo::train::differences(saved.environment, rheo::train::environment())) ...
// A safetensors file (rheo/io/safetensors.hpp) with tensors "model.<path>", "optimizer.<index>.<field>" and
// "random.cpu"; the metadata holds "format", "version", "state" (JSON), "about.<key>" and
// "environment.<key>".
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/train/early_stop.hpp"

namespace rheo::train {

/// Of one epoch. Times are not in here: two runs that are the same have equal metrics.
struct Metrics {
  std::int64_t epoch = 0;    // 1 for the first
  double learning_rate = 0;  // of the last batch
  double train_loss = 0;     // mean over the epoch's samples, while it learned
  double train_accuracy = 0;
  std::optional<double> validation_loss = {}, validation_accuracy = {};

  bool operator==(const Metrics&) const = default;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// An optimiser's kind ("Adam", "AdamW", "SGD"), options of each group by name, and state: "<index>.<field>",
/// where the index counts parameters through all groups.
struct OptimizerState {
  std::string kind;
  std::vector<std::map<std::string, double>> groups;
  NamedTensors tensors;
};

/// Which batches a run sees, and in which order.
struct LoaderState {
  std::uint64_t seed = 0;
  std::int64_t samples = 0;
  std::int64_t batch_size = 0;
  bool shuffle = false;
  bool drop_last = false;

  bool operator==(const LoaderState&) const = default;
};

struct Checkpoint {
  NamedTensors model;  // parameters and buffers by path
  OptimizerState optimizer;
  at::Tensor random;  // state of libtorch's CPU generator

  std::int64_t epoch = 0;  // epochs that are complete
  std::int64_t batch = 0;  // batches done of the next one
  std::int64_t step = 0;   // steps of the optimiser so far
  double loss_sum = 0;     // of the samples in those batches
  std::int64_t correct = 0;
  std::int64_t samples = 0;
  std::vector<Metrics> history;
  EarlyStop best;
  LoaderState loader;

  std::map<std::string, std::string> about;        // what the program said, such as its recipe
  std::map<std::string, std::string> environment;  // where it was written
};

/// Atomic. Throws RuntimeError naming the file where it cannot be written; the old one stays.
RHEO_API void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws RuntimeError naming the file: damaged, not a checkpoint of Rheobase, or of a newer version.
RHEO_API Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Parameters and buffers of a module by path, as a checkpoint holds them. The tensors share memory with the
/// module.
RHEO_API NamedTensors model_tensors(const torch::nn::Module& module);

/// Copies parameters and buffers into the module. Throws ValueError naming the first that is missing, left
/// over, or of another shape or type; nothing is copied then.
RHEO_API void load_model(torch::nn::Module& module, const Checkpoint& checkpoint);

/// What a run's bits depend on beside the program: "rheobase", "libtorch",
/// "instruction_set", "threads", "product".
RHEO_API std::map<std::string, std::string> environment();

/// "threads: 2 then, 1 now", a line for each entry that differs.
RHEO_API std::vector<std::string> differences(const std::map<std::string, std::string>& saved,
                                              const std::map<std::string, std::string>& present);

}  // namespace rheo::train
