// Delta modulation that can be undone: sender and receiver hold the same estimate; where the signal is a threshold or more
// away from it a spike, 1 or -1, moves it by one threshold.
//   auto spk = rheo::spikegen::delta_modulation(signal, {.threshold = 0.05, .start = signal[0]});   // [T, ...]
//   auto estimate = rheo::spikegen::delta_demodulation(spk, {.threshold = 0.05, .start = signal[0]});
// The estimate stays within a threshold of a signal that moves by at most a threshold in a step. As the pixels of an event
// camera: Lichtsteiner, Posch, Delbruck, IEEE J. Solid-State Circuits 43 (2008); step-forward in Petro, Kasabov, Kiss, IEEE
// Trans. Neural Networks and Learning Systems 31 (2020).
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct DeltaModulationOptions {
  double threshold = 0.1;
  at::Tensor start{};  // [...], the first estimate, of data's type; 0 where it is left out
};
/// data [T, ...], float32 or float64, on the CPU -> spikes -1, 0, 1 of the same shape and type. Errors: ValueError naming
/// argument and value; TypeError for other types.
RHEO_API at::Tensor delta_modulation(const at::Tensor& data, const DeltaModulationOptions& options = {});
/// The estimate after every step, [T, ...]: start + threshold * (sum of the spikes so far), the encoder's own to the last
/// bit.
RHEO_API at::Tensor delta_demodulation(const at::Tensor& spk, const DeltaModulationOptions& options = {});

}  // namespace rheo::spikegen
