// Quadratic integrate-and-fire: the normal form of a neuron that starts to fire at an arbitrarily low rate.
//     tau dU/dt = a0 (U - V_rest) (U - V_crit) + R I
//     S[t] = 1 if U[t] > threshold; the next step starts from V_reset, without gradient where the membrane was
// One Euler step per time step; refused where it would overshoot the rest, time_step > tau / (a0 (V_crit - V_rest)). A
// membrane below V_low = (V_rest + V_crit) / 2 - tau / (2 a0 time_step) counts as V_low, without gradient: from below it a
// step would throw it up the higher the lower it is. Rheobase current: a0 (V_crit - V_rest)^2 / (4 R). Latham, Richmond,
// Nelson, Nirenberg 2000, "Intrinsic dynamics in neuronal networks I"; Gerstner et al. 2014, Neuronal Dynamics, section
// 5.3. Defaults: a cortical cell's in round numbers.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct QuadraticIF {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(curvature, V_rest, V_crit, gain, V_reset, V_low)
  RHEO_PARAMETERS(tau, a0, V_rest, V_crit, R, V_reset, time_step)
  static constexpr NeuronInfo info{
      .name = "QuadraticIF",
      .brief = "quadratic integrate-and-fire",
      .params = {{"tau", 20.0, Domain::positive, "ms", "membrane time constant"},
                 {"a0", 0.5, Domain::positive, "1/mV", "curvature"},
                 {"V_rest", -65.0, Domain::any, "mV", "membrane at rest"},
                 {"V_crit", -50.0, Domain::any, "mV", "membrane above which it fires without input"},
                 {"R", 20.0, Domain::positive, "Mohm", "membrane resistance"},
                 {"V_reset", -60.0, Domain::any, "mV", "membrane after a spike"},
                 {"time_step", 0.1, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"mem", "mV", "membrane potential", {-70, 20}}},
      .input_unit = "nA",
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .threshold = 30,
      .surrogate_scale = 10,
      .drive = {0, 80},
      .elsewhere = "SpikingJelly: QIFNode; Brian 2: quadratic_IF",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T share = p.time_step / p.tau;
    const T curvature = share * p.a0;
    return Constants{curvature,      p.V_rest,  p.V_crit,
                     T(share * p.R), p.V_reset, T(detach((p.V_rest + p.V_crit) * 0.5 - 0.5 / curvature))};
  }

  /// Calls refuse(parameter, rule, value) for what the equations cannot use.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.V_crit > p.V_rest)) refuse("V_crit", "must be above V_rest", p.V_crit, p.V_rest);
    const double most = p.tau / (p.a0 * (p.V_crit - p.V_rest));
    if (!(p.time_step <= most))
      refuse("time_step", "must be at most tau / (a0 (V_crit - V_rest))", p.time_step, most);
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    return State{p.V_rest};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto fired = detach(s.mem) > detach(rule.threshold);
    const auto last = select(fired, c.V_reset, s.mem);
    const auto v = select(detach(last) < detach(c.V_low), detach(c.V_low), last);
    const auto mem = v + c.curvature * (v - c.V_rest) * (v - c.V_crit) + c.gain * x;
    return Stepped{rule.fire(mem).spk, State{mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
