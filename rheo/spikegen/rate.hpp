// Rate coding of a value that stays: each step fires with probability gain x + offset.
//   auto spk = rheo::spikegen::rate(image, {.num_steps = 100, .seed = 7});   // [100, ...]
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct RateOptions {
  std::int64_t num_steps = 0;  // T; not with time_var_input
  double gain = 1;
  double offset = 0;
  std::int64_t first_spike_time = 0;  // silent steps before; time_var_input: that many more than data has
  bool time_var_input = false;        // data is [T, ...] already, and gain and offset are not applied
  std::optional<std::uint64_t> seed{};
};
/// Spikes (0 or 1), [num_steps, ...] in data's type: float, double, half or bfloat16, on the CPU. Without a seed one is drawn
/// from libtorch's generator. The spikes depend on seed, step, position and probability only, not on threads.
/// Errors: ValueError naming argument and value, also for NaN; TypeError for other types.
RHEO_API at::Tensor rate(const at::Tensor& data, const RateOptions& options);

}  // namespace rheo::spikegen
