#include "rheo/functional/van_rossum.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "rheo/functional/detail/reduce.hpp"
#include "rheo/kernels/van_rossum.hpp"
#include "rheo/ops/by_type.hpp"
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

struct VanRossumFunction : torch::autograd::Function<VanRossumFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& a, const at::Tensor& b, double tau) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto trace = ops::recycled_empty(a.sizes(), a.scalar_type());
    const auto distance = at::empty({a.size(1)}, a.options().requires_grad(false));
    const auto run = [&]<class T>(T) {
      auto call = call_of<T>(trace, tau);
      call.a = a.const_data_ptr<T>();
      call.b = b.const_data_ptr<T>();
      call.distance = distance.mutable_data_ptr<T>();
      at::parallel_for(0, a.size(1), grain(trace), [&](std::int64_t begin, std::int64_t end) {
        kernels::van_rossum_forward(call, begin, end);
      });
    };
    ops::by_type(a, run);
    ctx->save_for_backward({trace});
    ctx->saved_data["tau"] = tau;
    return distance;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    if (!grads[0].defined()) return {{}, {}, {}};
    if (at::GradMode::is_enabled() && grads[0].requires_grad()) {
      throw RuntimeError("[van_rossum_distance] the fused backward has no derivative of its own");
    }
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto trace = ctx->get_saved_variables()[0];
    const auto grad = ops::recycled_empty(trace.sizes(), trace.scalar_type());
    const auto g = grads[0].stride(0) == 0 ? grads[0] : grads[0].contiguous();
    const auto run = [&]<class T>(T) {
      auto call = call_of<T>(trace, ctx->saved_data["tau"].toDouble());
      call.grad_distance = g.const_data_ptr<T>();
      call.grad_distance_stride = g.stride(0);
      call.grad = grad.mutable_data_ptr<T>();
      at::parallel_for(0, trace.size(1), grain(trace), [&](std::int64_t begin, std::int64_t end) {
        kernels::van_rossum_backward(call, begin, end);
      });
    };
    ops::by_type(trace, run);
    return {ctx->needs_input_grad(0) ? grad : at::Tensor(),
            ctx->needs_input_grad(1) ? grad.neg() : at::Tensor(),
            {}};
  }
};

}  // namespace

at::Tensor van_rossum_distance(const at::Tensor& spk, const at::Tensor& wanted,
                               const VanRossumOptions& options) {
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
  if (!(options.tau > 0) || !std::isfinite(options.tau)) {
    ops::refuse(name, "tau must be above 0, got ", options.tau);
  }
  const auto distance = VanRossumFunction::apply(spk.contiguous(), wanted.contiguous(), options.tau);
  return detail::reduced(distance, options.reduction);
}

}  // namespace rheo::functional
