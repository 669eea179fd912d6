// Lateral inhibition: of each row only the largest may spike.
//   auto spk = rheo::ops::winners(spikes, u);   // both [..., N]
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::ops {

/// `spk` where u is the largest of its row, the first of equals, else 0. Differentiable in spk.
RHEO_API at::Tensor winners(const at::Tensor& spk, const at::Tensor& u);

}  // namespace rheo::ops
