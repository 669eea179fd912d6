// Current-based leaky integrate-and-fire: spikes drive a current, the current drives the membrane.
//     tau_syn dI/dt = w_in X - I,   tau_mem dU/dt = v_leak - U + R I,   X held over a time step
//     S[t] = 1 if U[t] > threshold;   a spike takes the threshold from U (subtract) or sets it to 0 (zero)
// integration = exact solves both over a time step: with a = exp(-time_step / tau_syn), b = exp(-time_step / tau_mem) and
// k = (b - a) tau_syn / (tau_mem - tau_syn), finite at tau_syn = tau_mem too,
//     U[t] = b U[t-1] + (1 - b) v_leak + R k I[t-1] + R w_in (1 - b - k) X[t],   I[t] = a I[t-1] + w_in (1 - a) X[t]
// integration = euler is one forward Euler step of both, with the current of the step before:
//     U[t] = U[t-1] + time_step / tau_mem (v_leak - U[t-1] + R I[t-1]),   I[t] = I[t-1] + time_step / tau_syn (w_in X[t] - I[t-1])
// which is refused where time_step is above a time constant. NIR's CubaLIF; Pedersen et al. 2024, "Neuromorphic
// intermediate representation: a unified instruction set for interoperable brain-inspired computing".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct CubaLIF {
  RHEO_STATE(syn, mem)
  RHEO_CONSTANTS(syn_decay, syn_gain, mem_decay, syn_share, input_share, leak)
  RHEO_PARAMETERS_AND_MODES((tau_syn, tau_mem, R, v_leak, w_in, time_step), (integration))
  static constexpr NeuronInfo info{
      .name = "CubaLIF",
      .brief = "leaky integrate-and-fire driven by a synaptic current, NIR's CubaLIF",
      .params = {{"tau_syn", 5e-3, Domain::positive, "s", "time constant of the synaptic current"},
                 {"tau_mem", 2e-2, Domain::positive, "s", "membrane time constant"},
                 {"R", 1.0, Domain::any, "1", "membrane resistance"},
                 {"v_leak", 0.0, Domain::any, "1", "membrane without input"},
                 {"w_in", 1.0, Domain::any, "1", "current that a steady input of 1 leads to"},
                 {"time_step", 1e-3, Domain::positive, "s", "duration of a step", false}},
      .states = {{"syn", "1", "synaptic current", {-1, 20}}, {"mem", "1", "membrane potential"}},
      .modes = {{"integration", {"exact", "euler"}, "how current and membrane follow over a step"}},
      .drive = {-5, 20},
      .elsewhere =
          "NIR: CubaLIF; snnTorch: Synaptic; SpikingJelly: CUBALIFNode; Norse: LIFCell; Brian 2: example "
          "CUBA",
  };
  enum Integration { exact, euler };

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T syn_rate = p.time_step / p.tau_syn;
    const T mem_rate = p.time_step / p.tau_mem;
    if (p.integration == euler) {
      return Constants{T(1 - syn_rate),   T(p.w_in * syn_rate), T(1 - mem_rate),
                       T(p.R * mem_rate), T(mem_rate * 0),      T(p.v_leak * mem_rate)};
    }
    const T syn_share = syn_rate * exprel_of(-syn_rate);
    const T mem_share = mem_rate * exprel_of(-mem_rate);
    // mem_rate exp(-mem_rate) exprel(mem_rate - syn_rate), with the slower decay taken out: nothing overflows.
    const auto mem_is_slower = mem_rate < syn_rate;
    const T slower = select(mem_is_slower, mem_rate, syn_rate);
    const T faster = select(mem_is_slower, syn_rate, mem_rate);
    const T passed = mem_rate * exp_of(-slower) * exprel_of(slower - faster);
    return Constants{T(exp_of(-syn_rate)),
                     T(p.w_in * syn_share),
                     T(exp_of(-mem_rate)),
                     T(p.R * passed),
                     T(p.R * p.w_in * (mem_share - passed)),
                     T(p.v_leak * mem_share)};
  }

  /// Calls refuse(parameter, rule, value) for a step that Euler's method does not take without overshooting.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (p.integration == euler && !(p.time_step <= p.tau_syn && p.time_step <= p.tau_mem)) {
      refuse("time_step", "must be at most tau_syn and tau_mem with integration = euler", p.time_step);
    }
  }

  template <class T>
  static auto rest(const Raw<T>& p) {
    return State{T(p.v_leak * 0), p.v_leak};
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto syn = c.syn_decay * s.syn + c.syn_gain * x;
    const auto base = c.mem_decay * s.mem + c.syn_share * s.syn + c.input_share * x + c.leak;
    const auto fired = rule.fire(reset.kept(base) - reset.taken());
    return Stepped{fired.spk, State{syn, fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
