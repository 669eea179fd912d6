#include "rheo/ops/rectified.hpp"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RectifiedFunction : torch::autograd::Function<RectifiedFunction> {
  // x [T, B, N], weight [N, N], first [B, N]
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& first) {
    auto h = recycled_empty(x.sizes(), x.scalar_type());
    const auto across = weight.t();
    for (std::int64_t t = 0; t < x.size(0); ++t) {
      auto now = h[t];
      at::addmm_out(now, x[t], t == 0 ? first : h[t - 1], across);
      now.relu_();
    }
    ctx->save_for_backward({h, weight, first});
    return h;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw RuntimeError(
          "[rectified_recurrence] the fused backward has no derivative of its own: for second derivatives "
          "set "
          "fused = false");
    }
    const auto saved = ctx->get_saved_variables();
    const auto &h = saved[0], &weight = saved[1], &first = saved[2];
    const auto steps = h.size(0), units = h.size(2);
    auto grad_x = recycled_empty(h.sizes(), h.scalar_type());
    auto carry = at::zeros(first.sizes(), first.options());
    for (std::int64_t t = steps; t-- > 0;) {
      auto g = grad_x[t];
      g.copy_(carry);
      g.add_(grads[0][t]).mul_(at::gt(h[t], 0));
      at::mm_out(carry, g, weight);
    }
    variable_list out{grad_x, {}, carry};
    if (ctx->needs_input_grad(1)) {
      auto grad_weight = at::zeros(weight.sizes(), weight.options());
      if (steps > 0) grad_weight.addmm_(grad_x[0].t(), first);
      if (steps > 1) {
        grad_weight.addmm_(grad_x.narrow(0, 1, steps - 1).reshape({-1, units}).t(),
                           h.narrow(0, 0, steps - 1).reshape({-1, units}));
      }
      out[1] = grad_weight;
    }
    return out;
  }
};

}  // namespace

at::Tensor rectified_recurrence(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& first) {
  const auto refuse = [](const auto&... args) {
    throw ValueError(c10::str("[rectified_recurrence] ", args...));
  };
  if (x.dim() < 2) refuse("x must have shape [T, ..., N], got ", x.sizes());
  const auto units = x.size(-1);
  if (weight.dim() != 2 || weight.size(0) != units || weight.size(1) != units) {
    refuse("weight must have shape [", units, ", ", units, "], got ", weight.sizes());
  }
  const auto row = x.sizes().slice(1);
  if (first.defined() && first.sizes() != row)
    refuse("first must have the shape of one step of x, ", row, ", got ", first.sizes());
  const auto batch = c10::multiply_integers(row.slice(0, row.size() - 1));
  const auto start = first.defined() ? first.reshape({batch, units}) : at::zeros({batch, units}, x.options());
  return RectifiedFunction::apply(x.reshape({x.size(0), batch, units}).contiguous(), weight, start)
      .reshape(x.sizes());
}

}  // namespace rheo::ops
