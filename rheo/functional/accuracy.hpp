// What a network answers, and how often it is right. spk, mem [T, B, C], targets [B].
//   auto correct = rheo::functional::accuracy_rate(out.y, targets);   // 0.97
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::functional {

/// The class with the most spikes, the lowest of equals: [B] int64.
RHEO_API at::Tensor predicted_rate(const at::Tensor& spk);
/// The class whose membrane gets highest at any step: [B] int64.
RHEO_API at::Tensor predicted_max_membrane(const at::Tensor& mem);
/// The part of the samples whose most frequent output is the target. snnTorch's accuracy_rate.
RHEO_API double accuracy_rate(const at::Tensor& spk, const at::Tensor& targets);

}  // namespace rheo::functional
