// Registration, checks and the CPU implementation of the rectified operator; autograd is in rectified_autograd.cpp.
#include "rheo/ops/rectified.hpp"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/library.h>

#include "rheo/ops/detail/rectified_schema.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::ops {
namespace {

using detail::OptionalTensor;
using detail::Tensors;

constexpr const char* name = "rectified_recurrence";

void check(const at::Tensor& x, const at::Tensor& weight, const OptionalTensor& first) {
  if (x.dim() < 2) refuse(name, "x must have shape [T, ..., N], got ", x.sizes());
  const auto units = x.size(-1);
  if (weight.dim() != 2 || weight.size(0) != units || weight.size(1) != units) {
    refuse(name, "weight must have shape [", units, ", ", units, "], got ", weight.sizes());
  }
  if (weight.scalar_type() != x.scalar_type()) {
    refuse(name, "weight must be ", x.scalar_type(), " as x is, got ", weight.scalar_type());
  }
  if (!first.has_value()) return;
  const auto row = x.sizes().slice(1);
  if (first->sizes() != row)
    refuse(name, "first must have the shape of one step of x, ", row, ", got ", first->sizes());
  if (first->scalar_type() != x.scalar_type()) {
    refuse(name, "first must be ", x.scalar_type(), " as x is, got ", first->scalar_type());
  }
}

/// The batch as one dimension: [T, B, N].
at::Tensor rows_of(const at::Tensor& x) {
  return x.reshape({x.size(0),
                    c10::multiply_integers(x.sizes().slice(1, static_cast<std::size_t>(x.dim()) - 2)),
                    x.size(-1)});
}
/// [B, N]
at::Tensor first_of(const OptionalTensor& first, const at::Tensor& rows) {
  const std::vector<std::int64_t> sizes{rows.size(1), rows.size(2)};
  return first.has_value() ? first->reshape(sizes) : at::zeros(sizes, rows.options());
}

at::Tensor rectified_cpu(const at::Tensor& x, const at::Tensor& weight, const OptionalTensor& first) {
  const detail::NoAutocast no_autocast;
  check(x, weight, first);
  auto out = recycled_empty(x.sizes(), x.scalar_type());
  const auto from = rows_of(x), h = rows_of(out), start = first_of(first, from);
  const auto across = weight.t();
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    auto now = h[t];
    at::addmm_out(now, from[t], t == 0 ? start : h[t - 1], across);
    now.relu_();
  }
  return out;
}

Tensors rectified_backward_cpu(const at::Tensor& grad, const at::Tensor& result, const at::Tensor& weight,
                               const OptionalTensor& first, std::int64_t needs) {
  const detail::NoAutocast no_autocast;
  check(result, weight, first);
  const auto h = rows_of(result), incoming = rows_of(grad), start = first_of(first, h);
  const auto steps = h.size(0), units = h.size(2);
  auto grad_x = recycled_empty(result.sizes(), result.scalar_type());
  const auto to = rows_of(grad_x);
  auto carry = at::zeros(start.sizes(), start.options());
  for (std::int64_t t = steps; t-- > 0;) {
    auto g = to[t];
    g.copy_(carry);
    g.add_(incoming[t]).mul_(at::gt(h[t], 0));
    at::mm_out(carry, g, weight);
  }
  Tensors out{detail::none(h), detail::none(h), detail::none(h)};
  if (detail::needed(needs, 1)) {
    out[1] = at::zeros(weight.sizes(), weight.options());
    if (steps > 0) out[1].addmm_(to[0].t(), start);
    if (steps > 1) {
      out[1].addmm_(to.narrow(0, 1, steps - 1).reshape({-1, units}).t(),
                    h.narrow(0, 0, steps - 1).reshape({-1, units}));
    }
  }
  if (detail::needed(needs, 0)) out[0] = std::move(grad_x);
  if (first.has_value() && detail::needed(needs, 2)) out[2] = carry.view(first->sizes());
  return out;
}

at::Tensor rectified_meta(const at::Tensor& x, const at::Tensor&, const OptionalTensor&) {
  return at::empty_symint(x.sym_sizes(), x.options());
}
Tensors rectified_backward_meta(const at::Tensor&, const at::Tensor& h, const at::Tensor& weight,
                                const OptionalTensor& first, std::int64_t needs) {
  return detail::gradient_shapes(Tensors{h, weight, detail::or_undefined(first)}, needs);
}

}  // namespace

at::Tensor rectified_recurrence(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& first) {
  return detail::rectified_op().call(x, weight, detail::given(first));
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def("rectified_recurrence(Tensor x, Tensor weight, Tensor? first) -> Tensor",
        {at::Tag::pt2_compliant_tag});
  m.def(
      "rectified_recurrence_backward(Tensor grad, Tensor h, Tensor weight, Tensor? first, int needs) -> "
      "Tensor[]",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("rectified_recurrence", TORCH_FN(rectified_cpu));
  m.impl("rectified_recurrence_backward", TORCH_FN(rectified_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("rectified_recurrence", TORCH_FN(rectified_meta));
  m.impl("rectified_recurrence_backward", TORCH_FN(rectified_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("rectified_recurrence", TORCH_FN(detail::rectified_autograd));
  m.impl("rectified_recurrence_backward", TORCH_FN(detail::rectified_backward_autograd));
}

}  // namespace rheo::ops
