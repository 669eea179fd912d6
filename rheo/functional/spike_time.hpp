// When neurons fire first, with the gradient that temporal losses need.
//   auto t = rheo::functional::spike_time(spk);      // spk [T, B, N] -> [B, N]: 0, 1, ..., T - 1 for a silent neuron
//   auto t = rheo::functional::spike_time(spk, 3);   // the first three spikes, [3, B, N]
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::functional {

/// Steps of the first `count` spikes of every neuron; T - 1 for those that do not come. With count = 1 the result is
/// [B, N], else [count, B, N]. A spike of another value s than 1 counts as s (t + 1) - 1, as in snnTorch.
/// Gradient: minus the incoming one, at the step of the spike, or at T - 1, where the last of several counts, as in
/// snnTorch. float32 and float64 on the CPU, T > 0; others are a TypeError or ValueError. Keeps count integers per neuron.
RHEO_API at::Tensor spike_time(const at::Tensor& spk, std::int64_t count = 1);

}  // namespace rheo::functional
