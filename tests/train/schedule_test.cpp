// Learning rates against the numbers of PyTorch 2.13's schedulers, stepped after every batch.
#include "rheo/train/schedule.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "rheo/ops/error.hpp"
#include "rheo/train/early_stop.hpp"

namespace {

using rheo::train::EarlyStop;
using rheo::train::Schedule;
using Recorded = std::vector<std::pair<int, double>>;

void expect_rates(const Schedule& schedule, const Recorded& recorded) {
  // PyTorch multiplies its way from rate to rate, and loses a bit or two on it.
  for (const auto& [step, rate] : recorded) EXPECT_NEAR(schedule.at(step), rate, 2e-16) << "step " << step;
}

// StepLR(4, gamma=0.5), lr 0.1
TEST(Schedule, Step) {
  expect_rates(
      Schedule::step(0.1, 4, 0.5),
      {{0, 0.1}, {3, 0.1}, {4, 0.05}, {7, 0.05}, {8, 0.025}, {11, 0.025}, {12, 0.0125}, {19, 0.00625}});
}

// CosineAnnealingLR(10, eta_min=0.01), lr 0.1
TEST(Schedule, Cosine) {
  const Schedule schedule = Schedule::cosine(0.1, 10, 0.01);
  expect_rates(schedule, {{0, 0.1},
                          {1, 0.09779754323328192},
                          {2, 0.09140576474687263},
                          {3, 0.08145033635316129},
                          {5, 0.05500000000000001},
                          {7, 0.028549663646838717},
                          {9, 0.012202456766718092},
                          {10, 0.01}});
  EXPECT_EQ(schedule.at(11), 0.01);
  EXPECT_EQ(schedule.at(1000), 0.01);
}

// OneCycleLR(max_lr=0.1, total_steps=20)
TEST(Schedule, OneCycle) {
  const Schedule schedule = Schedule::one_cycle(0.1, 20);
  expect_rates(schedule, {{0, 0.0040000000000000036},
                          {1, 0.013167184270002533},
                          {2, 0.037167184270002526},
                          {4, 0.09083281572999748},
                          {5, 0.1},
                          {6, 0.09874640062350874},
                          {12, 0.0500002},
                          {18, 0.0012539993764912555},
                          {19, 4e-07}});
  EXPECT_EQ(schedule.at(20), schedule.at(19));
}

// OneCycleLR(max_lr=0.1, total_steps=20, three_phase=True, pct_start=0.4, div_factor=10,
// final_div_factor=100)
TEST(Schedule, OneCycleInThreePhases) {
  expect_rates(
      Schedule::one_cycle(0.1, 20,
                          {.pct_start = 0.4, .div_factor = 10, .final_div_factor = 100, .three_phase = true}),
      {{0, 0.009999999999999995},
       {1, 0.014456400944391143},
       {6, 0.09554359905560886},
       {7, 0.1},
       {8, 0.09554359905560886},
       {13, 0.014456400944391143},
       {14, 0.01},
       {15, 0.00905463412215599},
       {18, 0.0010453658778440107},
       {19, 0.0001}});
}

// OneCycleLR(max_lr=0.1, total_steps=13, pct_start=0.25, anneal_strategy="linear")
TEST(Schedule, OneCycleInStraightLines) {
  expect_rates(Schedule::one_cycle(0.1, 13, {.pct_start = 0.25, .linear = true}),
               {{0, 0.004},
                {1, 0.04666666666666666},
                {2, 0.08933333333333333},
                {3, 0.09230772307692309},
                {8, 0.04102587692307692},
                {11, 0.010256769230769222},
                {12, 3.999999999976245e-07}});
}

// LinearLR(0.25, 1, 3) alone; LinearLR(0.2, 1, 4) chained with CosineAnnealingLR(10)
TEST(Schedule, WarmUp) {
  expect_rates(Schedule::constant(0.1).warm_up(4),
               {{0, 0.025}, {1, 0.05}, {2, 0.07500000000000001}, {3, 0.1}, {4, 0.1}, {7, 0.1}});
  expect_rates(Schedule::cosine(0.1, 10).warm_up(5), {{0, 0.020000000000000004},
                                                      {1, 0.03902113032590308},
                                                      {2, 0.05427050983124843},
                                                      {3, 0.06351141009169894},
                                                      {4, 0.06545084971874739},
                                                      {5, 0.05000000000000001},
                                                      {9, 0.002447174185242324},
                                                      {10, 0.0}});
  EXPECT_EQ(Schedule::constant(0.1).warm_up(0).at(0), 0.1);
}

TEST(Schedule, OneStepIsAtItsEnd) {
  EXPECT_EQ(Schedule::one_cycle(0.1, 1).at(0), Schedule::one_cycle(0.1, 1).at(7));
  EXPECT_GT(Schedule::one_cycle(0.1, 1).at(0), 0);
  EXPECT_EQ(Schedule::cosine(0.1, 1).at(0), 0.1);
}

TEST(Schedule, Errors) {
  const auto error_of = [](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const rheo::ValueError& error) {
      return error.what();
    }
    return "no error";
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error_of([] { Schedule::constant(-0.5); }),
            "[Schedule] lr must be finite and not negative, got -0.5");
  EXPECT_EQ(error_of([&] { Schedule::cosine(nan, 10); }),
            "[Schedule] lr must be finite and not negative, got nan");
  EXPECT_EQ(error_of([] { Schedule::step(0.1, 0); }), "[Schedule] every must be at least 1, got 0");
  EXPECT_EQ(error_of([] { Schedule::one_cycle(0.1, 10, {.pct_start = 1.5}); }),
            "[Schedule] pct_start must be in [0, 1], got 1.5");
  EXPECT_EQ(error_of([] { static_cast<void>(Schedule::constant(0.1).warm_up(-1)); }),
            "[Schedule] warm_up must be 0 or more steps, got -1");
  EXPECT_EQ(error_of([] { static_cast<void>(Schedule::constant(0.1).at(-1)); }),
            "[Schedule] step must be 0 or more, got -1");
}

TEST(EarlyStop, WaitsAndKeepsTheBest) {
  EarlyStop stop{.patience = 2, .min_delta = 0.1};
  EXPECT_TRUE(stop.update(1, 1.0));
  EXPECT_FALSE(stop.update(2, 0.95));  // too small a gain
  EXPECT_FALSE(stop.exhausted());
  EXPECT_TRUE(stop.update(3, 0.8));
  EXPECT_EQ(stop.best, 0.8);
  EXPECT_EQ(stop.best_epoch, 3);
  EXPECT_FALSE(stop.update(4, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(stop.exhausted());
  EXPECT_FALSE(stop.update(5, 0.8));
  EXPECT_TRUE(stop.exhausted());
  EXPECT_EQ(stop.best_epoch, 3);
}

TEST(EarlyStop, NotANumberIsNeverTheBest) {
  EarlyStop stop{.patience = 1};
  EXPECT_FALSE(stop.update(1, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(stop.best_epoch, 0);
  EXPECT_TRUE(stop.exhausted());
  EXPECT_TRUE(stop.update(2, 3.0));
}

}  // namespace
