#include "rheo/ops/associative.hpp"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "rheo/kernels/associative.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The tensors of a call, in the order of the autograd function's arguments.
enum Argument { at_v, at_k, at_a, at_q, at_state, at_threshold, at_graded, arguments };

template <class T>
const T* data(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}

/// One value per element of the matrix.
at::Tensor spread(const at::Tensor& t, std::int64_t size) {
  return t.reshape({-1}).expand({size}).contiguous();
}

template <class T>
kernels::AssociativeCall<T> call_of(const variable_list& in, const at::Tensor& threshold,
                                    const at::Tensor& graded, const SurrogateCall& surrogate) {
  kernels::AssociativeCall<T> call;
  call.steps = in[at_v].size(0);
  call.batch = in[at_v].size(1);
  call.values = in[at_v].size(2);
  call.keys = in[at_k].size(2);
  call.v = data<T>(in[at_v]);
  call.k = data<T>(in[at_k]);
  call.a = data<T>(in[at_a]);
  call.q = data<T>(in[at_q]);
  call.state = data<T>(in[at_state]);
  call.threshold = data<T>(threshold);
  call.graded = data<T>(graded);
  call.surrogate = surrogate;
  return call;
}

template <class T, class Loop>
void over_samples(const kernels::AssociativeCall<T>& call, std::int64_t workspace, Loop loop) {
  at::parallel_for(0, call.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    loop(call, begin, end,
         static_cast<T*>(thread_workspace(static_cast<std::size_t>(workspace) * sizeof(T))));
  });
}

struct AssociativeFunction : torch::autograd::Function<AssociativeFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& v, const at::Tensor& k,
                               const at::Tensor& a, const std::optional<at::Tensor>& q,
                               const std::optional<at::Tensor>& state, const at::Tensor& threshold,
                               const at::Tensor& graded, std::int64_t surrogate,
                               const std::vector<double>& args, bool trace) {
    variable_list in{v, k, a, q.value_or(at::Tensor()), state.value_or(at::Tensor()), threshold, graded};
    for (auto& t : in) {
      if (t.defined()) t = t.contiguous();
    }
    const SurrogateCall spike{static_cast<SurrogateKind>(surrogate), {args[0], args[1]}};
    const auto steps = v.size(0), batch = v.size(1), d = v.size(2), size = d * k.size(2);
    const auto type = v.scalar_type();
    variable_list out{recycled_empty({steps, batch, q.has_value() ? d * d : size}, type),
                      at::empty({batch, size}, v.options())};
    if (trace) out.push_back(recycled_empty({steps, batch, size}, type));
    const auto thresholds = spread(threshold, size), factors = spread(graded, size);
    AT_DISPATCH_FLOATING_TYPES(type, "associative", [&] {
      auto call = call_of<scalar_t>(in, thresholds, factors, spike);
      call.out = out[0].mutable_data_ptr<scalar_t>();
      call.last = out[1].mutable_data_ptr<scalar_t>();
      if (trace) call.trace = out[2].mutable_data_ptr<scalar_t>();
      over_samples(call, call.forward_workspace(),
                   kernels::associative_kernels(kernels::chosen_isa()).loops<scalar_t>().forward);
    });
    ctx->save_for_backward(in);
    ctx->set_materialize_grads(false);
    ctx->saved_data["surrogate"] = surrogate;
    ctx->saved_data["args"] = args;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw RuntimeError(
          "[associative] the fused backward has no derivative of its own: for second derivatives set fused = "
          "false");
    }
    for (auto& g : grads) {
      if (g.defined()) g = g.contiguous();
    }
    const auto in = ctx->get_saved_variables();
    const auto args = ctx->saved_data["args"].toDoubleVector();
    const SurrogateCall spike{static_cast<SurrogateKind>(ctx->saved_data["surrogate"].toInt()),
                              {args[0], args[1]}};
    const auto size = in[at_v].size(2) * in[at_k].size(2);
    const auto batch = in[at_v].size(1);
    const auto thresholds = spread(in[at_threshold], size), factors = spread(in[at_graded], size);
    variable_list out(arguments + 3);
    for (const int i : {at_v, at_k, at_a, at_q}) {
      if (in[static_cast<std::size_t>(i)].defined()) {
        const auto& t = in[static_cast<std::size_t>(i)];
        out[static_cast<std::size_t>(i)] = recycled_empty(t.sizes(), t.scalar_type());
      }
    }
    const auto matrices = [&] { return at::empty({batch, size}, in[at_v].options()); };
    auto grad_state = matrices(), threshold_rows = matrices(), graded_rows = matrices();
    AT_DISPATCH_FLOATING_TYPES(in[at_v].scalar_type(), "associative", [&] {
      auto call = call_of<scalar_t>(in, thresholds, factors, spike);
      const auto to = [](at::Tensor& t) { return t.defined() ? t.mutable_data_ptr<scalar_t>() : nullptr; };
      call.grad_out = data<scalar_t>(grads[0]);
      call.grad_last = data<scalar_t>(grads[1]);
      call.grad_trace = grads.size() > 2 ? data<scalar_t>(grads[2]) : nullptr;
      call.grad_v = to(out[at_v]);
      call.grad_k = to(out[at_k]);
      call.grad_a = to(out[at_a]);
      call.grad_q = to(out[at_q]);
      call.grad_state = to(grad_state);
      call.grad_threshold = to(threshold_rows);
      call.grad_graded = to(graded_rows);
      over_samples(call, call.backward_workspace(),
                   kernels::associative_kernels(kernels::chosen_isa()).loops<scalar_t>().backward);
      const auto reduced = [&](const at::Tensor& rows, const at::Tensor& like) {
        auto g = at::zeros(like.sizes(), like.options());
        kernels::reduce_columns(rows.const_data_ptr<scalar_t>(), rows.numel(), like.numel(),
                                g.mutable_data_ptr<scalar_t>());
        return g;
      };
      // Autograd counts the tensors there are.
      const auto place = 3UL + static_cast<std::size_t>(in[at_q].defined()) +
                         static_cast<std::size_t>(in[at_state].defined());
      if (ctx->needs_input_grad(place)) out[at_threshold] = reduced(threshold_rows, in[at_threshold]);
      if (ctx->needs_input_grad(place + 1)) out[at_graded] = reduced(graded_rows, in[at_graded]);
    });
    if (in[at_state].defined()) out[at_state] = grad_state;
    return out;
  }
};

void check(const AssociativeCall& c) {
  if (c.v.dim() != 3) refuse("associative", "v must have shape [T, B, d], got ", c.v.sizes());
  const auto steps = c.v.size(0), batch = c.v.size(1), d = c.v.size(2);
  if (c.k.dim() != 3 || c.k.size(0) != steps || c.k.size(1) != batch) {
    refuse("associative", "k must have shape [", steps, ", ", batch, ", n], got ", c.k.sizes());
  }
  const auto n = c.k.size(2);
  const auto want = [](const char* name, const at::Tensor& t, std::initializer_list<std::int64_t> sizes) {
    if (t.sizes() != at::IntArrayRef(sizes)) {
      refuse("associative", name, " must have shape ", at::IntArrayRef(sizes), ", got ", t.sizes());
    }
  };
  want("a", c.a, {steps, batch, n});
  if (c.q.defined()) want("q", c.q, {steps, batch, n * d});
  if (c.state.defined()) want("state", c.state, {batch, d * n});
  const std::pair<const char*, const at::Tensor*> all[] = {{"v", &c.v},          {"k", &c.k},
                                                           {"a", &c.a},          {"q", &c.q},
                                                           {"state", &c.state},  {"threshold", &c.threshold},
                                                           {"graded", &c.graded}};
  for (const auto& [name, t] : all) {
    if (!t->defined()) continue;
    if (t->scalar_type() != c.v.scalar_type() ||
        (t->scalar_type() != at::kFloat && t->scalar_type() != at::kDouble)) {
      refuse("associative", name, " must be float32 or float64, all of one type, got ", t->scalar_type());
    }
    if (!t->is_cpu()) refuse("associative", name, " must be on the CPU, got ", t->device());
  }
  for (const auto& [name, t] : {all[5], all[6]}) {
    if (t->numel() != 1 && t->numel() != d * n) {
      refuse("associative", name, " must have 1 or ", d * n, " elements, got ", t->numel());
    }
  }
}

}  // namespace

AssociativeResult associative(const AssociativeCall& call) {
  check(call);
  const auto maybe = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  auto out = AssociativeFunction::apply(
      call.v, call.k, call.a, maybe(call.q), maybe(call.state), call.threshold, call.graded,
      static_cast<std::int64_t>(call.surrogate.kind),
      std::vector<double>(std::begin(call.surrogate.args), std::end(call.surrogate.args)), call.trace);
  return {out[0], out[1], call.trace ? out[2] : at::Tensor()};
}

}  // namespace rheo::ops
