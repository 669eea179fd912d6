// Signatures of the associative operators. Places of tensors: v, k, a, q, state, threshold, graded.
#pragma once

#include <tuple>

#include "rheo/ops/detail/operator.hpp"

namespace rheo::ops::detail {

/// -> out, last state, trace (or none).
using AssociativeSignature = std::tuple<at::Tensor, at::Tensor, at::Tensor>(
    const at::Tensor& v, const at::Tensor& k, const at::Tensor& a, const OptionalTensor& q,
    const OptionalTensor& state, const at::Tensor& threshold, const at::Tensor& graded,
    std::string_view surrogate, at::ArrayRef<double> surrogate_args, bool trace);
/// -> gradients by place.
using AssociativeBackwardSignature = Tensors(const OptionalTensor& grad_out, const OptionalTensor& grad_last,
                                             const OptionalTensor& grad_trace, const at::Tensor& v,
                                             const at::Tensor& k, const at::Tensor& a,
                                             const OptionalTensor& q, const OptionalTensor& state,
                                             const at::Tensor& threshold, const at::Tensor& graded,
                                             std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                                             std::int64_t needs);

inline const auto& associative_op() {
  static const auto op = find_operator<AssociativeSignature>("rheobase::associative");
  return op;
}
inline const auto& associative_backward_op() {
  static const auto op = find_operator<AssociativeBackwardSignature>("rheobase::associative_backward");
  return op;
}
AssociativeSignature associative_autograd;
AssociativeBackwardSignature associative_backward_autograd;

}  // namespace rheo::ops::detail
