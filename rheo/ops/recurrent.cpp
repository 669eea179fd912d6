// Registration, checks and the reference path of recurrent layers; the loops are in detail/recurrent_loops.cpp, autograd in
// recurrent_autograd.cpp.
#include "rheo/ops/recurrent.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include "rheo/ops/detail/feedback_matrix.hpp"
#include "rheo/ops/detail/recurrent_loops.hpp"
#include "rheo/ops/detail/recurrent_schema.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::ops {
namespace {

using detail::OptionalTensor;
using detail::OptionalTensors;
using detail::RecurrentResults;
using detail::RecurrentTask;
using detail::Tensors;

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

RecurrentTask task_of(std::string_view kind, const at::Tensor& x, const Feedback& feedback,
                      at::TensorList state, at::TensorList constants, std::int64_t steps, std::int64_t reset,
                      bool reset_delay, std::string_view surrogate, at::ArrayRef<double> surrogate_args) {
  RecurrentTask task;
  task.table = &detail::table_of(kind);
  task.shape = detail::check_call(*task.table, x, state, constants, steps, reset);
  if (task.table->states < 1)
    detail::refuse("[", kind, "] kind must have its spike as its first state, got a neuron without state");
  if (static_cast<int>(constants.size()) != task.table->constants + 2)
    detail::refuse("[", kind, "] slope must not be learned in a recurrent layer's kernel");
  check_feedback(kind, x, feedback);
  task.biased = feedback.bias.defined();
  task.given_state = !state.empty();
  task.reset = static_cast<Reset>(reset);
  task.reset_delay = reset_delay;
  task.surrogate = surrogate_call(surrogate, surrogate_args);
  return task;
}

/// In the order of a task.
Tensors listed(const at::Tensor& x, const Feedback& feedback, at::TensorList state,
               at::TensorList constants) {
  Tensors tensors{x, feedback.weight};
  if (feedback.bias.defined()) tensors.push_back(feedback.bias);
  tensors.insert(tensors.end(), state.begin(), state.end());
  tensors.insert(tensors.end(), constants.begin(), constants.end());
  return tensors;
}

/// For its shape: the gradient of a bias does not depend on the bias.
at::Tensor bias_like(const at::Tensor& weight) {
  return at::empty_symint({weight.sym_size(0)}, weight.options());
}

RecurrentResults recurrent_cpu(std::string_view kind, const at::Tensor& x, const at::Tensor& weight,
                               const OptionalTensor& bias, at::TensorList state, at::TensorList constants,
                               std::int64_t steps, std::int64_t reset, bool reset_delay,
                               std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                               std::int64_t outputs) {
  const detail::NoAutocast no_autocast;
  const Feedback feedback{weight, detail::or_undefined(bias)};
  const auto task =
      task_of(kind, x, feedback, state, constants, steps, reset, reset_delay, surrogate, surrogate_args);
  auto out = detail::recurrent_forward(task, listed(x, feedback, state, constants),
                                       (outputs & detail::recurrent_traces) != 0,
                                       (outputs & detail::recurrent_input) != 0);
  if (!out.input.defined()) out.input = detail::none(x);
  return {std::move(out.spk), std::move(out.traces), std::move(out.last), std::move(out.input)};
}

Tensors recurrent_backward_cpu(std::string_view kind, const OptionalTensor& grad_spk,
                               const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                               const at::Tensor& input, const at::Tensor& spk, at::TensorList traces,
                               const at::Tensor& weight, at::TensorList state, at::TensorList constants,
                               bool constant, std::int64_t reset, bool reset_delay,
                               std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                               std::int64_t needs) {
  const detail::NoAutocast no_autocast;
  auto task = task_of(kind, input, {weight, {}}, state, constants, input.size(0), reset, reset_delay,
                      surrogate, surrogate_args);
  const detail::RecurrentOutputs kept{spk, traces.vec(), {}, input};
  detail::RecurrentGradients incoming{detail::or_undefined(grad_spk), detail::or_undefined(grad_traces),
                                      detail::or_undefined(grad_state)};
  incoming.traces.resize(task.states() - 1);
  incoming.state.resize(task.states());
  task.biased = detail::needed(needs, 2);
  const auto tensors = listed({}, {weight, task.biased ? bias_like(weight) : at::Tensor()}, state, constants);
  std::vector<bool> wanted;
  for (std::size_t place = 0; place < 3 + state.size() + constants.size(); ++place) {
    if (place != 2 || task.biased) wanted.push_back(detail::needed(needs, place));
  }
  auto out = detail::recurrent_backward(task, constant, incoming, kept, tensors, wanted);
  if (!task.biased) out.insert(out.begin() + 2, at::Tensor());
  for (std::size_t place = 0; place < out.size(); ++place) {
    if (!detail::needed(needs, place)) out[place] = detail::none(input);
  }
  return out;
}

RecurrentResults recurrent_meta(std::string_view kind, const at::Tensor& x, const at::Tensor&,
                                const OptionalTensor&, at::TensorList, at::TensorList, c10::SymInt steps,
                                std::int64_t, bool, std::string_view, at::ArrayRef<double>,
                                std::int64_t outputs) {
  const auto states = detail::table_of(kind).states;
  auto sizes = x.sym_sizes().vec();
  sizes[0] = std::move(steps);
  const auto sequence = [&] { return at::empty_symint(sizes, x.options()); };
  Tensors traces, last;
  for (int k = 0; k < states; ++k) {
    if (k > 0 && (outputs & detail::recurrent_traces) != 0) traces.push_back(sequence());
    last.push_back(at::empty_symint(x.sym_sizes().slice(1), x.options()));
  }
  return {sequence(), std::move(traces), std::move(last),
          (outputs & detail::recurrent_input) != 0 ? sequence() : detail::none(x)};
}

Tensors recurrent_backward_meta(std::string_view, const OptionalTensor&, const OptionalTensors&,
                                const OptionalTensors&, const at::Tensor& input, const at::Tensor&,
                                at::TensorList, const at::Tensor& weight, at::TensorList state,
                                at::TensorList constants, bool constant, std::int64_t, bool, std::string_view,
                                at::ArrayRef<double>, std::int64_t needs) {
  auto sizes = input.sym_sizes().vec();
  if (constant) sizes[0] = 1;
  Tensors places{at::empty_symint(sizes, input.options()), weight, bias_like(weight)};
  places.insert(places.end(), state.begin(), state.end());
  places.insert(places.end(), constants.begin(), constants.end());
  return detail::gradient_shapes(places, needs);
}

at::Tensor fed_back(const at::Tensor& spk, const Feedback& feedback) {
  return detail::feedback_rows(spk.reshape(detail::feedback_sizes(spk.sizes(), feedback.weight)),
                               feedback.weight, feedback.bias)
      .view(spk.sizes());
}

}  // namespace

NeuronResult recurrent(const NeuronCall& call, const Feedback& feedback) {
  if (!feedback.weight.defined()) check_feedback(call.kind, call.x, feedback);
  auto [spk, traces, state, input] = detail::recurrent_op().call(
      call.kind, call.x, feedback.weight, detail::given(feedback.bias), call.state, call.constants,
      call.steps, static_cast<std::int64_t>(call.reset), call.reset_delay, to_string(call.surrogate.kind),
      call.surrogate.args, call.traces ? detail::recurrent_traces : 0);
  NeuronResult result{std::move(spk), std::move(traces), std::move(state)};
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

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def(
      "recurrent(str kind, Tensor x, Tensor weight, Tensor? bias, Tensor[] state, Tensor[] constants, "
      "SymInt steps, int reset, bool reset_delay, str surrogate, float[] surrogate_args, int outputs) -> "
      "(Tensor, Tensor[], Tensor[], Tensor)",
      {at::Tag::pt2_compliant_tag});
  m.def(
      "recurrent_backward(str kind, Tensor? grad_spk, Tensor?[] grad_traces, Tensor?[] grad_state, "
      "Tensor input, Tensor spk, Tensor[] traces, Tensor weight, Tensor[] state, Tensor[] constants, "
      "bool constant, int reset, bool reset_delay, str surrogate, float[] surrogate_args, int needs) -> "
      "Tensor[]",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("recurrent", TORCH_FN(recurrent_cpu));
  m.impl("recurrent_backward", TORCH_FN(recurrent_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("recurrent", TORCH_FN(recurrent_meta));
  m.impl("recurrent_backward", TORCH_FN(recurrent_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("recurrent", TORCH_FN(detail::recurrent_autograd));
  m.impl("recurrent_backward", TORCH_FN(detail::recurrent_backward_autograd));
}

}  // namespace rheo::ops
