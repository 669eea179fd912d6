// Hodgkin and Huxley's squid axon: sodium, potassium and leak currents through gates m, h and n.
//     C dU/dt = gNa m^3 h (ENa - U) + gK n^4 (EK - U) + gL (EL - U) + I
//     dx/dt = A_x (1 - x) - B_x x for each gate, with U in mV and rates per ms
//     A_n = 0.1 / exprel(-(U + 55) / 10)   B_n = exp(-(U + 65) / 80) / 8
//     A_m = 1 / exprel(-(U + 40) / 10)     B_m = 4 exp(-(U + 65) / 18)
//     A_h = 0.07 exp(-(U + 65) / 20)       B_h = 1 / (1 + exp(-(U + 35) / 10))
//     S[t] = 1 where U passes the threshold upwards: U[t] > threshold, U[t-1] not
// exprel(z) = (exp(z) - 1) / z: the rates' 0/0 is a number like any other. A time step is four exponential Euler steps: each
// equation is linear in its own variable and solved exactly with the others held, stable at any step; refused above 0.4 ms
// per time step, where spikes lose a tenth of their height. The rates take a membrane below -300 mV for -300 mV, without
// gradient: they grow with its exponential, the gates have long arrived, and a float would overflow at -480 mV.
// A. L. Hodgkin, A. F. Huxley 1952, "A quantitative description of membrane current and its application to conduction and
// excitation in nerve", in today's convention: rest near -65 mV, depolarisation positive.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct HodgkinHuxley {
  RHEO_STATE(n, m, h, mem)
  RHEO_CONSTANTS(gNa, gK, gL, ENa, EK, EL, per_C, dt)
  RHEO_PARAMETERS(gNa, gK, gL, ENa, EK, EL, C, time_step)
  static constexpr NeuronInfo info{
      .name = "HodgkinHuxley",
      .brief = "Hodgkin and Huxley's squid axon",
      .params = {{"gNa", 120.0, Domain::positive, "mS/cm2", "largest sodium conductance"},
                 {"gK", 36.0, Domain::positive, "mS/cm2", "largest potassium conductance"},
                 {"gL", 0.3, Domain::positive, "mS/cm2", "leak conductance"},
                 {"ENa", 50.0, Domain::any, "mV", "sodium's reversal potential"},
                 {"EK", -77.0, Domain::any, "mV", "potassium's reversal potential"},
                 {"EL", -54.387, Domain::any, "mV", "the leak's reversal potential"},
                 {"C", 1.0, Domain::positive, "uF/cm2", "membrane capacitance"},
                 {"time_step", 0.1, Domain::positive, "ms", "duration of a step, four sub-steps", false}},
      .states = {{"n", "1", "potassium's activation", {0.2, 0.9}},
                 {"m", "1", "sodium's activation", {0.02, 0.9}},
                 {"h", "1", "sodium's availability", {0.1, 0.7}},
                 {"mem", "mV", "membrane potential", {-75, 40}}},
      .input_unit = "uA/cm2",
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay", "inhibition"},
      .threshold = -20,
      .surrogate_scale = 10,
      .drive = {-20, 80},
      .elsewhere = "Brian 2: example hodgkin_huxley_1952; NEURON: hh; NEST: hh_psc_alpha",
  };
  static constexpr int sub_steps = 4;
  static constexpr double lowest = -300;  // mV, for the rates

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{p.gNa, p.gK, p.gL, p.ENa, p.EK, p.EL, T(1 / p.C), T(p.time_step * (1.0 / sub_steps))};
  }

  /// Calls refuse(parameter, rule, value) for a step too long for a spike.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.time_step <= 0.4)) refuse("time_step", "must be at most 0.4", p.time_step);
  }

  /// Of the standard constants: -65 mV and the gates that belong to it. With others it moves from there to its own.
  template <class T>
  static auto rest(const Raw<T>& p) {
    const auto at = [&](double value) { return T(p.EL * 0 + value); };
    return State{at(0.31767691406071), at(0.05293248525724), at(0.59612075350846), at(-65)};
  }

  /// A gate after dt: x + dt (A (1 - x) - B x) exprel(-dt (A + B)).
  template <class Gate, class A, class B, class Dt>
  RHEO_INLINE static auto gate(const Gate& x, const A& opens, const B& closes, const Dt& dt) {
    const auto both = opens + closes;
    return x + dt * (opens - both * x) * exprel(-dt * both);
  }

  template <class S, class X, class C>
  RHEO_INLINE static auto sub_step(const S& s, const X& x, const C& c) {
    const auto u = detach(s.mem);  // its type: a plain 0.1 would make doubles of floats
    const auto v = select(u < fill(u, lowest), fill(u, lowest), s.mem);
    const auto n = gate(s.n, fill(u, 0.1) / exprel((v + 55) * fill(u, -0.1)),
                        fill(u, 0.125) * exp((v + 65) * fill(u, -0.0125)), c.dt);
    const auto m =
        gate(s.m, 1 / exprel((v + 40) * fill(u, -0.1)), 4 * exp((v + 65) * fill(u, -1.0 / 18)), c.dt);
    const auto h =
        gate(s.h, fill(u, 0.07) * exp((v + 65) * fill(u, -0.05)), logistic((v + 35) * fill(u, 0.1)), c.dt);
    const auto sodium = c.gNa * (m * m * m * h);
    const auto potassium = c.gK * (n * n * n * n);
    const auto rate = (sodium + potassium + c.gL) * c.per_C;
    const auto drive = (sodium * c.ENa + potassium * c.EK + c.gL * c.EL + x) * c.per_C;
    return State{n, m, h, s.mem + c.dt * (drive - rate * s.mem) * exprel(-c.dt * rate)};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    // With all derivatives from the start, so that the sub-steps are one loop.
    using Full = decltype(sub_step(sub_step(s, x, c), x, c));
    Full now{widen<decltype(Full::n)>(s.n), widen<decltype(Full::m)>(s.m), widen<decltype(Full::h)>(s.h),
             widen<decltype(Full::mem)>(s.mem)};
    for (int k = 0; k < sub_steps; ++k) now = sub_step(now, x, c);
    const auto below = 1 - rule.reset_flag(s.mem);
    return Stepped{rule.fire(now.mem).spk * below, now};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
