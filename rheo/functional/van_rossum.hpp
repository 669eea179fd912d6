// Distance between spike trains: both are smoothed by a decaying exponential, then compared.
//   auto d2 = rheo::functional::van_rossum_distance(spk, wanted, {.tau = 10});   // [T, B, N] each -> []
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"
#include "rheo/functional/loss.hpp"

namespace rheo::functional {

struct VanRossumOptions {
  double tau = 10;                        // time constant in steps, > 0
  Reduction reduction = Reduction::mean;  // over the batch
};
/// Squared distance of each sample, 1/tau times the sum over t and neurons of (f[t] - g[t])^2, where f and g are the
/// trains after f[t] = exp(-1/tau) f[t-1] + spk[t]. A spike too many costs about 1/2, and so does a missing one. van
/// Rossum 2001, "A novel spike distance". O(T), one kernel forward and one backward; keeps f - g.
/// spk, wanted: [T, B, ...] alike, float32 or float64, on the CPU. The gradient is that for spk, and minus it for wanted.
/// Errors: ValueError for shapes that differ, T or B = 0 and tau, TypeError for other types.
RHEO_API at::Tensor van_rossum_distance(const at::Tensor& spk, const at::Tensor& wanted,
                                        const VanRossumOptions& options = {});

}  // namespace rheo::functional
