// A spike with its surrogate gradient as operators, for Python: `rheobase::spike` and `rheobase::spike_backward`.
//   spike(u, surrogate, args, slope, step) -> H(u), in the type of u
// slope: one value, where it is learned, instead of that in args. step: for the noise of a stochastic surrogate.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gt.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "rheo/ops/detail/expr.hpp"
#include "rheo/ops/for_python.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Slope = std::optional<at::Tensor>;
using SpikeSignature = at::Tensor(const at::Tensor& u, std::string_view surrogate, at::ArrayRef<double> args,
                                  const Slope& slope, std::int64_t step);
using BackwardSignature = std::tuple<at::Tensor, at::Tensor>(const at::Tensor& grad, const at::Tensor& u,
                                                             std::string_view surrogate,
                                                             at::ArrayRef<double> args, const Slope& slope,
                                                             std::int64_t step);

SurrogateCall call_of(std::string_view name, at::ArrayRef<double> args, const Slope& slope) {
  auto call = surrogate_call(name, args);
  if (slope.has_value() && slope->defined()) {
    const int at = surrogate_slope(call.kind);
    if (at < 0) refuse("spike", "surrogate must have a slope to learn, got '", name, "'");
    if (slope->numel() != 1) refuse("spike", "slope must be one value, got ", slope->sizes());
    call.args[at] = slope->item<double>();
  }
  return call;
}

void check(const at::Tensor& u) {
  if (!u.is_floating_point())
    refuse<TypeError>("spike", "u must be a floating-point tensor, got ", u.scalar_type());
}

at::Tensor forward_op(const at::Tensor& u, std::string_view surrogate, at::ArrayRef<double> args,
                      const Slope& slope, std::int64_t step) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("rheobase::spike", "").typed<SpikeSignature>();
  return op.call(u, surrogate, args, slope, step);
}

std::tuple<at::Tensor, at::Tensor> backward_op(const at::Tensor& grad, const at::Tensor& u,
                                               std::string_view surrogate, at::ArrayRef<double> args,
                                               const Slope& slope, std::int64_t step) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("rheobase::spike_backward", "")
                             .typed<BackwardSignature>();
  return op.call(grad, u, surrogate, args, slope, step);
}

at::Tensor spike_any(const at::Tensor& u, std::string_view surrogate, at::ArrayRef<double> args,
                     const Slope& slope, std::int64_t) {
  check(u);
  call_of(surrogate, args, slope);
  return at::gt(u, 0).to(u.scalar_type());
}

at::Tensor spike_meta(const at::Tensor& u, std::string_view, at::ArrayRef<double>, const Slope&,
                      std::int64_t) {
  return at::empty_like(u);
}

/// The factors as tensor operations: CPU and CUDA alike, and differentiable again.
std::tuple<at::Tensor, at::Tensor> backward_any(const at::Tensor& grad, const at::Tensor& u,
                                                std::string_view surrogate, at::ArrayRef<double> args,
                                                const Slope& slope, std::int64_t step) {
  const auto call = call_of(surrogate, args, slope);
  auto [factor, slope_factor] = spike_factors(u, call, slope.has_value() && slope->defined(), step);
  at::Tensor grad_slope = slope_factor.defined()
                              ? (grad * slope_factor).sum().to(slope->scalar_type()).reshape(slope->sizes())
                              : at::empty({0}, u.options());
  return {grad * factor, std::move(grad_slope)};
}

std::tuple<at::Tensor, at::Tensor> backward_meta(const at::Tensor&, const at::Tensor& u, std::string_view,
                                                 at::ArrayRef<double>, const Slope& slope, std::int64_t) {
  const bool learned = slope.has_value() && slope->defined();
  return {at::empty_like(u), learned ? at::empty_like(*slope) : at::empty({0}, u.options())};
}

struct SpikeOperator : torch::autograd::Function<SpikeOperator> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, std::string_view surrogate,
                            at::ArrayRef<double> args, const Slope& slope, std::int64_t step) {
    ctx->save_for_backward({u, slope.value_or(at::Tensor())});
    ctx->saved_data["surrogate"] = std::string(surrogate);
    ctx->saved_data["args"] = args.vec();
    ctx->saved_data["step"] = step;
    const at::AutoDispatchBelowADInplaceOrView below;
    return forward_op(u, surrogate, args, slope, step);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto slope = saved[1].defined() ? Slope(saved[1]) : Slope();
    const auto surrogate = ctx->saved_data["surrogate"].toStringRef();
    auto [grad, grad_slope] =
        backward_op(grads[0], saved[0], surrogate, ctx->saved_data["args"].toDoubleVector(), slope,
                    ctx->saved_data["step"].toInt());
    return {grad, {}, {}, slope.has_value() ? grad_slope : at::Tensor(), {}};
  }
};

at::Tensor spike_autograd(const at::Tensor& u, std::string_view surrogate, at::ArrayRef<double> args,
                          const Slope& slope, std::int64_t step) {
  const bool wanted = u.requires_grad() || (slope.has_value() && slope->requires_grad());
  if (at::GradMode::is_enabled() && wanted) return SpikeOperator::apply(u, surrogate, args, slope, step);
  const at::AutoDispatchBelowADInplaceOrView below;
  return forward_op(u, surrogate, args, slope, step);
}

std::tuple<at::Tensor, at::Tensor> backward_autograd(const at::Tensor& grad, const at::Tensor& u,
                                                     std::string_view surrogate, at::ArrayRef<double> args,
                                                     const Slope& slope, std::int64_t step) {
  if (at::GradMode::is_enabled() && (grad.requires_grad() || u.requires_grad()))
    return backward_any(grad, u, surrogate, args, slope, step);
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_op(grad, u, surrogate, args, slope, step);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  const auto pt2 = std::vector<at::Tag>{at::Tag::pt2_compliant_tag};
  m.def("spike(Tensor u, str surrogate, float[] args, Tensor? slope=None, int step=0) -> Tensor", pt2);
  m.def(
      "spike_backward(Tensor grad, Tensor u, str surrogate, float[] args, Tensor? slope, int step) "
      "-> (Tensor, Tensor)",
      pt2);
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("spike", TORCH_FN(for_python<spike_any>));
  m.impl("spike_backward", TORCH_FN(for_python<backward_any>));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("spike", TORCH_FN(spike_meta));
  m.impl("spike_backward", TORCH_FN(backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("spike", TORCH_FN(spike_autograd));
  m.impl("spike_backward", TORCH_FN(for_python<backward_autograd>));
}

}  // namespace rheo::ops
