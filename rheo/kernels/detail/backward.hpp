// The backward time loop of a pointwise neuron (BPTT), derived: it runs the neuron's own step on dual numbers, which
// gives the Jacobian of one step in registers, and multiplies it from the left by the adjoint of the state. States before
// each step are computed again from x by the forward's code, a segment of steps at a time, or read from the traces the
// user kept anyway.
#pragma once

#include "rheo/kernels/detail/forward.hpp"

namespace rheo::inline RHEO_ISA::loops {

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
RHEO_INLINE void pull_constants(T* const* to, std::int64_t i, const Out& out, const V (&adjoint)[S],
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
  static constexpr int slope = S + 1 + P;  // tangent of the surrogate's slope, after those of the constants
  Row<T> x, grad_spk;
  const T* noise = nullptr;  // of a stochastic surrogate
  const T* before[S];        // states before the step
  Row<T> grad_trace[S];      // p = nullptr: none
  T* adjoint[S];             // in: of the state after the step; out: of the state before it
  T* grad_x = nullptr;       // nullptr: not asked for
  bool accumulate_x = false;
  bool streaming = false;
  T* grad_constants[P + 1];  // and of the slope
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
    const auto& spike_of_element = surrogate.at(r.noise, i);
    using Spike = std::remove_cvref_t<decltype(spike_of_element)>;
    const Rule<std::remove_const_t<decltype(threshold)>, std::remove_const_t<decltype(graded)>, V, Spike,
               Surrogate::form>
        rule{threshold, graded, resets, spike_of_element};
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
    if constexpr (Learning) {
      constexpr int learned = P + 2 + (Surrogate::slope_tangent >= 0);
      pull_constants<0, learned, S>(r.grad_constants, i, out, adjoint, spk_adjoint);
    }
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
    for (int k = 0; k <= P; ++k) {
      r.grad_constants[k] = arena.take(n);
      copy_or_zero<T>(r.grad_constants[k], nullptr, n);
    }
  }
  T* noise = is_stochastic(call.surrogate.kind) ? arena.take(n) : nullptr;
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
      if (noise != nullptr) {
        fill_noise(noise, n, call.surrogate.args, t, begin);
        r.noise = noise;
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
    for (int k = 0; k <= P; ++k) {
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

/// What a surrogate of the neuron is asked for: u in units of its scale, and the derivative with respect to u itself.
template <class N, class V>
RHEO_INLINE V scaled(const V& u) {
  if constexpr (N::info.surrogate_scale == 1) {
    return u;
  } else {
    return u * fill(u, 1 / N::info.surrogate_scale);
  }
}

/// The default (arctan, delayed subtraction) is compiled on its own; everything else is one kernel with run-time choices.
template <class N, class T>
struct DefaultSpike : ArctanSpike<T> {
  static constexpr ResetForm form = ResetForm::delayed_subtract;
  static constexpr int slope_tangent = -1;
  RHEO_INLINE const DefaultSpike& at(const T*, std::int64_t) const { return *this; }
  template <class V>
  RHEO_INLINE V factor(const V& u) const {
    return scaled<N>(V(ArctanSpike<T>::factor(scaled<N>(u))));
  }
};
/// Slope: the tangent of the surrogate's slope, or -1.
template <class N, class T, int Slope>
struct GeneralSpike : AnySpike<T> {
  static constexpr ResetForm form = ResetForm::general;
  static constexpr int slope_tangent = Slope;
  bool learns_slope;
  RHEO_INLINE GeneralSpike at(const T* row_noise, std::int64_t i) const {
    GeneralSpike s = *this;
    if (row_noise != nullptr) s.noise = row_noise + i;
    return s;
  }
  template <class V>
  RHEO_INLINE V factor(const V& u) const {
    return scaled<N>(V(AnySpike<T>::factor(scaled<N>(u))));
  }
};

template <class N, class T, int Slope, class U, class Threshold>
requires(Slope >= 0) && DualPair<U, Threshold>
RHEO_INLINE auto spike(const GeneralSpike<N, T, Slope>& surrogate, const U& u, const Threshold& threshold) {
  const auto above = u - threshold;
  using V = std::remove_cvref_t<decltype(above.v)>;
  const V by_slope = surrogate.learns_slope
                         ? surrogate_slope_factor(surrogate.kind, scaled<N>(V(above.v)), surrogate.args)
                         : splat<V>(Number<V>{0});
  const Dual<V, 1U << Slope> slope(splat<V>(Number<V>{0}), by_slope);
  return chain(number_of<V>(u > threshold), surrogate.factor(above.v), above) + slope;
}

template <class N, class T>
void backward(const BackwardCall<T>& call, std::int64_t begin, std::int64_t end, T* workspace) noexcept {
  constexpr int slope = BackwardRow<N, T>::slope;
  const AnySpike<T> surrogate = any_spike<T>(call.surrogate);
  const DefaultSpike<N, T> arctan{{{surrogate.args[0]}}};
  const bool learns_slope = call.grad_constants[constants_of<N> + 2] != nullptr;
  const bool is_default = call.surrogate.kind == SurrogateKind::atan &&
                          is_default_reset(call.reset, call.reset_delay) && !learns_slope;
  if (call.learning) {
    const GeneralSpike<N, T, slope> any{{surrogate}, learns_slope};
    is_default ? backward_tiles<N, T, true>(call, arctan, begin, end, workspace)
               : backward_tiles<N, T, true>(call, any, begin, end, workspace);
  } else {
    const GeneralSpike<N, T, -1> any{{surrogate}, false};
    is_default ? backward_tiles<N, T, false>(call, arctan, begin, end, workspace)
               : backward_tiles<N, T, false>(call, any, begin, end, workspace);
  }
}

}  // namespace rheo::inline RHEO_ISA::loops
