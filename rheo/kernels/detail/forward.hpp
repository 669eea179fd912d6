// The forward time loop of a pointwise neuron.
#pragma once

#include "rheo/kernels/detail/rows.hpp"

namespace rheo::inline RHEO_ISA::loops {

template <int K, int S, class T, class State>
RHEO_INLINE void store_state(T* const (&to)[S], std::int64_t i, const State& state) {
  if constexpr (K < S) {
    store(to[K] + i, state.template get<K>());
    store_state<K + 1>(to, i, state);
  }
}

/// A surrogate nobody asks: the forward has no derivatives.
struct NoSurrogate {};

/// One step of a row: reads state `from`, writes state `to`, hands spike and state to `emit`.
template <class N, ResetForm Form, class T, class Emit>
RHEO_INLINE void step_row(const ConstantRows<N, T>& constants_of_tile, Reset reset, bool delay,
                          const Row<T>& x, const T* const* from_rows, T* const* to_rows, std::int64_t n,
                          Emit emit) {
  constexpr int S = states_of<N>;
  constexpr int P = constants_of<N>;
  // Copies on the stack: what the loop stores cannot change them.
  const ConstantRows<N, T> constants = constants_of_tile;
  const T* from[S];
  T* to[S];
  for (int k = 0; k < S; ++k) {
    from[k] = from_rows[k];
    to[k] = to_rows[k];
  }
  const auto setup = [&](auto lane) RHEO_LAMBDA { return lane_factors<decltype(lane)>(reset, delay); };
  for_row<T>(n, setup, [&](auto lane, std::int64_t i, const auto& resets) RHEO_LAMBDA {
    using V = decltype(lane);
    const auto s = N::make_state([&](auto k) RHEO_LAMBDA { return load<V>(from[decltype(k)::value] + i); });
    const auto c = N::make_constants(
        [&](auto k) RHEO_LAMBDA { return constants.template at<V>(decltype(k)::value, i); });
    const Rule<V, V, V, NoSurrogate, Form> rule{
        constants.template at<V>(P, i), constants.template at<V>(P + 1, i), resets, {}};
    x.prefetch(i);
    const auto out = N::step(s, x.template at<V>(i), c, rule);
    store_state<0>(to, i, out.state);
    emit(i, out);
  });
}

/// One step of a row that keeps nothing but the state; one copy, called by every backward.
template <class N, class T>
__attribute__((noinline)) void advance_row(const ConstantRows<N, T>& constants, Reset reset, bool delay,
                                           const Row<T>& x, const T* const* from, T* const* to,
                                           std::int64_t n) noexcept {
  const auto nothing = [](std::int64_t, const auto&) RHEO_LAMBDA {};
  if (is_default_reset(reset, delay)) {
    step_row<N, ResetForm::delayed_subtract>(constants, reset, delay, x, from, to, n, nothing);
  } else {
    step_row<N, ResetForm::general>(constants, reset, delay, x, from, to, n, nothing);
  }
}

/// What the forward keeps of a step.
template <int S, class T>
struct Keep {
  T* spk;
  T* trace[S];
  bool streaming;

  template <class Out>
  RHEO_INLINE void operator()(std::int64_t i, const Out& out) const {
    put(spk + i, out.spk, streaming);
    keep_traces<0>(i, out.state);
  }
  template <int K, class State>
  RHEO_INLINE void keep_traces(std::int64_t i, const State& state) const {
    if constexpr (K < S) {
      if (trace[K] != nullptr) put(trace[K] + i, state.template get<K>(), streaming);
      keep_traces<K + 1>(i, state);
    }
  }
};

template <class N, ResetForm Form, class T>
void forward_tile(const ForwardCall<T>& call, std::int64_t begin, std::int64_t n, T* workspace) noexcept {
  constexpr int S = states_of<N>;
  Arena<T> arena{workspace};
  ConstantRows<N, T> constants;
  constants.fill(call, begin, n, arena);
  TileSequence<T> x;
  x.open(call.x, begin, n, arena);
  T* state[S];
  for (int k = 0; k < S; ++k) {
    state[k] = arena.take(n);
    copy_or_zero(state[k], call.state[k] != nullptr ? call.state[k] + begin : nullptr, n);
  }
  for (std::int64_t t = 0; t < call.steps; ++t) {
    const std::int64_t at = t * call.columns + begin;
    Keep<S, T> keep{call.spk + at, {}, call.streaming};
    for (int k = 0; k < S; ++k) keep.trace[k] = call.traces[k] == nullptr ? nullptr : call.traces[k] + at;
    step_row<N, Form>(constants, call.reset, call.reset_delay, x.row(t, call.steps), state, state, n, keep);
  }
  for (int k = 0; k < S; ++k) {
    if (call.last_state[k] != nullptr) copy_or_zero(call.last_state[k] + begin, state[k], n);
  }
}

template <class N, class T>
void forward(const ForwardCall<T>& call, std::int64_t begin, std::int64_t end, T* workspace) noexcept {
  const Plan plan = plan_forward(call.steps, states_of<N>, constants_of<N> + 2, sizeof(T));
  for (std::int64_t b = begin; b < end; b += plan.tile) {
    const std::int64_t n = end - b < plan.tile ? end - b : plan.tile;
    if (is_default_reset(call.reset, call.reset_delay)) {
      forward_tile<N, ResetForm::delayed_subtract>(call, b, n, workspace);
    } else {
      forward_tile<N, ResetForm::general>(call, b, n, workspace);
    }
  }
  if (call.streaming) finish_streaming();
}

}  // namespace rheo::inline RHEO_ISA::loops
