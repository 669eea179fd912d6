// The trainer's clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <utility>

#include "rheo/train/trainer.hpp"

namespace rheo::train {

/// How fast it goes, over the last batches. Nothing of it enters the results.
class Trainer::Clock {
 public:
  void start() { last_ = std::chrono::steady_clock::now(); }

  void batch_done(std::int64_t samples) {
    const double seconds = lap();
    window_.emplace_back(seconds, samples);
    seconds_ += seconds;
    samples_ += samples;
    if (window_.size() > longest) {
      seconds_ -= window_.front().first;
      samples_ -= window_.front().second;
      window_.pop_front();
    }
  }
  void validation_done() { validation_seconds_ = lap(); }

  double samples_per_second() const { return static_cast<double>(samples_) / std::max(seconds_, 1e-9); }
  double validation_seconds() const { return validation_seconds_; }

 private:
  static constexpr std::size_t longest = 50;

  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

  std::chrono::steady_clock::time_point last_;
  std::deque<std::pair<double, std::int64_t>> window_;
  double seconds_ = 0, validation_seconds_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace rheo::train
