// What an encoder gave, in three shapes: a summary, a CSV table, a figure.
#pragma once

#include "app/encoder.hpp"
#include "rheo/plot/figure.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rheo::app {

struct Spike {
  std::int64_t step, neuron;
  float value;
};

/// In the order of steps, then neurons. spk: [T, neurons]
[[nodiscard]] std::vector<Spike> spikes_of(const at::Tensor& spk);

/// Two lines at most, for stdout.
[[nodiscard]] std::string summary(const Encoded& encoded, const std::vector<Spike>& spikes);

/// A line step,neuron,spk for every spike; dense: a row per step, a column per neuron.
[[nodiscard]] std::string to_csv(const at::Tensor& spk, const std::vector<Spike>& spikes, bool dense);

/// The input where it is over time, the raster, and how many spikes each step has. At least one step.
[[nodiscard]] plot::Figure to_figure(const Encoded& encoded, const std::vector<Spike>& spikes,
                                     const std::string& title);

}  // namespace rheo::app
