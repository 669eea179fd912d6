#include <ATen/ops/empty.h>
#include <ATen/ops/gt.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "rheo/ops/detail/expr.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Noise for every element of u.
struct TensorNoise {
  const double* args;
  std::int64_t step;
  Expr operator()(const Expr& u) const {
    auto noise = at::empty(u.t.sizes(), at::TensorOptions().dtype(at::kDouble));
    fill_noise(noise.mutable_data_ptr<double>(), noise.numel(), args, step, 0);
    return {noise.to(u.t.options())};
  }
};

struct SpikeFunction : torch::autograd::Function<SpikeFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, std::int64_t kind,
                            std::vector<double> args, const SpikeGradient* custom,
                            const std::optional<at::Tensor>& slope, std::int64_t step) {
    const auto spk = at::gt(u, 0).to(u.scalar_type());
    // A copy of the functor lives as long as the graph.
    std::int64_t held = 0;
    if (custom != nullptr && *custom) {
      auto keep = c10::make_intrusive<Held>();
      keep->gradient = *custom;
      ctx->saved_data["custom"] = c10::IValue::make_capsule(std::move(keep));
      held = 1;
      ctx->save_for_backward({u, spk});
    } else {
      ctx->save_for_backward({u, slope.value_or(at::Tensor())});
    }
    ctx->saved_data["step"] = step;
    ctx->saved_data["held"] = held;
    ctx->saved_data["kind"] = kind;
    ctx->saved_data["args"] = std::move(args);
    return spk;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    at::Tensor grad, grad_slope;
    if (ctx->saved_data["held"].toInt() != 0) {
      const auto keep = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["custom"].toCapsule());
      grad = keep->gradient(saved[0], grads[0], saved[1]);
    } else {
      auto args = ctx->saved_data["args"].toDoubleVector();
      const auto kind = static_cast<SurrogateKind>(ctx->saved_data["kind"].toInt());
      const Expr u{saved[0]};
      const auto& slope = saved[1];
      if (slope.defined()) args[static_cast<std::size_t>(surrogate_slope(kind))] = slope.item<double>();
      const TensorNoise noise{args.data(), ctx->saved_data["step"].toInt()};
      grad = grads[0] * surrogate_factor(kind, u, args.data(), noise).t;
      if (slope.defined() && slope.requires_grad()) {
        grad_slope =
            (grads[0] * surrogate_slope_factor(kind, u, args.data()).t).sum().to(slope.scalar_type());
        grad_slope = grad_slope.reshape(slope.sizes());
      }
    }
    return {grad, {}, {}, {}, grad_slope, {}};
  }

 private:
  struct Held : torch::CustomClassHolder {
    SpikeGradient gradient;
  };
};

}  // namespace

at::Tensor spike(const at::Tensor& u, const SurrogateCall& surrogate, const SpikeGradient& custom,
                 const at::Tensor& slope, std::int64_t step) {
  return SpikeFunction::apply(u, static_cast<std::int64_t>(surrogate.kind),
                              std::vector<double>(std::begin(surrogate.args), std::end(surrogate.args)),
                              &custom, slope.defined() ? std::optional(slope) : std::nullopt, step);
}

}  // namespace rheo::ops
