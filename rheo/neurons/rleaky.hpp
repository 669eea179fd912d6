// Leaky integrate-and-fire whose own last spike comes back, each neuron to itself, with weight V.
//     U[t] = beta U[t-1] + X[t] + V S[t-1] - R threshold   (subtract)
//     U[t] = (1 - R) (beta U[t-1] + X[t] + V S[t-1])       (zero)
//     S[t] = graded_spikes_factor if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// The spike that comes back carries its surrogate gradient. beta is clamped to [0, 1] on use. snnTorch's RLeaky with
// one-to-one feedback; with dense or convolutional feedback see rheo/nn.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct RLeaky {
  RHEO_STATE(spk, mem)
  RHEO_CONSTANTS(beta, V)
  RHEO_PARAMETERS(beta, V)
  static constexpr NeuronInfo info{
      .name = "RLeaky",
      .brief = "leaky integrate-and-fire with feedback of its own spikes",
      .params = {{"beta", 0.9, Domain::unit_interval, "1", "decay of the membrane per step"},
                 {"V", 1.0, Domain::any, "1", "weight of the neuron's own last spike"}},
      .states = {{"spk", "1", "last spike, graded"}, {"mem", "1", "membrane potential"}},
      .elsewhere = "snnTorch: RLeaky",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{clamp01(p.beta), p.V};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto base = c.beta * s.mem + x + c.V * s.spk;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{fired.spk, fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
