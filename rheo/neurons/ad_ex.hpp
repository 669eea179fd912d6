// Adaptive exponential integrate-and-fire.
//     C dU/dt = g_L (E_L - U) + g_L Delta_T exp((U - V_T) / Delta_T) - w + I
//     tau_w dw/dt = a (U - E_L) - w
//     S[t] = 1 if U[t] > threshold; the next step starts from V_r and w + b, without gradient where the membrane was
// One Euler step of both per time step, the exponent at most 10; refused where time_step is above C / g_L or tau_w.
// R. Brette, W. Gerstner 2005, "Adaptive exponential integrate-and-fire model as an effective description of neuronal
// activity", whose numbers these are.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct AdEx {
  RHEO_STATE(w, mem)
  RHEO_CONSTANTS(mem_share, g_L, E_L, V_T, Delta_T, w_share, a, b, V_r)
  RHEO_PARAMETERS(C, g_L, E_L, V_T, Delta_T, tau_w, a, b, V_r, time_step)
  static constexpr NeuronInfo info{
      .name = "AdEx",
      .brief = "adaptive exponential integrate-and-fire",
      .params = {{"C", 281.0, Domain::positive, "pF", "membrane capacitance"},
                 {"g_L", 30.0, Domain::positive, "nS", "leak conductance"},
                 {"E_L", -70.6, Domain::any, "mV", "membrane at rest"},
                 {"V_T", -50.4, Domain::any, "mV", "membrane at which the upstroke begins"},
                 {"Delta_T", 2.0, Domain::positive, "mV", "sharpness of the upstroke"},
                 {"tau_w", 144.0, Domain::positive, "ms", "time constant of the adaptation"},
                 {"a", 4.0, Domain::any, "nS", "adaptation that follows the membrane"},
                 {"b", 80.5, Domain::any, "pA", "adaptation that a spike adds"},
                 {"V_r", -70.6, Domain::any, "mV", "membrane after a spike"},
                 {"time_step", 0.1, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"w", "pA", "adaptation current", {-50, 200}},
                 {"mem", "mV", "membrane potential", {-75, 25}}},
      .input_unit = "pA",
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .threshold = 20,
      .surrogate_scale = 10,
      .drive = {0, 15000},
      .elsewhere =
          "Norse: LIFAdExCell, which filters its input first; Brian 2: aEIF; NEST: aeif_psc_delta; PyNN: "
          "EIF_cond_exp_isfa_ista",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{T(p.time_step / p.C),     p.g_L, p.E_L, p.V_T, p.Delta_T,
                     T(p.time_step / p.tau_w), p.a,   p.b,   p.V_r};
  }

  /// Calls refuse(parameter, rule, value) for a step that Euler's method does not take without overshooting.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    const double tau = p.C / p.g_L;
    if (!(p.time_step <= tau)) refuse("time_step", "must be at most C / g_L", p.time_step, tau);
    if (!(p.time_step <= p.tau_w)) refuse("time_step", "must be at most tau_w", p.time_step, p.tau_w);
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    return State{T(p.E_L * 0), p.E_L};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto fired = detach(s.mem) > detach(rule.threshold);
    const auto v = select(fired, c.V_r, s.mem);
    const auto w0 = select(fired, s.w + c.b, s.w);
    const auto z = (v - c.V_T) / c.Delta_T;
    const auto upstroke = c.Delta_T * exp(select(detach(z) < 10, z, fill(detach(z), 10)));
    const auto mem = v + c.mem_share * (c.g_L * (c.E_L - v + upstroke) - w0 + x);
    const auto w = w0 + c.w_share * (c.a * (v - c.E_L) - w0);
    return Stepped{rule.fire(mem).spk, State{w, mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
