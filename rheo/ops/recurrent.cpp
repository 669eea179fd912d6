// Autograd, checks and the reference path of recurrent layers; the loops are in detail/recurrent_loops.cpp.
#include "rheo/ops/recurrent.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/ops/detail/feedback_matrix.hpp"
#include "rheo/ops/detail/recurrent_loops.hpp"

namespace rheo::ops {
namespace {

using detail::RecurrentTask;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_feedback(std::string_view kind, const at::Tensor& x, const Feedback& feedback) {
  const auto& weight = feedback.weight;
  if (!weight.defined() || (weight.dim() != 2 && weight.dim() != 4) || weight.size(0) != weight.size(1)) {
    detail::refuse("[", kind, "] weight must be [N, N] or [C, C, kh, kw], got ",
                   weight.defined() ? c10::str(weight.sizes()) : "an undefined tensor");
  }
  if (weight.dim() == 4 && (weight.size(2) % 2 == 0 || weight.size(3) % 2 == 0)) {
    detail::refuse("[", kind, "] kernel_size must be odd, got ", weight.sizes().slice(2));
  }
  const auto width = weight.size(0);
  if (feedback.bias.defined() && (feedback.bias.dim() != 1 || feedback.bias.size(0) != width)) {
    detail::refuse("[", kind, "] bias must have ", width, " elements, got ", feedback.bias.sizes());
  }
  const auto row = x.sizes().slice(std::min<std::size_t>(1, x.sizes().size()));
  if (weight.dim() == 2) {
    if (row.empty() || row.back() != width) {
      detail::refuse("[", kind, "] x must have ", width, " features in its last dimension, got ", x.sizes());
    }
  } else if (row.size() < 3 || row[row.size() - 3] != width) {
    detail::refuse("[", kind, "] x must be [T, B, C, H, W] with C = ", width, ", got ", x.sizes());
  }
  for (const auto& t : {weight, feedback.bias}) {
    if (t.defined() && (t.scalar_type() != x.scalar_type() || t.device() != x.device())) {
      throw TypeError(c10::str("[", kind, "] weight and bias must be ", x.scalar_type(), " on ", x.device(),
                               " as x is, got ", t.scalar_type(), " on ", t.device()));
    }
  }
}

struct RecurrentFunction : torch::autograd::Function<RecurrentFunction> {
  // tensors: x, weight, bias (if any), states, constants
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, const RecurrentTask& task,
                               bool traces) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto out = detail::recurrent_forward(task, tensors, true);
    variable_list saved{out.input, out.spk};
    saved.insert(saved.end(), out.traces.begin(), out.traces.end());
    saved.insert(saved.end(), tensors.begin() + 1, tensors.end());
    ctx->save_for_backward(saved);
    ctx->set_materialize_grads(false);
    ctx->saved_data["task"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(task));
    ctx->saved_data["x"] = tensors[0].sizes().vec();
    variable_list result{out.spk};
    if (traces) result.insert(result.end(), out.traces.begin(), out.traces.end());
    result.insert(result.end(), out.last.begin(), out.last.end());
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto held = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["task"].toCapsule());
    const RecurrentTask& task = held->task;
    const auto saved = ctx->get_saved_variables();
    const auto states = task.states();
    const std::size_t count = saved.size() - states;  // of the forward's tensors
    variable_list result(count + 2);
    bool any = false;
    bool second = false;
    for (const auto& g : grads) {
      any = any || g.defined();
      second = second || (g.defined() && g.requires_grad());
    }
    for (const auto& t : saved) second = second || t.requires_grad();
    if (!any) return result;
    if (at::GradMode::is_enabled() && second) {
      throw RuntimeError(c10::str("[", task.table->kind,
                                  "] the fused backward has no derivative of its own: for second derivatives "
                                  "set fused = false"));
    }
    const auto split = saved.begin() + 1 + static_cast<std::ptrdiff_t>(states);
    detail::RecurrentOutputs kept{saved[1], {saved.begin() + 2, split}, {}, saved[0]};
    // The forward's tensors, with nothing in the place of x.
    variable_list tensors{at::Tensor()};
    tensors.insert(tensors.end(), split, saved.end());

    detail::RecurrentGradients incoming;
    incoming.spk = grads[0];
    const auto last = grads.end() - static_cast<std::ptrdiff_t>(states);
    incoming.traces.assign(grads.begin() + 1, last);
    incoming.traces.resize(states - 1);
    incoming.state.assign(last, grads.end());

    std::vector<bool> needs(count);
    for (std::size_t i = 0; i < count; ++i) needs[i] = ctx->needs_input_grad(i);
    const at::AutoDispatchBelowADInplaceOrView below;
    auto out =
        detail::recurrent_backward(task, ctx->saved_data["x"].toIntVector(), incoming, kept, tensors, needs);
    for (std::size_t i = 0; i < count; ++i) {
      if (needs[i]) result[i] = std::move(out[i]);
    }
    return result;
  }

 private:
  struct Held : torch::CustomClassHolder {
    explicit Held(RecurrentTask t) : task(std::move(t)) {}
    RecurrentTask task;
  };
};

at::Tensor fed_back(const at::Tensor& spk, const Feedback& feedback) {
  return detail::feedback_rows(spk.reshape(detail::feedback_sizes(spk.sizes(), feedback.weight)),
                               feedback.weight, feedback.bias)
      .view(spk.sizes());
}

}  // namespace

NeuronResult recurrent(const NeuronCall& call, const Feedback& feedback) {
  RecurrentTask task;
  task.table = &detail::table_of(call.kind);
  task.shape = detail::check_call(*task.table, call.x, call.state, call.constants, call.steps,
                                  static_cast<std::int64_t>(call.reset));
  if (task.table->states < 1)
    detail::refuse("[", call.kind,
                   "] kind must have its spike as its first state, got a neuron without state");
  check_feedback(call.kind, call.x, feedback);
  task.biased = feedback.bias.defined();
  task.given_state = !call.state.empty();
  task.reset = call.reset;
  task.reset_delay = call.reset_delay;
  task.surrogate = call.surrogate;

  variable_list tensors{call.x, feedback.weight};
  if (feedback.bias.defined()) tensors.push_back(feedback.bias);
  tensors.insert(tensors.end(), call.state.begin(), call.state.end());
  tensors.insert(tensors.end(), call.constants.begin(), call.constants.end());
  const bool recorded =
      at::GradMode::is_enabled() &&
      std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor& t) { return t.requires_grad(); });

  NeuronResult result;
  if (recorded) {
    auto out = RecurrentFunction::apply(at::TensorList(tensors), task, call.traces);
    const auto last = out.end() - task.table->states;
    result.spk = out[0];
    result.traces.assign(out.begin() + 1, last);
    result.state.assign(last, out.end());
  } else {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto out = detail::recurrent_forward(task, tensors, call.traces);
    result = {std::move(out.spk), std::move(out.traces), std::move(out.last)};
  }
  if (call.traces) result.traces.insert(result.traces.begin(), result.spk);
  return result;
}

NeuronResult recurrent_reference(const NeuronEntry& entry, const ReferenceCall& call,
                                 const Feedback& feedback) {
  check_feedback(call.kind, call.x, feedback);
  const auto& x = call.x;
  const std::size_t states = entry.states.size();
  ReferenceCall one = call;
  one.steps = 1;
  one.traces = false;
  while (one.state.size() < states) one.state.push_back(at::zeros(x.sizes().slice(1), x.options()));
  std::vector<at::Tensor> spikes;
  std::vector<std::vector<at::Tensor>> traces(states);
  for (std::int64_t t = 0; t < call.steps; ++t) {
    one.first_step = call.first_step + t;
    one.x = (x.select(0, x.size(0) == 1 ? 0 : t) + fed_back(one.state[0], feedback)).unsqueeze(0);
    auto out = entry.reference(one);
    one.state = std::move(out.state);
    spikes.push_back(std::move(out.spk));
    for (std::size_t k = 0; k < states; ++k) traces[k].push_back(one.state[k].unsqueeze(0));
  }
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = call.steps;
  const auto joined = [&](const std::vector<at::Tensor>& list) {
    return list.empty() ? at::empty(sizes, x.options()) : at::cat(list);
  };
  NeuronResult result{joined(spikes), {}, std::move(one.state)};
  if (call.traces) {
    for (const auto& list : traces) result.traces.push_back(joined(list));
  }
  return result;
}

}  // namespace rheo::ops
