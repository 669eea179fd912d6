// Leaky integrate-and-fire that is deaf for some steps after a spike.
//     after a spike Q[t] = refractory, else Q[t] = max(Q[t-1] - 1, 0)
//     Q[t-1] > 0:  U[t] = U[t-1] - R threshold (subtract), (1 - R) U[t-1] (zero);   S[t] = 0
//     Q[t-1] = 0:  U[t] = beta U[t-1] + X[t];   S[t] = 1 if U[t] > threshold
// R = 1 in the step after a spike, without gradient. beta is clamped to [0, 1] on use. refractory is a number of steps from
// 1 on; a fraction counts as the next whole number. L. Lapicque 1907 with an absolute refractory period; Gerstner et al.
// 2014, Neuronal Dynamics, section 1.3.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct RefractoryLIF {
  RHEO_STATE(wait, mem)
  RHEO_CONSTANTS(beta, refractory)
  RHEO_PARAMETERS(beta, refractory)
  static constexpr NeuronInfo info{
      .name = "RefractoryLIF",
      .brief = "leaky integrate-and-fire with an absolute refractory period",
      .params = {{"beta", 0.9, Domain::unit_interval, "1", "decay of the membrane per step"},
                 {"refractory", 2.0, Domain::positive, "steps", "silent steps after a spike, from 1 on",
                  false}},
      .states = {{"wait", "steps", "silent steps still to come", {-3, 3}},
                 {"mem", "1", "membrane potential"}},
      .refuses = {"inhibition"},
      .elsewhere = "Norse: LIFRefracCell, which filters its input first; Brian 2: example IF_curve_LIF",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{clamp01(p.beta), p.refractory};
  }

  /// Calls refuse(parameter, rule, value) for a period that is none.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.refractory >= 1)) refuse("refractory", "must be at least 1", p.refractory);
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto deaf = detach(s.wait) > 0;
    const auto just_fired = detach(s.wait) > detach(c.refractory) - 0.5;
    const auto reset = rule.reset(select(just_fired, s.mem, rule.threshold));
    const auto kept = reset.kept(s.mem);
    const auto mem = select(deaf, kept, c.beta * kept + x) - reset.taken();
    const auto fired = rule.fire(mem);
    const auto hears = select(deaf, fill(detach(mem), 0), fill(detach(mem), 1));
    const auto spikes = detach(mem) > detach(rule.threshold);
    const auto waits = s.wait - 1;
    const auto left = select(detach(waits) > 0, waits, fill(detach(mem), 0));
    return Stepped{fired.spk * hears, State{select(deaf, left, select(spikes, c.refractory, left)),
                                            select(deaf, mem, fired.mem)}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
