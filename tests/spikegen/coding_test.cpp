// Phase, burst, population and delta modulation: against their formulas written out, at odd sizes; what they refuse.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "rheo/ops/error.hpp"
#include "rheo/spikegen/burst.hpp"
#include "rheo/spikegen/delta_modulation.hpp"
#include "rheo/spikegen/phase.hpp"
#include "rheo/spikegen/population.hpp"
#include "rheo/spikegen/rate.hpp"
#include "tests/error_of.hpp"

namespace {

using namespace rheo::spikegen;
using rheo::TypeError;
using rheo::ValueError;
using rheo::test::error_of;
using torch::Tensor;

using Shape = std::vector<std::int64_t>;
const std::vector<Shape> shapes = {{1}, {7}, {3, 5}, {1023}, {1025}, {2, 3, 700}, {0}, {4, 0}, {}};

Shape after(std::int64_t steps, Shape shape) {
  shape.insert(shape.begin(), steps);
  return shape;
}

/// column(t, values of column i) for every column of x [T, columns].
void each_column(const Tensor& spk, const std::function<void(std::int64_t, const Tensor&)>& check) {
  const auto flat = spk.reshape({spk.size(0), -1}).to(torch::kDouble).t().contiguous();
  for (std::int64_t i = 0; i < flat.size(0); ++i) check(i, flat[i]);
}

bool same_with_any_threads(const std::function<Tensor()>& encode) {
  const auto threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = encode();
  bool same = true;
  for (const int count : {2, 5}) {
    at::set_num_threads(count);
    same = same && encode().equal(one);
  }
  at::set_num_threads(threads);
  return same;
}

TEST(Phase, IsTheBinaryDigitsHighestFirst) {
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    for (const auto& shape : shapes) {
      for (const std::int64_t bits : {1, 3, 8, 24}) {
        const auto x = torch::rand(shape, type);
        const std::int64_t steps = 2 * bits + 1;
        const auto spk = phase(x, {.num_steps = steps, .bits = bits});
        EXPECT_EQ(spk.sizes(), after(steps, shape));
        EXPECT_EQ(spk.scalar_type(), type);
        const auto flat = x.flatten().to(torch::kDouble);
        each_column(spk, [&](std::int64_t i, const Tensor& train) {
          double rest = flat[i].item<double>();
          for (std::int64_t t = 0; t < bits; ++t) {
            rest *= 2;
            const double digit = rest >= 1 ? 1 : 0;
            rest -= digit;
            ASSERT_EQ(train[t].item<double>(), digit);
          }
        });
        if (spk.numel() == 0) continue;
        EXPECT_TRUE(spk.slice(0, bits, 2 * bits).equal(spk.slice(0, 0, bits)));
        EXPECT_TRUE(spk[2 * bits].equal(spk[0]));
      }
    }
  }
}

TEST(Phase, WeightedSpikesAddUpToTheValue) {
  const auto x = torch::rand({50}, torch::kDouble);
  const auto sum = phase(x, {.num_steps = 10, .bits = 10, .weighted = true}).sum(0);
  EXPECT_TRUE(sum.equal((x * 1024).floor() / 1024));
}

TEST(Phase, CodesTheBitsOfAnImage) {
  const auto bytes = torch::arange(256, torch::kInt);
  const auto spk = phase(bytes.to(torch::kFloat) / 255, {.num_steps = 8}).to(torch::kInt);
  for (int k = 0; k < 8; ++k) EXPECT_TRUE(spk[k].equal(bytes.bitwise_right_shift(7 - k).bitwise_and(1)));
}

TEST(Burst, IsAnIntegratorWhoseThresholdGrowsInABurst) {
  for (const auto& shape : shapes) {
    for (const double beta : {1.0, 1.5, 2.0}) {
      const auto x = torch::rand(shape, torch::kDouble);
      const auto spk = burst(x, {.num_steps = 30, .threshold = 0.2, .beta = beta});
      const auto weighted = burst(x, {.num_steps = 30, .threshold = 0.2, .beta = beta, .weighted = true});
      EXPECT_EQ(spk.sizes(), after(30, shape));
      const auto flat = x.flatten(), loads = weighted.reshape({30, -1});
      each_column(spk, [&](std::int64_t i, const Tensor& train) {
        const double value = flat[i].item<double>();
        double mem = 0, g = 1;
        for (std::int64_t t = 0; t < 30; ++t) {
          mem += value;
          const bool fires = mem >= g * 0.2;
          ASSERT_EQ(train[t].item<double>(), fires ? 1 : 0) << "step " << t << " of " << value;
          ASSERT_NEAR(loads[t][i].item<double>(), fires ? g * 0.2 : 0, 1e-12);
          if (fires) mem -= g * 0.2;
          g = fires ? g * beta : 1;
        }
        ASSERT_NEAR(loads.select(1, i).sum().item<double>(), 30 * value - mem, 1e-11);
      });
    }
  }
}

TEST(Burst, WithoutGrowthSpikesComeAtEvenIntervals) {
  const auto spk = burst(torch::tensor({0.25}), {.num_steps = 9, .threshold = 1, .beta = 1});
  EXPECT_TRUE(spk.flatten().equal(torch::tensor({0.F, 0.F, 0.F, 1.F, 0.F, 0.F, 0.F, 1.F, 0.F})));
}

TEST(Population, IsGaussianCurvesOverTheRange) {
  for (const auto& shape : shapes) {
    for (const std::int64_t n : {3, 4, 9}) {
      const auto x = torch::randn(shape, torch::kDouble);
      const auto a = population(x, {.num_neurons = n, .low = -2, .high = 3, .beta = 1.2});
      auto sizes = shape;
      sizes.push_back(n);
      EXPECT_EQ(a.sizes(), sizes);
      const auto flat = x.flatten(), rows = a.reshape({-1, n});
      for (std::int64_t k = 0; k < flat.numel(); ++k) {
        for (std::int64_t i = 1; i <= n; ++i) {
          const double distance = 5.0 / static_cast<double>(n - 2);
          const double centre = -2 + (2 * static_cast<double>(i) - 3) / 2 * distance, width = distance / 1.2;
          const double off = flat[k].item<double>() - centre;
          ASSERT_NEAR(rows[k][i - 1].item<double>(), std::exp(-off * off / (2 * width * width)), 1e-14);
        }
      }
    }
  }
  const auto x = torch::rand({100}, torch::kDouble);
  EXPECT_TRUE(torch::allclose(population(x.to(torch::kFloat)), population(x).to(torch::kFloat), 1e-4, 1e-6));
}

TEST(Population, SpikesCarryTheTuningCurve) {
  // The rates of 10^6 draws each are the responses.
  const auto x = torch::tensor({0.2, 0.8}, torch::kDouble);
  const auto a = population(x, {.num_neurons = 5});
  const auto mean = rate(a, {.num_steps = 1000000, .seed = 3}).mean(0);
  EXPECT_TRUE((mean - a).abs().le(5 * (a * (1 - a) / 1e6).sqrt()).all().item<bool>());
}

TEST(Population, LatencyIsEarlierTheStrongerTheResponse) {
  for (const auto& shape : shapes) {
    const auto x = torch::rand(shape, torch::kDouble);
    const PopulationOptions o{.num_neurons = 6, .cutoff = 0.15};
    const auto a = population(x, o);
    const auto spk = population_latency(x, 11, o);
    EXPECT_EQ(spk.size(0), 11);
    EXPECT_EQ(spk[0].sizes(), a.sizes());
    const auto fires = a.ge(0.15);
    EXPECT_TRUE(spk.sum(0).equal(fires.to(torch::kDouble)));
    const auto time = (10 * (1 - a)).round();
    if (a.numel() == 0) continue;
    EXPECT_TRUE(spk.argmax(0).masked_select(fires).equal(time.to(torch::kLong).masked_select(fires)));
  }
}

TEST(DeltaModulation, FollowsTheSignalStepByStep) {
  for (const auto& shape : shapes) {
    for (const bool with_start : {false, true}) {
      const auto x = torch::randn(after(25, shape), torch::kDouble).cumsum(0) * 0.2;
      const DeltaModulationOptions o{.threshold = 0.15, .start = with_start ? x[0].clone() : Tensor()};
      const auto spk = delta_modulation(x, o);
      const auto estimate = delta_demodulation(spk, o);
      EXPECT_EQ(spk.sizes(), x.sizes());
      const auto flat = x.reshape({25, -1}), sent = estimate.reshape({25, -1});
      each_column(spk, [&](std::int64_t i, const Tensor& train) {
        const double first = with_start ? flat[0][i].item<double>() : 0;
        double count = 0;
        for (std::int64_t t = 0; t < 25; ++t) {
          const double away = flat[t][i].item<double>() - (first + 0.15 * count);
          const double step = away >= 0.15 ? 1 : away <= -0.15 ? -1 : 0;
          count += step;
          ASSERT_EQ(train[t].item<double>(), step);
          ASSERT_EQ(sent[t][i].item<double>(), first + 0.15 * count);
        }
      });
    }
  }
}

TEST(DeltaModulation, RebuildsASignalToWithinAThreshold) {
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    const auto t = torch::arange(400, type).unsqueeze(1) / 40;
    const auto signal = torch::sin(t + torch::arange(3, type)) + 0.3 * torch::cos(3 * t);
    const DeltaModulationOptions o{.threshold = 0.05, .start = signal[0]};
    EXPECT_LT(signal.diff(1, 0).abs().max().item<double>(), 0.05);  // slow enough to be followed
    const auto rebuilt = delta_demodulation(delta_modulation(signal, o), o);
    EXPECT_LT((rebuilt - signal).abs().max().item<double>(), 0.05 + 1e-6);
    // A steep signal is caught up with one threshold at a time.
    const auto jump = delta_demodulation(delta_modulation(torch::ones({4, 1}, type), {.threshold = 0.25}),
                                         {.threshold = 0.25});
    EXPECT_TRUE(jump.flatten().equal(torch::tensor({0.25, 0.5, 0.75, 1.0}, type)));
  }
}

TEST(Coding, NumberOfThreadsDoesNotMatter) {
  const auto x = torch::rand({20011});
  const auto signal = torch::randn({30, 20011});
  EXPECT_TRUE(same_with_any_threads([&] { return phase(x, {.num_steps = 30}); }));
  EXPECT_TRUE(same_with_any_threads([&] { return burst(x, {.num_steps = 30}); }));
  EXPECT_TRUE(same_with_any_threads([&] { return population_latency(x, 10); }));
  EXPECT_TRUE(same_with_any_threads([&] { return delta_modulation(signal); }));
  EXPECT_TRUE(same_with_any_threads([&] { return delta_demodulation(signal); }));
}

TEST(Coding, LayoutDoesNotMatterAndNoGradientIsCarried) {
  const auto x = torch::rand({6, 9}, torch::requires_grad());
  const auto turned = x.t().contiguous().t();
  EXPECT_TRUE(phase(x, {.num_steps = 9}).equal(phase(turned, {.num_steps = 9})));
  EXPECT_TRUE(burst(x, {.num_steps = 9}).equal(burst(turned, {.num_steps = 9})));
  EXPECT_TRUE(population(x).equal(population(turned)));
  EXPECT_TRUE(delta_modulation(x).equal(delta_modulation(turned)));
  for (const auto& out :
       {phase(x, {.num_steps = 2}), burst(x, {.num_steps = 2}), population(x), delta_modulation(x)}) {
    EXPECT_FALSE(out.requires_grad());
  }
  EXPECT_EQ(delta_modulation(torch::zeros({0, 3})).sizes(), Shape({0, 3}));
}

TEST(Coding, ErrorsNameArgumentAndValue) {
  const auto x = torch::tensor({0.5F}), above = torch::tensor({0.5F, 1.5F}),
             whole = torch::ones({2}, torch::kLong);
  const auto nan = torch::tensor({NAN});
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto value = [](auto f) { return error_of<ValueError>(f); };
  const auto type = [](auto f) { return error_of<TypeError>(f); };

  EXPECT_EQ(value([&] { phase(Tensor(), {.num_steps = 3}); }),
            "[phase] data must be a tensor, got an undefined one");
  EXPECT_EQ(type([&] { phase(whole, {.num_steps = 3}); }),
            "[phase] data must be float32 or float64, got Long");
  EXPECT_EQ(value([&] { phase(above, {.num_steps = 3}); }),
            "[phase] data must be within [0, 1], got 0.5 to 1.5");
  EXPECT_EQ(value([&] { phase(nan, {.num_steps = 3}); }),
            "[phase] data must be within [0, 1], got nan to nan");
  EXPECT_EQ(value([&] { phase(x, {}); }), "[phase] num_steps must be at least 1, got 0");
  EXPECT_EQ(value([&] { phase(x, {.num_steps = 3, .bits = 0}); }),
            "[phase] bits must be from 1 to 24, got 0");
  EXPECT_EQ(value([&] { phase(x, {.num_steps = 3, .bits = 25}); }),
            "[phase] bits must be from 1 to 24, got 25");

  EXPECT_EQ(value([&] { burst(-x, {.num_steps = 3}); }),
            "[burst] data must be within [0, 1], got -0.5 to -0.5");
  EXPECT_EQ(type([&] { burst(whole, {.num_steps = 3}); }),
            "[burst] data must be float32 or float64, got Long");
  EXPECT_EQ(value([&] { burst(x, {.num_steps = -1}); }), "[burst] num_steps must be at least 1, got -1");
  EXPECT_EQ(value([&] { burst(x, {.num_steps = 3, .threshold = 0}); }),
            "[burst] threshold must be above 0 and finite, got 0");
  EXPECT_EQ(value([&] { burst(x, {.num_steps = 3, .beta = 0.5}); }),
            "[burst] beta must be at least 1 and finite, got 0.5");
  EXPECT_EQ(value([&] { burst(x, {.num_steps = 3, .beta = infinity}); }),
            "[burst] beta must be at least 1 and finite, got inf");

  EXPECT_EQ(type([&] { population(whole); }), "[population] data must be float32 or float64, got Long");
  EXPECT_EQ(value([&] { population(nan); }), "[population] data must be numbers, got NaN");
  EXPECT_EQ(value([&] { population(x, {.num_neurons = 2}); }),
            "[population] num_neurons must be at least 3, got 2");
  EXPECT_EQ(value([&] { population(x, {.low = -infinity}); }), "[population] low must be finite, got -inf");
  EXPECT_EQ(value([&] { population(x, {.low = 1, .high = 1}); }),
            "[population] high must be above low, 1, and finite, got 1");
  EXPECT_EQ(value([&] { population(x, {.beta = 0}); }),
            "[population] beta must be above 0 and finite, got 0");
  EXPECT_EQ(value([&] { population_latency(x, 0); }),
            "[population_latency] num_steps must be at least 1, got 0");
  EXPECT_EQ(value([&] { population_latency(x, 5, {.cutoff = 1}); }),
            "[population_latency] cutoff must be within (0, 1), got 1");
  EXPECT_EQ(value([&] { population_latency(nan, 5); }), "[population_latency] data must be numbers, got NaN");

  EXPECT_EQ(type([&] { delta_modulation(whole); }),
            "[delta_modulation] data must be float32 or float64, got Long");
  EXPECT_EQ(value([&] { delta_modulation(torch::tensor(1.F)); }),
            "[delta_modulation] data must be [T, ...], got []");
  EXPECT_EQ(value([&] { delta_modulation(x, {.threshold = -1}); }),
            "[delta_modulation] threshold must be above 0 and finite, got -1");
  EXPECT_EQ(value([&] { delta_modulation(torch::ones({2, 3}), {.start = torch::ones({2})}); }),
            "[delta_modulation] start must have shape [3], got [2]");
  EXPECT_EQ(type([&] { delta_modulation(torch::ones({2, 3}), {.start = torch::ones({3}, torch::kDouble)}); }),
            "[delta_modulation] start must be Float as data is, got Double");
  EXPECT_EQ(value([&] { delta_demodulation(x, {.threshold = 0}); }),
            "[delta_demodulation] threshold must be above 0 and finite, got 0");
}

}  // namespace
