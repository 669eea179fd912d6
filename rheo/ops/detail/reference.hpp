// The tensor side of a neuron, made from its header: entry, derive, checks, reference path.
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>

#include <cmath>

#include "rheo/ops/detail/expr.hpp"
#include "rheo/ops/inhibition.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo {

/// The spike function of the reference path.
struct ExprSpike {
  const ops::ReferenceCall* call;
  const std::int64_t* step;
  double scale;  // of the neuron: NeuronInfo::surrogate_scale
};
inline Expr spike(const ExprSpike& s, const Expr& u, const Expr& threshold) {
  const Expr above = s.scale == 1 ? u - threshold : (u - threshold) * (1 / s.scale);
  return {
      ops::spike(above.t, s.call->surrogate, s.call->custom, s.call->slope, s.call->first_step + *s.step)};
}

/// The rule with what only whole tensors can do: quantised membranes, and one spike per row. A step does not notice.
struct ExprRule : Rule<Expr, Expr, Expr, ExprSpike> {
  using Plain = Rule<Expr, Expr, Expr, ExprSpike>;
  Fired<Expr, Expr>* last;  // of this step

  Fired<Expr, Expr> fire(const Expr& u) const {
    const auto& call = *surrogate.call;
    const Expr mem = call.quantise ? Expr{call.quantise(u.t)} : u;
    *last = Plain::fire(mem);
    if (call.inhibition) {
      const auto over = mem - threshold;
      last->spk = {ops::winners(spike(surrogate, mem, threshold).t, over.t)};
    }
    return *last;
  }
};

}  // namespace rheo

namespace rheo::ops::detail {

/// Reads parameters (undefined or NaN: not given) and modes into a neuron's Raw, in the order of its declaration.
template <class Values>
struct FillRaw {
  const Values& from;
  std::size_t next_value = 0;
  std::size_t next_mode = 0;
  void parameter(const char*, Expr& to, bool& has) {
    to.t = from.values[next_value++];
    has = to.t.defined();
  }
  void parameter(const char*, double& to, bool& has) {
    to = from.values[next_value++];
    has = !std::isnan(to);
  }
  void mode(const char*, int& to) { to = from.modes[next_mode++]; }
};

template <class N, class T, class Values>
typename N::template Raw<T> raw_of(const Values& values) {
  typename N::template Raw<T> raw{};
  raw.visit(FillRaw<Values>{values});
  return raw;
}

template <class N>
std::vector<at::Tensor> derive_constants(const RawTensors& values) {
  const auto constants = N::derive(raw_of<N, Expr>(values));
  std::vector<at::Tensor> out;
  unroll<N::constants_names::count>(
      [&](auto k) { out.push_back(constants.template get<decltype(k)::value>().t); });
  return out;
}

template <class N>
std::vector<at::Tensor> rest_state(const RawTensors& values) {
  std::vector<at::Tensor> out;
  if constexpr (requires { N::rest(raw_of<N, Expr>(values)); }) {
    const auto state = N::rest(raw_of<N, Expr>(values));
    unroll<N::state_names::count>([&](auto k) { out.push_back(state.template get<decltype(k)::value>().t); });
  }
  return out;
}

template <class N>
RawTensors complete_parameters(const RawTensors& values) {
  if constexpr (requires { N::resolve(raw_of<N, Expr>(values)); }) {
    auto raw = N::resolve(raw_of<N, Expr>(values));
    RawTensors out{{}, values.modes};
    struct Collect {
      std::vector<at::Tensor>& to;
      void parameter(const char*, Expr& e, bool&) { to.push_back(e.t); }
      void mode(const char*, int&) {}
    } collect{out.values};
    raw.visit(collect);
    return out;
  } else {
    return values;
  }
}

/// What a neuron's check calls: refuse(parameter, rule, value), or with a second value that the rule ends with.
struct Refusal {
  const std::function<void(const char*, const char*, double)>& refuse;
  void operator()(const char* parameter, const char* rule, double value) const {
    refuse(parameter, rule, value);
  }
  void operator()(const char* parameter, const char* rule, double value, double other) const {
    refuse(parameter, c10::str(rule, " (", other, ")").c_str(), value);
  }
};

template <class N>
void check_parameters(const RawNumbers& values,
                      const std::function<void(const char*, const char*, double)>& refuse) {
  if constexpr (requires { N::check(raw_of<N, double>(values), Refusal{refuse}); })
    N::check(raw_of<N, double>(values), Refusal{refuse});
}

template <class N>
void settle_parameters(bool* given, const bool* learned,
                       const std::function<void(const char*, const char*, double)>& refuse) {
  if constexpr (requires { N::settle(given, learned, refuse); }) N::settle(given, learned, refuse);
}

template <class N>
NeuronResult run_reference(const ReferenceCall& call) {
  constexpr int S = N::state_names::count;
  constexpr int P = N::constants_names::count;
  const auto& x = call.x;
  const auto factor = [&](int on) { return fill(Expr{x}, on); };
  Fired<Expr, Expr> fired;
  std::int64_t t = 0;
  const ExprRule rule{
      {Expr{call.constants[P]}, Expr{call.constants[P + 1]},
       reset_factors(call.reset, call.reset_delay, factor), ExprSpike{&call, &t, N::info.surrogate_scale}},
      &fired};
  const auto constants = N::make_constants([&](auto k) { return Expr{call.constants[decltype(k)::value]}; });
  auto state = N::make_state([&](auto k) {
    constexpr std::size_t K = decltype(k)::value;
    return Expr{K < call.state.size() ? call.state[K] : at::zeros(x.sizes().slice(1), x.options())};
  });
  std::vector<at::Tensor> spikes;
  std::vector<std::vector<at::Tensor>> traces(S);
  for (; t < call.steps; ++t) {
    auto out = N::step(state, Expr{x.size(0) == 1 ? x.select(0, 0) : x.select(0, t)}, constants, rule);
    state = out.state;
    spikes.push_back(out.spk.t);
    unroll<S>([&](auto k) {
      at::Tensor& s = state.template get<decltype(k)::value>().t;
      // What fired has been quantised, and a spike is no level.
      if (call.quantise && !s.is_same(fired.mem.t) && !s.is_same(fired.spk.t)) s = call.quantise(s);
      if (call.traces) traces[decltype(k)::value].push_back(s);
    });
  }
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = call.steps;
  const auto joined = [&](const std::vector<at::Tensor>& list) {
    return list.empty() ? at::empty(sizes, x.options()) : at::stack(list);
  };
  NeuronResult result{joined(spikes), {}, {}};
  unroll<S>([&](auto k) {
    constexpr int K = decltype(k)::value;
    if (call.traces) result.traces.push_back(joined(traces[K]));
    result.state.push_back(state.template get<K>().t);
  });
  return result;
}

template <class N>
NeuronEntry make_entry(kernels::KernelTable (*table)()) {
  NeuronEntry entry;
  entry.info = N::info;
  for (const auto& p : N::info.params) {
    if (!p.name.empty()) entry.parameters.emplace_back(p.name);
  }
  entry.states.assign(std::begin(N::state_names::text), std::end(N::state_names::text));
  entry.constants.assign(std::begin(N::constants_names::text), std::end(N::constants_names::text));
  entry.kernels = table;
  entry.derive = &derive_constants<N>;
  entry.complete = &complete_parameters<N>;
  entry.rests = requires(const RawTensors& values) { N::rest(raw_of<N, Expr>(values)); };
  entry.rest = &rest_state<N>;
  entry.check = &check_parameters<N>;
  entry.settle = &settle_parameters<N>;
  entry.reference = &run_reference<N>;
  return entry;
}

}  // namespace rheo::ops::detail
