// Surrogates by name, their factors as tensors, and spikes by a function: what the operators of a spike are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
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

/// u -> spikes of u, with whatever gradient the function has.
using SpikeFunction = std::function<at::Tensor(const at::Tensor&)>;

/// While it lives, every spike of this thread's reference path is made by the function.
class RHEO_API SpikeFunctionGuard {
 public:
  explicit SpikeFunctionGuard(SpikeFunction function);
  ~SpikeFunctionGuard();
  SpikeFunctionGuard(const SpikeFunctionGuard&) = delete;
  SpikeFunctionGuard& operator=(const SpikeFunctionGuard&) = delete;

 private:
  SpikeFunction function_;
  const SpikeFunction* before_;
};

}  // namespace rheo::ops
