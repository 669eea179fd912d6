#include "rheo/data/randman.hpp"

#include "rheo/core/random.hpp"
#include "rheo/data/detail/indices.hpp"
#include "rheo/data/detail/streams.hpp"
#include "rheo/data/split.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

namespace rheo::data {
namespace {

constexpr std::int64_t block = 64;  // samples worked on at a time
constexpr std::int64_t most_terms = 1000;

/// The odd terms of sin(2 pi u) for |u| <= 1/4, to 2e-16.
constexpr std::array<double, 11> sine_terms = [] {
  std::array<double, 11> terms{};
  double term = 2 * std::numbers::pi;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    terms[k] = term;
    const auto n = static_cast<double>(2 * k + 2);
    term *= -4 * std::numbers::pi * std::numbers::pi / (n * (n + 1));
  }
  return terms;
}();

/// sin(2 pi t) by + and * alone, which lanes can do and every machine does alike. |t| < 2^50.
inline double sine_of_turns(double t) {
  constexpr double whole = 0x1.8p52;  // added and taken off again: rounds to an integer
  const double half_turns = (2 * t + whole) - whole;
  const double odd = half_turns - 2 * ((0.5 * half_turns + whole) - whole);  // -1, 0 or 1
  const double u = t - 0.5 * half_turns;
  const double u2 = u * u;
  double sum = sine_terms[10];
  for (std::size_t k = 10; k-- > 0;) sum = sum * u2 + sine_terms[k];
  return (1 - 2 * odd * odd) * (u * sum);
}

struct Terms {
  std::vector<double> amplitude, frequency, phase;  // [F]: theta[0][i] s_i, theta[1][i], theta[2][i]
};

Terms draw_terms(std::uint64_t seed, std::uint64_t function, const std::vector<double>& spectrum) {
  const CounterRandom random{.seed = seed, .step = detail::randman_theta_stream};
  const std::size_t terms = spectrum.size();
  const auto row = [&](std::uint64_t j) {
    std::vector<double> theta(terms);
    for (std::size_t i = 0; i < terms; ++i)
      theta[i] = uniform_double(random.word((function * 3 + j) * terms + i));
    return theta;
  };
  Terms out{row(0), row(1), row(2)};
  out.amplitude[0] = 0;  // no constant term
  for (std::size_t i = 0; i < terms; ++i) out.amplitude[i] *= spectrum[i];
  return out;
}

/// Multiplies y by f(x). x, y: [count]
void multiply_by_function(const Terms& f, const double* x, double* y, std::int64_t count) {
  std::array<double, block> sum;
  for (std::int64_t begin = 0; begin < count; begin += block) {
    const std::int64_t n = std::min(block, count - begin);
    sum.fill(0);
    for (std::size_t i = 0; i < f.amplitude.size(); ++i) {
      const auto number = static_cast<double>(i);
      const double amplitude = f.amplitude[i];
      const double frequency = f.frequency[i];
      const double phase = f.phase[i];
#pragma omp simd
      for (std::int64_t s = 0; s < n; ++s) {
        sum[static_cast<std::size_t>(s)] +=
            amplitude * sine_of_turns(number * x[begin + s] * frequency + phase);
      }
    }
    for (std::int64_t s = 0; s < n; ++s) y[begin + s] *= sum[static_cast<std::size_t>(s)];
  }
}

std::int64_t term_count(double alpha) {
  const double terms = std::ceil(std::pow(0.001, -1 / alpha));
  return terms < static_cast<double>(most_terms) ? static_cast<std::int64_t>(terms) : most_terms;
}

void check(const RandmanOptions& o) {
  const auto wants = [](bool holds, const char* rule, const auto& value) {
    if (!holds) throw ValueError(std::string("[randman] ") + rule + ", got " + std::to_string(value));
  };
  wants(o.classes >= 1, "classes must be at least 1", o.classes);
  wants(o.units >= 1, "units must be at least 1", o.units);
  wants(o.dimensions >= 1, "dimensions must be at least 1", o.dimensions);
  wants(o.alpha > 0 && std::isfinite(o.alpha), "alpha must be above 0 and finite", o.alpha);
  wants(o.spikes >= 1, "spikes must be at least 1", o.spikes);
  wants(o.steps >= 1 && o.steps <= 1'000'000'000, "steps must be 1 to 1000000000", o.steps);
  wants(o.step_fraction > 0 && o.step_fraction <= 1, "step_fraction must be above 0 and at most 1",
        o.step_fraction);
  wants(o.samples >= 1, "samples must be at least 1", o.samples);
  const auto product = [](auto... factors) { return (static_cast<double>(factors) * ...); };
  const double spikes = product(o.classes, o.samples, o.spikes, o.units);
  const double draws = product(o.classes, o.samples, o.dimensions) +
                       product(o.classes, o.spikes, o.units, o.dimensions, 3, term_count(o.alpha));
  wants(std::max(spikes, draws) <= 0x1p31, "the set must have at most 2147483648 spikes and draws",
        std::max(spikes, draws));
}

}  // namespace

Randman::Randman(const RandmanOptions& options) : options_(options) {
  check(options_);
  const RandmanOptions& o = options_;
  std::vector<double> spectrum(static_cast<std::size_t>(term_count(o.alpha)));
  for (std::size_t i = 0; i < spectrum.size(); ++i) {
    const double n = static_cast<double>(i + 1);
    spectrum[i] = o.spectrum == Spectrum::numpy ? std::pow(n, -o.alpha) : 1 / (std::pow(n, o.alpha) + 1);
  }
  const CounterRandom random{.seed = o.seed, .step = detail::randman_x_stream};
  times_ = at::empty({size(), o.spikes, o.units}, at::kInt);
  auto* times = times_.mutable_data_ptr<std::int32_t>();

  // A task is the spikes of one unit in all samples of a class.
  at::parallel_for(0, o.classes * o.spikes * o.units, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> x(static_cast<std::size_t>(o.samples));
    std::vector<double> y(x.size());
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t unit = task % o.units;
      const std::int64_t spike = task / o.units % o.spikes;
      const std::int64_t label = task / o.units / o.spikes;
      std::fill(y.begin(), y.end(), 1.0);
      for (std::int64_t d = 0; d < o.dimensions; ++d) {
        for (std::int64_t s = 0; s < o.samples; ++s) {
          const auto number = static_cast<std::uint64_t>((label * o.samples + s) * o.dimensions + d);
          x[static_cast<std::size_t>(s)] = uniform_double(random.word(number));
        }
        const Terms f = draw_terms(o.seed, static_cast<std::uint64_t>(task * o.dimensions + d), spectrum);
        multiply_by_function(f, x.data(), y.data(), o.samples);
      }
      const auto [low, high] = std::minmax_element(y.begin(), y.end());
      const double first = *low;
      const double range = *high - first + 1e-7;
      for (std::int64_t s = 0; s < o.samples; ++s) {
        const double place = (y[static_cast<std::size_t>(s)] - first) / range;
        const double step = std::floor(static_cast<double>(o.steps) * o.step_fraction * place);
        times[((s * o.classes + label) * o.spikes + spike) * o.units + unit] =
            static_cast<std::int32_t>(step);
      }
    }
  });
}

Batch Randman::batch(std::span<const std::int64_t> indices) const {
  detail::check_indices("randman", indices, size());
  const auto count = static_cast<std::int64_t>(indices.size());
  Batch out{ops::recycled_empty({options_.steps, count, options_.units}, at::kFloat),
            at::empty({count}, at::kLong),
            {indices.begin(), indices.end()}};
  auto* x = out.x.mutable_data_ptr<float>();
  auto* y = out.y.mutable_data_ptr<std::int64_t>();
  if (count > 0) std::memset(x, 0, out.x.nbytes());
  const auto* times = times_.const_data_ptr<std::int32_t>();
  const std::int64_t sample_spikes = options_.spikes * options_.units;
  for (std::int64_t b = 0; b < count; ++b) {
    const std::int64_t index = indices[static_cast<std::size_t>(b)];
    y[b] = index % options_.classes;
    for (std::int64_t i = 0; i < sample_spikes; ++i) {
      const std::int64_t step = times[index * sample_spikes + i];
      x[(step * count + b) * options_.units + i % options_.units] += 1;
    }
  }
  return out;
}

Split Randman::split() const { return random_split(size(), {0.8, 0.1, 0.1}, options_.seed); }

}  // namespace rheo::data
