// The rule: what every neuron's step shares - threshold, reset mechanism and delay, graded spikes, surrogate.
// A step asks it for the reset of the stored membrane and hands it the new membrane to fire:
//   const auto reset = rule.reset(s.mem);                               // R = H(U[t-1] - threshold), no gradient
//   const auto mem = c.beta * reset.kept(s.mem) + x - reset.taken();    // kept: (1 - R) U for zero, taken: R threshold
//   const auto fired = rule.fire(mem);                                  // .spk (graded), .mem
//   return Stepped{fired.spk, State{fired.mem}};
// Mechanism and delay are run-time values, the same for every element; they enter as factors 0 and 1.
#pragma once

#include "rheo/core/reset.hpp"
#include "rheo/core/surrogates.hpp"

namespace rheo::inline RHEO_ISA {

/// The delayed reset of one step.
template <class Flag, class Taken>
struct DelayedReset {
  Flag zeroed;     // 1 where the state is to be dropped
  Flag subtracts;  // 1 where the threshold is to be taken
  Taken subtracted;

  /// (1 - R) u under `zero`, else u.
  template <class U>
  RHEO_INLINE auto kept(const U& u) const {
    return (1 - zeroed) * u;
  }
  /// R threshold under `subtract`, else 0.
  RHEO_INLINE Taken taken() const { return subtracted; }
  /// R loss under `subtract`, else 0: for what loses something else than the threshold.
  template <class Loss>
  RHEO_INLINE auto taken(const Loss& loss) const {
    return subtracts * loss;
  }
};

/// The same where it is known to subtract: nothing is zeroed.
template <class Flag, class Taken>
struct SubtractedReset {
  Flag subtracts;
  Taken subtracted;
  template <class U>
  RHEO_INLINE U kept(const U& u) const {
    return u;
  }
  RHEO_INLINE Taken taken() const { return subtracted; }
  template <class Loss>
  RHEO_INLINE auto taken(const Loss& loss) const {
    return subtracts * loss;
  }
};

template <class Spike, class Mem>
struct Fired {
  Spike spk;
  Mem mem;
};

/// What is known about the reset when a loop is compiled: nothing, or that it is the default (subtract, with the next
/// step), which has loops of its own because everybody runs them.
enum class ResetForm { general, delayed_subtract };

/// How much of each reset is on: 0 or 1 in the value's type.
template <class V>
struct ResetFactors {
  V delayed_subtract, delayed_zero, immediate_subtract, immediate_zero;
};

template <class Make>
RHEO_INLINE auto reset_factors(Reset mechanism, bool reset_delay, Make make) {
  const auto on = [&](Reset r, bool delay)
                      RHEO_LAMBDA { return make(mechanism == r && reset_delay == delay ? 1 : 0); };
  using V = decltype(make(0));
  return ResetFactors<V>{on(Reset::subtract, true), on(Reset::zero, true), on(Reset::subtract, false),
                         on(Reset::zero, false)};
}

template <class Threshold, class Graded, class V, class Surrogate, ResetForm Form = ResetForm::general>
struct Rule {
  Threshold threshold;
  Graded graded;
  ResetFactors<V> resets;
  Surrogate surrogate;

  /// R of the stored membrane, 0 or 1. Detached.
  template <class U>
  RHEO_INLINE auto reset_flag(const U& stored) const {
    const auto u = detach(stored);
    return select(u > detach(threshold), fill(u, 1), fill(u, 0));
  }

  template <class U>
  RHEO_INLINE auto reset(const U& stored) const {
    const auto flag = reset_flag(stored);
    if constexpr (Form == ResetForm::delayed_subtract) {
      const auto taken = flag * threshold;
      return SubtractedReset<std::remove_const_t<decltype(flag)>, std::remove_const_t<decltype(taken)>>{
          flag, taken};
    } else {
      const auto zeroed = flag * resets.delayed_zero;
      const auto subtracts = flag * resets.delayed_subtract;
      const auto taken = flag * (threshold * resets.delayed_subtract);
      return DelayedReset<std::remove_const_t<decltype(zeroed)>, std::remove_const_t<decltype(taken)>>{
          zeroed, subtracts, taken};
    }
  }

  /// Spike of the new membrane, and the membrane after a reset without delay. That reset is not detached: the spike's
  /// surrogate gradient flows through it. The graded factor scales the spike that leaves, never the reset.
  template <class U>
  RHEO_INLINE auto fire(const U& u) const {
    const auto spk = spike(surrogate, u, threshold);
    const auto graded_spk = spk * graded;
    using Spk = std::remove_const_t<decltype(graded_spk)>;
    if constexpr (Form == ResetForm::delayed_subtract) {
      return Fired<Spk, U>{graded_spk, u};
    } else {
      const auto mem = u * (1 - spk * resets.immediate_zero) - spk * (threshold * resets.immediate_subtract);
      return Fired<Spk, std::remove_const_t<decltype(mem)>>{graded_spk, mem};
    }
  }
};

}  // namespace rheo::inline RHEO_ISA
