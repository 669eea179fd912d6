// Signatures of the window operators.
#pragma once

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// x, decay, past -> mem.
using WindowSignature = at::Tensor(const at::Tensor& x, const at::Tensor& decay, const OptionalTensor& past,
                                   std::int64_t window);
/// -> gradients of x, decay, past.
using WindowBackwardSignature = Tensors(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& decay,
                                        const OptionalTensor& past, std::int64_t window, std::int64_t needs);

inline const auto& window_op() {
  static const auto op = find_operator<WindowSignature>("rheobase::leaky_window");
  return op;
}
inline const auto& window_backward_op() {
  static const auto op = find_operator<WindowBackwardSignature>("rheobase::leaky_window_backward");
  return op;
}
WindowSignature window_autograd;
WindowBackwardSignature window_backward_autograd;

}  // namespace rheo::ops::detail
