// What one simulation gave, as plain numbers, and its three shapes: a summary, a CSV table, a figure.
#pragma once

#include "rheo/plot/figure.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app {

struct Trace {
  std::string name;
  std::string unit;             // "1" or empty: none
  std::vector<float> values{};  // [steps, neurons]
};

struct Recording {
  std::string neuron;
  std::size_t steps = 0;
  std::size_t neurons = 0;
  Trace input{};
  bool input_is_spikes = false;
  bool fires = true;  // false: what leaves is the membrane
  std::vector<Trace> states{};
  std::vector<float> spk{};         // [steps, neurons]
  std::vector<double> threshold{};  // one, or one per neuron
};

/// Spike counts and times, the range of the membrane: a few lines for stdout.
[[nodiscard]] std::string summary(const Recording& recording);

/// Columns step, input, states, spk; with several neurons input_0, input_1, ... Row t holds the input of step
/// t and the state after it. Numbers read back as the same float.
[[nodiscard]] std::string to_csv(const Recording& recording);

/// Input, membrane with its threshold, spikes. At least one step.
[[nodiscard]] plot::Figure to_figure(const Recording& recording);

}  // namespace rheo::app
