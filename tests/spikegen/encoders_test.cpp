// Encoders where they differ from snnTorch on purpose, their randomness, odd sizes.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <cmath>

#include "rheo/core/random.hpp"
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

Tensor labels(std::vector<std::int64_t> values) { return torch::tensor(values, torch::kLong); }

// ---- differences from snnTorch ----------------------------------------------------------------------------------

TEST(Differences, TargetsRateWithOtherRatesIsByClass) {
  for (const bool interpolate : {false, true}) {
    const auto out = targets_rate(
        labels({1, 0}), 3,
        {.num_steps = 8, .correct_rate = 0.5, .incorrect_rate = 0.25, .interpolate = interpolate});
    EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{8, 2, 3}));
    const auto pattern = [&](double rate) {
      const auto [spk, times] = target_rate_code(8, {.rate = rate});
      return interpolate ? rate_interpolate(times, 8) : spk;
    };
    for (int b = 0; b < 2; ++b) {
      for (int c = 0; c < 3; ++c) {
        const bool correct = c == (b == 0 ? 1 : 0);
        EXPECT_TRUE(out.select(1, b).select(1, c).equal(pattern(correct ? 0.5 : 0.25)));
      }
    }
  }
}

TEST(Differences, FromOneHotGivesTheClasses) {
  const auto y = labels({2, 0, 2, 3});
  EXPECT_TRUE(from_one_hot(to_one_hot(y, 4)).equal(y));
  EXPECT_EQ(error_of<rheo::ValueError>([] { from_one_hot(torch::tensor({{0.F, 1.F}, {1.F, 1.F}})); }),
            "[from_one_hot] x must have a single 1 in every row, got 2 in row 1");
}

TEST(Differences, TargetsConvertPassesEverythingOnToLatency) {
  const auto y = labels({0, 2});
  const TargetsConvertOptions o{.code = "latency",
                                .num_steps = 6,
                                .on_target = 2,
                                .off_target = 0.5,
                                .interpolate = true,
                                .epsilon = 1e-3,
                                .normalize = true};
  const auto direct = targets_latency(y, 3,
                                      {.num_steps = 6,
                                       .on_target = 2,
                                       .off_target = 0.5,
                                       .normalize = true,
                                       .interpolate = true,
                                       .epsilon = 1e-3});
  EXPECT_TRUE(targets_convert(y, 3, o).equal(direct));
  EXPECT_EQ(direct.max().item<float>(), 2);
}

TEST(Differences, NegativeOffTargetIsHonoured) {
  const auto y = labels({1});
  EXPECT_TRUE(
      targets_convert(y, 3, {.on_target = 0, .off_target = -1}).equal(torch::tensor({{-1.F, 0.F, -1.F}})));
  const auto spk = latency(torch::tensor({1.F, 0.5F}),
                           {.num_steps = 3, .off_target = -1, .normalize = true, .linear = true});
  EXPECT_TRUE(spk.equal(torch::tensor({{1.F, -1.F}, {-1.F, 1.F}, {-1.F, -1.F}})));
}

TEST(Differences, TargetsRateWithANegativeFirstSpikeTimeIsAnError) {
  EXPECT_EQ(error_of<rheo::ValueError>(
                [] { targets_rate(labels({1}), 3, {.num_steps = 4, .first_spike_time = -1}); }),
            "[targets_rate] first_spike_time must not be negative, got -1");
}

// ---- randomness -------------------------------------------------------------------------------------------------

TEST(Rate, MeansAreWithinBinomialBounds) {
  // 10^6 draws each; 5 standard deviations.
  for (const double p : {0.0, 0.003, 0.25, 0.5, 0.97, 1.0}) {
    const auto spk = rate(torch::full({1000}, p, torch::kDouble), {.num_steps = 1000, .seed = 17});
    EXPECT_NEAR(spk.mean().item<double>(), p, 5 * std::sqrt(p * (1 - p) / 1e6)) << p;
    EXPECT_TRUE((spk.eq(0) | spk.eq(1)).all().item<bool>());
  }
}

TEST(Rate, NeighboursAndStepsAreIndependent) {
  const auto spk = rate(torch::full({1000}, 0.3, torch::kDouble), {.num_steps = 1001, .seed = 5}) - 0.3;
  const auto correlation = [&](const Tensor& a, const Tensor& b) {
    return ((a * b).mean() / 0.21).item<double>();
  };
  const double bound = 5 / std::sqrt(1e6);
  for (const int lag : {1, 2, 3, 4, 8, 16}) {
    EXPECT_LT(std::fabs(correlation(spk.slice(0, lag), spk.slice(0, 0, 1001 - lag))), bound)
        << "steps " << lag;
    EXPECT_LT(std::fabs(correlation(spk.slice(1, lag), spk.slice(1, 0, 1000 - lag))), bound)
        << "neighbours " << lag;
  }
}

TEST(Rate, OneSeedOneResult) {
  const auto x = torch::rand({5, 1371});
  const auto a = rate(x, {.num_steps = 150, .seed = 1});
  const auto threads = at::get_num_threads();
  for (const int count : {1, 3, 7}) {
    at::set_num_threads(count);
    EXPECT_TRUE(a.equal(rate(x, {.num_steps = 150, .seed = 1}))) << count << " threads";
  }
  at::set_num_threads(threads);
  // Values that both types hold decide alike.
  const auto exact = (x * 256).floor() / 256;
  EXPECT_TRUE(rate(exact, {.num_steps = 9, .seed = 3})
                  .equal(rate(exact.to(torch::kDouble), {.num_steps = 9, .seed = 3}).to(torch::kFloat)));
  EXPECT_FALSE(a.equal(rate(x, {.num_steps = 150, .seed = 2})));
  torch::manual_seed(4);
  const auto b = rate(x, {.num_steps = 5});
  torch::manual_seed(4);
  EXPECT_TRUE(b.equal(rate(x, {.num_steps = 5})));
  // A longer train begins with the shorter one.
  EXPECT_TRUE(a.slice(0, 0, 20).equal(rate(x, {.num_steps = 20, .seed = 1})));
  // Also where it is written around the cache.
  const auto wide = torch::rand({102400});
  EXPECT_TRUE(
      rate(wide, {.num_steps = 48, .seed = 1}).slice(0, 0, 3).equal(rate(wide, {.num_steps = 3, .seed = 1})));
}

TEST(Rate, StepsAndElementsAreTheCounter) {
  const auto x = torch::rand({3, 5});
  const auto spk = rate(x, {.num_steps = 4, .gain = 0.5, .offset = 0.25, .first_spike_time = 1, .seed = 42});
  const auto p = x * 0.5 + 0.25;
  for (std::int64_t t = 0; t < 4; ++t) {
    const rheo::CounterRandom random{.seed = 42, .step = static_cast<std::uint64_t>(t)};
    for (std::int64_t i = 0; i < 15; ++i) {
      const bool fires =
          rheo::bernoulli(random.word(static_cast<std::uint64_t>(i)), p.flatten()[i].item<float>());
      EXPECT_EQ(spk[t].flatten()[i].item<float>(), t > 0 && fires);
    }
  }
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{0}, {3, 0}, {}, {1}, {7}}) {
    auto sizes = shape;
    sizes.insert(sizes.begin(), 3);
    EXPECT_EQ(rate(torch::ones(shape), {.num_steps = 3}).sizes(), sizes);
  }
}

TEST(Rate, FirstSpikesComeNoEarlierThanAsked) {
  const auto spk = rate(torch::ones({7}), {.num_steps = 9, .first_spike_time = 4});
  EXPECT_EQ(spk.slice(0, 0, 4).sum().item<float>(), 0);
  EXPECT_EQ(spk.slice(0, 4).mean().item<float>(), 1);
  EXPECT_EQ(error_of<rheo::ValueError>([] { rate(torch::tensor({0.5F, NAN}), {.num_steps = 3}); }),
            "[rate] data must be probabilities after gain and offset, got NaN");
  EXPECT_EQ(error_of<rheo::TypeError>([] { rate(torch::ones({2}, torch::kLong), {.num_steps = 3}); }),
            "[rate] data must have a floating-point type, got Long");
}

TEST(TargetRateCode, RandomPatternsKeepTheRateAndTheFirstSpikeTime) {
  constexpr std::int64_t steps = 1000000, first = 20;
  for (const auto* pattern : {"uniform", "poisson"}) {
    Tensor trains[2];
    for (const std::uint64_t stream : {0, 1}) {
      const auto [spk, times] = target_rate_code(
          steps,
          {.first_spike_time = first, .rate = 0.3, .firing_pattern = pattern, .seed = 8, .stream = stream});
      EXPECT_GE(times.min().item<std::int64_t>(), first);
      EXPECT_LT(times.max().item<std::int64_t>(), steps);
      EXPECT_TRUE(spk.eq(torch::zeros(steps).index_fill(0, times, 1)).all().item<bool>());
      EXPECT_NEAR(static_cast<double>(times.numel()) / (steps - first), 0.3, 5 * std::sqrt(0.21 / steps))
          << pattern;
      trains[stream] = spk.slice(0, first).to(torch::kDouble);
      trains[stream] -= trains[stream].mean();
    }
    const double variance = trains[0].square().mean().item<double>();
    const auto correlation = [&](const Tensor& a, const Tensor& b) {
      return std::fabs((a * b).mean().item<double>()) / variance;
    };
    const auto count = trains[0].size(0);
    for (const int lag : {1, 2, 3, 4, 8}) {
      EXPECT_LT(correlation(trains[0].slice(0, lag), trains[0].slice(0, 0, count - lag)), 5e-3)
          << pattern << ", steps " << lag;
    }
    EXPECT_LT(correlation(trains[0], trains[1]), 5e-3) << pattern << ", streams";
  }
}

TEST(TargetsRate, RandomPatternsBelongToTheirClasses) {
  for (const auto* pattern : {"uniform", "poisson"}) {
    const TargetsRateOptions o{.num_steps = 2000,
                               .first_spike_time = 100,
                               .correct_rate = 0.8,
                               .incorrect_rate = 0.1,
                               .firing_pattern = pattern,
                               .seed = 2};
    const auto out = targets_rate(labels({2, 0}), 3, o);
    EXPECT_EQ(out.slice(0, 0, 100).sum().item<float>(), 0);
    const auto expected = [&](double rate, std::uint64_t stream) {
      return target_rate_code(2000, {.first_spike_time = 100,
                                     .rate = rate,
                                     .firing_pattern = pattern,
                                     .seed = 2,
                                     .stream = stream})
          .first;
    };
    EXPECT_TRUE(out.select(1, 0).select(1, 2).equal(expected(0.8, 0)));
    EXPECT_TRUE(out.select(1, 1).select(1, 0).equal(expected(0.8, 0)));
    EXPECT_TRUE(out.select(1, 0).select(1, 0).equal(expected(0.1, 1)));
    EXPECT_TRUE(out.equal(targets_rate(labels({2, 0}), 3, o)));
    torch::manual_seed(1);
    auto unseeded = o;
    unseeded.seed.reset();
    EXPECT_FALSE(targets_rate(labels({2, 0}), 3, unseeded).equal(targets_rate(labels({2, 0}), 3, unseeded)));
  }
}

// ---- plain loops at odd sizes -----------------------------------------------------------------------------------

TEST(Latency, OneSpikeEachAtItsTime) {
  torch::manual_seed(6);
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{1}, {7, 3}, {2, 3, 5}, {0}, {}}) {
    for (const auto type : {torch::kFloat, torch::kDouble}) {
      const auto x = torch::rand(shape, type) * 0.9 + 0.05;
      const auto spk = latency(x, {.num_steps = 30, .tau = 3});
      EXPECT_TRUE(spk.sum(0).eq(1).all().item<bool>());
      const auto time = (3 * torch::log(x / (x - 0.01))).round().clamp_max(29);
      EXPECT_TRUE(x.numel() == 0 || spk.argmax(0).to(type).equal(time));
    }
  }
}

TEST(Delta, IsTheDifferenceOfNeighboursInTime) {
  const auto x = torch::randn({17, 5}, torch::kDouble);
  for (const bool padding : {false, true}) {
    const auto before =
        torch::cat({padding ? x.slice(0, 0, 1) : torch::zeros({1, 5}, torch::kDouble), x.slice(0, 0, 16)});
    const auto d = x - before;
    EXPECT_TRUE(delta(x, {.threshold = 0.4, .padding = padding, .off_spike = true})
                    .equal(d.ge(0.4).to(torch::kDouble) - d.le(-0.4).to(torch::kDouble)));
  }
  EXPECT_EQ(delta(torch::zeros({0, 3})).sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_TRUE(delta(torch::tensor({0, 2, 3}, torch::kInt), {.threshold = 1.5})
                  .equal(torch::tensor({0, 1, 0}, torch::kInt)));
}

}  // namespace
