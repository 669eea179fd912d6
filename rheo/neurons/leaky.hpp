// First-order leaky integrate-and-fire.
//     U[t] = beta U[t-1] + X[t] - R threshold   (subtract)
//     U[t] = beta (1 - R) U[t-1] + X[t]         (zero: the membrane after a spike is the input, not 0)
//     S[t] = 1 if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// beta is clamped to [0, 1] on use. snnTorch's Leaky; Eshraghian et al. 2023, "Training spiking neural networks using
// lessons from deep learning".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Leaky {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(beta)
  RHEO_PARAMETERS(beta)
  static constexpr NeuronInfo info{
      .name = "Leaky",
      .brief = "first-order leaky integrate-and-fire",
      .params = {{"beta", 0.9, Domain::unit_interval, "1", "decay of the membrane per step"}},
      .states = {{"mem", "1", "membrane potential"}},
      .elsewhere = "snnTorch: Leaky; NIR: LIF; SpikingJelly: LIFNode with decay_input = False",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{clamp01(p.beta)};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto mem = c.beta * reset.kept(s.mem) + x - reset.taken();
    const auto fired = rule.fire(mem);
    return Stepped{fired.spk, State{fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
