// Spikes with given probabilities, the same for any number of threads and any instruction set.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace rheo::spikegen::detail {

/// Step t, element i spikes where bernoulli(CounterRandom{seed, t}.word(i), p[i]); the first `silent` steps have no spikes.
/// p [...], float32 or float64; sizes: those of p after a number of steps, or those of p for a single step.
/// An undefined tensor if a probability is NaN.
at::Tensor draw_spikes(const at::Tensor& p, at::IntArrayRef sizes, std::uint64_t seed,
                       std::int64_t silent = 0);

/// A seed as operators take it: any 64 bits.
inline std::optional<std::uint64_t> seed_of(std::optional<std::int64_t> seed) {
  return seed ? std::optional(static_cast<std::uint64_t>(*seed)) : std::nullopt;
}

}  // namespace rheo::spikegen::detail
