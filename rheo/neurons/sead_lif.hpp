// Adaptive leaky integrate-and-fire, discretised by the symplectic Euler method (SE-adLIF): the adaptation current sees
// the membrane of the same step, which keeps its oscillations where they are in continuous time.
//     V[t] = alpha U[t-1] + (1 - alpha) (X[t] - W[t-1])
//     S[t] = 1 if V[t] > threshold;   U[t] = (1 - S[t]) V[t], the reset without gradient
//     W[t] = beta W[t-1] + (1 - beta) (a U[t] + b S[t])
//     alpha = exp(-time_step / tau_mem),   beta = exp(-time_step / tau_adapt)
// Membrane and current are exact in themselves, their coupling is explicit: it is refused where the pair without spikes
// would grow. M. Baronig, R. Ferrand, S. Sabathiel, R. Legenstein 2024, "Advancing spatio-temporal processing in spiking
// neural networks through adaptation", where a and b carry a common factor q = 120.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct SEAdLIF {
  RHEO_STATE(adapt, mem)
  RHEO_CONSTANTS(alpha, beta, a, b)
  RHEO_PARAMETERS(tau_mem, tau_adapt, a, b, time_step)
  static constexpr NeuronInfo info{
      .name = "SEAdLIF",
      .brief = "leaky integrate-and-fire with an adaptation current, by the symplectic Euler method",
      .params = {{"tau_mem", 15.0, Domain::positive, "ms", "membrane time constant, 5 to 25 in the paper"},
                 {"tau_adapt", 100.0, Domain::positive, "ms",
                  "time constant of the adaptation current, 60 to 300"},
                 {"a", 60.0, Domain::any, "1", "current per unit of membrane, 0 to 120"},
                 {"b", 120.0, Domain::any, "1", "current per spike, 0 to 240"},
                 {"time_step", 1.0, Domain::positive, "ms", "duration of a step", false}},
      .states = {{"adapt", "1", "adaptation current", {-1, 5}},
                 {"mem", "1", "membrane potential", {-0.5, 1}}},
      .reset = Reset::zero,
      .refuses = {"reset_mechanism", "reset_delay", "inhibition"},
      .drive = {-20, 40},
      .elsewhere = "its authors' code: SEAdLIF",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    return Constants{T(exp_of(-p.time_step / p.tau_mem)), T(exp_of(-p.time_step / p.tau_adapt)), p.a, p.b};
  }

  /// Calls refuse(parameter, rule, value, bound) where U and W without spikes would grow: the product of their factors,
  /// alpha beta, is below 1, so their sum decides.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    const double alpha = exp_of(-p.time_step / p.tau_mem), beta = exp_of(-p.time_step / p.tau_adapt);
    const double coupling = (1 - alpha) * (1 - beta);
    const double most = (1 + alpha) * (1 + beta) / coupling;
    if (!(p.a < most))
      refuse("a", "must be below (1 + alpha) (1 + beta) / ((1 - alpha) (1 - beta))", p.a, most);
    if (!(p.a > -1)) refuse("a", "must be above -1, where membrane and adaptation current grow", p.a);
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto full = c.alpha * s.mem + (1 - c.alpha) * (x - s.adapt);
    const auto spk = spike(rule.surrogate, full, rule.threshold);
    const auto mem = (1 - rule.reset_flag(full)) * full;
    const auto adapt = c.beta * s.adapt + (1 - c.beta) * (c.a * mem + c.b * spk);
    return Stepped{spk * rule.graded, State{adapt, mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
