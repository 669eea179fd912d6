#include <ATen/ops/empty.h>
#include <ATen/ops/gt.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "rheo/ops/detail/expr.hpp"
#include "rheo/ops/neuron_entry.hpp"
#include "rheo/ops/spike.hpp"

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

struct SurrogateSpike : torch::autograd::Function<SurrogateSpike> {
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
      const auto args = ctx->saved_data["args"].toDoubleVector();
      SurrogateCall call{static_cast<SurrogateKind>(ctx->saved_data["kind"].toInt()), {}};
      std::copy(args.begin(), args.end(), call.args);
      const auto& slope = saved[1];
      if (slope.defined()) call.args[surrogate_slope(call.kind)] = slope.item<double>();
      const auto [factor, slope_factor] = spike_factors(
          saved[0], call, slope.defined() && slope.requires_grad(), ctx->saved_data["step"].toInt());
      grad = grads[0] * factor;
      if (slope_factor.defined())
        grad_slope = (grads[0] * slope_factor).sum().to(slope.scalar_type()).reshape(slope.sizes());
    }
    return {grad, {}, {}, {}, grad_slope, {}};
  }

 private:
  struct Held : torch::CustomClassHolder {
    SpikeGradient gradient;
  };
};

thread_local const SpikeFunction* spike_function = nullptr;

}  // namespace

SpikeFunctionGuard::SpikeFunctionGuard(SpikeFunction function)
    : function_(std::move(function)), before_(spike_function) {
  spike_function = &function_;
}
SpikeFunctionGuard::~SpikeFunctionGuard() { spike_function = before_; }

std::pair<at::Tensor, at::Tensor> spike_factors(const at::Tensor& u, const SurrogateCall& surrogate,
                                                bool slope, std::int64_t step) {
  const Expr at{u};
  const auto factor = surrogate_factor(surrogate.kind, at, surrogate.args, TensorNoise{surrogate.args, step});
  return {factor.t, slope ? surrogate_slope_factor(surrogate.kind, at, surrogate.args).t : at::Tensor()};
}

at::Tensor spike(const at::Tensor& u, const SurrogateCall& surrogate, const SpikeGradient& custom,
                 const at::Tensor& slope, std::int64_t step) {
  if (spike_function != nullptr) return (*spike_function)(u);
  return SurrogateSpike::apply(u, static_cast<std::int64_t>(surrogate.kind),
                               std::vector<double>(std::begin(surrogate.args), std::end(surrogate.args)),
                               &custom, slope.defined() ? std::optional(slope) : std::nullopt, step);
}

}  // namespace rheo::ops
