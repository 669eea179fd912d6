// Registration, checks and the CPU implementation of the window operator; autograd is in window_autograd.cpp.
#include "rheo/ops/window.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/library.h>

#include <algorithm>

#include "rheo/kernels/window.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/detail/window_schema.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::ops {
namespace {

using detail::OptionalTensor;
using detail::Tensors;

/// decay^k for k < K: [K] or [K, N]. In double, so that the last power is as good as the first.
at::Tensor powers_of(const at::Tensor& decay, std::int64_t window) {
  const auto base = decay.to(at::kDouble).reshape({-1}).contiguous();
  const auto n = base.numel();
  auto powers = at::empty({window, n}, base.options());
  const double* from = base.const_data_ptr<double>();
  double* to = powers.mutable_data_ptr<double>();
  for (std::int64_t k = 0; k < window; ++k) {
    for (std::int64_t i = 0; i < n; ++i) to[k * n + i] = k == 0 ? 1 : to[(k - 1) * n + i] * from[i];
  }
  return powers.to(decay.scalar_type());
}

/// Columns of a tile that share a thread, whole cache lines.
constexpr std::int64_t column_unit = 64;
constexpr std::int64_t grain_elements = 32768;

template <class T, class Loop>
void over_columns(const kernels::WindowCall<T>& call, Loop loop) {
  const auto units = (call.columns + column_unit - 1) / column_unit;
  const auto grain =
      std::max<std::int64_t>(1, grain_elements / std::max<std::int64_t>(1, call.steps * column_unit));
  at::parallel_for(0, units, grain, [&](std::int64_t first, std::int64_t last) {
    loop(call, first * column_unit, std::min(call.columns, last * column_unit),
         static_cast<T*>(thread_workspace(kernels::window_workspace * sizeof(T))));
  });
}

template <class T>
kernels::WindowCall<T> call_of(const at::Tensor& x, const at::Tensor& past, const at::Tensor& powers) {
  kernels::WindowCall<T> call;
  call.steps = x.size(0);
  call.columns = c10::multiply_integers(x.sizes().slice(1));
  call.window = powers.size(0);
  call.period = powers.size(1);
  call.per_neuron = powers.size(1) != 1;
  call.powers = powers.const_data_ptr<T>();
  call.x = x.const_data_ptr<T>();
  call.past = past.defined() ? past.const_data_ptr<T>() : nullptr;
  return call;
}

void check(const at::Tensor& x, const at::Tensor& decay, const OptionalTensor& past, std::int64_t window) {
  if (window < 1) refuse("leaky_window", "window must be at least 1, got ", window);
  if (x.dim() < 1) refuse("leaky_window", "x must have a time dimension, [T, ...], got shape ", x.sizes());
  if (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble) {
    refuse("leaky_window", "x must be float32 or float64, got ", x.scalar_type());
  }
  if (decay.scalar_type() != x.scalar_type()) {
    refuse("leaky_window", "decay must be ", x.scalar_type(), " as x is, got ", decay.scalar_type());
  }
  if (decay.numel() != 1 && (decay.dim() != 1 || x.dim() < 2 || decay.numel() != x.size(-1))) {
    refuse("leaky_window", "decay must have 1 or ", x.size(-1), " elements, got ", decay.numel());
  }
  if (!past.has_value()) return;
  auto rows = x.sizes().vec();
  rows[0] = window - 1;
  if (past->sizes() != at::IntArrayRef(rows)) {
    refuse("leaky_window", "past must have shape ", at::IntArrayRef(rows), ", got ", past->sizes());
  }
  if (past->scalar_type() != x.scalar_type()) {
    refuse("leaky_window", "past must be ", x.scalar_type(), " as x is, got ", past->scalar_type());
  }
}

at::Tensor window_cpu(const at::Tensor& x, const at::Tensor& decay, const OptionalTensor& past,
                      std::int64_t window) {
  check(x, decay, past, window);
  auto out = recycled_empty(x.sizes(), x.scalar_type());
  if (x.numel() == 0) return out;
  const auto xc = x.contiguous();
  const auto pc = past.has_value() ? past->contiguous() : at::Tensor();
  const auto powers = powers_of(decay, window);
  by_type(x, [&]<class T>(T) {
    auto call = call_of<T>(xc, pc, powers);
    call.out = out.mutable_data_ptr<T>();
    over_columns(call, kernels::window_kernels(kernels::chosen_isa()).loops<T>().forward);
  });
  return out;
}

Tensors window_backward_cpu(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& decay,
                            const OptionalTensor& past, std::int64_t window, std::int64_t needs) {
  check(x, decay, past, window);
  const bool wants_past = past.has_value() && detail::needed(needs, 2);
  Tensors out{
      detail::needed(needs, 0) ? recycled_empty(x.sizes(), x.scalar_type()) : detail::none(x),
      detail::needed(needs, 1) ? at::zeros(decay.sizes(), decay.options()) : detail::none(x),
      wants_past ? at::empty(past->sizes(), past->options()) : detail::none(x),
  };
  if (x.numel() == 0) {
    if (wants_past) out[2].zero_();
    return out;
  }
  const auto xc = x.contiguous(), gc = grad.contiguous();
  const auto pc = past.has_value() ? past->contiguous() : at::Tensor();
  const auto powers = powers_of(decay, window);
  by_type(x, [&]<class T>(T) {
    auto call = call_of<T>(xc, pc, powers);
    call.grad_out = gc.const_data_ptr<T>();
    if (detail::needed(needs, 0)) call.grad_x = out[0].mutable_data_ptr<T>();
    if (wants_past && window > 1) call.grad_past = out[2].mutable_data_ptr<T>();
    at::Tensor rows;
    if (detail::needed(needs, 1)) {
      rows = at::empty({call.columns}, x.options());
      call.grad_decay = rows.mutable_data_ptr<T>();
    }
    over_columns(call, kernels::window_kernels(kernels::chosen_isa()).loops<T>().backward);
    if (rows.defined()) {
      kernels::reduce_columns(rows.const_data_ptr<T>(), call.columns, decay.numel(),
                              out[1].mutable_data_ptr<T>());
    }
  });
  return out;
}

at::Tensor window_meta(const at::Tensor& x, const at::Tensor&, const OptionalTensor&, std::int64_t) {
  return at::empty_symint(x.sym_sizes(), x.options());
}
Tensors window_backward_meta(const at::Tensor&, const at::Tensor& x, const at::Tensor& decay,
                             const OptionalTensor& past, std::int64_t, std::int64_t needs) {
  return detail::gradient_shapes(Tensors{x, decay, detail::or_undefined(past)}, needs);
}

}  // namespace

LeakyWindow leaky_window(const at::Tensor& x, const at::Tensor& decay, std::int64_t window,
                         const at::Tensor& past) {
  LeakyWindow out;
  out.mem = detail::window_op().call(x, decay, detail::given(past), window);
  const auto missing = window - 1 - x.size(0);
  if (missing <= 0) {
    out.past = x.narrow(0, -missing, window - 1);
  } else if (past.defined()) {
    out.past = at::cat({past.narrow(0, window - 1 - missing, missing), x});
  } else {
    auto rows = x.sizes().vec();
    rows[0] = missing;
    out.past = at::cat({at::zeros(rows, x.options()), x});
  }
  return out;
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def("leaky_window(Tensor x, Tensor decay, Tensor? past, int window) -> Tensor",
        {at::Tag::pt2_compliant_tag});
  m.def(
      "leaky_window_backward(Tensor grad, Tensor x, Tensor decay, Tensor? past, int window, int needs) -> "
      "Tensor[]",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("leaky_window", TORCH_FN(window_cpu));
  m.impl("leaky_window_backward", TORCH_FN(window_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("leaky_window", TORCH_FN(window_meta));
  m.impl("leaky_window_backward", TORCH_FN(window_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("leaky_window", TORCH_FN(detail::window_autograd));
  m.impl("leaky_window_backward", TORCH_FN(detail::window_backward_autograd));
}

}  // namespace rheo::ops
