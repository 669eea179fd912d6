#include <ATen/ops/gt.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/expr.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct SpikeFunction : torch::autograd::Function<SpikeFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, std::int64_t kind,
                            std::vector<double> args, const SpikeGradient* custom) {
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
      ctx->save_for_backward({u});
    }
    ctx->saved_data["held"] = held;
    ctx->saved_data["kind"] = kind;
    ctx->saved_data["args"] = std::move(args);
    return spk;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    at::Tensor grad;
    if (ctx->saved_data["held"].toInt() != 0) {
      const auto keep = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["custom"].toCapsule());
      grad = keep->gradient(saved[0], grads[0], saved[1]);
    } else {
      const auto args = ctx->saved_data["args"].toDoubleVector();
      const auto kind = static_cast<SurrogateKind>(ctx->saved_data["kind"].toInt());
      grad = grads[0] * surrogate_factor(kind, Expr{saved[0]}, args.data()).t;
    }
    return {grad, {}, {}, {}};
  }

 private:
  struct Held : torch::CustomClassHolder {
    SpikeGradient gradient;
  };
};

}  // namespace

at::Tensor spike(const at::Tensor& u, const SurrogateCall& surrogate, const SpikeGradient& custom) {
  return SpikeFunction::apply(u, static_cast<std::int64_t>(surrogate.kind),
                              std::vector<double>(std::begin(surrogate.args), std::end(surrogate.args)),
                              &custom);
}

}  // namespace rheo::ops
