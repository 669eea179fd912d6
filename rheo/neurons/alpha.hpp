// Alpha: the membrane answers a spike with an alpha function, the difference of two exponentials.
//     E[t] = alpha E[t-1] + X[t],   F[t] = beta F[t-1] - X[t],   U[t] = tau (E[t] + F[t])
//     tau = ln(alpha) / (ln(beta) - ln(alpha)) + 1;   1 at alpha = 1 and at beta = 0
//     zero (its default): E, F and U times (1 - R)
//     subtract: E - R threshold, F - R F, U + R F[t-1]: the trace of U jumps, what comes next follows from E and F
//     S[t] = 1 if U[t] > threshold;   R = 1 if U[t-1] > threshold, without gradient
// alpha and beta are clamped to [0, 1] on use; alpha must be above beta. snnTorch's Alpha; W. Rall 1967, "Distinguishing
// theoretical synaptic potentials computed for different soma-dendritic distributions of synaptic input".
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct Alpha {
  RHEO_STATE(syn_exc, syn_inh, mem)
  RHEO_CONSTANTS(alpha, beta, tau)
  RHEO_PARAMETERS(alpha, beta)
  static constexpr NeuronInfo info{
      .name = "Alpha",
      .brief = "leaky integrate-and-fire whose membrane is an alpha function of each input",
      .params = {{"alpha", 0.9, Domain::unit_interval, "1",
                  "decay of the excitatory current per step, above beta"},
                 {"beta", 0.8, Domain::unit_interval, "1", "decay of the inhibitory current per step"}},
      .states = {{"syn_exc", "1", "excitatory current"},
                 {"syn_inh", "1", "inhibitory current"},
                 {"mem", "1", "membrane potential"}},
      .reset = Reset::zero,
      // The membrane follows from the currents alone: a reset of it within the step would leave no trace.
      .refuses = {"reset_delay"},
      .elsewhere = "snnTorch: Alpha",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T alpha = clamp01(p.alpha);
    const T beta = clamp01(p.beta);
    // ln(0) is kept out of the graph: tau is 1 there, and its slope, infinite from the right, counts as 0.
    const auto above = beta > 0;
    const T log_alpha = log_of(alpha);
    const T log_beta = log_of(select(above, beta, fill(beta, 0.5)));
    const T tau = log_alpha / (log_beta - log_alpha) + 1;
    return Constants{alpha, beta, T(select(above, tau, fill(beta, 1)))};
  }

  /// Calls refuse(parameter, rule, value, other value) where tau would be infinite or negative.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(clamp01(p.alpha) > clamp01(p.beta))) {
      refuse("alpha", "must, clamped to [0, 1], be above beta", p.alpha, p.beta);
    }
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto reset = rule.reset(s.mem);
    const auto exc = c.alpha * s.syn_exc + x;
    const auto inh = c.beta * s.syn_inh - x;
    const auto base = c.tau * (exc + inh);
    const auto fired = rule.fire(reset.kept(base) + reset.taken(s.syn_inh));
    return Stepped{fired.spk,
                   State{reset.kept(exc) - reset.taken(), reset.kept(inh) - reset.taken(inh), fired.mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
