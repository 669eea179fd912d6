#include "rheo/ops/lstm.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "rheo/kernels/lstm.hpp"
#include "rheo/kernels/neuron_call.hpp"
#include "rheo/ops/detail/lstm_feedback.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::ops {
namespace {

using detail::convolve;
using detail::is_convolution;
using detail::padding;
using detail::trace_shape;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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

/// Gradients of convolve(mem, weight): of mem, or of the weight.
at::Tensor convolve_backward(const at::Tensor& grad, const at::Tensor& mem, const at::Tensor& weight,
                             bool of_mem) {
  auto [grad_mem, grad_weight, grad_bias] = at::convolution_backward(
      grad, mem, weight, at::OptionalIntArrayRef(), at::IntArrayRef{1, 1}, padding(weight),
      at::IntArrayRef{1, 1}, false, at::IntArrayRef{0, 0}, 1, std::array<bool, 3>{of_mem, !of_mem, false});
  return of_mem ? grad_mem : grad_weight;
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

/// A sequence as the node sees it: shapes, and what is the same forward and backward.
struct Node {
  std::int64_t steps = 0;
  GateOrder order;
  Reset reset = Reset::none;
  SurrogateCall surrogate;

  template <class T>
  kernels::LstmCall<T> call(const at::Tensor& share, const at::Tensor& threshold_row) const {
    kernels::LstmCall<T> c;
    c.steps = steps;
    c.batch = share.size(1);
    c.hidden = threshold_row.numel();
    c.order[0] = order.i;
    c.order[1] = order.f;
    c.order[2] = order.g;
    c.order[3] = order.o;
    c.reset = reset;
    c.surrogate = surrogate;
    c.threshold = threshold_row.const_data_ptr<T>();
    return c;
  }
};

at::Tensor threshold_row(const at::Tensor& threshold, const at::Tensor& share) {
  const auto cells = c10::multiply_integers(share.sizes().slice(2)) / 4;
  return threshold.numel() == cells ? threshold.reshape({cells}).contiguous()
                                    : threshold.reshape({1}).expand({cells}).contiguous();
}

struct Forward {
  at::Tensor spk, gates, syn, mem;  // traces, or [B, ...] where they are not kept
  bool kept = false;
};

template <class T>
Forward run_forward(const Node& node, const LstmCall& given, const at::Tensor& weight, const at::Tensor& syn0,
                    const at::Tensor& mem0, bool keep) {
  const auto& share = given.share;
  const auto row = threshold_row(given.threshold, share);
  const auto shape = trace_shape(share, node.steps);
  const auto dtype = share.scalar_type();
  const bool constant = share.size(0) != node.steps;
  Forward out;
  out.kept = keep;
  const auto held = keep ? shape : std::vector<std::int64_t>(shape.begin() + 1, shape.end());
  out.syn = recycled_empty(held, dtype);
  out.mem = recycled_empty(held, dtype);
  auto all_gates = share.sizes().vec();
  all_gates[0] = keep ? node.steps : 1;
  out.gates = constant ? recycled_empty(all_gates, dtype) : share;
  if (given.spikes) out.spk = recycled_empty(shape, dtype);

  auto call = node.call<T>(share, row);
  call.first_syn = data<T>(syn0);
  call.first_mem = data<T>(mem0);
  call.share = share.const_data_ptr<T>();
  call.share_step = constant ? 0 : call.batch * call.hidden * 4;
  call.gates = writable<T>(out.gates);
  call.gates_step = constant && !keep ? 0 : call.batch * call.hidden * 4;
  call.syn = writable<T>(out.syn);
  call.mem = writable<T>(out.mem);
  call.state_step = keep ? call.batch * call.hidden : 0;
  call.spk = writable<T>(out.spk);

  const auto& run = functions<T>();
  if (!is_convolution(weight)) {
    const auto matrix = packed<T>(weight, true);
    call.packed = data<T>(matrix);
    at::parallel_for(0, call.batch, grain(call.steps, call.hidden * call.hidden),
                     [&](std::int64_t begin, std::int64_t end) { run.forward(call, begin, end); });
    return out;
  }
  for (std::int64_t t = 0; t < node.steps; ++t) {
    if (constant) {
      T* to = call.gates + t * call.gates_step;
      std::copy(call.share, call.share + call.batch * call.hidden * 4, to);
    }
    const auto mem = t == 0 ? mem0 : keep ? out.mem[t - 1] : out.mem;
    const auto feedback = mem.defined() ? convolve(mem, weight).contiguous() : at::Tensor();
    at::parallel_for(0, call.batch, grain(1, call.hidden), [&](std::int64_t begin, std::int64_t end) {
      run.step(call, t, data<T>(feedback), begin, end);
    });
  }
  return out;
}

struct Gradients {
  at::Tensor share, weight, threshold, syn, mem;
};

struct Saved {
  at::Tensor gates, syn, mem, weight, threshold, syn0, mem0;
};

/// The weight's gradient, one product over all T: the gates' gradients with the outputs before them.
at::Tensor weight_gradient(const at::Tensor& grad_gates, const Saved& saved) {
  const auto product = [&](const at::Tensor& grad, const at::Tensor& mem) {
    if (is_convolution(saved.weight)) return convolve_backward(grad, mem, saved.weight, false);
    return linear(grad.t(), mem.t());
  };
  const auto steps = grad_gates.size(0);
  at::Tensor sum;
  if (steps > 1)
    sum = product(grad_gates.slice(0, 1).flatten(0, 1), saved.mem.slice(0, 0, steps - 1).flatten(0, 1));
  if (steps > 0 && saved.mem0.defined()) {
    const auto first = product(grad_gates[0], saved.mem0);
    sum = sum.defined() ? sum.add_(first) : first;
  }
  return sum.defined() ? sum : at::zeros_like(saved.weight);
}

template <class T>
Gradients run_backward(const Node& node, const Saved& saved, bool constant, const at::Tensor& grad_spk,
                       const at::Tensor& grad_syn, const at::Tensor& grad_mem,
                       const at::Tensor& grad_last_syn, const at::Tensor& grad_last_mem, bool wants_weight,
                       bool wants_threshold) {
  const auto row = threshold_row(saved.threshold, saved.gates);
  const auto dtype = saved.gates.scalar_type();
  const auto one = saved.syn.sizes().slice(1);
  const auto start = [&](const at::Tensor& grad) {
    return grad.defined() ? grad.clone(at::MemoryFormat::Contiguous) : at::zeros(one, saved.syn.options());
  };
  const auto dense = [](const at::Tensor& t) { return t.defined() ? t.contiguous() : t; };
  const auto spk = dense(grad_spk), syn = dense(grad_syn), mem = dense(grad_mem);
  Gradients out;
  out.share = recycled_empty(saved.gates.sizes(), dtype);
  out.syn = start(grad_last_syn);
  out.mem = start(grad_last_mem);
  const auto per_cell = wants_threshold ? at::zeros(one, saved.syn.options()) : at::Tensor();

  auto call = node.call<T>(saved.gates, row);
  call.first_syn = data<T>(saved.syn0);
  call.first_mem = data<T>(saved.mem0);
  // The backward only reads these.
  call.gates = const_cast<T*>(data<T>(saved.gates));
  call.gates_step = call.batch * call.hidden * 4;
  call.syn = const_cast<T*>(data<T>(saved.syn));
  call.mem = const_cast<T*>(data<T>(saved.mem));
  call.state_step = call.batch * call.hidden;
  call.grad_spk = data<T>(spk);
  call.grad_syn = data<T>(syn);
  call.grad_mem = data<T>(mem);
  call.grad_gates = writable<T>(out.share);
  call.carry_syn = writable<T>(out.syn);
  call.carry_mem = writable<T>(out.mem);
  call.grad_threshold = writable<T>(per_cell);

  const auto& run = functions<T>();
  if (!is_convolution(saved.weight)) {
    const auto matrix = packed<T>(saved.weight, false);
    call.packed = data<T>(matrix);
    at::parallel_for(0, call.batch, grain(call.steps, call.hidden * call.hidden),
                     [&](std::int64_t begin, std::int64_t end) { run.backward(call, begin, end); });
  } else {
    for (std::int64_t t = node.steps; t-- > 0;) {
      at::parallel_for(0, call.batch, grain(1, call.hidden),
                       [&](std::int64_t begin, std::int64_t end) { run.step_backward(call, t, begin, end); });
      // Only the sizes of the last membrane are read.
      out.mem = convolve_backward(out.share[t], saved.mem[t], saved.weight, true).contiguous();
      call.carry_mem = writable<T>(out.mem);
    }
  }

  if (wants_weight) out.weight = weight_gradient(out.share, saved);
  if (wants_threshold) {
    out.threshold = at::empty_like(saved.threshold);
    kernels::reduce_columns(data<T>(per_cell), per_cell.numel(), out.threshold.numel(),
                            writable<T>(out.threshold));
  }
  if (constant) out.share = out.share.sum(0, true);
  return out;
}

struct LstmFunction : torch::autograd::Function<LstmFunction> {
  // tensors: share, weight, threshold, and both states where there are any
  // -> syn and mem over time, the last of both, and the spikes where wanted
  static variable_list forward(AutogradContext* ctx, at::TensorList tensors, const LstmCall* given) {
    const bool states = tensors.size() > 3;
    Node node{given->steps, given->order, given->reset, given->surrogate};
    const auto syn0 = states ? tensors[3] : at::Tensor(), mem0 = states ? tensors[4] : at::Tensor();
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto run = given->share.scalar_type() == at::kFloat ? &run_forward<float> : &run_forward<double>;
    auto out = run(node, *given, tensors[1], syn0, mem0, true);
    ctx->set_materialize_grads(false);
    variable_list saved{out.gates, out.syn, out.mem, tensors[1], tensors[2]};
    if (states) saved.insert(saved.end(), {syn0, mem0});
    ctx->save_for_backward(saved);
    auto& data = ctx->saved_data;
    data["steps"] = node.steps;
    data["constant"] = given->share.size(0) != node.steps;
    data["order"] = std::vector<std::int64_t>{node.order.i, node.order.f, node.order.g, node.order.o};
    data["reset"] = static_cast<std::int64_t>(node.reset);
    data["surrogate"] = static_cast<std::int64_t>(node.surrogate.kind);
    data["surrogate_args"] =
        std::vector<double>(std::begin(node.surrogate.args), std::end(node.surrogate.args));
    const auto last = [&](const at::Tensor& trace, const at::Tensor& first) {
      if (node.steps > 0) return trace[node.steps - 1].clone();
      return first.defined() ? first.clone() : at::zeros(trace.sizes().slice(1), trace.options());
    };
    variable_list result{out.syn, out.mem, last(out.syn, syn0), last(out.mem, mem0)};
    if (given->spikes) result.push_back(out.spk);
    return result;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list result(6);
    if (std::none_of(grads.begin(), grads.end(), [](const at::Tensor& g) { return g.defined(); }))
      return result;
    if (at::GradMode::is_enabled() && std::any_of(grads.begin(), grads.end(), [](const at::Tensor& g) {
          return g.defined() && g.requires_grad();
        })) {
      throw RuntimeError(
          "[lstm] the fused backward has no derivative of its own: for second derivatives set fused = false");
    }
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto tensors = ctx->get_saved_variables();
    auto& data = ctx->saved_data;
    Node node;
    node.steps = data["steps"].toInt();
    const auto order = data["order"].toIntVector();
    node.order = {static_cast<int>(order[0]), static_cast<int>(order[1]), static_cast<int>(order[2]),
                  static_cast<int>(order[3])};
    node.reset = static_cast<Reset>(data["reset"].toInt());
    node.surrogate.kind = static_cast<SurrogateKind>(data["surrogate"].toInt());
    const auto args = data["surrogate_args"].toDoubleVector();
    std::copy(args.begin(), args.end(), node.surrogate.args);
    Saved saved{tensors[0], tensors[1], tensors[2], tensors[3], tensors[4], {}, {}};
    const bool states = tensors.size() > 5;
    if (states) {
      saved.syn0 = tensors[5];
      saved.mem0 = tensors[6];
    }
    const auto run = saved.gates.scalar_type() == at::kFloat ? &run_backward<float> : &run_backward<double>;
    auto out =
        run(node, saved, data["constant"].toBool(), grads.size() > 4 ? grads[4] : at::Tensor(), grads[0],
            grads[1], grads[2], grads[3], ctx->needs_input_grad(1), ctx->needs_input_grad(2));
    result.resize(states ? 6 : 4);
    result[0] = out.share;
    result[1] = out.weight;
    result[2] = out.threshold;
    if (states) {
      result[3] = out.syn;
      result[4] = out.mem;
    }
    return result;
  }
};

bool recorded(const LstmCall& call) {
  if (!at::GradMode::is_enabled()) return false;
  const auto wants = [](const at::Tensor& t) { return t.defined() && t.requires_grad(); };
  return wants(call.share) || wants(call.weight) || wants(call.threshold) || wants(call.syn) ||
         wants(call.mem);
}

}  // namespace

NeuronResult lstm(const LstmCall& given) {
  auto call = given;
  call.share = given.share.contiguous();
  call.weight = given.weight.contiguous();
  if (call.syn.defined() || call.mem.defined()) {
    const auto shape = trace_shape(call.share, call.steps);
    const auto or_zero = [&](const at::Tensor& t) {
      return t.defined()
                 ? t.contiguous()
                 : at::zeros(at::IntArrayRef(shape).slice(1), call.share.options().requires_grad(false));
    };
    call.syn = or_zero(call.syn);
    call.mem = or_zero(call.mem);
  }
  NeuronResult result;
  if (recorded(call) || call.traces || call.steps == 0) {
    variable_list tensors{call.share, call.weight, call.threshold};
    if (call.syn.defined()) tensors.insert(tensors.end(), {call.syn, call.mem});
    const auto out = LstmFunction::apply(at::TensorList(tensors), &call);
    result.state = {out[2], out[3]};
    if (call.traces) result.traces = {out[0], out[1]};
    if (call.spikes) result.spk = out[4];
    return result;
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  const Node node{call.steps, call.order, call.reset, call.surrogate};
  const auto run = call.share.scalar_type() == at::kFloat ? &run_forward<float> : &run_forward<double>;
  auto out = run(node, call, call.weight, call.syn, call.mem, false);
  result.spk = out.spk;
  result.state = {out.syn, out.mem};
  return result;
}

}  // namespace rheo::ops
