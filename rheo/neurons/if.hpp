// Integrate-and-fire without a leak: what comes in stays until it is fired off.
//     U[t] = U[t-1] + G X[t] - R threshold   (subtract)
//     U[t] = (1 - R) (U[t-1] + G X[t])       (zero)
//     S[t] = 1 if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// Exact, there is nothing to integrate numerically. L. Lapicque 1907 without the leak; NIR's IF, whose r times the
// time step is the gain G.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct IF {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(gain)
  RHEO_PARAMETERS(gain)
  static constexpr NeuronInfo info{
      .name = "IF",
      .brief = "integrate-and-fire without a leak",
      .params = {{"gain", 1.0, Domain::any, "1", "what a unit of input adds to the membrane"}},
      .states = {{"mem", "1", "membrane potential"}},
      .elsewhere = "NIR: IF; SpikingJelly: IFNode; Norse: IAFCell; Brian 2: perfect_IF",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{p.gain};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto base = s.mem + c.gain * x;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
