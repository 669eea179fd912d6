// What the fused and the whole-tensor LSTM share: the feedback of the last output, and shapes.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>

#include <vector>

namespace rheo::ops::detail {

inline bool is_convolution(const at::Tensor& weight) { return weight.dim() == 4; }

/// What keeps the size under an odd kernel.
inline std::vector<std::int64_t> padding(const at::Tensor& weight) {
  return {weight.size(2) / 2, weight.size(3) / 2};
}

inline at::Tensor convolve(const at::Tensor& mem, const at::Tensor& weight) {
  return at::conv2d(mem, weight, {}, at::IntArrayRef{1, 1}, padding(weight));
}

/// The shape of the states over T steps: share's, with a quarter of its channels.
inline std::vector<std::int64_t> trace_shape(const at::Tensor& share, std::int64_t steps) {
  auto shape = share.sizes().vec();
  shape[0] = steps;
  shape[2] /= 4;
  return shape;
}

}  // namespace rheo::ops::detail
