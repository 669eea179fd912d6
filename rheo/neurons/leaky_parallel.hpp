// A rectified leaky state: one neuron of a recurrent ReLU network whose recurrent weights are a diagonal.
//     U[t] = max(0, beta U[t-1] + X[t]),   S[t] = 1 if U[t] > threshold, no reset
// beta is used as it is. snnTorch's LeakyParallel, whose X is a linear layer of the input.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct LeakyParallel {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(beta)
  RHEO_PARAMETERS(beta)
  static constexpr NeuronInfo info{
      .name = "LeakyParallel",
      .brief = "rectified leaky integration without reset",
      .params = {{"beta", 0.9, Domain::any, "1", "decay of the membrane per step"}},
      .states = {{"mem", "1", "membrane potential, never negative"}},
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .elsewhere = "snnTorch: LeakyParallel",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{p.beta};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto u = c.beta * s.mem + x;
    const auto mem = select(detach(u) > 0, u, fill(detach(u), 0));
    return Stepped{rule.fire(mem).spk, State{mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
