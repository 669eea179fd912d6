// Rate coding: each value is the probability of a spike.
//   S ~ Bernoulli(clamp(x, 0, 1)), one draw per element, the shape and the type of x
//   auto spk = rheo::spikegen::rate_conv(torch::full({200, 1}, 0.4), 7);  // [T, N], always the same spikes
//   auto spk = rheo::spikegen::rate_conv(image);                          // governed by torch::manual_seed
#pragma once

#include "rheo/core/export.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace rheo::spikegen {

/// Spikes (0 or 1) with probability x, clamped to [0, 1].
/// x: any shape, empty too; float, double, half or bfloat16, on the CPU.
/// Without a seed, one is drawn from libtorch's default generator. The spikes depend on seed, position and
/// probability only: not on the number of threads, the memory layout, or float against double.
/// They carry no gradient. Safe to call from several threads.
/// Errors: TypeError for integer or complex x, ValueError for NaN, an undefined tensor or another device.
[[nodiscard]] RHEO_API at::Tensor rate_conv(const at::Tensor& x, std::optional<std::uint64_t> seed = {});

}  // namespace rheo::spikegen
