// The counting rule of rheo/nn/summary.hpp, for one call of a layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "rheo/nn/observer.hpp"

namespace rheo::nn::detail {

struct Operations {
  double synops = 0, macs = 0;
};

/// The sizes that a spike of a network can have: 1, and every graded factor in it.
class SpikeSizes {
 public:
  explicit SpikeSizes(const torch::nn::Module& net);
  /// Whether x has no other numbers than these and 0.
  bool are_all_of(const at::Tensor& x) const;

 private:
  at::Tensor sizes_;  // double
};

/// Whether the layer has weights that connect: a parameter of two dimensions or more.
bool has_weights(const torch::nn::Module& layer, bool recurse);

/// All samples of the call together. Nothing where the layer has weights that no rule is for.
std::optional<Operations> operations_of(const LayerCall& call, const SpikeSizes& sizes);

}  // namespace rheo::nn::detail
