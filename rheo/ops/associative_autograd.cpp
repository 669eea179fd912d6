// Autograd of the associative operator.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/associative_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::size_t places_of_call = 7;

struct AssociativeFunction : torch::autograd::Function<AssociativeFunction> {
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, std::int64_t places,
                               std::string_view surrogate, at::ArrayRef<double> surrogate_args, bool trace) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto all = by_place(tensors, places, places_of_call);
    for (auto& t : all) {
      if (t.defined()) t = t.contiguous();
    }
    auto [out, last, matrices] = associative_op().call(all[0], all[1], all[2], given(all[3]), given(all[4]),
                                                       all[5], all[6], surrogate, surrogate_args, trace);
    ctx->save_for_backward(all);
    ctx->set_materialize_grads(false);
    ctx->saved_data["places"] = places;
    ctx->saved_data["surrogate"] = std::string(surrogate);
    ctx->saved_data["surrogate_args"] = surrogate_args.vec();
    variable_list results{std::move(out), std::move(last)};
    if (trace) results.push_back(std::move(matrices));
    return results;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto places = ctx->saved_data["places"].toInt();
    const auto needs = any_defined(grads) ? needs_of(*ctx, places) : 0;
    if (needs == 0) return counted_gradients(Tensors(places_of_call), places, 0);
    const auto all = ctx->get_saved_variables();
    const auto surrogate_args = ctx->saved_data["surrogate_args"].toDoubleVector();
    return counted_gradients(
        associative_backward_op().call(given(grads[0]), given(grads[1]),
                                       grads.size() > 2 ? given(grads[2]) : std::nullopt, all[0], all[1],
                                       all[2], given(all[3]), given(all[4]), all[5], all[6],
                                       ctx->saved_data["surrogate"].toStringRef(), surrogate_args, needs),
        places, needs);
  }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> associative_autograd(
    const at::Tensor& v, const at::Tensor& k, const at::Tensor& a, const OptionalTensor& q,
    const OptionalTensor& state, const at::Tensor& threshold, const at::Tensor& graded,
    std::string_view surrogate, at::ArrayRef<double> surrogate_args, bool trace) {
  const Tensors all{v, k, a, or_undefined(q), or_undefined(state), threshold, graded};
  if (!recorded(all)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return associative_op().call(v, k, a, q, state, threshold, graded, surrogate, surrogate_args, trace);
  }
  const auto out =
      AssociativeFunction::apply(at::TensorList(counted(all)), filled(all), surrogate, surrogate_args, trace);
  return {out[0], out[1], trace ? out[2] : none(v)};
}

Tensors associative_backward_autograd(const OptionalTensor& grad_out, const OptionalTensor& grad_last,
                                      const OptionalTensor& grad_trace, const at::Tensor& v,
                                      const at::Tensor& k, const at::Tensor& a, const OptionalTensor& q,
                                      const OptionalTensor& state, const at::Tensor& threshold,
                                      const at::Tensor& graded, std::string_view surrogate,
                                      at::ArrayRef<double> surrogate_args, std::int64_t needs) {
  refuse_second_derivative(
      "associative", Tensors{or_undefined(grad_out), or_undefined(grad_last), or_undefined(grad_trace), v, k,
                             a, or_undefined(q), or_undefined(state), threshold, graded});
  const at::AutoDispatchBelowADInplaceOrView below;
  return associative_backward_op().call(grad_out, grad_last, grad_trace, v, k, a, q, state, threshold, graded,
                                        surrogate, surrogate_args, needs);
}

}  // namespace rheo::ops::detail
