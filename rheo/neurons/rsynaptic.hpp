// Second-order leaky integrate-and-fire whose own last spike comes back, each neuron to itself, with weight V.
//     I[t] = alpha I[t-1] + X[t] + V S[t-1]
//     U[t] = beta U[t-1] + I[t] - R threshold   (subtract)
//     U[t] = (1 - R) (beta U[t-1] + I[t])       (zero; the current stays)
//     S[t] = graded_spikes_factor if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// The spike that comes back carries its surrogate gradient. alpha and beta are clamped to [0, 1] on use. snnTorch's
// RSynaptic with one-to-one feedback; with dense or convolutional feedback see rheo/nn.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct RSynaptic {
  RHEO_STATE(spk, syn, mem)
  RHEO_CONSTANTS(alpha, beta, V)
  RHEO_PARAMETERS(alpha, beta, V)
  static constexpr NeuronInfo info{
      .name = "RSynaptic",
      .brief = "second-order leaky integrate-and-fire with feedback of its own spikes",
      .params = {{"alpha", 0.9, Domain::unit_interval, "1", "decay of the synaptic current per step"},
                 {"beta", 0.8, Domain::unit_interval, "1", "decay of the membrane per step"},
                 {"V", 1.0, Domain::any, "1", "weight of the neuron's own last spike"}},
      .states = {{"spk", "1", "last spike, graded"},
                 {"syn", "1", "synaptic current"},
                 {"mem", "1", "membrane potential"}},
      .elsewhere = "snnTorch: RSynaptic",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{clamp01(p.alpha), clamp01(p.beta), p.V};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto syn = c.alpha * s.syn + x + c.V * s.spk;
    const auto base = c.beta * s.mem + syn;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{fired.spk, syn, fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
