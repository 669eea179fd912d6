// Phase coding: a value as its binary digits, the highest first, over and over. The spike of phase k counts 2^-(1+k).
//   auto spk = rheo::spikegen::phase(image, {.num_steps = 16});   // two periods of 8 bits, [16, ...]
// Kim, Kim, Huh, Lee, Choi, "Deep neural networks with weighted spikes", Neurocomputing 311 (2018).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct PhaseOptions {
  std::int64_t num_steps = 0;  // T; it may end within a period
  std::int64_t bits = 8;       // steps of a period, 1 to 24
  bool weighted = false;  // a spike is 2^-(1+k) instead of 1: a period adds up to floor(2^bits x) / 2^bits
};
/// data [...] in [0, 1], float32 or float64, on the CPU -> [num_steps, ...]. 1 is coded as the largest value there is,
/// 1 - 2^-bits; an image's n / 255 becomes the bits of n. Errors: ValueError naming argument and value; TypeError for
/// other types.
RHEO_API at::Tensor phase(const at::Tensor& data, const PhaseOptions& options);

}  // namespace rheo::spikegen
