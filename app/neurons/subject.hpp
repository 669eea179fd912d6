// What the pages show: the neurons of the registry, and layers that have no entry there, each with a way to run it.
//   for (const Subject& subject : subjects()) subject.run(x, true).spk;
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rheo/nn/registry.hpp"

namespace rheo::app::neurons {

/// How long a step is, and in which unit a reader wants it.
struct TimeAxis {
  double step = 1;
  std::string unit = "step";  // "ms", "step"; "time" where the neuron counts in units of its own

  [[nodiscard]] std::string label() const;       // "time (ms)"
  [[nodiscard]] std::string rate_label() const;  // "rate (Hz)"
  /// `steps` with the unit: "25 ms", "40 steps".
  [[nodiscard]] std::string duration(double steps) const;
  /// Spikes per step in the unit of rate_label.
  [[nodiscard]] double rate(double per_step) const;
};

struct Run {
  at::Tensor spk;                                          // [T, N]
  std::vector<std::pair<std::string, at::Tensor>> states;  // [T, N] each, where they were asked for
};

struct Subject {
  NeuronDescription description;
  TimeAxis time = {};
  std::vector<std::pair<std::string, double>> chosen = {};  // parameters without a default, as they are run
  std::optional<double> threshold = {};
  std::function<Run(const at::Tensor& x, bool states)> run =
      {};  // x [T, N], from rest; empty: it has no picture
};

/// The state called mem, else the last: what a threshold is compared with, and what leaves a neuron that does not fire.
template <class Values>
const Values& membrane(const std::vector<std::pair<std::string, Values>>& states) {
  for (const auto& [name, values] : states)
    if (name == "mem") return values;
  return states.back().second;
}

/// In the order of the registry, then the layers.
[[nodiscard]] std::vector<Subject> subjects();

/// Layers that are no pointwise neuron: PSN and SlidingPSN.
[[nodiscard]] const std::vector<NeuronDescription>& list_layers();

}  // namespace rheo::app::neurons
