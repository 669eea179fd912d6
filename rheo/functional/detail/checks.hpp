// What losses ask of their arguments. Each throws an error that begins with "[name]".
#pragma once

#include <ATen/core/Tensor.h>

namespace rheo::functional::detail {

/// rec [T, B, C] with T, C > 0, float32 or float64, on the CPU.
void check_recording(const char* name, const char* argument, const at::Tensor& rec);
/// targets [B] int64 within [0, classes).
void check_labels(const char* name, const at::Tensor& targets, std::int64_t batch, std::int64_t classes);
/// weight undefined, or [classes].
void check_weight(const char* name, const at::Tensor& weight, std::int64_t classes);
/// num_classes > 0 that divides the outputs; throws also where it is given without population_code.
void check_population(const char* name, bool population_code, std::int64_t num_classes, std::int64_t outputs);

/// [..., outputs] to [..., classes]: the sum over the outputs of each class, neighbours all.
at::Tensor pooled(const at::Tensor& rec, std::int64_t num_classes);

}  // namespace rheo::functional::detail
