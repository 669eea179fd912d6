// Target spike trains for losses that compare with trains: the target's neuron fires often, or early, the others rarely, or
// late. targets [B] int64 in [0, num_classes); results are float32.
//   auto y = rheo::spikegen::targets_rate(labels, 10, {.num_steps = 25, .correct_rate = 0.8, .incorrect_rate = 0.1});
// Errors are ValueErrors that name argument and value.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "rheo/core/export.hpp"
#include "rheo/spikegen/latency.hpp"

namespace rheo::spikegen {

struct RateCodeOptions {
  std::int64_t first_spike_time = 0;
  double rate = 1;                         // spikes per step
  std::string firing_pattern = "regular";  // or "uniform", "poisson"
  std::optional<std::uint64_t> seed{};     // of the random patterns
  std::uint64_t stream = 0;                // trains of one seed and different streams are independent
};
/// A spike train [num_steps] and the times of its spikes, int64. Uniform trains may have a time twice.
RHEO_API std::pair<at::Tensor, at::Tensor> target_rate_code(std::int64_t num_steps,
                                                            const RateCodeOptions& options = {});

/// spike_time [n], sorted -> [num_steps]: ramps from off_target, one step after a spike, to on_target at the next.
/// on_target must be above off_target.
RHEO_API at::Tensor rate_interpolate(const at::Tensor& spike_time, std::int64_t num_steps,
                                     double on_target = 1, double off_target = 0);

struct TargetsRateOptions {
  std::int64_t num_steps = 0;
  std::int64_t first_spike_time = 0;
  double correct_rate = 1;
  double incorrect_rate = 0;
  double on_target = 1;
  double off_target = 0;
  std::string firing_pattern = "regular";
  bool interpolate = false;
  std::optional<std::uint64_t> seed{};
};
/// [num_steps, B, num_classes]; with the rates 1 and 0 and no first_spike_time [B, num_classes], the same at every step.
RHEO_API at::Tensor targets_rate(const at::Tensor& targets, std::int64_t num_classes,
                                 const TargetsRateOptions& options = {});

/// latency of the one-hot targets: the target's neuron fires at once, the others as late as values below threshold.
RHEO_API at::Tensor targets_latency(const at::Tensor& targets, std::int64_t num_classes,
                                    const LatencyOptions& options);

/// The options of both codes; each takes those it knows.
struct TargetsConvertOptions {
  std::string code = "rate";  // or "latency"
  std::int64_t num_steps = 0;
  std::int64_t first_spike_time = 0;
  double correct_rate = 1;
  double incorrect_rate = 0;
  double on_target = 1;
  double off_target = 0;
  std::string firing_pattern = "regular";
  bool interpolate = false;
  double epsilon = 1e-7;
  double threshold = 0.01;
  double tau = 1;
  bool clip = false;
  bool normalize = false;
  bool linear = false;
  bool bypass = false;
  std::optional<std::uint64_t> seed{};
};
RHEO_API at::Tensor targets_convert(const at::Tensor& targets, std::int64_t num_classes,
                                    const TargetsConvertOptions& options = {});

}  // namespace rheo::spikegen
