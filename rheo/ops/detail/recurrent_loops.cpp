#include "rheo/ops/detail/recurrent_loops.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "rheo/ops/detail/feedback_matrix.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::ops::detail {
namespace {

using kernels::BackwardCall;
using kernels::ForwardCall;

/// Each thread takes some rows: body(first column, end column, first row, rows), below autograd.
template <class Body>
void over_rows(const FeedbackMatrix& matrix, std::int64_t steps, const Body& body) {
  at::parallel_for(0, matrix.rows(), matrix.grain(steps), [&](std::int64_t first, std::int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const at::NoGradGuard no_grad;
    body(first * matrix.width(), end * matrix.width(), first, end - first);
  });
}

template <class T>
void copy(T* to, const T* from, std::int64_t begin, std::int64_t end) {
  if (from == nullptr) {
    std::fill(to + begin, to + end, T{0});
  } else if (to != from) {
    std::copy(from + begin, from + end, to + begin);
  }
}

template <class T>
RecurrentOutputs forward_cpu(const RecurrentTask& task, at::TensorList tensors, bool keep_traces,
                             bool keep_input) {
  const auto& [steps, columns, period] = task.shape;
  const auto states = task.states();
  const auto x = tensors[0].contiguous();
  const auto state = contiguous(task.state_of(tensors));
  const auto constants = contiguous(task.constants_of(tensors));
  const auto row = x.sizes().slice(1);
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = steps;

  RecurrentOutputs out;
  out.spk = recycled_empty(sizes, x.scalar_type());
  T* spk = out.spk.mutable_data_ptr<T>();
  std::vector<T*> traces(states, nullptr), last(states);
  for (std::size_t k = 0; k < states; ++k) {
    out.last.push_back(at::empty(row, x.options()));
    last[k] = out.last[k].template mutable_data_ptr<T>();
    if (!keep_traces || k == 0) continue;
    out.traces.push_back(recycled_empty(sizes, x.scalar_type()));
    traces[k] = out.traces.back().template mutable_data_ptr<T>();
  }
  if (keep_input) out.input = recycled_empty(sizes, x.scalar_type());
  if (columns == 0) return out;

  FeedbackMatrix matrix(row, tensors[1], task.bias_of(tensors));
  matrix.prepare_forward();
  const auto first_spk = matrix.rows_of(state.empty() ? at::zeros(row, x.options()) : state[0]);
  const auto all_spk = out.spk.view({steps, columns});
  const auto passing = keep_input ? at::Tensor() : at::empty(row, x.options());
  T* input = (keep_input ? out.input : passing).template mutable_data_ptr<T>();
  const T* xs = x.const_data_ptr<T>();
  const std::int64_t x_step = x.size(0) == steps ? columns : 0;

  ForwardCall<T> layer;
  fill_call(layer, {1, columns, period}, x, {}, constants, static_cast<std::int64_t>(task.reset),
            task.reset_delay, task.surrogate);
  const auto plan = kernels::plan_forward(1, task.table->states, task.table->constants + 2, sizeof(T));
  const auto kernel = loops_of<T>(*task.table).forward;
  over_rows(matrix, steps, [&](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t rows) {
    auto* workspace = static_cast<T*>(thread_workspace(static_cast<std::size_t>(plan.workspace) * sizeof(T)));
    const auto given = [&](std::size_t k) {
      return state.empty() ? nullptr : state[k].template const_data_ptr<T>();
    };
    for (std::size_t k = 0; k < states; ++k) copy(last[k], given(k), begin, end);
    auto call = layer;
    for (std::int64_t t = 0; t < steps; ++t) {
      const auto before = t == 0 ? first_spk : matrix.rows_of(all_spk.select(0, t - 1));
      T* in = input + (keep_input ? t * columns : 0);
      std::copy(xs + t * x_step + begin, xs + t * x_step + end, in + begin);
      matrix.add_feedback(in, before, first, rows);
      call.x = {in, columns, 1};
      call.spk = spk + t * columns;
      for (std::size_t k = 0; k < states; ++k) {
        const bool traced = traces[k] != nullptr;
        call.state[k] = traced && t > 0 ? traces[k] + (t - 1) * columns : last[k];
        call.traces[k] = traced ? traces[k] + t * columns : nullptr;
        call.last_state[k] = traced ? nullptr : last[k];
      }
      kernel(call, begin, end, workspace);
    }
    for (std::size_t k = 0; k < states && steps > 0; ++k) {
      if (traces[k] != nullptr) copy<T>(last[k], traces[k] + (steps - 1) * columns, begin, end);
    }
  });
  return out;
}

template <class T>
std::vector<at::Tensor> backward_cpu(const RecurrentTask& task, bool constant,
                                     const RecurrentGradients& incoming, const RecurrentOutputs& kept,
                                     at::TensorList tensors, const std::vector<bool>& needs) {
  const auto& [steps, columns, period] = task.shape;
  const auto states = task.states();
  const auto state = contiguous(task.state_of(tensors));
  const auto constants = contiguous(task.constants_of(tensors));
  const auto options = kept.spk.options();
  const auto sizes = kept.spk.sizes();
  const auto row = sizes.slice(1);
  const std::size_t at_state = task.first_state(), at_constant = task.first_constant();

  // The adjoint of each state walks back through time in the tensor that ends as its gradient.
  std::vector<at::Tensor> out(needs.size()), adjoints(states);
  std::vector<T*> adjoint(states);
  for (std::size_t k = 0; k < states; ++k) {
    adjoints[k] = at::empty(row, options);
    adjoint[k] = adjoints[k].template mutable_data_ptr<T>();
    if (task.given_state) out[at_state + k] = adjoints[k];
  }
  // Gradients of constants, a value per column: of one step, and added up.
  std::vector<at::Tensor> sums(constants.size()), parts(constants.size());
  for (std::size_t k = 0; k < constants.size(); ++k) {
    if (!needs[at_constant + k]) continue;
    out[at_constant + k] = at::zeros_like(constants[k]);
    sums[k] = at::zeros({columns}, options);
    parts[k] = at::empty({columns}, options);
  }
  auto grad_in = recycled_empty(sizes, kept.spk.scalar_type());
  std::vector<at::Tensor> held(1 + 2 * states);
  const auto optional = [](const at::Tensor& g) {
    return g.defined() ? std::optional<at::Tensor>(g) : std::nullopt;
  };
  const auto grad_spk = sequence_of<T>(optional(incoming.spk), held[0]);
  std::vector<kernels::Sequence<T>> grad_traces(states);
  std::vector<const T*> grad_last(states, nullptr);
  for (std::size_t k = 0; k < states; ++k) {
    if (k > 0) grad_traces[k] = sequence_of<T>(optional(incoming.traces[k - 1]), held[1 + 2 * k]);
    if (!incoming.state[k].defined()) continue;
    held[2 + 2 * k] = incoming.state[k].contiguous();
    grad_last[k] = held[2 + 2 * k].template const_data_ptr<T>();
  }

  if (columns > 0) {
    FeedbackMatrix matrix(row, tensors[1], {});
    matrix.prepare_backward();
    BackwardCall<T> layer;
    fill_call(layer, {1, columns, period}, grad_in, {}, constants, static_cast<std::int64_t>(task.reset),
              task.reset_delay, task.surrogate);
    for (std::size_t k = 0; k < constants.size(); ++k) {
      if (!sums[k].defined()) continue;
      layer.learning = true;
      layer.grad_constants[k] = parts[k].template mutable_data_ptr<T>();
    }
    for (std::size_t k = 0; k < states; ++k) layer.grad_state[k] = adjoint[k];
    const T* input = kept.input.template const_data_ptr<T>();
    const auto at_step = [columns = columns](const kernels::Sequence<T>& s, std::int64_t t) {
      return kernels::Sequence<T>{s.data == nullptr ? nullptr : s.data + t * s.step, 0, s.column};
    };
    const auto plan =
        kernels::plan_backward(1, task.table->states, task.table->constants + 2, sizeof(T), false);
    const auto kernel = loops_of<T>(*task.table).backward;
    const auto flat = grad_in.view({steps, columns});
    over_rows(matrix, steps,
              [&](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t rows) {
                auto* workspace =
                    static_cast<T*>(thread_workspace(static_cast<std::size_t>(plan.workspace) * sizeof(T)));
                for (std::size_t k = 0; k < states; ++k) copy(adjoint[k], grad_last[k], begin, end);
                auto call = layer;
                for (std::int64_t t = steps; t-- > 0;) {
                  call.x = {input + t * columns, columns, 1};
                  call.grad_spk = at_step(grad_spk, t);
                  call.grad_x = grad_in.template mutable_data_ptr<T>() + t * columns;
                  for (std::size_t k = 0; k < states; ++k) {
                    const auto& trace = k == 0 ? kept.spk : kept.traces[k - 1];
                    call.state[k] = t > 0           ? trace.template const_data_ptr<T>() + (t - 1) * columns
                                    : state.empty() ? nullptr
                                                    : state[k].template const_data_ptr<T>();
                    call.grad_traces[k] = at_step(grad_traces[k], t);
                    call.grad_last_state[k] = adjoint[k];
                  }
                  kernel(call, begin, end, workspace);
                  for (std::size_t k = 0; k < constants.size(); ++k) {
                    if (!sums[k].defined()) continue;
                    T* sum = sums[k].template mutable_data_ptr<T>();
                    const T* part = layer.grad_constants[k];
                    for (std::int64_t i = begin; i < end; ++i) sum[i] += part[i];
                  }
                  if (t == 0 && !task.given_state) continue;
                  matrix.add_adjoint(adjoint[0], matrix.rows_of(flat.select(0, t)), first, rows);
                }
              });
    if (needs[1] && steps > 0) {
      at::Tensor g;
      if (steps > 1) {
        matrix.add_weight_gradient(g, matrix.rows_of(flat.narrow(0, 1, steps - 1)),
                                   matrix.rows_of(kept.spk.view({steps, columns}).narrow(0, 0, steps - 1)));
      }
      if (task.given_state)
        matrix.add_weight_gradient(g, matrix.rows_of(flat.select(0, 0)), matrix.rows_of(state[0]));
      out[1] = g;
    }
    if (task.biased && needs[2]) out[2] = matrix.bias_gradient(matrix.rows_of(grad_in));
    for (std::size_t k = 0; k < constants.size(); ++k) {
      if (!sums[k].defined()) continue;
      kernels::reduce_columns(sums[k].template const_data_ptr<T>(), columns, constants[k].numel(),
                              out[at_constant + k].template mutable_data_ptr<T>());
    }
  }
  if (needs[1] && !out[1].defined()) out[1] = at::zeros_like(tensors[1]);
  if (task.biased && needs[2] && !out[2].defined()) out[2] = at::zeros_like(tensors[2]);
  if (needs[0]) out[0] = constant ? grad_in.sum(at::IntArrayRef{0}, true) : grad_in;
  return out;
}

}  // namespace

RecurrentOutputs recurrent_forward(const RecurrentTask& task, at::TensorList tensors, bool keep_traces,
                                   bool keep_input) {
  return tensors[0].scalar_type() == at::kFloat ? forward_cpu<float>(task, tensors, keep_traces, keep_input)
                                                : forward_cpu<double>(task, tensors, keep_traces, keep_input);
}

std::vector<at::Tensor> recurrent_backward(const RecurrentTask& task, bool constant,
                                           const RecurrentGradients& incoming, const RecurrentOutputs& kept,
                                           at::TensorList tensors, const std::vector<bool>& needs) {
  return kept.spk.scalar_type() == at::kFloat
             ? backward_cpu<float>(task, constant, incoming, kept, tensors, needs)
             : backward_cpu<double>(task, constant, incoming, kept, tensors, needs);
}

}  // namespace rheo::ops::detail
