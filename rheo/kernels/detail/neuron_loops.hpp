// The time loops of a pointwise neuron, forward and backward, for one instruction set.
//
// Clever here: a tile of columns is walked through all steps, so its states stay in the first-level cache, and each row
// of a tile is a contiguous stretch of memory. The backward runs the neuron's own step on dual numbers: the Jacobian of
// one step in registers, multiplied from the left by the adjoint of the state (BPTT). States before each step are
// recomputed from x by the same code, a segment of steps at a time, or read from the traces the user kept anyway.
#pragma once

#include <cstddef>

#include "rheo/core/dual.hpp"
#include "rheo/core/rule.hpp"
#include "rheo/kernels/neuron_call.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

template <class N>
inline constexpr int states_of = N::state_names::count;
template <class N>
inline constexpr int constants_of = N::constants_names::count;  // without threshold and graded factor

// ---- rows ------------------------------------------------------------------------------------------------------

// Rows of a tile are far apart in memory: the hardware does not guess the next one, so it is asked for. A few steps
// ahead into the second-level cache, which can wait for more lines at a time than the first, then one step ahead into
// the first. Measured on one core reading 51 MB: 1.6-2.0 ms, as fast as in one piece; straight into the first level
// 3.5, not at all 4.1.
inline constexpr std::int64_t prefetch_steps = 4;

/// A row of a tile, and the rows to ask for meanwhile.
template <class T>
struct Row {
  const T* p = nullptr;
  const T* next = nullptr;
  const T* far = nullptr;

  template <class V>
  RHEO_INLINE V at(std::int64_t i) const {
    return load<V>(p + i);
  }
  RHEO_INLINE void prefetch(std::int64_t i) const {
    __builtin_prefetch(far + i, 0, 2);
    __builtin_prefetch(next + i, 0, 3);
  }
};

/// Hands out pieces of the workspace.
template <class T>
struct Arena {
  T* next;
  RHEO_INLINE T* take(std::int64_t n) {
    T* p = next;
    next += (n + 15) / 16 * 16;
    return p;
  }
};

template <class T>
RHEO_INLINE void fill_row(T* row, std::int64_t n, T value) {
  for (std::int64_t i = 0; i < n; ++i) row[i] = value;
}

template <class T>
RHEO_INLINE void copy_or_zero(T* to, const T* from, std::int64_t n) {
  const auto bytes = static_cast<std::size_t>(n) * sizeof(T);
  if (from != nullptr) {
    __builtin_memcpy(to, from, bytes);
  } else {
    __builtin_memset(to, 0, bytes);
  }
}

/// All constants laid out along the columns of this tile.
template <class N, class T>
struct ConstantRows {
  static constexpr int count = constants_of<N> + 2;
  const T* row[count];

  template <class V>
  RHEO_INLINE V at(int k, std::int64_t i) const {
    return load<V>(row[k] + i);
  }

  RHEO_INLINE void fill(const NeuronCall<T>& call, std::int64_t begin, std::int64_t n, Arena<T>& arena) {
    for (int k = 0; k < count; ++k) {
      T* values = arena.take(n);
      row[k] = values;
      if (!call.per_neuron[k]) {
        fill_row(values, n, *call.constants[k]);
        continue;
      }
      std::int64_t at = begin % call.period;
      for (std::int64_t i = 0; i < n; ++i) {
        values[i] = call.constants[k][at];
        if (++at == call.period) at = 0;
      }
    }
  }
};

/// A sequence seen from one tile; a value repeated over the columns is written out as a row.
template <class T>
struct TileSequence {
  const Sequence<T>* sequence = nullptr;
  std::int64_t begin = 0;
  std::int64_t n = 0;
  T* repeated = nullptr;

  RHEO_INLINE void open(const Sequence<T>& s, std::int64_t first_column, std::int64_t columns,
                        Arena<T>& arena) {
    sequence = &s;
    begin = first_column;
    n = columns;
    if (s.column == 0 || s.data == nullptr) {
      repeated = arena.take(n);
      // A value per step is written by row(): without steps there is none to read.
      fill_row(repeated, n, s.data != nullptr && s.step == 0 ? *s.data : T{0});
    }
  }
  RHEO_INLINE bool absent() const { return sequence->data == nullptr; }
  /// The row of step t of a walk that ends before step `end` (forward) or at step `end` (backward, end <= t).
  RHEO_INLINE Row<T> row(std::int64_t t, std::int64_t end) {
    const auto ahead = [&](std::int64_t steps) {
      const std::int64_t s = end > t ? t + steps : t - steps;
      return (end > t ? s < end : s >= end) ? s : t;
    };
    if (repeated == nullptr) {
      const T* data = sequence->data + begin;
      return {data + t * sequence->step, data + ahead(1) * sequence->step,
              data + ahead(prefetch_steps) * sequence->step};
    }
    if (sequence->data != nullptr && sequence->step != 0)
      fill_row(repeated, n, sequence->data[t * sequence->step]);
    return {repeated, repeated, repeated};
  }
};

/// Runs body(lane, i, shared) for every element of a row: whole registers first, then one by one. What a row has in
/// common is made once per lane type by setup(lane).
template <class T, class Setup, class Body>
RHEO_INLINE void for_row(std::int64_t n, Setup setup, Body body) {
  std::int64_t i = 0;
#if !defined(__CUDACC__)
  constexpr int w = width<Pack<T>>;
  if (n >= w) {
    const auto shared = setup(Pack<T>{});
    for (; i + w <= n; i += w) body(Pack<T>{}, i, shared);
  }
#endif
  if (i < n) {
    const auto shared = setup(T{});
    for (; i < n; ++i) body(T{}, i, shared);
  }
}

template <class V>
RHEO_INLINE auto lane_factors(Reset reset, bool delay) {
  return reset_factors(reset, delay, [](int on) RHEO_LAMBDA { return splat<V>(static_cast<Number<V>>(on)); });
}

RHEO_INLINE bool is_default_reset(Reset reset, bool delay) { return reset == Reset::subtract && delay; }

// ---- forward ---------------------------------------------------------------------------------------------------

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

template <class T, class V>
RHEO_INLINE void put(T* p, const V& v, bool streaming) {
  if (streaming) {
    stream(p, v);
  } else {
    store(p, v);
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

RHEO_INLINE void finish_streaming() {
#if defined(__SSE2__) && !defined(__CUDACC__)
  _mm_sfence();
#endif
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

// ---- backward --------------------------------------------------------------------------------------------------

/// A sum that has no terms yet.
struct NoTerm {};
template <class V>
RHEO_INLINE V operator+(NoTerm, V v) {
  return v;
}
RHEO_INLINE NoTerm operator+(NoTerm, NoTerm) { return {}; }
template <class V>
RHEO_INLINE V operator+(V v, NoTerm) {
  return v;
}
template <class V>
RHEO_INLINE V sum_or_zero(V v) {
  return v;
}
template <class V>
RHEO_INLINE V sum_or_zero(NoTerm) {
  return splat<V>(Number<V>{0});
}

template <int K, class X, class V>
RHEO_INLINE auto term(const X& output, const V& adjoint) {
  if constexpr (has_tangent<K, X>) {
    return tangent<K>(output) * adjoint;
  } else {
    return NoTerm{};
  }
}
/// sum over outputs of d output / d input K times the output's adjoint.
template <int K, int S, int J = 0, class Out, class V>
RHEO_INLINE auto pull(const Out& out, const V* adjoint, const V& spk_adjoint) {
  if constexpr (J == S) {
    return term<K>(out.spk, spk_adjoint);
  } else {
    return term<K>(out.state.template get<J>(), adjoint[J]) + pull<K, S, J + 1>(out, adjoint, spk_adjoint);
  }
}

/// Overwrites the adjoint of every state with that before the step.
template <int K, int S, class T, class Out, class V>
RHEO_INLINE void pull_states(T* const (&to)[S], std::int64_t i, const Out& out, const V (&adjoint)[S],
                             const V& spk_adjoint) {
  if constexpr (K < S) {
    store(to[K] + i, sum_or_zero<V>(pull<K, S>(out, adjoint, spk_adjoint)));
    pull_states<K + 1, S>(to, i, out, adjoint, spk_adjoint);
  }
}
/// Adds this step's gradient of every constant.
template <int K, int P, int S, class T, class Out, class V>
RHEO_INLINE void pull_constants(T* const (&to)[P], std::int64_t i, const Out& out, const V (&adjoint)[S],
                                const V& spk_adjoint) {
  if constexpr (K < P) {
    store(to[K] + i, load<V>(to[K] + i) + sum_or_zero<V>(pull<S + 1 + K, S>(out, adjoint, spk_adjoint)));
    pull_constants<K + 1, P, S>(to, i, out, adjoint, spk_adjoint);
  }
}

template <int K, bool Learning, class V>
RHEO_INLINE auto constant_seed(V v) {
  if constexpr (Learning) {
    return seed<K>(v);
  } else {
    return v;
  }
}

/// What one step of the backward reads and writes in a tile.
template <class N, class T>
struct BackwardRow {
  static constexpr int S = states_of<N>;
  static constexpr int P = constants_of<N> + 2;
  Row<T> x, grad_spk;
  const T* before[S];    // states before the step
  Row<T> grad_trace[S];  // p = nullptr: none
  T* adjoint[S];         // in: of the state after the step; out: of the state before it
  T* grad_x = nullptr;   // nullptr: not asked for
  bool accumulate_x = false;
  bool streaming = false;
  T* grad_constants[P];
};

template <class N, class T, bool Learning, class Surrogate>
RHEO_INLINE void backward_row(const NeuronCall<T>& call, const ConstantRows<N, T>& constants_of_tile,
                              const Surrogate& surrogate_of_call, const BackwardRow<N, T>& row,
                              std::int64_t n) {
  constexpr int S = states_of<N>;
  constexpr int P = constants_of<N>;
  // Copies on the stack: what the loop stores cannot change them.
  const BackwardRow<N, T> r = row;
  const ConstantRows<N, T> constants = constants_of_tile;
  const Surrogate surrogate = surrogate_of_call;
  const auto setup = [&](auto lane)
                         RHEO_LAMBDA { return lane_factors<decltype(lane)>(call.reset, call.reset_delay); };
  for_row<T>(n, setup, [&](auto lane, std::int64_t i, const auto& resets) RHEO_LAMBDA {
    using V = decltype(lane);
    const auto s = N::make_state([&](auto k) RHEO_LAMBDA {
      constexpr int K = decltype(k)::value;
      return seed<K>(load<V>(r.before[K] + i));
    });
    const auto c = N::make_constants([&](auto k) RHEO_LAMBDA {
      constexpr int K = decltype(k)::value;
      return constant_seed<S + 1 + K, Learning>(constants.template at<V>(K, i));
    });
    const auto threshold = constant_seed<S + 1 + P, Learning>(constants.template at<V>(P, i));
    const auto graded = constant_seed<S + 2 + P, Learning>(constants.template at<V>(P + 1, i));
    const Rule<std::remove_const_t<decltype(threshold)>, std::remove_const_t<decltype(graded)>, V, Surrogate,
               Surrogate::form>
        rule{threshold, graded, resets, surrogate};
    const auto out = N::step(s, seed<S>(r.x.template at<V>(i)), c, rule);

    r.grad_spk.prefetch(i);
    r.x.prefetch(i);
    const V spk_adjoint = r.grad_spk.template at<V>(i);
    V adjoint[S];
    for (int k = 0; k < S; ++k) {
      adjoint[k] = load<V>(r.adjoint[k] + i);
      if (r.grad_trace[k].p != nullptr) adjoint[k] = adjoint[k] + r.grad_trace[k].template at<V>(i);
    }
    pull_states<0, S>(r.adjoint, i, out, adjoint, spk_adjoint);
    if (r.grad_x != nullptr) {
      const V g = sum_or_zero<V>(pull<S, S>(out, adjoint, spk_adjoint));
      if (r.accumulate_x) {
        store(r.grad_x + i, load<V>(r.grad_x + i) + g);
      } else {
        put(r.grad_x + i, g, r.streaming);
      }
    }
    if constexpr (Learning) pull_constants<0, P + 2, S>(r.grad_constants, i, out, adjoint, spk_adjoint);
  });
}

template <class N, class T, bool Learning, class Surrogate>
void backward_tile(const BackwardCall<T>& call, const Surrogate& surrogate, const Plan& plan,
                   bool traces_kept, std::int64_t begin, std::int64_t n, T* workspace) noexcept {
  constexpr int S = states_of<N>;
  constexpr int P = constants_of<N> + 2;
  if (n <= 0) return;
  Arena<T> arena{workspace};
  ConstantRows<N, T> constants;
  constants.fill(call, begin, n, arena);
  TileSequence<T> x, grad_spk, grad_trace[S];
  x.open(call.x, begin, n, arena);
  grad_spk.open(call.grad_spk, begin, n, arena);

  BackwardRow<N, T> r;
  T* first[S];
  for (int k = 0; k < S; ++k) {
    grad_trace[k].open(call.grad_traces[k], begin, n, arena);
    first[k] = arena.take(n);
    copy_or_zero(first[k], call.state[k] != nullptr ? call.state[k] + begin : nullptr, n);
    r.adjoint[k] = arena.take(n);
    copy_or_zero(r.adjoint[k], call.grad_last_state[k] != nullptr ? call.grad_last_state[k] + begin : nullptr,
                 n);
  }
  if constexpr (Learning) {
    for (int k = 0; k < P; ++k) {
      r.grad_constants[k] = arena.take(n);
      copy_or_zero<T>(r.grad_constants[k], nullptr, n);
    }
  }
  const bool repeated_x = call.x.step == 0;
  T* grad_x_sum = nullptr;
  if (call.grad_x != nullptr && repeated_x) {
    grad_x_sum = arena.take(n);
    copy_or_zero<T>(grad_x_sum, nullptr, n);
  }
  r.accumulate_x = repeated_x;
  r.streaming = call.streaming && !repeated_x;

  // States before every step of a segment; states before every segment.
  T* history[S] = {};
  T* checkpoint[S] = {};
  if (!traces_kept) {
    for (int k = 0; k < S; ++k) history[k] = arena.take(plan.segment * n);
  }
  if (plan.segments > 1) {
    T* running[S];
    for (int k = 0; k < S; ++k) {
      checkpoint[k] = arena.take(plan.segments * n);
      running[k] = arena.take(n);
      copy_or_zero(running[k], first[k], n);
    }
    for (std::int64_t t = 0; t < call.steps; ++t) {
      if (t % plan.segment == 0) {
        for (int k = 0; k < S; ++k) copy_or_zero(checkpoint[k] + t / plan.segment * n, running[k], n);
      }
      advance_row<N, T>(constants, call.reset, call.reset_delay, x.row(t, call.steps), running, running, n);
    }
  }

  for (std::int64_t g = plan.segments; g-- > 0;) {
    const std::int64_t t0 = g * plan.segment;
    const std::int64_t t1 = t0 + plan.segment < call.steps ? t0 + plan.segment : call.steps;
    if (!traces_kept) {
      for (int k = 0; k < S; ++k) {
        copy_or_zero(history[k], plan.segments > 1 ? checkpoint[k] + g * n : first[k], n);
      }
      for (std::int64_t t = t0; t + 1 < t1; ++t) {
        const T* from[S];
        T* to[S];
        for (int k = 0; k < S; ++k) {
          from[k] = history[k] + (t - t0) * n;
          to[k] = history[k] + (t - t0 + 1) * n;
        }
        advance_row<N, T>(constants, call.reset, call.reset_delay, x.row(t, t1), from, to, n);
      }
    }
    for (std::int64_t t = t1; t-- > t0;) {
      r.x = x.row(t, 0);
      r.grad_spk = grad_spk.row(t, 0);
      for (int k = 0; k < S; ++k) {
        r.before[k] = !traces_kept ? history[k] + (t - t0) * n
                      : t == 0     ? first[k]
                                   : call.traces[k] + (t - 1) * call.columns + begin;
        r.grad_trace[k] = grad_trace[k].absent() ? Row<T>{} : grad_trace[k].row(t, 0);
      }
      r.grad_x = repeated_x || call.grad_x == nullptr ? grad_x_sum : call.grad_x + t * call.columns + begin;
      backward_row<N, T, Learning>(call, constants, surrogate, r, n);
    }
  }

  if (grad_x_sum != nullptr) copy_or_zero<T>(call.grad_x + begin, grad_x_sum, n);
  for (int k = 0; k < S; ++k) {
    if (call.grad_state[k] != nullptr) copy_or_zero<T>(call.grad_state[k] + begin, r.adjoint[k], n);
  }
  if constexpr (Learning) {
    for (int k = 0; k < P; ++k) {
      if (call.grad_constants[k] != nullptr)
        copy_or_zero<T>(call.grad_constants[k] + begin, r.grad_constants[k], n);
    }
  }
}

template <class N, class T, bool Learning, class Surrogate>
void backward_tiles(const BackwardCall<T>& call, const Surrogate& surrogate, std::int64_t begin,
                    std::int64_t end, T* workspace) noexcept {
  bool traces_kept = true;
  for (int k = 0; k < states_of<N>; ++k) traces_kept = traces_kept && call.traces[k] != nullptr;
  const Plan plan = plan_backward(call.steps, states_of<N>, constants_of<N> + 2, sizeof(T), traces_kept);
  for (std::int64_t b = begin; b < end; b += plan.tile) {
    backward_tile<N, T, Learning>(call, surrogate, plan, traces_kept, b,
                                  end - b < plan.tile ? end - b : plan.tile, workspace);
  }
  if (call.streaming) finish_streaming();
}

/// The default (arctan, delayed subtraction) is compiled on its own; everything else is one kernel with run-time choices.
template <class T>
struct DefaultSpike : ArctanSpike<T> {
  static constexpr ResetForm form = ResetForm::delayed_subtract;
};
template <class T>
struct GeneralSpike : AnySpike<T> {
  static constexpr ResetForm form = ResetForm::general;
};

template <class N, class T>
void backward(const BackwardCall<T>& call, std::int64_t begin, std::int64_t end, T* workspace) noexcept {
  const T args[max_surrogate_args] = {static_cast<T>(call.surrogate.args[0]),
                                      static_cast<T>(call.surrogate.args[1])};
  const DefaultSpike<T> arctan{{{args[0], args[1]}}};
  const GeneralSpike<T> any{{{args[0], args[1]}, call.surrogate.kind}};
  const bool is_default =
      call.surrogate.kind == SurrogateKind::atan && is_default_reset(call.reset, call.reset_delay);
  if (call.learning) {
    is_default ? backward_tiles<N, T, true>(call, arctan, begin, end, workspace)
               : backward_tiles<N, T, true>(call, any, begin, end, workspace);
  } else {
    is_default ? backward_tiles<N, T, false>(call, arctan, begin, end, workspace)
               : backward_tiles<N, T, false>(call, any, begin, end, workspace);
  }
}

/// The neuron's kernels for the instruction set of this object.
template <class N>
NeuronKernels neuron_kernels() {
  return {{&forward<N, float>, &backward<N, float>}, {&forward<N, double>, &backward<N, double>}};
}

}  // namespace rheo::inline RHEO_ISA::loops
