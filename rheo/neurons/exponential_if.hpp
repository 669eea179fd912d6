// Exponential integrate-and-fire: the sodium current's upstroke as an exponential.
//     tau dU/dt = E_L - U + Delta_T exp((U - V_T) / Delta_T) + R I
//     S[t] = 1 if U[t] > threshold; the next step starts from V_reset, without gradient where the membrane was
// One Euler step per time step, the exponent at most 10; refused above time_step = tau. Rheobase current:
// (V_T - E_L - Delta_T) / R. Fourcaud-Trocme, Hansel, van Vreeswijk, Brunel 2003, "How spike generation mechanisms determine
// the neuronal response to fluctuating inputs", whose numbers these are, without its refractory period of 1.7 ms.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct ExponentialIF {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(share, E_L, V_T, Delta_T, R, V_reset)
  RHEO_PARAMETERS(tau, E_L, V_T, Delta_T, R, V_reset, time_step)
  static constexpr NeuronInfo info{
      .name = "ExponentialIF",
      .brief = "exponential integrate-and-fire",
      .params = {{"tau", 10.0, Domain::positive, "ms", "membrane time constant"},
                 {"E_L", -65.0, Domain::any, "mV", "membrane at rest"},
                 {"V_T", -59.9, Domain::any, "mV", "membrane at which the upstroke begins"},
                 {"Delta_T", 3.48, Domain::positive, "mV", "sharpness of the upstroke"},
                 {"R", 10.0, Domain::positive, "kohm cm2", "membrane resistance"},
                 {"V_reset", -68.0, Domain::any, "mV", "membrane after a spike"},
                 {"time_step", 0.1, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"mem", "mV", "membrane potential", {-70, -25}}},
      .input_unit = "uA/cm2",
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .threshold = -30,
      .surrogate_scale = 10,
      .drive = {0, 60},
      .elsewhere = "SpikingJelly: EIFNode; Norse: LIFExCell, which filters its input first; Brian 2: exp_IF",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{T(p.time_step / p.tau), p.E_L, p.V_T, p.Delta_T, p.R, p.V_reset};
  }

  /// Calls refuse(parameter, rule, value) for a step that Euler's method does not take without overshooting.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.time_step <= p.tau)) refuse("time_step", "must be at most tau", p.time_step, p.tau);
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    return State{p.E_L};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto fired = detach(s.mem) > detach(rule.threshold);
    const auto v = select(fired, c.V_reset, s.mem);
    const auto z = (v - c.V_T) / c.Delta_T;
    const auto upstroke = c.Delta_T * exp(select(detach(z) < 10, z, fill(detach(z), 10)));
    const auto mem = v + c.share * (c.E_L - v + upstroke + c.R * x);
    return Stepped{rule.fire(mem).spk, State{mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
