// Leaky integrator that fires where its membrane changes.
//     U[t] = beta U[t-1] + X[t],   S[t] = 1 if |U[t] - U[t-1]| > delta_threshold
// Nothing is ever reset, falling membranes fire too, and beta is not clamped: above 1 the membrane grows. What has no
// meaning here, the threshold and its reset, is refused. snnTorch's DeltaLeaky.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct DeltaLeaky {
  RHEO_STATE(mem, mem_prev)
  RHEO_CONSTANTS(delta_threshold, beta)
  RHEO_PARAMETERS(delta_threshold, beta)
  static constexpr NeuronInfo info{
      .name = "DeltaLeaky",
      .brief = "leaky integrator that fires where its membrane changes",
      .params = {{"delta_threshold", 1.0, Domain::any, "1", "change of the membrane per step that fires"},
                 {"beta", 0.9, Domain::any, "1", "decay of the membrane per step"}},
      .states = {{"mem", "1", "membrane potential"}, {"mem_prev", "1", "membrane potential one step before"}},
      .reset = Reset::none,
      .refuses = {"threshold", "learn_threshold", "reset_mechanism", "reset_delay", "inhibition",
                  "state_quant"},
      .elsewhere = "snnTorch: DeltaLeaky",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{p.delta_threshold, p.beta};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto mem = c.beta * s.mem + x;
    const auto spk = spike(rule.surrogate, abs(mem - s.mem), c.delta_threshold);
    return Stepped{spk * rule.graded, State{mem, s.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
