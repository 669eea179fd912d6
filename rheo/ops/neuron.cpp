// Registration, checks and the CPU implementation of the neuron operator; autograd is in neuron_autograd.cpp.
#include "rheo/ops/neuron.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>

#include "rheo/kernels/registry.hpp"
#include "rheo/ops/detail/call.hpp"
#include "rheo/ops/detail/neuron_schema.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::ops {
namespace {

using detail::CallShape;
using detail::NeuronOutputs;
using detail::OptionalTensors;
using kernels::BackwardCall;
using kernels::ForwardCall;

// Results from this size on leave the cache before anybody reads them: they are written around it.
constexpr std::int64_t streaming_bytes = std::int64_t{16} << 20;
// Work below this many element-steps is not worth a second thread.
constexpr std::int64_t grain_elements = 32768;
// Threads split the columns at multiples of this, whole cache lines for every type.
constexpr std::int64_t column_unit = 64;

constexpr std::string_view surrogate_names[] = {
#define RHEO_SURROGATE_NAME_(s) #s
    RHEO_LIST(RHEO_SURROGATE_NAME_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_NAME_
};

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

template <class T>
bool should_stream(const CallShape& shape, const void* out) {
  const auto size = static_cast<std::int64_t>(sizeof(T));
  return shape.steps * shape.columns * size >= streaming_bytes && shape.columns * size % 64 == 0 &&
         aligned(out);
}

/// Splits the columns over libtorch's threads.
template <class Call>
void run(const CallShape& shape, std::int64_t workspace_bytes, const Call& call) {
  const std::int64_t units = (shape.columns + column_unit - 1) / column_unit;
  const std::int64_t per_unit = std::max<std::int64_t>(1, shape.steps * column_unit);
  const std::int64_t grain = std::max<std::int64_t>(1, grain_elements / per_unit);
  const auto part = [&](std::int64_t first, std::int64_t last) {
    call(first * column_unit, std::min(shape.columns, last * column_unit),
         thread_workspace(static_cast<std::size_t>(workspace_bytes)));
  };
  if (units <= grain) {
    part(0, units);
  } else {
    at::parallel_for(0, units, grain, part);
  }
}

template <class T>
NeuronOutputs forward_cpu(const kernels::KernelTable& table, const CallShape& shape, const at::Tensor& x,
                          at::TensorList state, at::TensorList constants, std::int64_t reset,
                          bool reset_delay, const SurrogateCall& surrogate, std::int64_t outputs) {
  const auto xc = x.contiguous();
  const auto sc = detail::contiguous(state);
  const auto cc = detail::contiguous(constants);
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = shape.steps;
  NeuronOutputs out{recycled_empty(sizes, x.scalar_type()), {}, {}};
  auto& [spk, traces, last] = out;
  ForwardCall<T> call;
  detail::fill_call(call, shape, xc, sc, cc, reset, reset_delay, surrogate);
  call.spk = spk.mutable_data_ptr<T>();
  call.streaming = should_stream<T>(shape, call.spk);
  for (int k = 0; k < table.states; ++k) {
    if (outputs & 1) {
      traces.push_back(recycled_empty(sizes, x.scalar_type()));
      call.traces[k] = traces.back().mutable_data_ptr<T>();
      call.streaming = call.streaming && aligned(call.traces[k]);
    }
    last.push_back(at::empty(x.sizes().slice(1), x.options()));
    call.last_state[k] = last.back().mutable_data_ptr<T>();
  }
  if (shape.columns == 0) return out;
  const auto plan = kernels::plan_forward(shape.steps, table.states, table.constants + 2, sizeof(T));
  const auto loop = detail::loops_of<T>(table).forward;
  run(shape, plan.workspace * static_cast<std::int64_t>(sizeof(T)),
      [&](std::int64_t begin, std::int64_t end, void* workspace) {
        loop(call, begin, end, static_cast<T*>(workspace));
      });
  return out;
}

NeuronOutputs neuron_cpu(std::string_view kind, const at::Tensor& x, at::TensorList state,
                         at::TensorList constants, std::int64_t steps, std::int64_t reset, bool reset_delay,
                         std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                         std::int64_t outputs) {
  const auto& table = detail::table_of(kind);
  const auto shape = detail::check_call(table, x, state, constants, steps, reset);
  const auto s = surrogate_call(surrogate, surrogate_args);
  return x.scalar_type() == at::kFloat
             ? forward_cpu<float>(table, shape, x, state, constants, reset, reset_delay, s, outputs)
             : forward_cpu<double>(table, shape, x, state, constants, reset, reset_delay, s, outputs);
}

// ---- backward --------------------------------------------------------------------------------------------------

template <class T>
NeuronOutputs backward_cpu(const kernels::KernelTable& table, const CallShape& shape,
                           const std::optional<at::Tensor>& grad_spk, const OptionalTensors& grad_traces,
                           const OptionalTensors& grad_state, const at::Tensor& x, at::TensorList state,
                           at::TensorList constants, at::TensorList traces, std::int64_t reset,
                           bool reset_delay, const SurrogateCall& surrogate, std::int64_t needs) {
  const auto xc = x.contiguous();
  const auto sc = detail::contiguous(state);
  const auto cc = detail::contiguous(constants);
  const auto tc = detail::contiguous(traces);
  const auto dtype = x.scalar_type();
  // One each: the results of an operator must not share memory.
  const auto none = [&] { return at::empty({0}, x.options()); };

  BackwardCall<T> call;
  detail::fill_call(call, shape, xc, sc, cc, reset, reset_delay, surrogate);
  std::vector<at::Tensor> held(1 + 2 * static_cast<std::size_t>(table.states));
  call.grad_spk = detail::sequence_of<T>(grad_spk, held[0]);
  for (std::size_t k = 0; k < static_cast<std::size_t>(table.states); ++k) {
    if (!tc.empty()) call.traces[k] = tc[k].const_data_ptr<T>();
    call.grad_traces[k] =
        detail::sequence_of<T>(k < grad_traces.size() ? grad_traces.get(k) : std::nullopt, held[1 + 2 * k]);
    const auto g = k < grad_state.size() ? grad_state.get(k) : std::nullopt;
    if (g.has_value() && g->defined()) {
      held[2 + 2 * k] = g->contiguous();
      call.grad_last_state[k] = held[2 + 2 * k].const_data_ptr<T>();
    }
  }

  const auto needed = [needs](std::size_t i) { return ((needs >> i) & 1) != 0; };
  NeuronOutputs out{needed(0) ? recycled_empty(x.sizes(), dtype) : none(), {}, {}};
  auto& [grad_x, grad_first, grad_constants] = out;
  if (needed(0)) {
    call.grad_x = grad_x.mutable_data_ptr<T>();
    call.streaming = should_stream<T>(shape, call.grad_x);
  }
  std::size_t at_need = 1;
  for (std::size_t k = 0; k < state.size(); ++k, ++at_need) {
    grad_first.push_back(needed(at_need) ? at::empty_like(sc[k]) : none());
    if (needed(at_need)) call.grad_state[k] = grad_first.back().mutable_data_ptr<T>();
  }
  std::vector<at::Tensor> rows(constants.size());
  for (std::size_t k = 0; k < constants.size(); ++k, ++at_need) {
    grad_constants.push_back(needed(at_need) ? at::zeros_like(cc[k]) : none());
    if (!needed(at_need)) continue;
    call.learning = true;
    rows[k] = recycled_empty({shape.columns}, dtype);
    call.grad_constants[k] = rows[k].mutable_data_ptr<T>();
  }
  if (shape.columns == 0) return out;
  if (shape.steps == 0 && needed(0)) grad_x.zero_();
  const auto plan =
      kernels::plan_backward(shape.steps, table.states, table.constants + 2, sizeof(T), !tc.empty());
  const auto loop = detail::loops_of<T>(table).backward;
  run(shape, plan.workspace * static_cast<std::int64_t>(sizeof(T)),
      [&](std::int64_t begin, std::int64_t end, void* workspace) {
        loop(call, begin, end, static_cast<T*>(workspace));
      });
  for (std::size_t k = 0; k < constants.size(); ++k) {
    if (call.grad_constants[k] == nullptr) continue;
    kernels::reduce_columns(rows[k].const_data_ptr<T>(), shape.columns, cc[k].numel(),
                            grad_constants[k].mutable_data_ptr<T>());
  }
  return out;
}

NeuronOutputs neuron_backward_cpu(std::string_view kind, const std::optional<at::Tensor>& grad_spk,
                                  const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                                  const at::Tensor& x, at::TensorList state, at::TensorList constants,
                                  at::TensorList traces, std::int64_t steps, std::int64_t reset,
                                  bool reset_delay, std::string_view surrogate,
                                  at::ArrayRef<double> surrogate_args, std::int64_t needs) {
  const auto& table = detail::table_of(kind);
  const auto shape = detail::check_call(table, x, state, constants, steps, reset);
  auto s = surrogate_call(surrogate, surrogate_args);
  if (static_cast<int>(constants.size()) == table.constants + 3) {
    const int slope = surrogate_slope(s.kind);
    if (slope < 0) detail::refuse("[neuron] surrogate must have a slope to learn, got '", surrogate, "'");
    s.args[slope] = constants.back().item<double>();
  }
  return x.scalar_type() == at::kFloat
             ? backward_cpu<float>(table, shape, grad_spk, grad_traces, grad_state, x, state, constants,
                                   traces, reset, reset_delay, s, needs)
             : backward_cpu<double>(table, shape, grad_spk, grad_traces, grad_state, x, state, constants,
                                    traces, reset, reset_delay, s, needs);
}

// ---- shapes only -----------------------------------------------------------------------------------------------

NeuronOutputs neuron_meta(std::string_view kind, const at::Tensor& x, at::TensorList, at::TensorList,
                          c10::SymInt steps, std::int64_t, bool, std::string_view, at::ArrayRef<double>,
                          std::int64_t outputs) {
  const auto& table = detail::table_of(kind);
  auto sizes = x.sym_sizes().vec();
  sizes[0] = std::move(steps);
  NeuronOutputs out{at::empty_symint(sizes, x.options()), {}, {}};
  for (int k = 0; k < table.states; ++k) {
    if (outputs & 1) std::get<1>(out).push_back(at::empty_symint(sizes, x.options()));
    std::get<2>(out).push_back(at::empty_symint(x.sym_sizes().slice(1), x.options()));
  }
  return out;
}

NeuronOutputs neuron_backward_meta(std::string_view, const std::optional<at::Tensor>&, const OptionalTensors&,
                                   const OptionalTensors&, const at::Tensor& x, at::TensorList state,
                                   at::TensorList constants, at::TensorList, c10::SymInt, std::int64_t, bool,
                                   std::string_view, at::ArrayRef<double>, std::int64_t needs) {
  std::int64_t bit = 0;
  const auto like = [&](const at::Tensor& t) {
    return (needs >> bit++) & 1 ? at::empty_symint(t.sym_sizes(), t.options()) : at::empty({0}, t.options());
  };
  NeuronOutputs out{like(x), {}, {}};
  for (const auto& s : state) std::get<1>(out).push_back(like(s));
  for (const auto& c : constants) std::get<2>(out).push_back(like(c));
  return out;
}

}  // namespace

SurrogateCall surrogate_call(std::string_view name, at::ArrayRef<double> args) {
  SurrogateCall call;
  const auto* found = std::find(std::begin(surrogate_names), std::end(surrogate_names), name);
  if (found == std::end(surrogate_names))
    detail::refuse("[neuron] surrogate must be the name of a surrogate, got '", name, "'");
  if (args.size() > max_surrogate_args)
    detail::refuse("[neuron] surrogate_args must be at most 3 numbers, got ", args.size());
  call.kind = static_cast<SurrogateKind>(found - std::begin(surrogate_names));
  for (std::size_t i = 0; i < max_surrogate_args; ++i) call.args[i] = i < args.size() ? args[i] : 0;
  if (is_stochastic(call.kind) && !(call.args[surrogates::SSO::seed] >= 0))
    detail::refuse("[neuron] surrogate_args of ", name, " must have a seed from 0 on, got ",
                   call.args[surrogates::SSO::seed]);
  return call;
}

std::string_view to_string(SurrogateKind kind) { return surrogate_names[static_cast<int>(kind)]; }

namespace detail {

NeuronOutputs neuron_op(std::string_view kind, const at::Tensor& x, at::TensorList state,
                        at::TensorList constants, std::int64_t steps, std::int64_t reset, bool reset_delay,
                        std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                        std::int64_t outputs) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("rheobase::neuron", "").typed<NeuronSignature>();
  return op.call(kind, x, state, constants, steps, reset, reset_delay, surrogate, surrogate_args, outputs);
}

NeuronOutputs neuron_backward_op(std::string_view kind, const std::optional<at::Tensor>& grad_spk,
                                 const OptionalTensors& grad_traces, const OptionalTensors& grad_state,
                                 const at::Tensor& x, at::TensorList state, at::TensorList constants,
                                 at::TensorList traces, std::int64_t steps, std::int64_t reset,
                                 bool reset_delay, std::string_view surrogate,
                                 at::ArrayRef<double> surrogate_args, std::int64_t needs) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("rheobase::neuron_backward", "")
                             .typed<NeuronBackwardSignature>();
  return op.call(kind, grad_spk, grad_traces, grad_state, x, state, constants, traces, steps, reset,
                 reset_delay, surrogate, surrogate_args, needs);
}

}  // namespace detail

NeuronResult neuron(const NeuronCall& call) {
  std::vector<at::Tensor> with_slope;
  if (call.slope.defined()) {
    with_slope = call.constants;
    with_slope.push_back(call.slope);
  }
  const auto& constants = call.slope.defined() ? with_slope : call.constants;
  auto [spk, traces, state] = detail::neuron_op(
      call.kind, call.x, call.state, constants, call.steps, static_cast<std::int64_t>(call.reset),
      call.reset_delay, to_string(call.surrogate.kind), call.surrogate.args, call.traces ? 1 : 0);
  return {std::move(spk), std::move(traces), std::move(state)};
}

// The typed function above and the registration stand in one file: whoever calls the one links the other.
TORCH_LIBRARY(rheobase, m) {
  m.def(
      "neuron(str kind, Tensor x, Tensor[] state, Tensor[] constants, SymInt steps, int reset, bool "
      "reset_delay, "
      "str surrogate, float[] surrogate_args, int outputs) -> (Tensor, Tensor[], Tensor[])",
      {at::Tag::pt2_compliant_tag});
  m.def(
      "neuron_backward(str kind, Tensor? grad_spk, Tensor?[] grad_traces, Tensor?[] grad_state, Tensor x, "
      "Tensor[] state, Tensor[] constants, Tensor[] traces, SymInt steps, int reset, bool reset_delay, "
      "str surrogate, float[] surrogate_args, int needs) -> (Tensor, Tensor[], Tensor[])",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("neuron", TORCH_FN(neuron_cpu));
  m.impl("neuron_backward", TORCH_FN(neuron_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("neuron", TORCH_FN(neuron_meta));
  m.impl("neuron_backward", TORCH_FN(neuron_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("neuron", TORCH_FN(detail::neuron_autograd));
  m.impl("neuron_backward", TORCH_FN(detail::neuron_backward_autograd));
}

}  // namespace rheo::ops
