// Autograd of the neuron operator: the backward is an operator of its own, so that tracing sees it.
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/neuron_schema.hpp"

namespace rheo::ops::detail {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NeuronFunction : torch::autograd::Function<NeuronFunction> {
  // tensors: x, states, constants
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, std::string_view kind,
                               std::int64_t states, std::int64_t steps, std::int64_t reset, bool reset_delay,
                               std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                               std::int64_t outputs) {
    const auto n = static_cast<std::size_t>(states);
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [spk, traces, last] = neuron_op(kind, tensors[0], tensors.slice(1, n), tensors.slice(1 + n), steps,
                                         reset, reset_delay, surrogate, surrogate_args, outputs);
    auto saved = tensors.vec();
    saved.insert(saved.end(), traces.begin(), traces.end());
    ctx->save_for_backward(saved);
    ctx->set_materialize_grads(false);
    auto& data = ctx->saved_data;
    data["kind"] = std::string(kind);
    data["states"] = states;
    data["tensors"] = static_cast<std::int64_t>(tensors.size());
    data["steps"] = steps;
    data["reset"] = reset;
    data["reset_delay"] = reset_delay;
    data["surrogate"] = std::string(surrogate);
    data["surrogate_args"] = surrogate_args.vec();
    data["traces"] = static_cast<std::int64_t>(traces.size());
    variable_list out{std::move(spk)};
    out.insert(out.end(), traces.begin(), traces.end());
    out.insert(out.end(), last.begin(), last.end());
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    auto& data = ctx->saved_data;
    const auto states = static_cast<std::size_t>(data["states"].toInt());
    const auto count = static_cast<std::size_t>(data["tensors"].toInt());
    const auto traces = static_cast<std::size_t>(data["traces"].toInt());
    const at::TensorList all(saved);

    std::int64_t needs = 0;
    for (std::size_t i = 0; i < count; ++i) needs |= std::int64_t{ctx->needs_input_grad(i)} << i;
    variable_list result(count + 8);
    if (needs == 0 || !any_defined(grads)) return result;

    const at::TensorList incoming(grads);
    const auto grad_traces = given(incoming.slice(1, traces)), grad_state = given(incoming.slice(1 + traces));
    const auto surrogate_args = data["surrogate_args"].toDoubleVector();
    const auto kind = data["kind"].toStringRef();
    const auto surrogate = data["surrogate"].toStringRef();
    auto [grad_x, grad_first, grad_constants] = neuron_backward_op(
        kind, given(grads[0]), grad_traces, grad_state, all[0], all.slice(1, states),
        all.slice(1 + states, count - 1 - states), all.slice(count), data["steps"].toInt(),
        data["reset"].toInt(), data["reset_delay"].toBool(), surrogate, surrogate_args, needs);
    const auto put = [&](std::size_t at, at::Tensor& g) {
      if (needed(needs, at)) result[at] = std::move(g);
    };
    put(0, grad_x);
    for (std::size_t k = 0; k < grad_first.size(); ++k) put(1 + k, grad_first[k]);
    for (std::size_t k = 0; k < grad_constants.size(); ++k) put(1 + states + k, grad_constants[k]);
    return result;
  }
};

}  // namespace

NeuronOutputs neuron_autograd(std::string_view kind, const at::Tensor& x, at::TensorList state,
                              at::TensorList constants, std::int64_t steps, std::int64_t reset,
                              bool reset_delay, std::string_view surrogate,
                              at::ArrayRef<double> surrogate_args, std::int64_t outputs) {
  if (!at::GradMode::is_enabled() ||
      !(x.requires_grad() || any_requires_grad(state) || any_requires_grad(constants))) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return neuron_op(kind, x, state, constants, steps, reset, reset_delay, surrogate, surrogate_args,
                     outputs);
  }
  variable_list tensors{x};
  tensors.insert(tensors.end(), state.begin(), state.end());
  tensors.insert(tensors.end(), constants.begin(), constants.end());
  auto out = NeuronFunction::apply(at::TensorList(tensors), kind, static_cast<std::int64_t>(state.size()),
                                   steps, reset, reset_delay, surrogate, surrogate_args, outputs);
  // out: spk, traces (if asked for), one last state per state of the neuron
  const std::size_t states = (outputs & 1) ? (out.size() - 1) / 2 : out.size() - 1;
  const auto split = out.end() - static_cast<std::ptrdiff_t>(states);
  return {out[0], std::vector<at::Tensor>(out.begin() + 1, split), std::vector<at::Tensor>(split, out.end())};
}

NeuronOutputs neuron_backward_autograd(std::string_view kind, const std::optional<at::Tensor>& grad_spk,
                                       const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                                       const at::Tensor& x, at::TensorList state, at::TensorList constants,
                                       at::TensorList traces, std::int64_t steps, std::int64_t reset,
                                       bool reset_delay, std::string_view surrogate,
                                       at::ArrayRef<double> surrogate_args, std::int64_t needs) {
  Tensors all{or_undefined(grad_spk), x};
  all.insert(all.end(), state.begin(), state.end());
  all.insert(all.end(), constants.begin(), constants.end());
  refuse_second_derivative(kind, all);
  const at::AutoDispatchBelowADInplaceOrView below;
  return neuron_backward_op(kind, grad_spk, grad_traces, grad_state, x, state, constants, traces, steps,
                            reset, reset_delay, surrogate, surrogate_args, needs);
}

}  // namespace rheo::ops::detail
