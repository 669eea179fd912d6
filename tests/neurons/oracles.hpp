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

/// After every step, as far as the neuron has them. `inh`: Alpha's inhibitory current, whose excitatory one is `syn`.
struct Run {
  std::vector<double> spk, mem, syn, inh, mem_prev;
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

}  // namespace oracle
