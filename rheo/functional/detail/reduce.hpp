// The end of a loss: weights by sample, then the reduction.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>

#include "rheo/functional/loss.hpp"

namespace rheo::functional::detail {

/// loss [..., B, C] times weight[targets] along the batch; weight undefined: as it is.
inline at::Tensor weighted(const at::Tensor& loss, const at::Tensor& weight, const at::Tensor& targets) {
  if (!weight.defined()) return loss;
  return loss * weight.detach().to(loss.options()).index_select(0, targets).unsqueeze(-1);
}

inline at::Tensor reduced(const at::Tensor& loss, Reduction reduction) {
  if (reduction == Reduction::none) return loss;
  return reduction == Reduction::sum ? loss.sum() : loss.mean();
}

}  // namespace rheo::functional::detail
