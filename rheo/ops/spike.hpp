// Surrogates by name and their factors as tensors: what the operators of a spike are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <utility>

#include "rheo/core/export.hpp"
#include "rheo/core/surrogates.hpp"

namespace rheo::ops {

/// A surrogate by name with its numbers, what is missing 0. Throws ValueError for another name, too many numbers, or a
/// stochastic one without a seed.
RHEO_API SurrogateCall surrogate_call(std::string_view name, at::ArrayRef<double> args);

/// The factor that stands for the spike's derivative at u, and, where `slope` is set, the derivative with respect to the
/// surrogate's slope (else undefined). Differentiable.
RHEO_API std::pair<at::Tensor, at::Tensor> spike_factors(const at::Tensor& u, const SurrogateCall& surrogate,
                                                         bool slope, std::int64_t step);

}  // namespace rheo::ops
