// Second-order leaky integrate-and-fire: spikes drive a synaptic current, the current drives the membrane.
//     I[t] = alpha I[t-1] + X[t]
//     U[t] = beta U[t-1] + I[t] - R threshold   (subtract)
//     U[t] = (1 - R) (beta U[t-1] + I[t])       (zero; the current stays)
//     S[t] = 1 if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// alpha and beta are clamped to [0, 1] on use. snnTorch's Synaptic; Eshraghian et al. 2023, "Training spiking neural
// networks using lessons from deep learning".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Synaptic {
  RHEO_STATE(syn, mem)
  RHEO_CONSTANTS(alpha, beta)
  RHEO_PARAMETERS(alpha, beta)
  static constexpr NeuronInfo info{
      .name = "Synaptic",
      .brief = "second-order leaky integrate-and-fire",
      .params = {{"alpha", 0.9, Domain::unit_interval, "1", "decay of the synaptic current per step"},
                 {"beta", 0.8, Domain::unit_interval, "1", "decay of the membrane per step"}},
      .states = {{"syn", "1", "synaptic current"}, {"mem", "1", "membrane potential"}},
      .elsewhere = "snnTorch: Synaptic; NIR: CubaLIF; SpikingJelly: CUBALIFNode",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{clamp01(p.alpha), clamp01(p.beta)};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto syn = c.alpha * s.syn + x;
    const auto base = c.beta * s.mem + syn;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{syn, fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
