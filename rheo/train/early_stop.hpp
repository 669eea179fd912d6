// Stop when nothing has improved for a while. Smaller is better: a loss, or minus the accuracy.
//   rheo::train::EarlyStop stop{.patience = 5, .min_delta = 1e-3};
//   if (stop.update(epoch, loss)) { /* the best so far */ }   if (stop.exhausted()) break;
#pragma once

#include <cstdint>
#include <limits>

namespace rheo::train {

struct EarlyStop {
  std::int64_t patience = 5;  // epochs without improvement after which training stops
  double min_delta = 0;       // a smaller gain is no improvement

  // What it has seen.
  double best = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch = 0;  // 0: none yet
  std::int64_t waited = 0;      // epochs since the best

  /// True if `value` is the best so far. NaN never is.
  bool update(std::int64_t epoch, double value) {
    const bool better = best_epoch == 0 ? value == value : value < best - min_delta;
    if (better) {
      best = value;
      best_epoch = epoch;
      waited = 0;
    } else {
      ++waited;
    }
    return better;
  }

  [[nodiscard]] bool exhausted() const { return waited >= patience; }
};

}  // namespace rheo::train
