// What the encoders refuse: the message names the argument and its value.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "rheo/ops/error.hpp"
#include "rheo/spikegen/delta.hpp"
#include "rheo/spikegen/latency.hpp"
#include "rheo/spikegen/one_hot.hpp"
#include "rheo/spikegen/rate.hpp"
#include "rheo/spikegen/targets.hpp"
#include "tests/error_of.hpp"

namespace {

using namespace rheo::spikegen;
using rheo::test::error_of;
using torch::Tensor;

struct Refused {
  std::function<void()> call;
  std::string text;
};

template <class E>
void expect_all(const std::vector<Refused>& cases) {
  for (const auto& c : cases) EXPECT_EQ(error_of<E>(c.call), c.text);
}

const Tensor x = torch::tensor({0.25F, 0.75F});
const Tensor whole = torch::ones({2}, torch::kLong);
const Tensor labels = torch::tensor({0, 2}, torch::kLong);
const Tensor elsewhere = torch::empty({2}, torch::TensorOptions().device(torch::kMeta));

TEST(Errors, Rate) {
  expect_all<rheo::ValueError>({
      {[] { rate(Tensor(), {.num_steps = 3}); }, "[rate] data must be a tensor, got an undefined one"},
      {[] { rate(elsewhere, {.num_steps = 3}); }, "[rate] data must be on the CPU, got meta"},
      {[] { rate(x, {}); }, "[rate] num_steps must be given, or time_var_input be true, got 0"},
      {[] { rate(x, {.num_steps = -2}); }, "[rate] num_steps must not be negative, got -2"},
      {[] { rate(x, {.num_steps = 3, .first_spike_time = -1}); },
       "[rate] first_spike_time must not be negative, got -1"},
      {[] { rate(x, {.num_steps = 3, .first_spike_time = 3}); },
       "[rate] first_spike_time must be below num_steps, 3, got 3"},
      {[] { rate(x, {.num_steps = 3, .time_var_input = true}); },
       "[rate] num_steps must not be given with time_var_input, got 3"},
      {[] { rate(torch::tensor(0.5F), {.time_var_input = true}); },
       "[rate] data must be [T, ...] with time_var_input, got []"},
      {[] { rate(x, {.num_steps = 3, .gain = NAN}); },
       "[rate] data must be probabilities after gain and offset, got NaN"},
      {[] { rate(torch::tensor({NAN}), {.time_var_input = true}); },
       "[rate_conv] x must be probabilities, got NaN at element 0"},
  });
  expect_all<rheo::TypeError>(
      {{[] { rate(whole, {.num_steps = 3}); }, "[rate] data must have a floating-point type, got Long"}});
}

TEST(Errors, Latency) {
  expect_all<rheo::ValueError>({
      {[] { latency(Tensor(), {.num_steps = 3}); }, "[latency] data must be a tensor, got an undefined one"},
      {[] { latency(elsewhere.to(torch::kFloat), {.num_steps = 3}); },
       "[latency] data must be on the CPU, got meta"},
      {[] { latency(x + 0.5, {.num_steps = 3}); }, "[latency] data must be within [0, 1], got 0.75 to 1.25"},
      {[] { latency(torch::tensor({NAN}), {.num_steps = 3}); },
       "[latency] data must be within [0, 1], got nan to nan"},
      {[] { latency(x, {}); }, "[latency] num_steps must be given, got 0"},
      {[] { latency(x, {.num_steps = 2, .tau = 9, .linear = true}); },
       "[latency] num_steps must be above the time of the latest spike, 7 (normalize fits them in, bypass "
       "drops them), got 2"},
      {[] { latency(torch::zeros({1}), {.bypass = true, .epsilon = 0}); },
       "[latency] num_steps must be given where the latest spike comes at step inf, got 0"},
      {[] { latency_code(x, {.num_steps = -1}); }, "[latency_code] num_steps must not be negative, got -1"},
      {[] { latency_code(x, {.threshold = 0}); }, "[latency_code] threshold must be within (0, 1), got 0"},
      {[] { latency_code_log(x, {.threshold = 1}); },
       "[latency_code_log] threshold must be within (0, 1), got 1"},
      {[] { latency_code_linear(x, {.tau = 0}); }, "[latency_code_linear] tau must be above 0, got 0"},
      {[] { latency_code(x, {.first_spike_time = -3}); },
       "[latency_code] first_spike_time must not be negative, got -3"},
      {[] { latency_code(x, {.num_steps = 4, .first_spike_time = 4}); },
       "[latency_code] first_spike_time must be below num_steps, 4, got 4"},
      {[] { latency_code(x, {.normalize = true}); },
       "[latency_code] num_steps must be given to normalize, got 0"},
      {[] { latency_code(4 * x - 1.5, {.num_steps = 4, .first_spike_time = 1}); },
       "[latency_code] data must not reach beyond 0 and 1 with first_spike_time, got -0.5 to 1.5"},
      {[] { latency_interpolate(x, -1); }, "[latency_interpolate] num_steps must not be negative, got -1"},
      {[] { latency_interpolate(x, 3, 0, 1); },
       "[latency_interpolate] on_target must not be below off_target, 1, got 0"},
  });
  expect_all<rheo::TypeError>(
      {{[] { latency(whole, {.num_steps = 3}); }, "[latency] data must be float32 or float64, got Long"},
       {[] { latency_interpolate(whole, 3); },
        "[latency_interpolate] spike_time must be float32 or float64, got Long"}});
}

TEST(Errors, Delta) {
  expect_all<rheo::ValueError>({
      {[] { delta(Tensor()); }, "[delta] data must be [T, ...], got []"},
      {[] { delta(torch::tensor(1.F)); }, "[delta] data must be [T, ...], got []"},
      {[] { delta(elsewhere); }, "[delta] data must be on the CPU, got meta"},
      {[] { delta(x, {.threshold = NAN}); }, "[delta] threshold must be a number, got nan"},
  });
  expect_all<rheo::TypeError>(
      {{[] { delta(x.to(torch::kBool)); }, "[delta] data must be of a real type, got Bool"},
       {[] { delta(x.to(torch::kComplexFloat)); }, "[delta] data must be of a real type, got ComplexFloat"}});
}

TEST(Errors, OneHot) {
  expect_all<rheo::ValueError>({
      {[] { to_one_hot(torch::ones({2, 2}, torch::kLong), 3); },
       "[to_one_hot] targets must be [B], got [2, 2]"},
      {[] { to_one_hot(labels, 0); }, "[to_one_hot] num_classes must be at least 1, got 0"},
      {[] { to_one_hot(labels, 2); },
       "[to_one_hot] targets must be from 0 to below num_classes, 2, got 2 at 1"},
      {[] { to_one_hot(-labels, 3); },
       "[to_one_hot] targets must be from 0 to below num_classes, 3, got -2 at 1"},
      {[] { to_one_hot_inverse(Tensor()); }, "[to_one_hot_inverse] x must be a tensor, got an undefined one"},
      {[] { from_one_hot(torch::ones({1, 2, 2})); }, "[from_one_hot] x must be [C] or [B, C], got [1, 2, 2]"},
      {[] { from_one_hot(torch::zeros({2, 3})); },
       "[from_one_hot] x must have a single 1 in every row, got 0 in row 0"},
  });
  expect_all<rheo::TypeError>({{[] { to_one_hot(x, 3); }, "[to_one_hot] targets must be int64, got Float"}});
}

TEST(Errors, Targets) {
  const Tensor late = torch::tensor({1, 7}, torch::kLong), unsorted = torch::tensor({3, 1}, torch::kLong);
  expect_all<rheo::ValueError>({
      {[] { target_rate_code(-1); }, "[target_rate_code] num_steps must not be negative, got -1"},
      {[] { target_rate_code(5, {.rate = 1.5}); }, "[target_rate_code] rate must be within [0, 1], got 1.5"},
      {[] { target_rate_code(5, {.rate = NAN}); }, "[target_rate_code] rate must be within [0, 1], got nan"},
      {[] { target_rate_code(5, {.firing_pattern = "bursty"}); },
       "[target_rate_code] firing_pattern must be regular, uniform or poisson, got 'bursty'"},
      {[] { target_rate_code(5, {.first_spike_time = 6}); },
       "[target_rate_code] first_spike_time must be from 0 to num_steps, 5, got 6"},
      {[] { rate_interpolate(Tensor(), 5); }, "[rate_interpolate] spike_time must be [n], got []"},
      {[] { rate_interpolate(whole, -1); }, "[rate_interpolate] num_steps must not be negative, got -1"},
      {[] { rate_interpolate(whole, 5, 1, 1); },
       "[rate_interpolate] on_target must be above off_target, 1, got 1"},
      {[=] { rate_interpolate(late, 5); },
       "[rate_interpolate] spike_time must be sorted, from 0 to below num_steps, 5, got 7 at 1"},
      {[=] { rate_interpolate(unsorted, 5); },
       "[rate_interpolate] spike_time must be sorted, from 0 to below num_steps, 5, got 1 at 1"},
      {[] { targets_rate(labels, 3, {.num_steps = 5, .correct_rate = 2}); },
       "[targets_rate] correct_rate must be within [0, 1], got 2"},
      {[] { targets_rate(labels, 3, {.num_steps = 5, .incorrect_rate = -1}); },
       "[targets_rate] incorrect_rate must be within [0, 1], got -1"},
      {[] { targets_rate(labels, 3, {.num_steps = 5, .correct_rate = 0.2, .incorrect_rate = 0.5}); },
       "[targets_rate] incorrect_rate must not be above correct_rate, 0.2, got 0.5"},
      {[] { targets_rate(labels, 3, {.firing_pattern = "bursty"}); },
       "[targets_rate] firing_pattern must be regular, uniform or poisson, got 'bursty'"},
      {[] { targets_rate(labels, 3, {.num_steps = -5}); },
       "[targets_rate] num_steps must not be negative, got -5"},
      {[] { targets_rate(labels, 3, {.correct_rate = 0.5}); },
       "[targets_rate] num_steps must be given with other rates than 1 and 0, or a first_spike_time, got 0"},
      {[] { targets_rate(labels, 3, {.num_steps = 5, .first_spike_time = 5}); },
       "[targets_rate] first_spike_time must be below num_steps, 5, got 5"},
      {[] { targets_rate(labels, 2, {.num_steps = 5}); },
       "[to_one_hot] targets must be from 0 to below num_classes, 2, got 2 at 1"},
      {[] { targets_latency(labels, 3, {}); }, "[latency] num_steps must be given, got 0"},
      {[] { targets_convert(labels, 3, {.code = "phase"}); },
       "[targets_convert] code must be rate or latency, got 'phase'"},
  });
}

}  // namespace
