// Autograd of the rectified operator.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/rectified_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RectifiedFunction : torch::autograd::Function<RectifiedFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList tensors, std::int64_t places) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto all = by_place(tensors, places, 3);
    auto h = rectified_op().call(all[0], all[1], given(all[2]));
    ctx->save_for_backward({h, all[1], all[2]});
    ctx->saved_data["places"] = places;
    return h;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto places = ctx->saved_data["places"].toInt();
    const auto needs = needs_of(*ctx, places);
    return counted_gradients(
        rectified_backward_op().call(grads[0], saved[0], saved[1], given(saved[2]), needs), places, needs);
  }
};

}  // namespace

at::Tensor rectified_autograd(const at::Tensor& x, const at::Tensor& weight, const OptionalTensor& first) {
  const Tensors all{x, weight, or_undefined(first)};
  if (recorded(all)) return RectifiedFunction::apply(at::TensorList(counted(all)), filled(all));
  const at::AutoDispatchBelowADInplaceOrView below;
  return rectified_op().call(x, weight, first);
}

Tensors rectified_backward_autograd(const at::Tensor& grad, const at::Tensor& h, const at::Tensor& weight,
                                    const OptionalTensor& first, std::int64_t needs) {
  refuse_second_derivative("rectified_recurrence", Tensors{grad, h, weight, or_undefined(first)});
  const at::AutoDispatchBelowADInplaceOrView below;
  return rectified_backward_op().call(grad, h, weight, first, needs);
}

}  // namespace rheo::ops::detail
