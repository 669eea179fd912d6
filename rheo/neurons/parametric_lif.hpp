// Leaky integrate-and-fire whose time constant can be learned, with learn_w.
//     U[t] = U[t-1] + (X[t] - U[t-1]) / tau - R threshold   (subtract)
//     U[t] = (1 - R) (U[t-1] + (X[t] - U[t-1]) / tau)       (zero)
//     S[t] = 1 if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// 1 / tau = 1 / (1 + exp(-w)), so that tau stays above 1 whatever w becomes: w is stored and learned, tau follows. With
// decay_input = no the input enters whole, U[t-1] (1 - 1/tau) + X[t]. One Euler step per time step, stable for tau >= 1.
// W. Fang et al. 2021, "Incorporating learnable membrane time constant to enhance learning of spiking neural networks".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct ParametricLIF {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(decay, gain)
  RHEO_PARAMETERS_AND_MODES((tau, w), (decay_input))
  static constexpr NeuronInfo info{
      .name = "ParametricLIF",
      .brief = "leaky integrate-and-fire with a time constant that can be learned",
      .params = {{"tau", 2.0, Domain::positive, "steps",
                  "membrane time constant, above 1; follows from w, which learn_w learns", false},
                 {"w", no_default, Domain::any, "1", "-ln(tau - 1); overrides tau"}},
      .states = {{"mem", "1", "membrane potential"}},
      .modes = {{"decay_input", {"yes", "no"}, "whether the input, too, is divided by tau"}},
      .drive = {-0.6, 3},
      .elsewhere = "SpikingJelly: ParametricLIFNode",
  };
  enum DecayInput { yes, no };

  template <class T>
  static Raw<T> resolve(const Raw<T>& p) {
    Raw<T> q = p;
    if (p.has_w) {
      q.tau = 1 / logistic_of(p.w);
    } else {
      q.w = -log_of(p.tau - 1);
    }
    return q;
  }

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T share = logistic_of(resolve(p).w);
    return Constants{T(1 - share), p.decay_input == yes ? share : T(fill(share, 1))};
  }

  /// w stays the source of tau.
  template <class Refuse>
  static void settle(bool* given, const bool*, Refuse) {
    given[parameter_names::at_w] = true;
    given[parameter_names::at_tau] = false;
  }

  /// Calls refuse(parameter, rule, value) for a tau no w stands for.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!p.has_w && !(p.tau > 1)) refuse("tau", "must be above 1", p.tau);
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto base = c.decay * s.mem + c.gain * x;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
