// Lapicque's neuron: a resistor R and a capacitor C in parallel, a threshold, a reset.
//     tau dU/dt = -U + R X,  tau = R C
//     base = gain X + decay U[t-1];   U[t] = base - R_flag threshold | (1 - R_flag) base | base
//     euler (default): decay = 1 - dt/tau, gain = dt/C       exact: decay = exp(-dt/tau), gain = R (1 - decay)
// L. Lapicque 1907, "Recherches quantitatives sur l'excitation electrique des nerfs traitee comme une polarisation".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Lapicque {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(decay, gain)
  RHEO_PARAMETERS_AND_MODES((beta, R, C, time_step), (integration))
  static constexpr NeuronInfo info{
      .name = "Lapicque",
      .brief = "leaky integrate-and-fire as an RC circuit",
      .params = {{"beta", no_default, Domain::decay, "1",
                  "exp(-time_step / (R C)): gives C (or R) where that is not given"},
                 {"R", no_default, Domain::positive, "ohm", "membrane resistance"},
                 {"C", no_default, Domain::positive, "F", "membrane capacitance"},
                 {"time_step", 1.0, Domain::positive, "s", "duration of a step", false}},
      .states = {{"mem", "V", "membrane potential"}},
      .modes = {{"integration", {"euler", "exact"}, "how the decay of a step follows from R C"}},
      .input_unit = "A",
      .elsewhere =
          "snnTorch: Lapicque; NIR: LIF; SpikingJelly: LIFNode; Norse: LIFBoxCell; Brian 2: leaky_IF",
  };
  enum Integration { euler, exact };

  /// R and C, each from beta and the other where it was not given (R = 1 where only beta was).
  template <class T>
  static Raw<T> resolve(const Raw<T>& p) {
    Raw<T> q = p;
    if (p.has_beta && !p.has_C) {
      if (!p.has_R) q.R = p.time_step * 0 + 1;
      q.C = p.time_step / (q.R * log_of(1 / p.beta));
    } else if (p.has_beta && !p.has_R) {
      q.R = p.time_step / (p.C * log_of(1 / p.beta));
    }
    if (p.has_R && p.has_C) q.beta = one_element(exp_of(-p.time_step / (p.R * p.C)));
    return q;
  }

  template <class T>
  static auto derive(const Raw<T>& p) {
    const auto q = resolve(p);
    // From beta straight where it is the source: C is infinite at beta = 1, and so would be its gradient.
    const bool from_beta = p.has_beta && !(p.has_R && p.has_C);
    if (p.integration == exact) {
      const T decay = from_beta ? p.beta : T(exp_of(-q.time_step / (q.R * q.C)));
      return Constants{decay, T(q.R * (1 - decay))};
    }
    const T share = from_beta ? T(-log_of(p.beta)) : T(q.time_step / (q.R * q.C));
    return Constants{T(1 - share), p.has_C ? T(q.time_step / q.C) : T(q.R * share)};
  }

  /// Which parameters stay the source of the others, once all are known. With learn_beta, beta is stored and C follows
  /// (R, where only C was given); else R and C are stored and beta follows.
  template <class Refuse>
  static void settle(bool* given, const bool* learned, Refuse refuse) {
    using P = parameter_names;
    if (learned[P::at_beta]) {
      if (learned[P::at_R] || learned[P::at_C]) {
        refuse("learn_beta", "cannot be combined with learn_R or learn_C, because beta follows from R and C",
               1);
      }
      given[P::at_beta] = true;
      given[P::at_C] = given[P::at_C] && !given[P::at_R];
    } else {
      given[P::at_R] = given[P::at_R] || learned[P::at_R];
      given[P::at_C] = given[P::at_C] || learned[P::at_C];
      if (given[P::at_R] && given[P::at_C]) given[P::at_beta] = false;
    }
  }

  /// Calls refuse(parameter, rule, value) for what the equations cannot use.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!p.has_beta && !(p.has_R && p.has_C)) {
      refuse(p.has_R   ? "C"
             : p.has_C ? "R"
                       : "beta",
             p.has_R || p.has_C ? "must be given, or beta" : "must be given, or R and C", no_default);
    }
    if (p.has_beta && p.has_R && p.has_C) {
      const double implied = exp_of(-p.time_step / (p.R * p.C));
      if (!(std::fabs(implied - p.beta) <= 1e-6)) {
        refuse("beta", "must agree with R and C, exp(-time_step / (R C)), to 1e-6", p.beta);
      }
    }
    if (p.has_beta && p.has_C && !p.has_R && p.integration == exact && !(p.beta < 1)) {
      refuse("beta", "must be below 1 where R follows from C with integration = exact", p.beta);
    }
    if (p.has_beta && p.integration == euler && p.beta < 0.36787944117144233) {
      refuse("beta",
             "must be at least 1/e with integration = euler, whose factor 1 + ln(beta) is negative below",
             p.beta);
    }
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto base = c.gain * x + c.decay * s.mem;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
