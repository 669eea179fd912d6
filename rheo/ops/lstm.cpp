// Registration, checks and shapes of the LSTM operator; the loops are in detail/lstm_loops.cpp, autograd in
// lstm_autograd.cpp.
#include "rheo/ops/lstm.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/library.h>

#include <algorithm>

#include "rheo/ops/detail/call.hpp"
#include "rheo/ops/detail/lstm_feedback.hpp"
#include "rheo/ops/detail/lstm_loops.hpp"
#include "rheo/ops/detail/lstm_schema.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::ops {
namespace {

using detail::LstmResults;
using detail::LstmTask;
using detail::OptionalTensor;
using detail::OptionalTensors;
using detail::Tensors;

Tensors by_place(const at::Tensor& x, const at::Tensor& weight_ih, const at::Tensor& bias,
                 const at::Tensor& weight_hh, const at::Tensor& threshold, at::TensorList state) {
  const bool given = !state.empty();
  return {x,
          weight_ih,
          bias,
          weight_hh,
          threshold,
          given ? state[0] : at::Tensor(),
          given ? state[1] : at::Tensor()};
}

void check(std::string_view kind, at::TensorList tensors, at::TensorList state, std::int64_t steps) {
  const auto refuse = [&](const auto&... args) { detail::refuse("[", kind, "] ", args...); };
  const auto &x = tensors[detail::at_x], &weight_ih = tensors[detail::at_weight_ih],
             &bias = tensors[detail::at_bias], &weight_hh = tensors[detail::at_weight_hh],
             &threshold = tensors[detail::at_threshold];
  const auto dims = weight_hh.dim();
  if ((dims != 2 && dims != 4) || weight_hh.size(0) != 4 * weight_hh.size(1)) {
    refuse("weight_hh must be [4H, H] or [4C, C, h, w], got ", weight_hh.sizes());
  }
  if (dims == 4 && (weight_hh.size(2) % 2 == 0 || weight_hh.size(3) % 2 == 0)) {
    refuse("weight_hh must have an odd kernel, got ", weight_hh.sizes());
  }
  const auto cells = weight_hh.size(1), gates = 4 * cells;
  if (weight_ih.dim() != dims || weight_ih.size(0) != gates ||
      weight_ih.sizes().slice(2) != weight_hh.sizes().slice(2)) {
    refuse("weight_ih must be as weight_hh, ", weight_hh.sizes(), ", but for its inputs, got ",
           weight_ih.sizes());
  }
  if (x.dim() != dims + 1 || x.size(2) != weight_ih.size(1)) {
    refuse("x must be [T, B, ", weight_ih.size(1), dims == 4 ? ", h, w]" : "]", ", got ", x.sizes());
  }
  if (x.size(0) != steps && x.size(0) != 1) {
    refuse("x must have ", steps, " time steps, or 1 that repeats, got shape ", x.sizes());
  }
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != gates)) {
    refuse("bias must have ", gates, " elements, got ", bias.sizes());
  }
  auto row = x.sizes().slice(1).vec();
  row[1] = cells;
  if (!state.empty() && state.size() != 2)
    refuse("state must hold syn and mem, got ", state.size(), " tensors");
  for (const auto& s : state) {
    if (s.sizes() != at::IntArrayRef(row))
      refuse("state must have shape ", at::IntArrayRef(row), ", got ", s.sizes());
  }
  const auto sample = c10::multiply_integers(at::IntArrayRef(row).slice(1));
  if (threshold.numel() != 1 && threshold.numel() != sample) {
    refuse("threshold must have 1 or ", sample, " elements, got ", threshold.sizes());
  }
  for (const auto& t : tensors) {
    if (!t.defined()) continue;
    if (t.scalar_type() != x.scalar_type() ||
        (t.scalar_type() != at::kFloat && t.scalar_type() != at::kDouble)) {
      refuse("tensors must be float32 or float64, all of one type, got ", x.scalar_type(), " and ",
             t.scalar_type());
    }
  }
}

LstmTask task_of(std::string_view kind, std::int64_t steps, at::IntArrayRef order, std::int64_t reset,
                 std::string_view surrogate, at::ArrayRef<double> surrogate_args) {
  auto sorted = order.vec();
  std::sort(sorted.begin(), sorted.end());
  if (sorted != std::vector<std::int64_t>{0, 1, 2, 3}) {
    detail::refuse("[", kind, "] order must say where i, f, g, o lie, as 0, 1, 2, 3 in some order, got ",
                   order);
  }
  if (reset < 0 || reset > 2) {
    detail::refuse("[", kind, "] reset must be 0 (subtract), 1 (zero) or 2 (none), got ", reset);
  }
  const auto at = [&](std::size_t gate) { return static_cast<int>(order[gate]); };
  return {steps,
          {at(0), at(1), at(2), at(3)},
          static_cast<Reset>(reset),
          surrogate_call(surrogate, surrogate_args)};
}

LstmResults lstm_cpu(std::string_view kind, const at::Tensor& x, const at::Tensor& weight_ih,
                     const OptionalTensor& bias, const at::Tensor& weight_hh, const at::Tensor& threshold,
                     at::TensorList state, std::int64_t steps, at::IntArrayRef order, std::int64_t reset,
                     std::string_view surrogate, at::ArrayRef<double> surrogate_args, std::int64_t outputs) {
  const detail::NoAutocast no_autocast;
  const auto tensors = by_place(x, weight_ih, detail::or_undefined(bias), weight_hh, threshold, state);
  check(kind, tensors, state, steps);
  const auto task = task_of(kind, steps, order, reset, surrogate, surrogate_args);
  const auto wanted = [&](std::int64_t bit) { return (outputs & bit) != 0; };
  auto out = detail::lstm_forward(task, tensors, wanted(detail::lstm_spikes), wanted(detail::lstm_traces),
                                  wanted(detail::lstm_gates));
  for (auto* t : {&out.spk, &out.gates}) {
    if (!t->defined()) *t = detail::none(x);
  }
  return {std::move(out.spk), std::move(out.traces), std::move(out.last), std::move(out.gates)};
}

Tensors lstm_backward_cpu(std::string_view kind, const OptionalTensor& grad_spk,
                          const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                          const at::Tensor& gates, at::TensorList traces, const at::Tensor& x,
                          const at::Tensor& weight_ih, const at::Tensor& weight_hh,
                          const at::Tensor& threshold, at::TensorList state, at::IntArrayRef order,
                          std::int64_t reset, std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                          std::int64_t needs) {
  const detail::NoAutocast no_autocast;
  const auto tensors = by_place(x, weight_ih, {}, weight_hh, threshold, state);
  check(kind, tensors, state, gates.size(0));
  const auto task = task_of(kind, gates.size(0), order, reset, surrogate, surrogate_args);
  const auto of = [](const OptionalTensors& list, std::size_t i) {
    return i < list.size() ? detail::or_undefined(list.get(i)) : at::Tensor();
  };
  auto out = detail::lstm_backward(task, tensors, {{}, traces.vec(), {}, gates},
                                   {detail::or_undefined(grad_spk), of(grad_traces, 0), of(grad_traces, 1),
                                    of(grad_state, 0), of(grad_state, 1)},
                                   needs);
  out.resize(detail::at_syn + state.size());
  for (std::size_t place = 0; place < out.size(); ++place) {
    if (!out[place].defined() || !detail::needed(needs, place)) out[place] = detail::none(x);
  }
  return out;
}

LstmResults lstm_meta(std::string_view, const at::Tensor& x, const at::Tensor&, const OptionalTensor&,
                      const at::Tensor& weight_hh, const at::Tensor&, at::TensorList, c10::SymInt steps,
                      at::IntArrayRef, std::int64_t, std::string_view, at::ArrayRef<double>,
                      std::int64_t outputs) {
  auto sizes = x.sym_sizes().vec();
  sizes[0] = std::move(steps);
  const auto sized = [&](const c10::SymInt& channels, std::size_t from) {
    sizes[2] = channels;
    return at::empty_symint(c10::SymIntArrayRef(sizes).slice(from), x.options());
  };
  const auto cells = weight_hh.sym_size(1);
  const auto wanted = [&](std::int64_t bit) { return (outputs & bit) != 0; };
  Tensors traces;
  if (wanted(detail::lstm_traces)) traces = {sized(cells, 0), sized(cells, 0)};
  return {wanted(detail::lstm_spikes) ? sized(cells, 0) : detail::none(x), std::move(traces),
          Tensors{sized(cells, 1), sized(cells, 1)},
          wanted(detail::lstm_gates) ? sized(cells * 4, 0) : detail::none(x)};
}

Tensors lstm_backward_meta(std::string_view, const OptionalTensor&, const OptionalTensors&,
                           const OptionalTensors&, const at::Tensor&, at::TensorList, const at::Tensor& x,
                           const at::Tensor& weight_ih, const at::Tensor& weight_hh,
                           const at::Tensor& threshold, at::TensorList state, at::IntArrayRef, std::int64_t,
                           std::string_view, at::ArrayRef<double>, std::int64_t needs) {
  // A bias is there where its gradient is asked for.
  const auto bias = at::empty_symint({weight_hh.sym_size(0)}, weight_hh.options());
  Tensors places{x, weight_ih, bias, weight_hh, threshold};
  places.insert(places.end(), state.begin(), state.end());
  return detail::gradient_shapes(places, needs);
}

}  // namespace

NeuronResult lstm(const LstmCall& call) {
  Tensors state;
  if (call.syn.defined() || call.mem.defined()) {
    auto row = call.x.sizes().slice(1).vec();
    row[1] = call.weight_hh.size(1);
    const auto options = call.x.options().requires_grad(false);
    const auto or_zero = [&](const at::Tensor& t) { return t.defined() ? t : at::zeros(row, options); };
    state = {or_zero(call.syn), or_zero(call.mem)};
  }
  const std::vector<std::int64_t> order{call.order.i, call.order.f, call.order.g, call.order.o};
  auto [spk, traces, last, gates] = detail::lstm_op().call(
      call.kind, call.x, call.weight_ih, detail::given(call.bias), call.weight_hh, call.threshold, state,
      call.steps, order, static_cast<std::int64_t>(call.reset), to_string(call.surrogate.kind),
      call.surrogate.args, (call.traces ? detail::lstm_traces : 0) | (call.spikes ? detail::lstm_spikes : 0));
  return {call.spikes ? std::move(spk) : at::Tensor(), std::move(traces), std::move(last)};
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def(
      "lstm(str kind, Tensor x, Tensor weight_ih, Tensor? bias, Tensor weight_hh, Tensor threshold, "
      "Tensor[] state, SymInt steps, int[] order, int reset, str surrogate, float[] surrogate_args, "
      "int outputs) -> (Tensor, Tensor[], Tensor[], Tensor)",
      {at::Tag::pt2_compliant_tag});
  m.def(
      "lstm_backward(str kind, Tensor? grad_spk, Tensor?[] grad_traces, Tensor?[] grad_state, Tensor gates, "
      "Tensor[] traces, Tensor x, Tensor weight_ih, Tensor weight_hh, Tensor threshold, Tensor[] state, "
      "int[] order, int reset, str surrogate, float[] surrogate_args, int needs) -> Tensor[]",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("lstm", TORCH_FN(lstm_cpu));
  m.impl("lstm_backward", TORCH_FN(lstm_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("lstm", TORCH_FN(lstm_meta));
  m.impl("lstm_backward", TORCH_FN(lstm_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("lstm", TORCH_FN(detail::lstm_autograd));
  m.impl("lstm_backward", TORCH_FN(detail::lstm_backward_autograd));
}

}  // namespace rheo::ops
