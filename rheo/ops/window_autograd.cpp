// Autograd of the window operator.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/window_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct WindowFunction : torch::autograd::Function<WindowFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList tensors, std::int64_t places,
                            std::int64_t window) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto all = by_place(tensors, places, 3);
    const auto x = all[0].contiguous();
    auto out = window_op().call(x, all[1], given(all[2]), window);
    ctx->save_for_backward({x, all[1], all[2]});
    ctx->saved_data["places"] = places;
    ctx->saved_data["window"] = window;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto places = ctx->saved_data["places"].toInt();
    const auto needs = needs_of(*ctx, places);
    return counted_gradients(window_backward_op().call(grads[0], saved[0], saved[1], given(saved[2]),
                                                       ctx->saved_data["window"].toInt(), needs),
                             places, needs);
  }
};

}  // namespace

at::Tensor window_autograd(const at::Tensor& x, const at::Tensor& decay, const OptionalTensor& past,
                           std::int64_t window) {
  const Tensors all{x, decay, or_undefined(past)};
  if (recorded(all)) return WindowFunction::apply(at::TensorList(counted(all)), filled(all), window);
  const at::AutoDispatchBelowADInplaceOrView below;
  return window_op().call(x, decay, past, window);
}

Tensors window_backward_autograd(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& decay,
                                 const OptionalTensor& past, std::int64_t window, std::int64_t needs) {
  refuse_second_derivative("leaky_window", Tensors{grad, x, decay, or_undefined(past)});
  const at::AutoDispatchBelowADInplaceOrView below;
  return window_backward_op().call(grad, x, decay, past, window, needs);
}

}  // namespace rheo::ops::detail
