// Randman: the formula by a plain loop, and what the set promises.
#include "rheo/data/randman.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "rheo/core/random.hpp"
#include "rheo/ops/error.hpp"

namespace {

using rheo::data::Batch;
using rheo::data::Randman;
using rheo::data::RandmanOptions;
using rheo::data::Spectrum;

/// Word `index` of step `purpose` 2^56, over 2^32.
double drawn(std::uint64_t seed, std::uint64_t purpose, std::uint64_t index) {
  return rheo::CounterRandom{.seed = seed, .step = purpose << 56}.word(index) / 4294967296.0;
}

/// times[sample][spike][unit], from the published formula.
std::vector<int> plain(const RandmanOptions& o) {
  const double pi = std::acos(-1.0);
  const auto F = static_cast<int>(std::min(std::ceil(std::pow(0.001, -1 / o.alpha)), 1000.0));
  std::vector<int> times(static_cast<std::size_t>(o.classes * o.samples * o.spikes * o.units));
  for (int c = 0; c < o.classes; ++c) {
    for (int k = 0; k < o.spikes; ++k) {
      for (int u = 0; u < o.units; ++u) {
        std::vector<double> place(static_cast<std::size_t>(o.samples), 1.0);
        for (int n = 0; n < o.samples; ++n) {
          for (int d = 0; d < o.dimensions; ++d) {
            const auto m = static_cast<std::uint64_t>(((c * o.spikes + k) * o.units + u) * o.dimensions + d);
            const double x =
                drawn(o.seed, 6, static_cast<std::uint64_t>((c * o.samples + n) * o.dimensions + d));
            double f = 0;
            for (int i = 1; i < F; ++i) {  // theta[0][0] = 0
              const auto theta = [&](std::uint64_t j) {
                return drawn(o.seed, 5,
                             (m * 3 + j) * static_cast<std::uint64_t>(F) + static_cast<std::uint64_t>(i));
              };
              const double power = std::pow(i + 1, o.alpha);
              const double s = o.spectrum == Spectrum::numpy ? 1 / power : 1 / (power + 1);
              f += theta(0) * s * std::sin(2 * pi * (i * x * theta(1) + theta(2)));
            }
            place[static_cast<std::size_t>(n)] *= f;
          }
        }
        const double low = *std::min_element(place.begin(), place.end());
        const double high = *std::max_element(place.begin(), place.end());
        for (int n = 0; n < o.samples; ++n) {
          const double y = (place[static_cast<std::size_t>(n)] - low) / (high - low + 1e-7);
          times[static_cast<std::size_t>(((n * o.classes + c) * o.spikes + k) * o.units + u)] =
              static_cast<int>(std::floor(static_cast<double>(o.steps) * o.step_fraction * y));
        }
      }
    }
  }
  return times;
}

TEST(Randman, IsThePublishedFormula) {
  const RandmanOptions cases[] = {
      {.classes = 2, .units = 5, .samples = 200},
      {.classes = 2, .units = 3, .alpha = 1, .samples = 67},  // 1000 terms
      {.classes = 3, .units = 2, .dimensions = 3, .alpha = 1.5, .spikes = 2, .steps = 37, .samples = 65},
      {.classes = 2, .units = 3, .alpha = 3, .step_fraction = 1, .samples = 64, .seed = 99},
      {.classes = 2, .units = 3, .samples = 63, .seed = ~std::uint64_t{0}, .spectrum = Spectrum::torch},
      {.classes = 1, .units = 1, .alpha = 1e6, .samples = 3},  // one term, which is left out
  };
  for (const RandmanOptions& o : cases) {
    const at::Tensor times = Randman(o).times();
    EXPECT_EQ(times.sizes(), (std::vector<std::int64_t>{o.classes * o.samples, o.spikes, o.units}));
    EXPECT_TRUE(at::equal(times.flatten(), at::tensor(plain(o), at::kInt))) << "alpha " << o.alpha;
  }
}

TEST(Randman, DefaultsAreThePublishedSetting) {
  const Randman set;
  EXPECT_EQ(set.size(), 10000);
  EXPECT_EQ(set.classes(), 10);
  EXPECT_EQ(set.sample_shape(), (std::vector<std::int64_t>{100, 20}));
  EXPECT_TRUE(set.is_sequence());
  // Scaled over the samples of a class: each unit's first spike is in step 0, its last in the last one allowed.
  const at::Tensor by_class = set.times().reshape({1000, 10, 20});
  EXPECT_TRUE(by_class.amin(0).eq(0).all().item<bool>());
  EXPECT_TRUE(by_class.amax(0).eq(49).all().item<bool>());
  // No two classes have the same manifold.
  for (int c = 1; c < 10; ++c) EXPECT_FALSE(at::equal(by_class.select(1, 0), by_class.select(1, c)));
  const rheo::data::Split split = set.split();
  EXPECT_EQ(split.train.size(), 8000U);
  EXPECT_EQ(split.validation.size(), 1000U);
  EXPECT_EQ(split.test.size(), 1000U);
}

TEST(Randman, EveryUnitFiresAsOftenAsAsked) {
  const Randman set(
      {.classes = 4, .units = 7, .spikes = 3, .steps = 30, .step_fraction = 0.4, .samples = 50});
  std::vector<std::int64_t> all(200);
  std::iota(all.rbegin(), all.rend(), 0);
  const Batch batch = set.batch(all);
  EXPECT_EQ(batch.indices, all);
  EXPECT_EQ(batch.x.sizes(), (std::vector<std::int64_t>{30, 200, 7}));
  EXPECT_EQ(batch.x.scalar_type(), at::kFloat);
  EXPECT_TRUE(batch.x.sum(0).eq(3).all().item<bool>());
  EXPECT_TRUE(batch.x.slice(0, 12).eq(0).all().item<bool>());
  EXPECT_FALSE(batch.x.select(0, 11).eq(0).all().item<bool>());
  EXPECT_TRUE(at::equal(batch.y, at::arange(199, -1, -1, at::kLong).remainder(4)));
  at::Tensor expected = at::zeros({30, 200, 7});
  for (int spike = 0; spike < 3; ++spike) {
    const at::Tensor when = set.times().select(1, spike).flip(0).to(at::kLong).unsqueeze(0);
    expected.scatter_add_(0, when, at::ones({1, 200, 7}));
  }
  EXPECT_TRUE(at::equal(batch.x, expected));
  EXPECT_EQ(set.batch({}).x.sizes(), (std::vector<std::int64_t>{30, 0, 7}));
  for (const std::int64_t wrong : {-1, 200}) {
    EXPECT_THROW((void)set.batch(std::vector<std::int64_t>{wrong}), rheo::ValueError);
  }
}

TEST(Randman, DependsOnTheSeedAndNotOnTheThreads) {
  const RandmanOptions options{.samples = 130};
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = Randman(options).times();
  at::set_num_threads(2);
  const at::Tensor two = Randman(options).times();
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, two));
  EXPECT_FALSE(at::equal(one, Randman({.samples = 130, .seed = 1}).times()));
}

TEST(Randman, OptionsAreChecked) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::pair<RandmanOptions, std::string> cases[] = {
      {{.classes = 0}, "classes must be at least 1, got 0"},
      {{.units = -3}, "units must be at least 1, got -3"},
      {{.dimensions = 0}, "dimensions must be at least 1, got 0"},
      {{.alpha = 0}, "alpha must be above 0 and finite, got 0"},
      {{.alpha = infinity}, "alpha must be above 0 and finite, got inf"},
      {{.alpha = std::nan("")}, "alpha must be above 0 and finite, got nan"},
      {{.spikes = 0}, "spikes must be at least 1, got 0"},
      {{.steps = 0}, "steps must be 1 to 1000000000, got 0"},
      {{.step_fraction = 0}, "step_fraction must be above 0 and at most 1, got 0"},
      {{.step_fraction = 1.5}, "step_fraction must be above 0 and at most 1, got 1.5"},
      {{.samples = 0}, "samples must be at least 1, got 0"},
      {{.samples = 1'000'000'000'000}, "at most 2147483648 spikes and draws"},
      {{.dimensions = 1'000'000'000}, "at most 2147483648 spikes and draws"},
  };
  for (const auto& [options, part] : cases) {
    try {
      const Randman set(options);
      ADD_FAILURE() << "no error: " << part;
    } catch (const rheo::ValueError& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

}  // namespace
