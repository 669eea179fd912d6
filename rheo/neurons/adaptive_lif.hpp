// Leaky integrate-and-fire whose threshold rises with every spike and falls back (ALIF, the neuron of LSNNs).
//     A[t] = rho A[t-1] + (1 - rho) S[t-1],   B[t] = threshold + beta A[t]
//     U[t] = alpha U[t-1] + (1 - alpha) X[t] - R B[t-1]     (subtract)
//     U[t] = (1 - R) (alpha U[t-1] + (1 - alpha) X[t])      (zero)
//     S[t] = 1 if U[t] > B[t];   R = S[t-1] without gradient, but A sees S[t-1] with its surrogate gradient
//     alpha = exp(-time_step / tau_mem),   rho = exp(-time_step / tau_adapt)
// Both filters are exact for an input held over a step. G. Bellec et al. 2018, "Long short-term memory and
// learning-to-learn in networks of spiking neurons".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct AdaptiveLIF {
  RHEO_STATE(adapt, mem)
  RHEO_CONSTANTS(alpha, rho, beta)
  RHEO_PARAMETERS(tau_mem, tau_adapt, beta, time_step)
  static constexpr NeuronInfo info{
      .name = "AdaptiveLIF",
      .brief = "leaky integrate-and-fire with a threshold that adapts",
      .params = {{"tau_mem", 20.0, Domain::positive, "ms", "membrane time constant"},
                 {"tau_adapt", 200.0, Domain::positive, "ms", "time constant of the threshold"},
                 {"beta", 1.8, Domain::any, "1", "threshold per unit of adaptation"},
                 {"time_step", 1.0, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"adapt", "1", "filtered spikes, between 0 and 1", {0, 0.5}},
                 {"mem", "1", "membrane potential", {-0.5, 2}}},
      // Whether the last step fired is read off the stored membrane.
      .refuses = {"reset_delay"},
      .drive = {-10, 30},
      .elsewhere = "Norse: LSNNCell, which filters its input first; Brian 2: example adaptive_threshold",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{T(exp_of(-p.time_step / p.tau_mem)), T(exp_of(-p.time_step / p.tau_adapt)), p.beta};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto raised = c.beta * s.adapt;
    const auto above = s.mem - raised;
    const auto reset = rule.reset(above);
    const auto adapt = c.rho * s.adapt + (1 - c.rho) * spike(rule.surrogate, above, rule.threshold);
    const auto base = c.alpha * s.mem + (1 - c.alpha) * x;
    const auto mem = reset.kept(base) - reset.taken(rule.threshold + raised);
    return Stepped{rule.fire(mem - c.beta * adapt).spk, State{adapt, mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
