#include "rheo/spikegen/rate.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "rheo/core/random.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/seed.hpp"
#include "rheo/spikegen/rate_conv.hpp"

namespace rheo::spikegen {
namespace {

using ops::refuse;

void check(const at::Tensor& data, const RateOptions& o) {
  if (!data.defined()) refuse("rate", "data must be a tensor, got an undefined one");
  if (!data.is_floating_point()) {
    refuse<TypeError>("rate", "data must have a floating-point type, got ", data.scalar_type());
  }
  if (!data.is_cpu()) refuse("rate", "data must be on the CPU, got ", data.device());
  if (o.first_spike_time < 0)
    refuse("rate", "first_spike_time must not be negative, got ", o.first_spike_time);
  if (o.num_steps < 0) refuse("rate", "num_steps must not be negative, got ", o.num_steps);
  if (o.time_var_input) {
    if (o.num_steps != 0)
      refuse("rate", "num_steps must not be given with time_var_input, got ", o.num_steps);
    if (data.dim() < 1) refuse("rate", "data must be [T, ...] with time_var_input, got []");
    return;
  }
  if (o.num_steps == 0) refuse("rate", "num_steps must be given, or time_var_input be true, got 0");
  if (o.first_spike_time > o.num_steps - 1) {
    refuse("rate", "first_spike_time must be below num_steps, ", o.num_steps, ", got ", o.first_spike_time);
  }
}

/// word < limit decides as bernoulli(word, p) does.
template <class T>
std::uint64_t limit_of(T p) {
  if (p >= T(1)) return std::uint64_t{1} << 32;
  return p > T(0) ? static_cast<std::uint64_t>(std::ceil(p * static_cast<T>(0x1p32))) : 0;
}

template <class T>
at::Tensor encode(const at::Tensor& probabilities, const RateOptions& o, std::uint64_t seed) {
  const auto columns = probabilities.numel();
  const T* p = probabilities.const_data_ptr<T>();
  std::vector<std::uint64_t> limits(static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < columns; ++i) limits[static_cast<std::size_t>(i)] = limit_of(p[i]);
  std::vector<std::int64_t> sizes{o.num_steps};
  sizes.insert(sizes.end(), probabilities.sizes().begin(), probabilities.sizes().end());
  auto spk = ops::recycled_empty(sizes, probabilities.scalar_type());
  T* out = spk.template mutable_data_ptr<T>();
  const std::uint64_t* limit = limits.data();
  const auto grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, columns));
  at::parallel_for(0, o.num_steps, grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      T* row = out + t * columns;
      if (t < o.first_spike_time) {
        std::fill(row, row + columns, T(0));
        continue;
      }
      const CounterRandom random{.seed = seed, .step = static_cast<std::uint64_t>(t)};
      std::int64_t i = 0;
      for (; i + 4 <= columns; i += 4) {
        const PhiloxBlock words = random.block(static_cast<std::uint64_t>(i / 4));
        for (int w = 0; w < 4; ++w) row[i + w] = words.word[w] < limit[i + w] ? T(1) : T(0);
      }
      for (; i < columns; ++i) row[i] = random.word(static_cast<std::uint64_t>(i)) < limit[i] ? T(1) : T(0);
    }
  });
  return spk;
}

}  // namespace

at::Tensor rate(const at::Tensor& data, const RateOptions& o) {
  check(data, o);
  const auto x = data.detach();
  if (o.time_var_input) {
    const auto spk = rate_conv(x, o.seed);
    if (o.first_spike_time == 0) return spk;
    auto sizes = x.sizes().vec();
    sizes[0] = o.first_spike_time;
    return at::cat({at::zeros(sizes, spk.options()), spk});
  }
  const bool narrow = x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble;
  auto p = narrow ? x.to(at::kFloat) : x;
  if (o.gain != 1 || o.offset != 0) p = p * o.gain + o.offset;
  p = p.contiguous();
  if (p.isnan().any().item<bool>())
    refuse("rate", "data must be probabilities after gain and offset, got NaN");
  const auto seed = o.seed ? *o.seed : ops::draw_seed();
  const auto spk = p.scalar_type() == at::kDouble ? encode<double>(p, o, seed) : encode<float>(p, o, seed);
  return narrow ? spk.to(x.scalar_type()) : spk;
}

}  // namespace rheo::spikegen
