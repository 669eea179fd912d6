// Spikes with given probabilities, the same for any number of threads and any instruction set.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace rheo::spikegen::detail {

/// Step t, element i spikes where bernoulli(CounterRandom{seed, t}.word(i), p[i]); the first `silent` steps have no spikes.
/// p [...], float32 or float64; sizes: those of p after a number of steps, or those of p for a single step.
/// An undefined tensor if a probability is NaN.
at::Tensor draw_spikes(const at::Tensor& p, at::IntArrayRef sizes, std::uint64_t seed,
                       std::int64_t silent = 0);

}  // namespace rheo::spikegen::detail
