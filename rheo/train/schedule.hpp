// The learning rate as a function of the optimiser's step, counted from 0. A value: copied, compared by what
// it gives.
//   auto rate = rheo::train::Schedule::cosine(1e-3, epochs * batches).warm_up(100);
//   double lr = rate.at(0);   // 1e-5
// The numbers are those of PyTorch's StepLR, CosineAnnealingLR, OneCycleLR and, for the warm-up, LinearLR,
// stepped after every batch. Past their end cosine and one-cycle stay at their last value.
#pragma once

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::train {

/// PyTorch's parameters of OneCycleLR, without the momentum.
struct OneCycleOptions {
  double pct_start = 0.3;         // part of the steps in which the rate rises
  double div_factor = 25;         // the first rate is max_lr / div_factor
  double final_div_factor = 1e4;  // the last rate is the first / final_div_factor
  bool three_phase = false;       // down to the first rate as long as up, then to the last
  bool linear = false;            // straight lines instead of cosines
};

class RHEO_API Schedule {
 public:
  static Schedule constant(double lr);
  /// Times gamma every `every` steps.
  static Schedule step(double lr, std::int64_t every, double gamma = 0.1);
  /// Half a cosine from lr to `minimum`, which it reaches at step `steps`.
  static Schedule cosine(double lr, std::int64_t steps, double minimum = 0);
  static Schedule one_cycle(double max_lr, std::int64_t steps, const OneCycleOptions& options = {});

  /// The same, times (step + 1) / steps during the first `steps` steps: starts at lr / steps. The end does
  /// not move.
  [[nodiscard]] Schedule warm_up(std::int64_t steps) const;

  /// Throws ValueError for a negative step.
  [[nodiscard]] double at(std::int64_t step) const;

 private:
  enum class Kind { constant, step, cosine, one_cycle };

  Schedule(Kind kind, double lr, std::int64_t steps) : kind_(kind), lr_(lr), steps_(steps) {}
  double one_cycle_at(std::int64_t step) const;

  Kind kind_;
  double lr_;
  std::int64_t steps_;  // every, or length
  double gamma_ = 1;
  double minimum_ = 0;
  OneCycleOptions one_cycle_;
  std::int64_t warm_up_ = 0;
};

}  // namespace rheo::train
