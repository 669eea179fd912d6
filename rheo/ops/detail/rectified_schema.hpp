// Signatures of the rectified operators. Places of tensors: x, weight, first.
#pragma once

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// -> h.
using RectifiedSignature = at::Tensor(const at::Tensor& x, const at::Tensor& weight,
                                      const OptionalTensor& first);
/// h is the forward's result; -> gradients by place.
using RectifiedBackwardSignature = Tensors(const at::Tensor& grad, const at::Tensor& h,
                                           const at::Tensor& weight, const OptionalTensor& first,
                                           std::int64_t needs);

inline const auto& rectified_op() {
  static const auto op = find_operator<RectifiedSignature>("rheobase::rectified_recurrence");
  return op;
}
inline const auto& rectified_backward_op() {
  static const auto op = find_operator<RectifiedBackwardSignature>("rheobase::rectified_recurrence_backward");
  return op;
}
RectifiedSignature rectified_autograd;
RectifiedBackwardSignature rectified_backward_autograd;

}  // namespace rheo::ops::detail
