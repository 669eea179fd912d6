// Resonate-and-fire: a damped oscillator that fires where its second variable, the membrane, passes the threshold. It
// answers pulses that come in its own rhythm.
//     dz/dt = (b + i omega) z + I,   z = x + i U
//     S[t] = 1 if U[t] > threshold; the next step starts from x = 0, U = threshold, without gradient where the state was
// Exact for an input held over a time step:
//     z[t] = E z[t-1] + (E - 1) / (b + i omega) I[t],   E = exp((b + i omega) time_step)
// E. M. Izhikevich 2001, "Resonate-and-fire neurons", equations 2 and 3, where b = -1 and omega = 10 per unit of time.
#pragma once

#include "rheo/core/neuron.hpp"

namespace rheo::inline RHEO_ISA::neurons {

struct ResonateAndFire {
  RHEO_STATE(x, mem)
  RHEO_CONSTANTS(cosine, sine, gain_x, gain_mem)
  RHEO_PARAMETERS(b, omega, time_step)
  static constexpr NeuronInfo info{
      .name = "ResonateAndFire",
      .brief = "damped oscillator with a threshold",
      .params = {{"b", -1.0, Domain::any, "1", "damping per unit of time, not positive"},
                 {"omega", 10.0, Domain::positive, "1", "radians per unit of time"},
                 {"time_step", 0.05, Domain::positive, "1", "duration of a step", false}},
      .states = {{"x", "1", "current-like variable", {-1, 1}}, {"mem", "1", "voltage-like variable"}},
      .reset = Reset::none,
      .refuses = {"reset_mechanism", "reset_delay"},
      .drive = {-20, 60},
      .elsewhere = "SpikingJelly: RAFNode, which adds the input whole and whose spikes leave x as it is",
  };

  template <class T>
  static auto derive(const Raw<T>& p) {
    const T decay = exp_of(p.b * p.time_step);
    const T angle = p.omega * p.time_step;
    const T cosine = decay * cos_of(angle);
    const T sine = decay * sin_of(angle);
    const T size = p.b * p.b + p.omega * p.omega;
    return Constants{cosine, sine, T(((cosine - 1) * p.b + sine * p.omega) / size),
                     T((sine * p.b - (cosine - 1) * p.omega) / size)};
  }

  /// Calls refuse(parameter, rule, value) for an oscillation that grows without input.
  template <class Refuse>
  static void check(const Raw<double>& p, Refuse refuse) {
    if (!(p.b <= 0)) refuse("b", "must not be positive", p.b);
  }

  template <class S, class X, class C, class R>
  RHEO_INLINE static auto step(const S& s, const X& x, const C& c, const R& rule) {
    const auto fired = detach(s.mem) > detach(rule.threshold);
    const auto x0 = select(fired, fill(detach(s.x), 0), s.x);
    const auto y0 = select(fired, rule.threshold, s.mem);
    const auto mem = c.sine * x0 + c.cosine * y0 + c.gain_mem * x;
    return Stepped{rule.fire(mem).spk, State{c.cosine * x0 - c.sine * y0 + c.gain_x * x, mem}};
  }
};

}  // namespace rheo::inline RHEO_ISA::neurons
