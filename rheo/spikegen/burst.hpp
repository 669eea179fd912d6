// Burst coding: the value drives an integrate-and-fire neuron whose threshold is multiplied by beta with every spike in a
// row, so that large values go in short bursts. A spike counts as much as it took to make it.
//   U += x;  g = spiked at t-1 ? beta g : 1;  spike where U >= g threshold;  U -= g threshold
//   auto spk = rheo::spikegen::burst(image, {.num_steps = 25});   // [25, ...]
// Park, Kim, Choe, Yoon, "Fast and efficient information transmission with burst spikes in deep spiking neural networks",
// DAC 2019.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct BurstOptions {
  std::int64_t num_steps = 0;  // T
  double threshold = 0.125;    // of the first spike of a burst
  double beta = 2;             // 1 or more; 1: no bursts, rate coding at even intervals
  bool weighted = false;       // a spike is g threshold instead of 1: they add up to x T less what U has left
};
/// data [...] in [0, 1], float32 or float64, on the CPU -> [num_steps, ...]. Errors: ValueError naming argument and value;
/// TypeError for other types.
RHEO_API at::Tensor burst(const at::Tensor& data, const BurstOptions& options);

}  // namespace rheo::spikegen
