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
/// The class whose neuron fires first, the lowest of equals; a silent neuron's spike is at T - 1: [B] int64.
RHEO_API at::Tensor predicted_temporal(const at::Tensor& spk);

struct AccuracyOptions {
  bool population_code = false;  // num_classes groups of neighbours, whose spikes are added up
  std::int64_t num_classes = 0;
};
/// The part of the samples whose most frequent output is the target. snnTorch's accuracy_rate.
RHEO_API double accuracy_rate(const at::Tensor& spk, const at::Tensor& targets,
                              const AccuracyOptions& options = {});
/// The part of the samples whose first output to fire is the target. snnTorch's accuracy_temporal.
RHEO_API double accuracy_temporal(const at::Tensor& spk, const at::Tensor& targets);

}  // namespace rheo::functional
