// Registration, checks and the CPU implementation of the associative operator; autograd is in associative_autograd.cpp.
#include "rheo/ops/associative.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>
#include <torch/library.h>

#include <algorithm>

#include "rheo/kernels/associative.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/detail/associative_schema.hpp"
#include "rheo/ops/neuron_entry.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::ops {
namespace {

using detail::OptionalTensor;
using detail::Tensors;

// The places of a call's tensors.
enum Place { at_v, at_k, at_a, at_q, at_state, at_threshold, at_graded, arguments };
constexpr const char* names[] = {"v", "k", "a", "q", "state", "threshold", "graded"};

template <class T>
const T* data(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}

/// One value per element of the matrix.
at::Tensor spread(const at::Tensor& t, std::int64_t size) {
  return t.reshape({-1}).expand({size}).contiguous();
}

void check(const Tensors& in) {
  const auto &v = in[at_v], &k = in[at_k];
  if (v.dim() != 3) refuse("associative", "v must have shape [T, B, d], got ", v.sizes());
  const auto steps = v.size(0), batch = v.size(1), d = v.size(2);
  if (k.dim() != 3 || k.size(0) != steps || k.size(1) != batch) {
    refuse("associative", "k must have shape [", steps, ", ", batch, ", n], got ", k.sizes());
  }
  const auto n = k.size(2);
  const auto want = [&](int place, std::initializer_list<std::int64_t> sizes) {
    const auto& t = in[static_cast<std::size_t>(place)];
    if (t.defined() && t.sizes() != at::IntArrayRef(sizes)) {
      refuse("associative", names[place], " must have shape ", at::IntArrayRef(sizes), ", got ", t.sizes());
    }
  };
  want(at_a, {steps, batch, n});
  want(at_q, {steps, batch, n * d});
  want(at_state, {batch, d * n});
  for (int i = 0; i < arguments; ++i) {
    const auto& t = in[static_cast<std::size_t>(i)];
    if (!t.defined()) continue;
    if (t.scalar_type() != v.scalar_type() ||
        (t.scalar_type() != at::kFloat && t.scalar_type() != at::kDouble)) {
      refuse("associative", names[i], " must be float32 or float64, all of one type, got ", t.scalar_type());
    }
    if (!t.is_cpu()) refuse("associative", names[i], " must be on the CPU, got ", t.device());
  }
  for (const int i : {at_threshold, at_graded}) {
    const auto& t = in[static_cast<std::size_t>(i)];
    if (t.numel() != 1 && t.numel() != d * n) {
      refuse("associative", names[i], " must have 1 or ", d * n, " elements, got ", t.numel());
    }
  }
}

/// A call's tensors, checked, as the kernels read them.
struct Places {
  Tensors tensors;
  at::Tensor thresholds, factors;  // [d * n]

  Places(const at::Tensor& v, const at::Tensor& k, const at::Tensor& a, const OptionalTensor& q,
         const OptionalTensor& state, const at::Tensor& threshold, const at::Tensor& graded)
      : tensors{v, k, a, detail::or_undefined(q), detail::or_undefined(state), threshold, graded} {
    check(tensors);
    for (auto& t : tensors) {
      if (t.defined()) t = t.contiguous();
    }
    const auto size = v.size(2) * k.size(2);
    thresholds = spread(threshold, size);
    factors = spread(graded, size);
  }

  template <class T>
  kernels::AssociativeCall<T> call(const SurrogateCall& surrogate) const {
    kernels::AssociativeCall<T> call;
    call.steps = tensors[at_v].size(0);
    call.batch = tensors[at_v].size(1);
    call.values = tensors[at_v].size(2);
    call.keys = tensors[at_k].size(2);
    call.v = data<T>(tensors[at_v]);
    call.k = data<T>(tensors[at_k]);
    call.a = data<T>(tensors[at_a]);
    call.q = data<T>(tensors[at_q]);
    call.state = data<T>(tensors[at_state]);
    call.threshold = data<T>(thresholds);
    call.graded = data<T>(factors);
    call.surrogate = surrogate;
    return call;
  }
};

template <class T, class Loop>
void over_samples(const kernels::AssociativeCall<T>& call, std::int64_t workspace, Loop loop) {
  at::parallel_for(0, call.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    loop(call, begin, end,
         static_cast<T*>(thread_workspace(static_cast<std::size_t>(workspace) * sizeof(T))));
  });
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> associative_cpu(
    const at::Tensor& v, const at::Tensor& k, const at::Tensor& a, const OptionalTensor& q,
    const OptionalTensor& state, const at::Tensor& threshold, const at::Tensor& graded,
    std::string_view surrogate, at::ArrayRef<double> surrogate_args, bool trace) {
  const Places in(v, k, a, q, state, threshold, graded);
  const auto steps = v.size(0), batch = v.size(1), d = v.size(2), size = d * k.size(2);
  const auto type = v.scalar_type();
  auto out = recycled_empty({steps, batch, q.has_value() ? d * d : size}, type);
  auto last = at::empty({batch, size}, v.options());
  auto matrices = trace ? recycled_empty({steps, batch, size}, type) : detail::none(v);
  by_type(v, [&]<class T>(T) {
    auto call = in.call<T>(surrogate_call(surrogate, surrogate_args));
    call.out = out.mutable_data_ptr<T>();
    call.last = last.mutable_data_ptr<T>();
    if (trace) call.trace = matrices.mutable_data_ptr<T>();
    over_samples(call, call.forward_workspace(),
                 kernels::associative_kernels(kernels::chosen_isa()).loops<T>().forward);
  });
  return {std::move(out), std::move(last), std::move(matrices)};
}

Tensors associative_backward_cpu(const OptionalTensor& grad_out, const OptionalTensor& grad_last,
                                 const OptionalTensor& grad_trace, const at::Tensor& v, const at::Tensor& k,
                                 const at::Tensor& a, const OptionalTensor& q, const OptionalTensor& state,
                                 const at::Tensor& threshold, const at::Tensor& graded,
                                 std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                                 std::int64_t needs) {
  const Places in(v, k, a, q, state, threshold, graded);
  const auto dense = [](const OptionalTensor& g) { return g.has_value() ? g->contiguous() : at::Tensor(); };
  const auto g_out = dense(grad_out), g_last = dense(grad_last), g_trace = dense(grad_trace);
  const auto batch = v.size(1), size = v.size(2) * k.size(2);
  const auto matrices = [&] { return at::empty({batch, size}, v.options()); };
  auto grad_state = matrices(), threshold_rows = matrices(), graded_rows = matrices();
  // The kernel writes all of these.
  Tensors out;
  for (const int i : {at_v, at_k, at_a, at_q}) {
    const auto& t = in.tensors[static_cast<std::size_t>(i)];
    out.push_back(t.defined() ? recycled_empty(t.sizes(), t.scalar_type()) : at::Tensor());
  }
  by_type(v, [&]<class T>(T) {
    auto call = in.call<T>(surrogate_call(surrogate, surrogate_args));
    const auto to = [](at::Tensor& t) { return t.defined() ? t.mutable_data_ptr<T>() : nullptr; };
    call.grad_out = data<T>(g_out);
    call.grad_last = data<T>(g_last);
    call.grad_trace = data<T>(g_trace);
    call.grad_v = to(out[at_v]);
    call.grad_k = to(out[at_k]);
    call.grad_a = to(out[at_a]);
    call.grad_q = to(out[at_q]);
    call.grad_state = to(grad_state);
    call.grad_threshold = to(threshold_rows);
    call.grad_graded = to(graded_rows);
    over_samples(call, call.backward_workspace(),
                 kernels::associative_kernels(kernels::chosen_isa()).loops<T>().backward);
    const auto reduced = [&](const at::Tensor& rows, const at::Tensor& like) {
      auto g = at::zeros(like.sizes(), like.options());
      kernels::reduce_columns(rows.const_data_ptr<T>(), rows.numel(), like.numel(), g.mutable_data_ptr<T>());
      return g;
    };
    out.push_back(std::move(grad_state));
    for (const int i : {at_threshold, at_graded}) {
      const auto place = static_cast<std::size_t>(i);
      out.push_back(detail::needed(needs, place)
                        ? reduced(i == at_threshold ? threshold_rows : graded_rows, in.tensors[place])
                        : at::Tensor());
    }
  });
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!in.tensors[i].defined() || !out[i].defined() || !detail::needed(needs, i)) out[i] = detail::none(v);
  }
  return out;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> associative_meta(const at::Tensor& v, const at::Tensor& k,
                                                                const at::Tensor&, const OptionalTensor& q,
                                                                const OptionalTensor&, const at::Tensor&,
                                                                const at::Tensor&, std::string_view,
                                                                at::ArrayRef<double>, bool trace) {
  const auto steps = v.sym_size(0), batch = v.sym_size(1), d = v.sym_size(2), size = d * k.sym_size(2);
  const auto sized = [&](std::initializer_list<c10::SymInt> sizes) {
    return at::empty_symint(c10::SymIntArrayRef(sizes), v.options());
  };
  return {sized({steps, batch, q.has_value() ? d * d : size}), sized({batch, size}),
          trace ? sized({steps, batch, size}) : detail::none(v)};
}
Tensors associative_backward_meta(const OptionalTensor&, const OptionalTensor&, const OptionalTensor&,
                                  const at::Tensor& v, const at::Tensor& k, const at::Tensor& a,
                                  const OptionalTensor& q, const OptionalTensor& state,
                                  const at::Tensor& threshold, const at::Tensor& graded, std::string_view,
                                  at::ArrayRef<double>, std::int64_t needs) {
  return detail::gradient_shapes(
      Tensors{v, k, a, detail::or_undefined(q), detail::or_undefined(state), threshold, graded}, needs);
}

}  // namespace

AssociativeResult associative(const AssociativeCall& call) {
  auto [out, state, trace] = detail::associative_op().call(
      call.v, call.k, call.a, detail::given(call.q), detail::given(call.state), call.threshold, call.graded,
      to_string(call.surrogate.kind), call.surrogate.args, call.trace);
  return {std::move(out), std::move(state), call.trace ? std::move(trace) : at::Tensor()};
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def(
      "associative(Tensor v, Tensor k, Tensor a, Tensor? q, Tensor? state, Tensor threshold, Tensor graded, "
      "str surrogate, float[] surrogate_args, bool trace) -> (Tensor, Tensor, Tensor)",
      {at::Tag::pt2_compliant_tag});
  m.def(
      "associative_backward(Tensor? grad_out, Tensor? grad_last, Tensor? grad_trace, Tensor v, Tensor k, "
      "Tensor a, Tensor? q, Tensor? state, Tensor threshold, Tensor graded, str surrogate, "
      "float[] surrogate_args, int needs) -> Tensor[]",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(rheobase, CPU, m) {
  m.impl("associative", TORCH_FN(associative_cpu));
  m.impl("associative_backward", TORCH_FN(associative_backward_cpu));
}
TORCH_LIBRARY_IMPL(rheobase, Meta, m) {
  m.impl("associative", TORCH_FN(associative_meta));
  m.impl("associative_backward", TORCH_FN(associative_backward_meta));
}
TORCH_LIBRARY_IMPL(rheobase, Autograd, m) {
  m.impl("associative", TORCH_FN(detail::associative_autograd));
  m.impl("associative_backward", TORCH_FN(detail::associative_backward_autograd));
}

}  // namespace rheo::ops
