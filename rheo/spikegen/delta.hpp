// Delta modulation: a spike where the input changes.
//   auto spk = rheo::spikegen::delta(signal, {.threshold = 4, .off_spike = true});   // [T, ...] -> [T, ...] of -1, 0, 1
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

struct DeltaOptions {
  double threshold = 0.1;
  bool padding = false;    // the step before the first is the first again; else it is zero
  bool off_spike = false;  // -1 where the input falls by threshold or more
};
/// 1 where data[t] - data[t-1] >= threshold. data [T, ...] of any real type, whose type the result has.
RHEO_API at::Tensor delta(const at::Tensor& data, const DeltaOptions& options = {});

}  // namespace rheo::spikegen
