// Which common options a neuron has no use for.
#pragma once

#include <algorithm>
#include <string>

#include "rheo/nn/registry.hpp"

namespace rheo::test {

inline bool refuses(const NeuronDescription& neuron, const std::string& option) {
  return std::find(neuron.refuses.begin(), neuron.refuses.end(), option) != neuron.refuses.end();
}

}  // namespace rheo::test
