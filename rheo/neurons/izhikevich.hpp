// Izhikevich's simple model: two equations, four parameters, the spike patterns of cortical neurons.
//     dU/dt = 0.04 U^2 + 5 U + 140 - u + I,   du/dt = a (b U - u)
//     S[t] = 1 if U[t] > threshold; the next step starts from c and u + d, without gradient where the membrane was
// pattern names a published set of a, b, c and d; those that are given replace the set's. Class 1 and the integrator have
// 4.1 U + 108 in place of 5 U + 140, accommodation du/dt = a b (U + 65). As in the published program, one Euler step of U
// and then of u with the new U; refused above 0.5 ms, where U overshoots. A U below U_low, where the slope of that step
// in U is 0 (-(5 + 1 / time_step) / 0.08; -112.5 mV at 0.25 ms), counts as U_low, without gradient: from below it a step
// would throw U up the higher the lower it is. E. M. Izhikevich 2003, "Simple model of spiking neurons", figure 2; 2004,
// "Which model to use for cortical spiking neurons?", figure 1 and its program.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Izhikevich {
  RHEO_STATE(u, mem)
  RHEO_CONSTANTS(low, slope, offset, share, rate, b, drift, keep, c, d)
  RHEO_PARAMETERS_AND_MODES((a, b, c, d, time_step), (pattern))
  static constexpr NeuronInfo info{
      .name = "Izhikevich",
      .brief = "Izhikevich's simple model, with its published patterns by name",
      .params = {{"a", no_default, Domain::any, "1/ms", "rate of the recovery u; pattern's where not given"},
                 {"b", no_default, Domain::any, "1/ms",
                  "how u follows the membrane; pattern's where not given"},
                 {"c", no_default, Domain::any, "mV", "membrane after a spike; pattern's where not given"},
                 {"d", no_default, Domain::any, "mV/ms", "what a spike adds to u; pattern's where not given"},
                 {"time_step", 0.25, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"u", "mV/ms", "recovery", {-20, 0}}, {"mem", "mV", "membrane potential", {-75, 40}}},
      .modes = {{"pattern",
                 {"regular_spiking",
                  "intrinsically_bursting",
                  "chattering",
                  "fast_spiking",
                  "thalamo_cortical",
                  "resonating",
                  "low_threshold_spiking",
                  "tonic_spiking",
                  "phasic_spiking",
                  "tonic_bursting",
                  "phasic_bursting",
                  "mixed_mode",
                  "spike_frequency_adaptation",
                  "class_1",
                  "class_2",
                  "spike_latency",
                  "subthreshold_oscillations",
                  "resonator",
                  "integrator",
                  "rebound_spike",
                  "rebound_burst",
                  "threshold_variability",
                  "bistability",
                  "depolarizing_after_potential",
                  "accommodation",
                  "inhibition_induced_spiking",
                  "inhibition_induced_bursting"},
                 "which published set of a, b, c, d"}},
      .input_unit = "mV/ms",
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .threshold = 30,
      .surrogate_scale = 10,
      .drive = {-20, 100},
      .elsewhere =
          "SpikingJelly: IzhikevichNode, in other constants; Norse: IzhikevichCell; Brian 2: Izhikevich; "
          "NEST: izhikevich",
  };
  enum Pattern { class_1 = 13, integrator = 18, accommodation = 24 };

  /// A published set, and where it starts: for 2004's as in its program, for 2003's near the rest of its equations.
  struct Set {
    double a, b, c, d, start;
  };
  static constexpr Set sets[] = {
      {0.02, 0.2, -65, 8, -70},  {0.02, 0.2, -55, 4, -70},     {0.02, 0.2, -50, 2, -70},
      {0.1, 0.2, -65, 2, -70},   {0.02, 0.25, -65, 0.05, -64}, {0.1, 0.26, -65, 2, -62},
      {0.02, 0.25, -65, 2, -64}, {0.02, 0.2, -65, 6, -70},     {0.02, 0.25, -65, 6, -64},
      {0.02, 0.2, -50, 2, -70},  {0.02, 0.25, -55, 0.05, -64}, {0.02, 0.2, -55, 4, -70},
      {0.01, 0.2, -65, 8, -70},  {0.02, -0.1, -55, 6, -60},    {0.2, 0.26, -65, 0, -64},
      {0.02, 0.2, -65, 6, -70},  {0.05, 0.26, -60, 0, -62},    {0.1, 0.26, -60, -1, -62},
      {0.02, -0.1, -55, 6, -60}, {0.03, 0.25, -60, 4, -64},    {0.03, 0.25, -52, 0, -64},
      {0.03, 0.25, -60, 4, -64}, {0.1, 0.26, -60, 0, -61},     {1, 0.2, -60, -21, -70},
      {0.02, 1, -55, 4, -65},    {-0.02, -1, -60, 8, -63.8},   {-0.026, -1, -45, -2, -63.8},
  };

  /// Those of the pattern where none are given.
  template <class T>
  static Raw<T> resolve(const Raw<T>& p) {
    const Set& set = sets[p.pattern];
    Raw<T> q = p;
    if (!p.has_a) q.a = p.time_step * 0 + set.a;
    if (!p.has_b) q.b = p.time_step * 0 + set.b;
    if (!p.has_c) q.c = p.time_step * 0 + set.c;
    if (!p.has_d) q.d = p.time_step * 0 + set.d;
    return q;
  }

  template <class T>
  static auto derive(const Raw<T>& p) {
    const auto q = resolve(p);
    const bool excitable = p.pattern == class_1 || p.pattern == integrator;
    const bool drifts = p.pattern == accommodation;
    const T& dt = q.time_step;
    const T slope = dt * (excitable ? 4.1 : 5.0) + 1;
    return Constants{T(-12.5 * slope / dt),
                     slope,
                     T(dt * (excitable ? 108.0 : 140.0)),
                     dt,
                     T(dt * q.a),
                     q.b,
                     drifts ? T(q.b * 65) : T(fill(dt, 0)),
                     T(fill(dt, drifts ? 0 : 1)),
                     q.c,
                     q.d};
  }

  /// Each stays what it was given as, or learned; the pattern's follow from the pattern.
  template <class Refuse>
  static void settle(bool* given, const bool* learned, Refuse) {
    for (int k = 0; k < parameter_names::count; ++k) given[k] = given[k] || learned[k];
  }

  /// Calls refuse(parameter, rule, value) for a step that Euler's method does not take.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.time_step <= 0.5)) refuse("time_step", "must be at most 0.5", p.time_step);
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    const auto q = resolve(p);
    const T mem = q.b * 0 + sets[p.pattern].start;
    return State{p.pattern == accommodation ? T(mem * 0 - 16) : T(q.b * mem), mem};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto fired = detach(s.mem) > detach(rule.threshold);
    const auto last = select(fired, c.c, s.mem);
    const auto v = select(detach(last) < detach(c.low), detach(c.low), last);
    const auto u0 = select(fired, s.u + c.d, s.u);
    const auto mem = (c.share * fill(detach(v), 0.04) * v + c.slope) * v + c.offset + c.share * (x - u0);
    // The difference is taken first: its terms are large beside it.
    const auto u = u0 + c.rate * (c.b * mem + c.drift - c.keep * u0);
    return Stepped{rule.fire(mem).spk, State{u, mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
