// Autograd of the LSTM operator.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/lstm_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::size_t before_states = 5;  // x, weight_ih, bias, weight_hh, threshold

struct LstmFunction : torch::autograd::Function<LstmFunction> {
  /// -> last states, and where they are asked for the traces, the spikes and the gates
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, std::int64_t places,
                               std::int64_t count, std::string_view kind, c10::SymInt steps,
                               at::IntArrayRef order, std::int64_t reset, std::string_view surrogate,
                               at::ArrayRef<double> surrogate_args, std::int64_t outputs) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto all = by_place(tensors, places, static_cast<std::size_t>(count));
    const auto state = at::TensorList(all).slice(before_states);
    const auto weight_hh = all[3].contiguous();
    auto [spk, traces, last, gates] =
        lstm_op().call(kind, all[0], all[1], given(all[2]), weight_hh, all[4], state, std::move(steps), order,
                       reset, surrogate, surrogate_args, outputs | lstm_traces | lstm_gates);
    variable_list saved{gates, traces[0], traces[1], all[0], all[1], weight_hh, all[4]};
    saved.insert(saved.end(), state.begin(), state.end());
    ctx->save_for_backward(saved);
    ctx->set_materialize_grads(false);
    auto& data = ctx->saved_data;
    data["places"] = places;
    data["kind"] = std::string(kind);
    data["order"] = order.vec();
    data["reset"] = reset;
    data["surrogate"] = std::string(surrogate);
    data["surrogate_args"] = surrogate_args.vec();
    data["outputs"] = outputs;
    variable_list results{std::move(last)};
    if ((outputs & lstm_traces) != 0) results.insert(results.end(), traces.begin(), traces.end());
    if ((outputs & lstm_spikes) != 0) results.push_back(std::move(spk));
    if ((outputs & lstm_gates) != 0) {
      ctx->mark_non_differentiable({gates});
      results.push_back(std::move(gates));
    }
    return results;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto& data = ctx->saved_data;
    const auto places = data["places"].toInt();
    const auto needs = any_defined(grads) ? needs_of(*ctx, places) : 0;
    const auto saved = ctx->get_saved_variables();
    const auto state = at::TensorList(saved).slice(7);
    if (needs == 0) return counted_gradients(Tensors(before_states + state.size()), places, 0);
    const auto outputs = data["outputs"].toInt();
    const bool traced = (outputs & lstm_traces) != 0;
    const at::TensorList incoming(grads);
    const auto grad_traces = traced ? incoming.slice(2, 2) : at::TensorList();
    const auto grad_spk = (outputs & lstm_spikes) != 0 ? grads[traced ? 4 : 2] : at::Tensor();
    const auto order = data["order"].toIntVector();
    const auto surrogate_args = data["surrogate_args"].toDoubleVector();
    return counted_gradients(
        lstm_backward_op().call(data["kind"].toStringRef(), given(grad_spk), given(grad_traces),
                                given(incoming.slice(0, 2)), saved[0], at::TensorList(saved).slice(1, 2),
                                saved[3], saved[4], saved[5], saved[6], state, order, data["reset"].toInt(),
                                data["surrogate"].toStringRef(), surrogate_args, needs),
        places, needs);
  }
};

}  // namespace

LstmResults lstm_autograd(std::string_view kind, const at::Tensor& x, const at::Tensor& weight_ih,
                          const OptionalTensor& bias, const at::Tensor& weight_hh,
                          const at::Tensor& threshold, at::TensorList state, c10::SymInt steps,
                          at::IntArrayRef order, std::int64_t reset, std::string_view surrogate,
                          at::ArrayRef<double> surrogate_args, std::int64_t outputs) {
  Tensors all{x, weight_ih, or_undefined(bias), weight_hh, threshold};
  all.insert(all.end(), state.begin(), state.end());
  if (!recorded(all)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return lstm_op().call(kind, x, weight_ih, bias, weight_hh, threshold, state, std::move(steps), order,
                          reset, surrogate, surrogate_args, outputs);
  }
  const auto out =
      LstmFunction::apply(at::TensorList(counted(all)), filled(all), static_cast<std::int64_t>(all.size()),
                          kind, std::move(steps), order, reset, surrogate, surrogate_args, outputs);
  auto next = out.begin();
  const auto take = [&](bool there) { return there ? *next++ : none(x); };
  const bool traced = (outputs & lstm_traces) != 0;
  Tensors last{next[0], next[1]};
  next += 2;
  Tensors traces;
  if (traced) {
    traces = {next[0], next[1]};
    next += 2;
  }
  auto spk = take((outputs & lstm_spikes) != 0);
  auto gates = take((outputs & lstm_gates) != 0);
  return {std::move(spk), std::move(traces), std::move(last), std::move(gates)};
}

Tensors lstm_backward_autograd(std::string_view kind, const OptionalTensor& grad_spk,
                               const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                               const at::Tensor& gates, at::TensorList traces, const at::Tensor& x,
                               const at::Tensor& weight_ih, const at::Tensor& weight_hh,
                               const at::Tensor& threshold, at::TensorList state, at::IntArrayRef order,
                               std::int64_t reset, std::string_view surrogate,
                               at::ArrayRef<double> surrogate_args, std::int64_t needs) {
  Tensors all{or_undefined(grad_spk), gates, x, weight_ih, weight_hh, threshold};
  for (const auto& list : {or_undefined(grad_traces), or_undefined(grad_state), traces.vec(), state.vec()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  refuse_second_derivative("lstm", all);
  const at::AutoDispatchBelowADInplaceOrView below;
  return lstm_backward_op().call(kind, grad_spk, grad_traces, grad_state, gates, traces, x, weight_ih,
                                 weight_hh, threshold, state, order, reset, surrogate, surrogate_args, needs);
}

}  // namespace rheo::ops::detail
