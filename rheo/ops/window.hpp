// Leaky sums over the last K inputs of a sequence: linear in T whatever K, exact, differentiable.
//   auto [mem, past] = rheo::ops::leaky_window(x, decay, 64);           // x [T, ..., N], decay [] or [N]
//   auto more = rheo::ops::leaky_window(x2, decay, 64, past);           // streams on
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::ops {

struct LeakyWindow {
  at::Tensor mem;   // [T, ..., N]: sum over k < K of decay^k x[t-k]
  at::Tensor past;  // [K-1, ..., N]: the last inputs, what the next sequence begins with
};

/// x float32 or float64; decay of x's type, one value or N; `past` [K-1, ..., N] or undefined: zero. The backward keeps
/// x and past. `mem` has no second derivative. Throws ValueError for K < 1 and shapes that do not fit.
RHEO_API LeakyWindow leaky_window(const at::Tensor& x, const at::Tensor& decay, std::int64_t window,
                                  const at::Tensor& past = {});

}  // namespace rheo::ops
