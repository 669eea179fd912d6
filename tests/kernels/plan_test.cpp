// How calls are cut, and how rows of gradients are summed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "rheo/kernels/neuron_call.hpp"

namespace {

using namespace rheo::kernels;

TEST(Plan, SegmentsCoverAllSteps) {
  for (const std::int64_t steps : {0, 1, 2, 63, 64, 65, 100, 511, 512, 513, 1000, 4096, 100000}) {
    for (const int states : {1, 2, 4}) {
      for (const std::int64_t size : {4, 8}) {
        for (const bool kept : {true, false}) {
          const Plan p = plan_backward(steps, states, 4, size, kept);
          EXPECT_GE(p.segments, 1);
          EXPECT_GE(p.segment * p.segments, steps);
          EXPECT_LT(p.segment * (p.segments - 1), std::max<std::int64_t>(steps, 1));
          EXPECT_GT(p.tile, 0);
          // Whole cache lines, so that threads and tiles never share one.
          EXPECT_EQ(p.tile % 16, 0);
          if (kept) {
            EXPECT_EQ(p.segments, 1);
          } else {
            // The states of a segment fit half a second-level cache.
            EXPECT_LE(std::min(p.segment, steps) * p.tile * states * size, 256 * 1024);
          }
        }
      }
    }
  }
}

TEST(Plan, ShortSequencesAreWalkedInWideTilesWithoutCheckpoints) {
  const Plan p = plan_backward(25, 1, 3, 4, false);
  EXPECT_EQ(p.segments, 1);
  EXPECT_EQ(p.tile, 1024);
  EXPECT_EQ(plan_backward(100, 1, 3, 4, false).segments, 1);
  EXPECT_LT(plan_backward(100, 1, 3, 4, false).tile, 1024);
}

TEST(Plan, WorkspaceHoldsWhatTheLoopsTake) {
  // Grows with the square root's kind of trade: states of a segment and one checkpoint per segment, never all steps.
  const Plan longer = plan_backward(100000, 1, 4, 4, false);
  EXPECT_LT(longer.workspace, 100000 * longer.tile);
  EXPECT_GE(longer.workspace, (longer.segment + longer.segments) * longer.tile);
  const Plan forward = plan_forward(100000, 2, 4, 4);
  EXPECT_EQ(forward.workspace, plan_forward(1, 2, 4, 4).workspace);
  EXPECT_GE(forward.workspace, (2 + 4) * forward.tile);
}

template <class T>
void check_reduce(std::int64_t columns, std::int64_t period) {
  std::vector<T> rows(static_cast<std::size_t>(columns));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] =
        static_cast<T>(std::sin(static_cast<double>(i) * 1.7) * std::exp(static_cast<double>(i % 13) - 6));
  }
  std::vector<T> out(static_cast<std::size_t>(period), T(-77));
  reduce_columns(rows.data(), columns, period, out.data());
  for (std::int64_t n = 0; n < period; ++n) {
    long double sum = 0;
    long double size = 0;
    for (std::int64_t i = n; i < columns; i += period) {
      sum += rows[static_cast<std::size_t>(i)];
      size += std::fabs(rows[static_cast<std::size_t>(i)]);
    }
    const long double eps = std::numeric_limits<T>::epsilon();
    EXPECT_LE(std::fabs(static_cast<long double>(out[static_cast<std::size_t>(n)]) - sum),
              eps * std::fabs(sum) + 1e-14L * size)
        << columns << ' ' << period << ' ' << n;
  }
}

TEST(ReduceColumns, SumsInDouble) {
  for (const std::int64_t period : {1, 2, 7, 10, 255, 256, 257, 600}) {
    for (const std::int64_t repeats : {0, 1, 2, 3, 17, 1000}) {
      check_reduce<float>(period * repeats, period);
      check_reduce<double>(period * repeats, period);
    }
  }
  for (const std::int64_t columns : {1, 7, 8, 9, 1031}) check_reduce<float>(columns, 1);
}

TEST(ReduceColumns, SmallTermsBesideLargeOnesAreNotLost) {
  std::vector<float> rows(1 << 20, 1e-4F);
  rows[0] = 1e4F;
  float sum = 0;
  reduce_columns(rows.data(), static_cast<std::int64_t>(rows.size()), 1, &sum);
  EXPECT_FLOAT_EQ(sum, static_cast<float>(1e4 + static_cast<double>(1e-4F) * ((1 << 20) - 1)));
}

}  // namespace
