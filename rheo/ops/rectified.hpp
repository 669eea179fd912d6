// A rectified recurrence over time: h[t] = max(0, x[t] + W h[t-1]), one autograd node for all steps.
//   auto h = rheo::ops::rectified_recurrence(x, weight_hh);       // x [T, ..., N], weight_hh [N, N] -> [T, ..., N]
// A product per step into preallocated rows, the gradient of W as one product at the end.
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::ops {

/// `first` [..., N] or undefined: zero. Keeps its result for the backward. Throws ValueError where shapes do not fit.
RHEO_API at::Tensor rectified_recurrence(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& first = {});

}  // namespace rheo::ops
