// Leaky integrator: what leaves is the membrane, there are no spikes. A readout, or a filter between layers.
//     tau dU/dt = v_leak - U + R X,   X held over a time step
//     exact: U[t] = v_leak + (U[t-1] - v_leak) exp(-time_step / tau) + R X[t] (1 - exp(-time_step / tau))
//     euler: U[t] = U[t-1] + time_step / tau (v_leak - U[t-1] + R X[t]), unstable above time_step = 2 tau: refused above tau
// NIR's LI; Pedersen et al. 2024, "Neuromorphic intermediate representation: a unified instruction set for interoperable
// brain-inspired computing".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct LI {
  RHEO_STATE(mem)
  RHEO_CONSTANTS(decay, gain, leak)
  RHEO_PARAMETERS_AND_MODES((tau, R, v_leak, time_step), (integration))
  static constexpr NeuronInfo info{
      .name = "LI",
      .brief = "leaky integrator: its membrane is what leaves",
      .params = {{"tau", 0.02, Domain::positive, "s", "membrane time constant"},
                 {"R", 1.0, Domain::any, "1", "membrane resistance"},
                 {"v_leak", 0.0, Domain::any, "1", "membrane without input"},
                 {"time_step", 1e-3, Domain::positive, "s", "duration of a step", false}},
      .states = {{"mem", "1", "membrane potential"}},
      .modes = {{"integration", {"exact", "euler"}, "how the membrane follows over a step"}},
      .reset = Reset::none,
      .refuses = {"threshold", "learn_threshold", "reset_mechanism", "reset_delay", "spike_grad",
                  "surrogate_disable", "inhibition", "learn_slope"},
      .fires = false,
      .elsewhere =
          "NIR: LI; SpikingJelly: NonSpikingLIFNode; Norse: LIBoxCell; snnTorch: Leaky without a reset",
  };
  enum Integration { exact, euler };

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T rate = p.time_step / p.tau;
    const T share = p.integration == exact ? T(rate * exprel_of(-rate)) : rate;
    return Constants{T(1 - share), T(p.R * share), T(p.v_leak * share)};
  }

  /// Calls refuse(parameter, rule, value) for a step that Euler's method does not take without overshooting.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (p.integration == euler && !(p.time_step <= p.tau)) {
      refuse("time_step", "must be at most tau with integration = euler", p.time_step);
    }
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    return State{p.v_leak};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto mem = c.decay * s.mem + c.gain * x + c.leak;
    return Stepped{mem * rule.graded, State{mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
