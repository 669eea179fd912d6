#pragma once

// What the three neurons of the opening cost: operations of one step, counted by running it, and time, measured.
//   for (const Cost& cost : costs()) std::cout << cost.neuron << ": " << cost.operations.total();

#include <string>
#include <vector>

#include "app/tutorial/counted.hpp"

namespace rheo::app::tutorial {

struct Cost {
  std::string neuron;
  int states = 0;  // numbers kept from step to step
  Operations operations;
};

/// The axon, the leaky integrate-and-fire neuron, the artificial one. The same on every machine.
[[nodiscard]] std::vector<Cost> costs();

/// Nanoseconds per neuron and step in the same order, on one thread: the median of several runs, which differs from
/// run to run.
[[nodiscard]] std::vector<double> measured_times();

}  // namespace rheo::app::tutorial
