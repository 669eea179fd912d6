// Autograd of the recurrent operator.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/recurrent_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::size_t before_states = 3;  // x, weight, bias
constexpr std::int64_t all_outputs = recurrent_traces | recurrent_input;

struct RecurrentFunction : torch::autograd::Function<RecurrentFunction> {
  /// -> spk, last states, and where they are asked for the traces and what went into the neuron
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, std::int64_t places,
                               std::string_view kind, std::int64_t states, std::int64_t count,
                               c10::SymInt steps, std::int64_t reset, bool reset_delay,
                               std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                               std::int64_t outputs) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto all = by_place(tensors, places, static_cast<std::size_t>(count));
    const auto rest = at::TensorList(all).slice(before_states);
    const auto n = static_cast<std::size_t>(states);
    auto [spk, traces, last, input] =
        recurrent_op().call(kind, all[0], all[1], given(all[2]), rest.slice(0, n), rest.slice(n),
                            std::move(steps), reset, reset_delay, surrogate, surrogate_args, all_outputs);
    variable_list saved{input, spk, all[1]};
    saved.insert(saved.end(), rest.begin(), rest.end());
    saved.insert(saved.end(), traces.begin(), traces.end());
    ctx->save_for_backward(saved);
    ctx->set_materialize_grads(false);
    auto& data = ctx->saved_data;
    data["places"] = places;
    data["kind"] = std::string(kind);
    data["states"] = states;
    data["rest"] = static_cast<std::int64_t>(rest.size());
    data["last"] = static_cast<std::int64_t>(last.size());
    data["constant"] = all[0].sym_size(0) != spk.sym_size(0);
    data["reset"] = reset;
    data["reset_delay"] = reset_delay;
    data["surrogate"] = std::string(surrogate);
    data["surrogate_args"] = surrogate_args.vec();
    variable_list results{std::move(spk)};
    results.insert(results.end(), last.begin(), last.end());
    if ((outputs & recurrent_traces) != 0) results.insert(results.end(), traces.begin(), traces.end());
    if ((outputs & recurrent_input) != 0) {
      ctx->mark_non_differentiable({input});
      results.push_back(std::move(input));
    }
    return results;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto& data = ctx->saved_data;
    const auto places = data["places"].toInt();
    const auto count = static_cast<std::size_t>(data["rest"].toInt());
    const auto needs = any_defined(grads) ? needs_of(*ctx, places) : 0;
    if (needs == 0) return counted_gradients(Tensors(before_states + count), places, 0);
    const auto saved = ctx->get_saved_variables();
    const auto rest = at::TensorList(saved).slice(before_states, count);
    const auto traces = at::TensorList(saved).slice(before_states + count);
    const auto states = static_cast<std::size_t>(data["states"].toInt());
    const auto last = static_cast<std::size_t>(data["last"].toInt());
    const at::TensorList incoming(grads);
    const bool traced = incoming.size() >= 1 + last + traces.size();
    const auto grad_traces = traced ? incoming.slice(1 + last, traces.size()) : at::TensorList();
    const auto surrogate_args = data["surrogate_args"].toDoubleVector();
    return counted_gradients(
        recurrent_backward_op().call(data["kind"].toStringRef(), given(grads[0]), given(grad_traces),
                                     given(incoming.slice(1, last)), saved[0], saved[1], traces, saved[2],
                                     rest.slice(0, states), rest.slice(states), data["constant"].toBool(),
                                     data["reset"].toInt(), data["reset_delay"].toBool(),
                                     data["surrogate"].toStringRef(), surrogate_args, needs),
        places, needs);
  }
};

}  // namespace

RecurrentResults recurrent_autograd(std::string_view kind, const at::Tensor& x, const at::Tensor& weight,
                                    const OptionalTensor& bias, at::TensorList state,
                                    at::TensorList constants, c10::SymInt steps, std::int64_t reset,
                                    bool reset_delay, std::string_view surrogate,
                                    at::ArrayRef<double> surrogate_args, std::int64_t outputs) {
  Tensors all{x, weight, or_undefined(bias)};
  all.insert(all.end(), state.begin(), state.end());
  all.insert(all.end(), constants.begin(), constants.end());
  if (!recorded(all)) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return recurrent_op().call(kind, x, weight, bias, state, constants, std::move(steps), reset, reset_delay,
                               surrogate, surrogate_args, outputs);
  }
  auto out =
      RecurrentFunction::apply(at::TensorList(counted(all)), filled(all), kind,
                               static_cast<std::int64_t>(state.size()), static_cast<std::int64_t>(all.size()),
                               std::move(steps), reset, reset_delay, surrogate, surrogate_args, outputs);
  auto input = none(x);
  if ((outputs & recurrent_input) != 0) {
    input = std::move(out.back());
    out.pop_back();
  }
  // spk, s last states, and of the traces all but that of the spike
  const auto last = (outputs & recurrent_traces) != 0 ? out.size() / 2 : out.size() - 1;
  const auto split = out.begin() + 1 + static_cast<std::ptrdiff_t>(last);
  return {out[0], Tensors(split, out.end()), Tensors(out.begin() + 1, split), std::move(input)};
}

Tensors recurrent_backward_autograd(std::string_view kind, const OptionalTensor& grad_spk,
                                    const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                                    const at::Tensor& input, const at::Tensor& spk, at::TensorList traces,
                                    const at::Tensor& weight, at::TensorList state, at::TensorList constants,
                                    bool constant, std::int64_t reset, bool reset_delay,
                                    std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                                    std::int64_t needs) {
  Tensors all{or_undefined(grad_spk), input, spk, weight};
  for (const auto& list :
       {or_undefined(grad_traces), or_undefined(grad_state), traces.vec(), state.vec(), constants.vec()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  refuse_second_derivative(kind, all);
  const at::AutoDispatchBelowADInplaceOrView below;
  return recurrent_backward_op().call(kind, grad_spk, grad_traces, grad_state, input, spk, traces, weight,
                                      state, constants, constant, reset, reset_delay, surrogate,
                                      surrogate_args, needs);
}

}  // namespace rheo::ops::detail
