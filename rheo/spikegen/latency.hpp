// Latency coding: the larger a value, the earlier its only spike. An RC circuit charged by x reaches the threshold after
//   t = tau ln(x / (x - threshold)) steps; linear: t = tau (1 - x)
//   auto spk = rheo::spikegen::latency(image, {.num_steps = 100, .normalize = true, .linear = true});   // [T, ...]
// Times are rounded half to even. Errors are ValueErrors that name argument and value.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct LatencyOptions {
  std::int64_t num_steps = 0;  // T; with bypass it may be left out: as many as the latest spike needs
  double threshold = 0.01;     // values below take as long as this one
  double tau = 1;              // time constant in steps
  std::int64_t first_spike_time = 0;
  double on_target = 1;
  double off_target = 0;
  bool clip = false;       // no spike for values below threshold
  bool normalize = false;  // the slowest value fires at the last step
  bool linear = false;
  bool interpolate = false;  // a ramp up to each spike
  bool bypass = false;       // spikes after the last step are dropped instead of refused
  double epsilon = 1e-7;     // kept between values and threshold
};

/// data [...] in [0, 1], float32 or float64, on the CPU -> [T, ...].
RHEO_API at::Tensor latency(const at::Tensor& data, const LatencyOptions& options);
/// The times before rounding, [...], and where data is below threshold (bool). Data may lie outside [0, 1].
RHEO_API std::pair<at::Tensor, at::Tensor> latency_code(const at::Tensor& data,
                                                        const LatencyOptions& options = {});
RHEO_API at::Tensor latency_code_linear(const at::Tensor& data, const LatencyOptions& options = {});
RHEO_API at::Tensor latency_code_log(const at::Tensor& data, const LatencyOptions& options = {});

/// spike_time [...] -> [num_steps, ...]: a ramp from off_target at step 0 to on_target at the spike, off_target after it.
/// on_target may not be below off_target.
RHEO_API at::Tensor latency_interpolate(const at::Tensor& spike_time, std::int64_t num_steps,
                                        double on_target = 1, double off_target = 0);

}  // namespace rheo::spikegen
