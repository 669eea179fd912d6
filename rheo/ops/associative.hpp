// The scan of a matrix-valued memory: S[t] = S[t-1] diag(a[t]) + v[t] k[t]^T, spikes of S, their readout by q.
//   auto out = rheo::ops::associative({.v = v, .k = k, .a = a, .q = q, .threshold = one, .graded = one});
// Linear in T; nothing is divided by a running product of decays, so any T and any decay will do. The backward keeps the
// inputs, and while it runs each thread holds about 2 sqrt(T) matrices; the trace costs T of them where it is asked for.
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"
#include "rheo/core/surrogates.hpp"

namespace rheo::ops {

struct AssociativeCall {
  at::Tensor v;          // [T, B, d]
  at::Tensor k;          // [T, B, n]
  at::Tensor a;          // [T, B, n]
  at::Tensor q;          // [T, B, n * d], or undefined
  at::Tensor state;      // [B, d * n], or undefined: zero
  at::Tensor threshold;  // 1 value or d * n
  at::Tensor graded;     // 1 value or d * n
  SurrogateCall surrogate;
  bool trace = false;
};

struct AssociativeResult {
  at::Tensor out;    // [T, B, d * d] with q, else the spikes [T, B, d * n]
  at::Tensor state;  // [B, d * n]
  at::Tensor trace;  // [T, B, d * n], S after each step, if asked for
};

/// All float32 or all float64, on the CPU. Throws ValueError for shapes and types that do not fit, RuntimeError for a
/// second derivative.
RHEO_API AssociativeResult associative(const AssociativeCall& call);

}  // namespace rheo::ops
