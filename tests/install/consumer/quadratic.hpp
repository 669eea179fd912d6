// A neuron of a program of its own: quadratic integrate-and-fire, which runs away by itself above `critical`.
//     U[t] = U[t-1] + gain U[t-1] (U[t-1] - critical) + X[t] - R threshold
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Quadratic {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(gain, critical)
  RHEO_PARAMETERS(gain, critical)
  static constexpr NeuronInfo info{
      .name = "Quadratic",
      .brief = "quadratic integrate-and-fire",
      .params = {{"gain", 0.2, Domain::positive, "1", "weight of the quadratic term, per step"},
                 {"critical", 0.5, Domain::any, "1", "membrane above which it runs away"}},
      .states = {{"mem", "1", "membrane potential"}},
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{p.gain, p.critical};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto kept = reset.kept(s.mem);
    const auto mem = kept + c.gain * kept * (kept - c.critical) + x - reset.taken();
    const auto fired = rule.fire(mem);
    return Stepped{fired.spk, State{fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
