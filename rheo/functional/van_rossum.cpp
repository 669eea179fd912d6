#include "rheo/functional/van_rossum.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <tuple>

#include "rheo/functional/detail/reduce.hpp"
#include "rheo/kernels/van_rossum.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
kernels::VanRossumCall<T> call_of(const at::Tensor& trace, double tau) {
  kernels::VanRossumCall<T> call;
  call.steps = trace.size(0);
  call.batch = trace.size(1);
  call.width = c10::multiply_integers(trace.sizes().slice(2));
  call.decay = static_cast<T>(std::exp(-1 / tau));
  call.scale = static_cast<T>(1 / tau);
  call.trace = trace.mutable_data_ptr<T>();
  return call;
}

/// Samples a thread takes at a time.
std::int64_t grain(const at::Tensor& trace) {
  return std::max<std::int64_t>(1, 65536 * trace.size(1) / std::max<std::int64_t>(1, trace.numel()));
}

void check(const at::Tensor& spk, const at::Tensor& wanted, double tau) {
  constexpr auto name = "van_rossum_distance";
  if (!spk.defined() || spk.dim() < 2 || spk.size(0) < 1 || spk.size(1) < 1) {
    ops::refuse(name, "spk must be [T, B, ...] with T and B > 0, got ",
                spk.defined() ? spk.sizes() : at::IntArrayRef());
  }
  if (spk.scalar_type() != at::kFloat && spk.scalar_type() != at::kDouble) {
    ops::refuse<TypeError>(name, "spk must be float32 or float64, got ", spk.scalar_type());
  }
  if (!wanted.defined() || wanted.sizes() != spk.sizes()) {
    ops::refuse(name, "wanted must have the shape of spk, ", spk.sizes(), ", got ",
                wanted.defined() ? wanted.sizes() : at::IntArrayRef());
  }
  if (wanted.scalar_type() != spk.scalar_type()) {
    ops::refuse<TypeError>(name, "wanted must be ", spk.scalar_type(), " as spk is, got ",
                           wanted.scalar_type());
  }
  if (!spk.is_cpu() || !wanted.is_cpu()) {
    ops::refuse(name, "spk and wanted must be on the CPU, got ", spk.device(), " and ", wanted.device());
  }
  if (!(tau > 0) || !std::isfinite(tau)) ops::refuse(name, "tau must be above 0, got ", tau);
}

// ---- the operator: distance [B], and the trace [T, B, ...] that its backward reads -------------------------------

using Outputs = std::tuple<at::Tensor, at::Tensor>;
using Signature = Outputs(const at::Tensor&, const at::Tensor&, double);
using BackwardSignature = at::Tensor(const at::Tensor&, const at::Tensor&, double);

Outputs distance_cpu(const at::Tensor& spk, const at::Tensor& wanted, double tau) {
  check(spk, wanted, tau);
  const auto a = spk.contiguous(), b = wanted.contiguous();
  const auto trace = ops::recycled_empty(a.sizes(), a.scalar_type());
  const auto distance = at::empty({a.size(1)}, a.options());
  ops::by_type(a, [&]<class T>(T) {
    auto call = call_of<T>(trace, tau);
    call.a = a.const_data_ptr<T>();
    call.b = b.const_data_ptr<T>();
    call.distance = distance.mutable_data_ptr<T>();
    at::parallel_for(0, a.size(1), grain(trace), [&](std::int64_t begin, std::int64_t end) {
      kernels::van_rossum_forward(call, begin, end);
    });
  });
  return {distance, trace};
}

/// The gradient of spk.
at::Tensor backward_cpu(const at::Tensor& grad_distance, const at::Tensor& given, double tau) {
  constexpr auto name = "van_rossum_distance_backward";
  if (given.dim() < 2 || grad_distance.dim() != 1 || grad_distance.size(0) != given.size(1) ||
      grad_distance.scalar_type() != given.scalar_type()) {
    ops::refuse(name, "grad_distance must be [B] for a trace [T, B, ...] of its type, got ",
                grad_distance.sizes(), " and ", given.sizes());
  }
  const auto trace = given.contiguous();
  const auto grad = ops::recycled_empty(trace.sizes(), trace.scalar_type());
  const auto g = grad_distance.stride(0) == 0 ? grad_distance : grad_distance.contiguous();
  ops::by_type(trace, [&]<class T>(T) {
    auto call = call_of<T>(trace, tau);
    call.grad_distance = g.const_data_ptr<T>();
    call.grad_distance_stride = g.stride(0);
    call.grad = grad.mutable_data_ptr<T>();
    at::parallel_for(0, trace.size(1), grain(trace), [&](std::int64_t begin, std::int64_t end) {
      kernels::van_rossum_backward(call, begin, end);
    });
  });
  return grad;
}

Outputs distance_meta(const at::Tensor& spk, const at::Tensor&, double) {
  return {at::empty_symint({spk.sym_size(1)}, spk.options()),
          at::empty_symint(spk.sym_sizes(), spk.options())};
}

at::Tensor backward_meta(const at::Tensor&, const at::Tensor& trace, double) {
  return at::empty_symint(trace.sym_sizes(), trace.options());
}

Outputs distance_op(const at::Tensor& spk, const at::Tensor& wanted, double tau) {
  static const auto op = ops::find_op<Signature>("rheobase::van_rossum_distance");
  return op.call(spk, wanted, tau);
}

at::Tensor backward_op(const at::Tensor& grad_distance, const at::Tensor& trace, double tau) {
  static const auto op = ops::find_op<BackwardSignature>("rheobase::van_rossum_distance_backward");
  return op.call(grad_distance, trace, tau);
}

struct VanRossumFunction : torch::autograd::Function<VanRossumFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& a, const at::Tensor& b, double tau) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [distance, trace] = distance_op(a, b, tau);
    ctx->mark_non_differentiable({trace});
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({trace});
    ctx->saved_data["tau"] = tau;
    return {distance, trace};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    if (!grads[0].defined()) return {{}, {}, {}};
    // The trace does not say that it depends on spk: where autograd records, a second derivative would be wrong.
    if (at::GradMode::is_enabled()) ops::refuse_second_derivative("van_rossum_distance");
    const auto grad = backward_op(grads[0], ctx->get_saved_variables()[0], ctx->saved_data["tau"].toDouble());
    return {ctx->needs_input_grad(0) ? grad : at::Tensor(),
            ctx->needs_input_grad(1) ? grad.neg() : at::Tensor(),
            {}};
  }
};

Outputs distance_autograd(const at::Tensor& spk, const at::Tensor& wanted, double tau) {
  if (at::GradMode::is_enabled() && (spk.requires_grad() || wanted.requires_grad())) {
    auto out = VanRossumFunction::apply(spk, wanted, tau);
    return {std::move(out[0]), std::move(out[1])};
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return distance_op(spk, wanted, tau);
}

at::Tensor backward_autograd(const at::Tensor& grad_distance, const at::Tensor& trace, double tau) {
  ops::refuse_second_derivative("van_rossum_distance", grad_distance, trace);
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_op(grad_distance, trace, tau);
}

}  // namespace

at::Tensor van_rossum_distance(const at::Tensor& spk, const at::Tensor& wanted,
                               const VanRossumOptions& options) {
  check(spk, wanted, options.tau);
  return detail::reduced(std::get<0>(distance_op(spk, wanted, options.tau)), options.reduction);
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define<distance_cpu, distance_meta, distance_autograd>(
      m, "van_rossum_distance(Tensor spk, Tensor wanted, float tau) -> (Tensor distance, Tensor trace)");
  ops::define<backward_cpu, backward_meta, backward_autograd>(
      m, "van_rossum_distance_backward(Tensor grad_distance, Tensor trace, float tau) -> Tensor");
}

}  // namespace rheo::functional
