// Constant coding: the same input at every time step, as one row and a count, never expanded.
//   auto y = net->forward(rheo::spikegen::constant(image, 25));   // the first Linear runs once, not 25 times
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/ops/time_constant.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace rheo::spikegen {

/// x [...] for `steps` time steps; .expand() is the tensor [steps, ...]. No copy: x keeps its gradient, which
/// becomes the sum over time. Errors: ValueError for negative steps or an undefined tensor.
[[nodiscard]] RHEO_API TimeConstant constant(const at::Tensor& x, std::int64_t steps);

}  // namespace rheo::spikegen
