// Population coding: each value is seen by several neurons with Gaussian tuning curves, evenly spread over a range.
//   neuron i = 1 ... n:  centre  low + (2 i - 3) / 2 * (high - low) / (n - 2),  width  (high - low) / (beta (n - 2))
//   auto a = rheo::spikegen::population(x, {.num_neurons = 8, .low = -1});          // [...] -> [..., 8], in [0, 1]
//   auto spk = rheo::spikegen::rate(a, {.num_steps = 100});                        // as probabilities
//   auto spk = rheo::spikegen::population_latency(x, 10, {.num_neurons = 8});       // or as spike times
// Bohte, Kok, La Poutre, "Error-backpropagation in temporally encoded networks of spiking neurons", Neurocomputing 48
// (2002).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct PopulationOptions {
  std::int64_t num_neurons = 8;  // n, at least 3; the outermost centres lie half a distance outside the range
  double low = 0;
  double high = 1;
  double beta = 1.5;    // how narrow the curves are: 1 to 2 is usual
  double cutoff = 0.1;  // population_latency: a weaker response makes no spike; within (0, 1)
};
/// The responses, [..., num_neurons], of data [...], float32 or float64, on the CPU. Errors: ValueError naming argument and
/// value, also for NaN; TypeError for other types.
RHEO_API at::Tensor population(const at::Tensor& data, const PopulationOptions& options = {});
/// Each neuron's only spike: a response of 1 at step 0, weaker ones the later, at round((num_steps - 1)(1 - response)).
/// [num_steps, ..., num_neurons]
RHEO_API at::Tensor population_latency(const at::Tensor& data, std::int64_t num_steps,
                                       const PopulationOptions& options = {});

}  // namespace rheo::spikegen
