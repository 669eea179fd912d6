// One training run from start to end: network, data, optimizer, files.
//   Session session(request, note);
//   session.learn(display);
//   RunReport report = session.judge();
#pragma once

#include "app/output.hpp"
#include "app/train/config.hpp"
#include "app/train/network.hpp"
#include "app/train/progress.hpp"
#include "app/train/report.hpp"
#include "app/train/run.hpp"
#include "app/train/task.hpp"

#include <torch/optim/optimizer.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rheo::app::train {

class Session {
 public:
  using Note = std::function<void(std::string_view)>;

  /// Opens everything that can fail before a folder is touched; with resume, goes on with the run there.
  /// Errors: UsageError, Failure, those of the data and of the checkpoint.
  Session(const Request& request, Note note);

  /// The signal that stopped it, or 0. What is saved then goes on with `how_to_go_on()`.
  int learn(ProgressDisplay& display);
  [[nodiscard]] std::string how_to_go_on() const;

  /// Scores the part that the run is judged by.
  RunReport judge();
  /// Figures, page, result.json, metrics.csv.
  void write(const RunReport& report);

  [[nodiscard]] const std::filesystem::path& folder() const { return out_; }

 private:
  /// The threads of the run so far, or 0.
  int take_up(const Request& request);
  void describe() const;

  Note note_;
  std::filesystem::path out_;
  Recipe recipe_;
  std::optional<SavedRun> saved_;  // with resume
  std::string data_folder_;        // as it was given
  Data data_;
  nn::Sequential net_{nullptr};
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::optional<OutputFolder> output_;
  std::vector<rheo::train::Metrics> history_;
  std::int64_t stopped_epoch_ = 0, stopped_batch_ = 0;
};

}  // namespace rheo::app::train
