// What the fused and the whole-tensor LSTM share: products of the input and of the last output, and shapes.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>

#include <optional>
#include <vector>

#include "rheo/ops/product.hpp"

namespace rheo::ops::detail {

inline bool is_convolution(const at::Tensor& weight) { return weight.dim() == 4; }

/// What keeps the size under an odd kernel.
inline std::vector<std::int64_t> padding(const at::Tensor& weight) {
  return {weight.size(2) / 2, weight.size(3) / 2};
}

inline at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {}) {
  return at::conv2d(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, at::IntArrayRef{1, 1},
                    padding(weight));
}

/// What the input contributes to the gates, for all its steps at once: x [T, B, ...] -> [T, B, 4H] or [T, B, 4C, ...].
inline at::Tensor input_share(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!is_convolution(weight)) return linear(x, weight, bias);
  const auto share = convolve(x.flatten(0, 1), weight, bias);
  auto shape = share.sizes().vec();
  shape[0] = x.size(0);
  shape.insert(shape.begin() + 1, x.size(1));
  return share.reshape(shape);
}

/// The shape of the states over T steps: share's, with a quarter of its channels.
inline std::vector<std::int64_t> trace_shape(const at::Tensor& share, std::int64_t steps) {
  auto shape = share.sizes().vec();
  shape[0] = steps;
  shape[2] /= 4;
  return shape;
}

}  // namespace rheo::ops::detail
