#include "rheo/ops/detail/lstm_loops.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <array>

#include "rheo/kernels/lstm.hpp"
#include "rheo/kernels/neuron_call.hpp"
#include "rheo/ops/detail/lstm_feedback.hpp"
#include "rheo/ops/detail/operator.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::ops::detail {
namespace {

template <class T>
const kernels::LstmFunctions<T>& functions() {
  static const auto kernels = kernels::lstm_loops(kernels::chosen_isa());
  if constexpr (sizeof(T) == 4) {
    return kernels.f32;
  } else {
    return kernels.f64;
  }
}

template <class T>
const T* data(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}
template <class T>
T* writable(const at::Tensor& t) {
  return t.defined() ? t.mutable_data_ptr<T>() : nullptr;
}

/// Gradients of convolve(x, weight, bias): of x, weight and bias, where wanted.
std::tuple<at::Tensor, at::Tensor, at::Tensor> convolve_backward(const at::Tensor& grad, const at::Tensor& x,
                                                                 const at::Tensor& weight,
                                                                 std::array<bool, 3> wanted) {
  const std::vector<std::int64_t> bias{weight.size(0)};
  return at::convolution_backward(grad, x, weight, at::OptionalIntArrayRef(bias), at::IntArrayRef{1, 1},
                                  padding(weight), at::IntArrayRef{1, 1}, false, at::IntArrayRef{0, 0}, 1,
                                  wanted);
}

/// Rows that are worth a thread of their own.
std::int64_t grain(std::int64_t steps, std::int64_t hidden) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, steps * hidden));
}

template <class T>
at::Tensor packed(const at::Tensor& weight, bool transposed) {
  // weight [4H, H]: forward W[k, j] = weight[j, k], backward W[j, k] = weight[j, k].
  const auto out = weight.size(0), in = weight.size(1);
  const auto& product = functions<T>().product;
  const auto rows = transposed ? in : out, columns = transposed ? out : in;
  auto buffer = recycled_empty({product.packed_size(rows, columns)}, weight.scalar_type());
  product.pack(weight.const_data_ptr<T>(), rows, columns, transposed ? 1 : in, transposed ? in : 1,
               writable<T>(buffer));
  return buffer;
}

template <class T>
kernels::LstmCall<T> call_of(const LstmTask& task, std::int64_t batch, const at::Tensor& threshold_row) {
  kernels::LstmCall<T> c;
  c.steps = task.steps;
  c.batch = batch;
  c.hidden = threshold_row.numel();
  c.order[0] = task.order.i;
  c.order[1] = task.order.f;
  c.order[2] = task.order.g;
  c.order[3] = task.order.o;
  c.reset = task.reset;
  c.surrogate = task.surrogate;
  c.threshold = threshold_row.const_data_ptr<T>();
  return c;
}

at::Tensor threshold_row(const at::Tensor& threshold, const at::Tensor& share) {
  const auto cells = c10::multiply_integers(share.sizes().slice(2)) / 4;
  return threshold.numel() == cells ? threshold.reshape({cells}).contiguous()
                                    : threshold.reshape({1}).expand({cells}).contiguous();
}

template <class T>
LstmOutputs forward_cpu(const LstmTask& task, at::TensorList tensors, bool spikes, bool traces,
                        bool keep_gates) {
  // The gates overwrite what the input contributes to them.
  const auto share = input_share(tensors[at_x], tensors[at_weight_ih], tensors[at_bias]).contiguous();
  const auto weight = tensors[at_weight_hh].contiguous();
  const auto dense = [](const at::Tensor& t) { return t.defined() ? t.contiguous() : t; };
  const auto syn0 = dense(tensors[at_syn]), mem0 = dense(tensors[at_mem]);
  const auto row = threshold_row(tensors[at_threshold], share);
  const auto shape = trace_shape(share, task.steps);
  const auto one = at::IntArrayRef(shape).slice(1);
  const auto dtype = share.scalar_type();
  const bool constant = share.size(0) != task.steps;
  const auto held = traces ? at::IntArrayRef(shape) : one;
  const auto syn = recycled_empty(held, dtype), mem = recycled_empty(held, dtype);
  auto all_gates = share.sizes().vec();
  all_gates[0] = keep_gates ? task.steps : 1;
  const auto gates = constant ? recycled_empty(all_gates, dtype) : share;
  LstmOutputs out;
  if (spikes) out.spk = recycled_empty(shape, dtype);

  auto call = call_of<T>(task, share.size(1), row);
  const auto gates_size = call.batch * call.hidden * 4;
  call.first_syn = data<T>(syn0);
  call.first_mem = data<T>(mem0);
  call.share = share.const_data_ptr<T>();
  call.share_step = constant ? 0 : gates_size;
  call.gates = writable<T>(gates);
  call.gates_step = constant && !keep_gates ? 0 : gates_size;
  call.syn = writable<T>(syn);
  call.mem = writable<T>(mem);
  call.state_step = traces ? call.batch * call.hidden : 0;
  call.spk = writable<T>(out.spk);

  const auto& run = functions<T>();
  if (!is_convolution(weight)) {
    const auto matrix = packed<T>(weight, true);
    call.packed = data<T>(matrix);
    at::parallel_for(0, call.batch, grain(call.steps, call.hidden * call.hidden),
                     [&](std::int64_t begin, std::int64_t end) { run.forward(call, begin, end); });
  } else {
    for (std::int64_t t = 0; t < task.steps; ++t) {
      if (constant) std::copy(call.share, call.share + gates_size, call.gates + t * call.gates_step);
      const auto before = t == 0 ? mem0 : traces ? mem[t - 1] : mem;
      const auto feedback = before.defined() ? convolve(before, weight).contiguous() : at::Tensor();
      at::parallel_for(0, call.batch, grain(1, call.hidden), [&](std::int64_t begin, std::int64_t end) {
        run.step(call, t, data<T>(feedback), begin, end);
      });
    }
  }
  const auto last = [&](const at::Tensor& trace, const at::Tensor& first) {
    if (task.steps > 0) return traces ? trace[task.steps - 1].clone() : trace;
    return first.defined() ? first.clone() : at::zeros(one, share.options());
  };
  out.last = {last(syn, syn0), last(mem, mem0)};
  if (traces) out.traces = {syn, mem};
  if (keep_gates) out.gates = gates;
  return out;
}

/// The feedback's gradient, one product over all T: the gates' gradients with the outputs before them.
at::Tensor feedback_gradient(const at::Tensor& grad_gates, const at::Tensor& mem, const at::Tensor& mem0,
                             const at::Tensor& weight) {
  const auto product = [&](const at::Tensor& grad, const at::Tensor& before) {
    if (is_convolution(weight))
      return std::get<1>(convolve_backward(grad, before, weight, {false, true, false}));
    return linear(grad.t(), before.t());
  };
  const auto steps = grad_gates.size(0);
  at::Tensor sum;
  if (steps > 1)
    sum = product(grad_gates.slice(0, 1).flatten(0, 1), mem.slice(0, 0, steps - 1).flatten(0, 1));
  if (steps > 0 && mem0.defined()) {
    const auto first = product(grad_gates[0], mem0);
    sum = sum.defined() ? sum.add_(first) : first;
  }
  return sum.defined() ? sum : at::zeros_like(weight);
}

/// The gradients of x, weight_ih and bias from that of what the input contributes to the gates.
void input_gradients(std::vector<at::Tensor>& out, const at::Tensor& grad_share, const at::Tensor& x,
                     const at::Tensor& weight, std::int64_t needs) {
  const bool wants_x = needed(needs, at_x), wants_weight = needed(needs, at_weight_ih),
             wants_bias = needed(needs, at_bias);
  if (!wants_x && !wants_weight && !wants_bias) return;
  const auto grad = grad_share.flatten(0, 1), rows = x.flatten(0, 1);
  if (is_convolution(weight)) {
    auto [grad_x, grad_weight, grad_bias] =
        convolve_backward(grad, rows, weight, {wants_x, wants_weight, wants_bias});
    if (wants_x) out[at_x] = grad_x.contiguous().view(x.sizes());
    if (wants_weight) out[at_weight_ih] = grad_weight.contiguous();
    if (wants_bias) out[at_bias] = grad_bias;
    return;
  }
  if (wants_x) out[at_x] = linear(grad, weight.t()).view(x.sizes());
  if (wants_weight) out[at_weight_ih] = linear(grad.t(), rows.t());
  if (wants_bias) out[at_bias] = grad.sum(0);
}

template <class T>
std::vector<at::Tensor> backward_cpu(const LstmTask& task, at::TensorList tensors, const LstmOutputs& kept,
                                     const LstmGradients& incoming, std::int64_t needs) {
  const auto dense = [](const at::Tensor& t) { return t.defined() ? t.contiguous() : t; };
  const auto gates = kept.gates.contiguous(), syn = kept.traces[0].contiguous(),
             mem = kept.traces[1].contiguous();
  const auto weight = tensors[at_weight_hh].contiguous();
  const auto syn0 = dense(tensors[at_syn]), mem0 = dense(tensors[at_mem]);
  const auto row = threshold_row(tensors[at_threshold], gates);
  const auto one = syn.sizes().slice(1);
  const auto start = [&](const at::Tensor& grad) {
    return grad.defined() ? grad.clone(at::MemoryFormat::Contiguous) : at::zeros(one, syn.options());
  };
  const auto grad_spk = dense(incoming.spk), grad_syn = dense(incoming.syn), grad_mem = dense(incoming.mem);
  auto grad_gates = recycled_empty(gates.sizes(), gates.scalar_type());
  auto carry_syn = start(incoming.last_syn), carry_mem = start(incoming.last_mem);
  const auto per_cell = needed(needs, at_threshold) ? at::zeros(one, syn.options()) : at::Tensor();

  auto call = call_of<T>(task, gates.size(1), row);
  call.first_syn = data<T>(syn0);
  call.first_mem = data<T>(mem0);
  // The backward only reads these.
  call.gates = const_cast<T*>(data<T>(gates));
  call.gates_step = call.batch * call.hidden * 4;
  call.syn = const_cast<T*>(data<T>(syn));
  call.mem = const_cast<T*>(data<T>(mem));
  call.state_step = call.batch * call.hidden;
  call.grad_spk = data<T>(grad_spk);
  call.grad_syn = data<T>(grad_syn);
  call.grad_mem = data<T>(grad_mem);
  call.grad_gates = writable<T>(grad_gates);
  call.carry_syn = writable<T>(carry_syn);
  call.carry_mem = writable<T>(carry_mem);
  call.grad_threshold = writable<T>(per_cell);

  const auto& run = functions<T>();
  if (!is_convolution(weight)) {
    const auto matrix = packed<T>(weight, false);
    call.packed = data<T>(matrix);
    at::parallel_for(0, call.batch, grain(call.steps, call.hidden * call.hidden),
                     [&](std::int64_t begin, std::int64_t end) { run.backward(call, begin, end); });
  } else {
    for (std::int64_t t = task.steps; t-- > 0;) {
      at::parallel_for(0, call.batch, grain(1, call.hidden),
                       [&](std::int64_t begin, std::int64_t end) { run.step_backward(call, t, begin, end); });
      // Only the sizes of the last membrane are read.
      carry_mem =
          std::get<0>(convolve_backward(grad_gates[t], mem[t], weight, {true, false, false})).contiguous();
      call.carry_mem = writable<T>(carry_mem);
    }
  }

  std::vector<at::Tensor> out(lstm_places);
  if (needed(needs, at_weight_hh)) out[at_weight_hh] = feedback_gradient(grad_gates, mem, mem0, weight);
  if (needed(needs, at_threshold)) {
    out[at_threshold] = at::empty_like(tensors[at_threshold], {}, at::MemoryFormat::Contiguous);
    kernels::reduce_columns(data<T>(per_cell), per_cell.numel(), out[at_threshold].numel(),
                            writable<T>(out[at_threshold]));
  }
  const auto& x = tensors[at_x];
  input_gradients(out, x.size(0) != task.steps ? grad_gates.sum(0, true) : grad_gates, x,
                  tensors[at_weight_ih], needs);
  if (tensors[at_syn].defined()) {
    out[at_syn] = std::move(carry_syn);
    out[at_mem] = std::move(carry_mem);
  }
  return out;
}

}  // namespace

LstmOutputs lstm_forward(const LstmTask& task, at::TensorList tensors, bool spikes, bool traces, bool gates) {
  return tensors[at_x].scalar_type() == at::kFloat
             ? forward_cpu<float>(task, tensors, spikes, traces, gates)
             : forward_cpu<double>(task, tensors, spikes, traces, gates);
}

std::vector<at::Tensor> lstm_backward(const LstmTask& task, at::TensorList tensors, const LstmOutputs& kept,
                                      const LstmGradients& incoming, std::int64_t needs) {
  return tensors[at_x].scalar_type() == at::kFloat
             ? backward_cpu<float>(task, tensors, kept, incoming, needs)
             : backward_cpu<double>(task, tensors, kept, incoming, needs);
}

}  // namespace rheo::ops::detail
