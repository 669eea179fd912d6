// The training loop: epochs, batches, gradients, learning rate, validation, checkpoints.
//   rheo::train::Trainer trainer(*net, optimizer, objective, {.epochs = 10, .checkpoint = "run/net.safetensors"});
//   if (going_on) trainer.resume("run/net.safetensors");
//   auto outcome = trainer.fit(train, &validation);
// Interrupted and resumed is the same as uninterrupted, bit for bit, at equal thread count, libraries and
// instruction set. Nothing is printed: progress goes to the callbacks, which run in the calling thread. One
// thread at a time.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/data/loader.hpp"
#include "rheo/train/checkpoint.hpp"
#include "rheo/train/early_stop.hpp"
#include "rheo/train/schedule.hpp"

namespace rheo::train {

/// What an objective finds on one batch.
struct Evaluation {
  at::Tensor loss;  // scalar, mean over the batch
  std::int64_t correct = 0;
  std::int64_t samples = 0;
};

/// Runs the network on a batch. The trainer sets train and eval mode, and gradients are off during
/// validation.
using Objective = std::function<Evaluation(const data::Batch&)>;

struct Progress {
  std::int64_t epoch = 0, epochs = 0;   // the epoch that runs, 1 for the first
  std::int64_t batch = 0, batches = 0;  // batches done of this epoch
  std::int64_t samples = 0;             // samples done of this epoch
  double loss = 0, accuracy = 0;        // means over those samples
  double learning_rate = 0;
  double samples_per_second = 0;  // over the last batches
  double seconds_left = 0;        // to the end of the last epoch
};

enum class Watch { accuracy, loss };

struct TrainerOptions {
  std::int64_t epochs = 10;
  std::optional<Schedule> schedule = {};  // none: the optimiser's own learning rate
  double clip_norm = 0;                   // 0: no clipping
  double clip_value = 0;
  std::optional<EarlyStop> early_stop = {};
  /// What early stop and the best checkpoint go by: of the validation, or of the training where there is
  /// none.
  Watch watch = Watch::accuracy;
  /// Written after each epoch and on stop; empty: none. With validation, the best epoch's goes to
  /// <stem>-best<extension>.
  std::filesystem::path checkpoint = {};
  std::map<std::string, std::string> about = {};  // kept in the checkpoint, such as the recipe
  std::function<void(const Progress&)> on_batch = {};
  std::function<void(const Metrics&)> on_epoch = {};                     // after the epoch's checkpoint
  std::function<void(const std::filesystem::path&)> on_checkpoint = {};  // after it is on the disk
  std::function<bool()> stop = {};  // asked after every batch: true saves the position and ends fit
};

enum class Outcome { finished, stopped, early };

/// Of a whole data set.
struct Score {
  double loss = 0;
  double accuracy = 0;
  std::int64_t samples = 0;
};

class RHEO_API Trainer {
 public:
  using Score = train::Score;

  /// Module and optimiser must outlive the trainer. Throws ValueError for options out of range, and TypeError
  /// where a checkpoint is wanted of an optimiser other than Adam, AdamW and SGD.
  Trainer(torch::nn::Module& module, torch::optim::Optimizer& optimizer, Objective objective,
          TrainerOptions options = {});

  /// Takes over model, optimiser with its options, counters, history; `fit` goes on from there, with the
  /// random state as it was. Throws as read_checkpoint and load_model do.
  void resume(const std::filesystem::path& checkpoint);

  /// Throws RuntimeError naming epoch, batch and learning rate when the loss or a parameter is no longer
  /// finite; the last checkpoint stays. Throws ValueError where a resumed run's loader differs in what
  /// decides the batches.
  Outcome fit(const data::Loader& train, const data::Loader* validation = nullptr);

  /// In eval mode, without gradients; the mode is restored.
  Score evaluate(const data::Loader& loader);

  const std::vector<Metrics>& history() const { return at_.history; }
  /// Epochs that are complete.
  std::int64_t epoch() const { return at_.epoch; }
  /// The epoch whose checkpoint is the best one; 0: none yet.
  std::int64_t best_epoch() const { return at_.best.best_epoch; }

 private:
  class Clock;

  bool train_epoch(const data::Loader& train, const data::Loader* validation,
                   Clock& clock);  // false: stopped
  void finish_epoch(const data::Loader* validation, Clock& clock);
  double train_batch(const data::Batch& batch);  // the learning rate used
  void check_loader(const data::Loader& train);
  void check_finite() const;
  void save(bool best);

  torch::nn::Module& module_;
  torch::optim::Optimizer& optimizer_;
  Objective objective_;
  TrainerOptions options_;
  Checkpoint at_;  // counters and history as of now; of the tensors only the random state fit starts from
  bool resumed_ = false;
};

}  // namespace rheo::train
