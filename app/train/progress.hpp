// How far a training run is, on stderr: a bar that redraws itself on a terminal, lines elsewhere.
//   ProgressDisplay display(quiet);
//   options.on_batch = [&](const rheo::train::Progress& p) { display.batch(p); };
//   options.on_epoch = [&](const rheo::train::Metrics& m) { display.epoch(m); };
#pragma once

#include "rheo/train/trainer.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace rheo::app::train {

/// The bar, at most `width` characters: what does not fit is left out from the right.
std::string bar(const rheo::train::Progress& progress, std::size_t width);
/// "epoch  3/15  loss 0.4321  accuracy 84.60 %  validation 85.10 %  1234 samples/s  1 min 20 s left"
std::string epoch_line(const rheo::train::Metrics& metrics, const rheo::train::Progress& last);
/// "45 s", "1 min 20 s", "3 h 5 min"
std::string duration(double seconds);
/// 0.846 -> "84.60 %"
std::string percent(double part);

class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet);
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void batch(const rheo::train::Progress& progress);
  void epoch(const rheo::train::Metrics& metrics);
  /// Takes the bar away: other text follows.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool quiet_, terminal_;
  bool drawn_ = false;
  Clock::time_point last_;
  rheo::train::Progress progress_;
};

}  // namespace rheo::app::train
