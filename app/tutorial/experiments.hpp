#pragma once

// The experiments of tutorial 2, the leaky integrate-and-fire neuron, as numbers.
//   const Experiments all = run_experiments({.seed = 0});
//   all.larger_current.spike_times();   // 37, 64, 92, 119, 147, 174
// Voltages in volt, currents in ampere, one step is 1 ms.

#include <cstdint>
#include <optional>
#include <vector>

namespace rheo::app::tutorial {

/// One neuron over time.
struct Recording {
  std::vector<float> input;  // the current of each step
  std::vector<float> mem;    // entry n: after n steps; entry 0: the initial value
  std::vector<float> spk;    // as long as mem; entry n belongs to mem's entry n

  [[nodiscard]] std::vector<int> spike_times() const;  // entries of spk that are not 0
};

/// One resistor-capacitor circuit.
struct Circuit {
  double R, C;  // ohm, farad
};

inline constexpr double time_step = 1e-3;           // s
inline constexpr Circuit first_neuron{5.0, 1e-3};   // tau = 5 ms
inline constexpr Circuit second_neuron{5.1, 5e-3};  // tau = 25.5 ms
inline constexpr int steps = 200;
inline constexpr int onset = 10;  // the step at which currents are switched on

struct Pulse {
  double amplitude;  // A
  int width;         // steps
};
inline constexpr Pulse pulses[] = {{0.1, 20}, {0.111, 10}, {0.147, 5}, {0.5, 1}};

/// One current into three neurons; what each holds after every step of 0.1 ms.
struct SameCurrent {
  std::vector<float> current;             // uA/cm2
  std::vector<float> axon_mem, axon_spk;  // Hodgkin and Huxley's, mV
  std::vector<float> lif_mem, lif_spk;    // Lapicque's, mV above rest
  std::vector<float> sum, number;         // of an artificial neuron
};
inline constexpr double fine_step = 0.1;  // ms

struct Experiments {
  SameCurrent same;  // the opening
  // a: the membrane before each of 100 steps, in double precision
  std::vector<double> passive;
  Recording resting;              // b
  Recording step_current;         // c
  std::vector<Recording> pulsed;  // d: one for each of `pulses`
  // e: entry n of mem is the membrane after loop step n; spk was tested before it
  Recording by_hand_without_reset;
  Recording by_hand;
  Recording firing;                // f
  Recording larger_current;        // g
  Recording lower_threshold;       // h
  Recording lower_threshold_zero;  // h with reset to zero
  Recording random_subtract;       // i
  Recording random_zero;           // j
  Recording random_none;           // j
  Recording regular_subtract;      // k
  Recording regular_zero;          // k
};

struct Input {
  std::uint64_t seed = 0;  // draws the random input spikes of i and j
  std::optional<std::vector<float>> spikes = {};  // instead of drawn ones
};

[[nodiscard]] Experiments run_experiments(const Input& input = {});

/// The random input of i and j: 200 steps, a spike (1) with probability 0.4 in each.
[[nodiscard]] std::vector<float> random_spikes(std::uint64_t seed);

}  // namespace rheo::app::tutorial
