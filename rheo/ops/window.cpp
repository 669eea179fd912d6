#include "rheo/ops/window.hpp"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "rheo/kernels/window.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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

struct WindowFunction : torch::autograd::Function<WindowFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& decay,
                            const std::optional<at::Tensor>& past, std::int64_t window) {
    const auto xc = x.contiguous();
    const auto pc = past.has_value() ? past->contiguous() : at::Tensor();
    const auto powers = powers_of(decay, window);
    auto out = recycled_empty(x.sizes(), x.scalar_type());
    if (x.numel() > 0) {
      AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "leaky_window", [&] {
        auto call = call_of<scalar_t>(xc, pc, powers);
        call.out = out.mutable_data_ptr<scalar_t>();
        over_columns(call, kernels::window_kernels(kernels::chosen_isa()).loops<scalar_t>().forward);
      });
    }
    ctx->save_for_backward({xc, pc, decay});
    ctx->saved_data["window"] = window;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw RuntimeError(
          "[leaky_window] the fused backward has no derivative of its own: for second derivatives set fused "
          "= "
          "false");
    }
    const auto saved = ctx->get_saved_variables();
    const auto& x = saved[0];
    const auto& past = saved[1];
    const auto& decay = saved[2];
    const auto window = ctx->saved_data["window"].toInt();
    const auto powers = powers_of(decay, window);
    const auto grad = grads[0].contiguous();
    variable_list out(4);
    if (ctx->needs_input_grad(0)) out[0] = recycled_empty(x.sizes(), x.scalar_type());
    if (ctx->needs_input_grad(1)) out[1] = at::zeros(decay.sizes(), decay.options());
    if (past.defined() && ctx->needs_input_grad(2)) out[2] = at::empty(past.sizes(), past.options());
    if (x.numel() == 0) {
      if (out[2].defined()) out[2].zero_();
      return out;
    }
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "leaky_window", [&] {
      auto call = call_of<scalar_t>(x, past, powers);
      const auto data = [](at::Tensor& t) {
        return t.defined() && t.numel() > 0 ? t.mutable_data_ptr<scalar_t>() : nullptr;
      };
      call.grad_out = grad.const_data_ptr<scalar_t>();
      call.grad_x = data(out[0]);
      call.grad_past = data(out[2]);
      at::Tensor rows;
      if (out[1].defined()) rows = at::empty({call.columns}, x.options());
      if (rows.defined()) call.grad_decay = data(rows);
      over_columns(call, kernels::window_kernels(kernels::chosen_isa()).loops<scalar_t>().backward);
      if (rows.defined()) {
        kernels::reduce_columns(rows.const_data_ptr<scalar_t>(), call.columns, decay.numel(),
                                out[1].mutable_data_ptr<scalar_t>());
      }
    });
    return out;
  }
};

}  // namespace

LeakyWindow leaky_window(const at::Tensor& x, const at::Tensor& decay, std::int64_t window,
                         const at::Tensor& past) {
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
  auto rows = x.sizes().vec();
  rows[0] = window - 1;
  if (past.defined() && past.sizes() != at::IntArrayRef(rows)) {
    refuse("leaky_window", "past must have shape ", at::IntArrayRef(rows), ", got ", past.sizes());
  }
  LeakyWindow out;
  out.mem = WindowFunction::apply(x, decay, past.defined() ? std::optional(past) : std::nullopt, window);
  const auto missing = window - 1 - x.size(0);
  if (missing <= 0) {
    out.past = x.narrow(0, -missing, window - 1);
  } else if (past.defined()) {
    out.past = at::cat({past.narrow(0, window - 1 - missing, missing), x});
  } else {
    rows[0] = missing;
    out.past = at::cat({at::zeros(rows, x.options()), x});
  }
  return out;
}

}  // namespace rheo::ops
