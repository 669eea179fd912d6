// The leaky state without threshold feedback: linear in time, it fires but is never reset.
//     U[t] = decay U[t-1] + X[t],   decay = exp(-1 / tau),   tau = 1 / (1 - beta + 1e-12)
// so the decay per step is exp(beta - 1), not beta. tau is what is stored and learned; beta follows, 1 - 1/tau.
// beta = 1 integrates, beta > 1 grows. snnTorch's StateLeaky.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct StateLeaky {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(decay)
  RHEO_PARAMETERS(beta, tau)
  static constexpr NeuronInfo info{
      .name = "StateLeaky",
      .brief = "leaky integration without reset, linear in time",
      .params = {{"beta", 0.9, Domain::any, "1", "the decay per step is exp(beta - 1)", false},
                 {"tau", no_default, Domain::any, "steps", "time constant, 1 / (1 - beta); overrides beta"}},
      .states = {{"mem", "1", "leaky sum of the input"}},
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .elsewhere = "snnTorch: StateLeaky",
  };

  /// tau from beta, or beta from tau where that was given.
  template <class T>
  static Raw<T> resolve(const Raw<T>& p) {
    Raw<T> q = p;
    if (p.has_tau) {
      q.beta = 1 - 1 / p.tau;
    } else {
      q.tau = 1 / (1 - p.beta + 1e-12);
    }
    return q;
  }

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{T(exp_of(-1 / resolve(p).tau))};
  }

  /// tau stays the source of beta.
  template <class Refuse>
  static void settle(bool* given, const bool*, Refuse) {
    given[parameter_names::at_tau] = true;
    given[parameter_names::at_beta] = false;
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto mem = c.decay * s.mem + x;
    return Stepped{rule.fire(mem).spk, State{mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
