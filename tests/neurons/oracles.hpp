// Plain double loops written from the papers' equations; they include no header of the library, so that an error in a
// step cannot hide in them.
#pragma once

#include <vector>

namespace oracle {

enum class Reset { subtract, zero, none };

struct Common {
  double threshold = 1;
  double graded = 1;  // scales the spike that leaves
  Reset reset = Reset::subtract;
  bool delay = true;  // the reset of a spike acts with the next step; false: within the step that fires
};

/// After every step, as far as the neuron has them. `inh`: Alpha's inhibitory current, whose excitatory one is `syn`;
/// `adapt`: whatever slows a neuron down; n, m, h: Hodgkin and Huxley's gates.
struct Run {
  std::vector<double> spk, mem, syn, inh, mem_prev, adapt, n, m, h;
};

/// U = beta U + X - R threshold | beta (1 - R) U + X | beta U + X. Eshraghian et al. 2023, "Training spiking neural
/// networks using lessons from deep learning", section III.
Run leaky(double beta, const std::vector<double>& x, double mem, const Common& common);

/// C dU/dt = -U / R + X by one Euler step of dt, or solved over dt with X held. Lapicque 1907; Gerstner and Kistler
/// 2002, Spiking Neuron Models, section 4.1.
Run lapicque(double R, double C, double dt, bool exact, const std::vector<double>& x, double mem,
             const Common& common);

/// I = alpha I + X, U = beta U + I - R threshold | (1 - R) (beta U + I) | beta U + I. Eshraghian et al. 2023, appendix.
Run synaptic(double alpha, double beta, const std::vector<double>& x, double syn, double mem,
             const Common& common);

/// The difference of two filtered inputs, scaled so that with a single input U is an alpha function. Rall 1967. Its
/// resets act on the filtered inputs with the step after a spike; without delay the membrane alone is reset.
Run alpha(double alpha, double beta, const std::vector<double>& x, double exc, double inh, double mem,
          const Common& common);

/// U = beta U + X, a spike where |U - U before| > delta. Common: the graded factor alone.
Run delta_leaky(double delta, double beta, const std::vector<double>& x, double mem, double mem_prev,
                const Common& common);

/// leaky and synaptic with V times the last spike added to the input.
Run rleaky(double beta, double V, const std::vector<double>& x, double spk, double mem, const Common& common);
Run rsynaptic(double alpha, double beta, double V, const std::vector<double>& x, double spk, double syn,
              double mem, const Common& common);

/// U = decay U + X, and U = max(0, beta U + X): spikes that change nothing.
Run state_leaky(double decay, const std::vector<double>& x, double mem, const Common& common);
Run leaky_parallel(double beta, const std::vector<double>& x, double mem, const Common& common);

/// U = U + gain X - R threshold | (1 - R) (U + gain X). Lapicque 1907 without the leak.
Run integrate_and_fire(double gain, const std::vector<double>& x, double mem, const Common& common);

/// U = U + (X - U) / tau, or U + X - U / tau. Fang et al. 2021, equation 1 and SpikingJelly's decay_input.
Run parametric_lif(double tau, bool decay_input, const std::vector<double>& x, double mem,
                   const Common& common);

/// tau dU/dt = v_leak - U + R X, by its solution or one Euler step; what leaves is U. Pedersen et al. 2024, table 1.
Run leaky_integrator(double tau, double R, double v_leak, double dt, bool exact, const std::vector<double>& x,
                     double mem, const Common& common);

struct Cuba {
  double tau_syn, tau_mem, R, v_leak, w_in, dt;
  bool exact;
};
/// tau_syn dI/dt = w_in X - I, tau_mem dU/dt = v_leak - U + R I, by Runge and Kutta's fourth-order method in many small
/// steps, or one Euler step of both. Pedersen et al. 2024, table 1.
Run cuba_lif(const Cuba& p, const std::vector<double>& x, double syn, double mem, const Common& common);

/// V = alpha V + (1 - alpha) I - z B, B = b0 + beta b, b = rho b + (1 - rho) z, z = 1 where V > B. Bellec et al. 2018,
/// section 2. Without a reset with the next step there is none.
Run adaptive_lif(double tau_mem, double tau_adapt, double beta, double dt, const std::vector<double>& x,
                 double adapt, double mem, const Common& common);

/// u^ = alpha u + (1 - alpha) (I - w), S = u^ > threshold, u = u^ (1 - S), w = beta w + (1 - beta) (a u + b S). Baronig
/// et al. 2024, section 3.
Run sead_lif(double tau_mem, double tau_adapt, double a, double b, double dt, const std::vector<double>& x,
             double adapt, double mem, const Common& common);

/// leaky that neither hears nor fires for some steps after a spike. wait: how many are still to come.
Run refractory_lif(double beta, int refractory, const std::vector<double>& x, double wait, double mem,
                   const Common& common);

// ---- in millivolts: biophysical_oracles.cpp ------------------------------------------------------------------------
// A membrane above threshold is reset before the step. Common: threshold and graded factor alone.

struct Quadratic {
  double tau, a0, rest, critical, R, reset, dt;
};
/// tau dV/dt = a0 (V - V_rest) (V - V_c) + R I. Gerstner et al. 2014, equation 5.16.
Run quadratic_if(const Quadratic& p, const std::vector<double>& x, double mem, const Common& common);

struct Exponential {
  double C, g_L, E_L, V_T, Delta_T, tau_w, a, b, reset, dt;
};
/// C dV/dt = -g_L (V - E_L) + g_L Delta_T exp((V - V_T) / Delta_T) - w + I, tau_w dw/dt = a (V - E_L) - w, w + b at a
/// spike. Brette and Gerstner 2005, equations 1 to 3; without a and b, Fourcaud-Trocme et al. 2003. The exponent is at
/// most 20.
Run adex(const Exponential& p, const std::vector<double>& x, double w, double mem, const Common& common);
/// When it fires under a constant current, from rest, with a threshold of 20: the same differential equations by the midpoint
/// method, in steps of at most 0.01 ms and 0.1 mV.
std::vector<double> adex_spike_times(const Exponential& p, double current, double ms);

struct Simple {
  double a, b, c, d;
  double slope = 5, offset = 140;
  bool accommodates = false;  // du/dt = a b (v + 65)
  double dt = 0.25;
};
/// The loop of Izhikevich's program for figure 1 of his 2004 paper.
Run izhikevich(const Simple& p, const std::vector<double>& x, double u, double mem, const Common& common);

/// dz/dt = (b + i omega) z + I, solved over dt by complex numbers; z = i threshold after a spike. Izhikevich 2001,
/// equations 2 and 3. adapt: the real part.
Run resonate_and_fire(double b, double omega, double dt, const std::vector<double>& x, double real,
                      double mem, const Common& common);

struct Axon {
  double gNa = 120, gK = 36, gL = 0.3, ENa = 50, EK = -77, EL = -54.387, C = 1, dt = 0.1;
  int pieces = 4;  // exponential Euler steps in dt
};
struct Gates {
  double n, m, h, mem;
};
/// Hodgkin and Huxley 1952, equations 3 to 26, rest near -65 mV; a spike where the membrane passes the threshold upwards.
Run hodgkin_huxley(const Axon& p, const std::vector<double>& x, const Gates& first, const Common& common);
/// The same differential equations by Runge and Kutta's fourth-order method, `pieces` steps in dt.
Run hodgkin_huxley_exact(const Axon& p, const std::vector<double>& x, const Gates& first,
                         const Common& common);
/// Where it rests: gates in equilibrium at the membrane where no current flows, by bisection.
Gates resting_axon(const Axon& p);

}  // namespace oracle
