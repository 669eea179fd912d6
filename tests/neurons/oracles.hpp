// What the oracles share. An oracle is a plain double loop from a paper's equations, in the test of its neuron; neither
// it nor this header uses anything of the library, so that an error in a step cannot hide in it. It is registered for
// kernels_test.cpp:
//
//     const Registration kernels{{
//         .neuron = "Leaky",
//         .loops = {{{0.875},
//                    [](const Numbers& x, const Numbers& s, const Common& c) {
//                      const auto run = leaky(0.875, x, s[0], c);
//                      return Traces{run.spk, {run.mem}};
//                    }}},
//     }};
#pragma once

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace oracle {

using Numbers = std::vector<double>;

enum class Reset { subtract, zero, none };

struct Common {
  double threshold = 1;
  double graded = 1;  // scales the spike that leaves
  Reset reset = Reset::subtract;
  bool delay = true;  // the reset of a spike acts with the next step; false: within the step that fires
};

/// After every step; `adapt` is whatever slows a neuron down. A neuron with other states has a struct that adds them.
struct Run {
  Numbers spk, mem, syn, adapt;
};

// ---- for kernels_test.cpp ------------------------------------------------------------------------------------------

/// After every step: the spikes, and the states in the order of the neuron's RHEO_STATE.
struct Traces {
  Numbers spk;
  std::vector<Numbers> states;
};

/// A neuron with one choice of its parameters: the constants its kernels take for it, and its loop.
struct Loop {
  Numbers constants;
  Traces (*run)(const Numbers& x, const Numbers& first, const Common& common);
};

/// What the kernels of a neuron are compared with.
struct Oracle {
  std::string_view neuron;  // its word in rheo/neurons/CMakeLists.txt
  std::vector<Loop> loops;
  /// The first states lie between -0.5 and 1.5, or where a neuron in millivolts says that they mostly are. This makes of
  /// them states that the neuron can be in.
  void (*start)(Numbers& first) = nullptr;
};

inline std::vector<Oracle>& registered() {
  static std::vector<Oracle> all;
  return all;
}

/// One at namespace scope in the neuron's test.
struct Registration {
  explicit Registration(Oracle oracle) { registered().push_back(std::move(oracle)); }
};

// ---- pieces of loops -----------------------------------------------------------------------------------------------

inline double clamped(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

/// The reset that the last step's spike asks of this step's membrane.
inline double after_delayed_reset(double u, double mem_before, const Common& c) {
  if (!c.delay || !(mem_before > c.threshold)) return u;
  if (c.reset == Reset::zero) return 0;
  return c.reset == Reset::subtract ? u - c.threshold : u;
}

/// What follows a membrane's own equation: spike, grading, the reset without delay.
inline void fire(double u, const Common& c, double& mem, Run& run) {
  const bool spike = u > c.threshold;
  mem = u;
  if (!c.delay && spike && c.reset == Reset::subtract) mem = u - c.threshold;
  if (!c.delay && spike && c.reset == Reset::zero) mem = 0;
  run.spk.push_back(spike ? c.graded : 0.0);
  run.mem.push_back(mem);
}

/// The same where the neuron resets itself, before its step.
inline void keep(Run& run, double mem, const Common& c) {
  run.spk.push_back(mem > c.threshold ? c.graded : 0);
  run.mem.push_back(mem);
}

// ---- loops of two neurons ------------------------------------------------------------------------------------------

/// I = alpha I + X + V S with S the last spike, U = beta U + I - R threshold | (1 - R) (beta U + I) | beta U + I.
/// Eshraghian et al. 2023, "Training spiking neural networks using lessons from deep learning", appendix.
inline Run rsynaptic(double alpha, double beta, double V, const Numbers& x, double spk, double syn,
                     double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    syn = clamped(alpha) * syn + (input + V * spk);
    fire(after_delayed_reset(clamped(beta) * mem + syn, mem, c), c, mem, run);
    spk = run.spk.back();
    run.syn.push_back(syn);
  }
  return run;
}

struct Exponential {
  double C, g_L, E_L, V_T, Delta_T, tau_w, a, b, reset, dt;
};
struct Slopes {
  double mem, w;
};
inline Slopes adex_slopes(const Exponential& p, double mem, double w, double input, double highest) {
  const double upstroke = p.g_L * p.Delta_T * std::exp(std::fmin((mem - p.V_T) / p.Delta_T, highest));
  return {(-p.g_L * (mem - p.E_L) + upstroke - w + input) / p.C, (p.a * (mem - p.E_L) - w) / p.tau_w};
}

/// C dV/dt = -g_L (V - E_L) + g_L Delta_T exp((V - V_T) / Delta_T) - w + I, tau_w dw/dt = a (V - E_L) - w, w + b at a
/// spike. Brette and Gerstner 2005, equations 1 to 3; without a and b, Fourcaud-Trocme et al. 2003. The exponent is at
/// most 10.
inline Run adex(const Exponential& p, const Numbers& x, double w, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    if (mem > c.threshold) {
      mem = p.reset;
      w += p.b;
    }
    const Slopes slope = adex_slopes(p, mem, w, input, 10);
    mem += p.dt * slope.mem;
    w += p.dt * slope.w;
    keep(run, mem, c);
    run.adapt.push_back(w);
  }
  return run;
}

/// When it fires under a constant current, from rest, with a threshold of 20: the same differential equations by the midpoint
/// method, in steps of at most 0.01 ms and 0.1 mV, the exponent at most 20.
inline Numbers adex_spike_times(const Exponential& p, double current, double ms) {
  Numbers times;
  double mem = p.E_L, w = 0;
  for (double t = 0; t < ms;) {
    const Slopes begin = adex_slopes(p, mem, w, current, 20);
    const double h = std::fmin(0.01, 0.1 / std::fabs(begin.mem));
    const Slopes middle = adex_slopes(p, mem + h / 2 * begin.mem, w + h / 2 * begin.w, current, 20);
    mem += h * middle.mem;
    w += h * middle.w;
    t += h;
    if (mem <= 20) continue;
    times.push_back(t);
    mem = p.reset;
    w += p.b;
  }
  return times;
}

}  // namespace oracle
