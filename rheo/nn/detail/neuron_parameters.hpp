// The parameters of a neuron apart from any module: checked, and made into the constants of a call.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "rheo/ops/neuron_entry.hpp"

namespace rheo::nn::detail {

struct NeuronParameters {
  const ops::NeuronEntry& entry;
  ops::RawTensors raw;  // undefined: not given
  at::Tensor threshold, graded_spikes_factor;
};

/// Throws ValueError for a value that the equations cannot use, and for shapes that do not broadcast with each other.
void check_values(const NeuronParameters& p);

/// What the step reads, threshold and graded factor last: of one value each, or flattened to a period of one step `row`
/// of x. Shapes may be symbolic. Throws ValueError for a shape that does not broadcast with the row.
std::vector<at::Tensor> constants_of(const NeuronParameters& p, c10::SymIntArrayRef row, at::Device device,
                                     at::ScalarType dtype);

/// The state of a fresh neuron, for one step `row` of x: its rest, or zero.
std::vector<at::Tensor> fresh_state(const NeuronParameters& p, c10::SymIntArrayRef row, at::Device device,
                                    at::ScalarType dtype);

/// The constants for whole-tensor operations: flattened ones in a shape that broadcasts with the row again.
std::vector<at::Tensor> unflattened(std::vector<at::Tensor> constants, at::IntArrayRef row);

}  // namespace rheo::nn::detail
