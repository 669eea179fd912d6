// The operations of a number type as plain functions, compiled once per instruction set: whole registers against
// scalars. No std header with code: what this compiles for AVX-512 must not end up in anybody else's object.
#pragma once

#include <cstdint>

namespace rheo_test {

enum Operation : int {
  add,
  subtract,
  multiply,
  divide,
  negate,
  absolute,
  greater,
  less,
  choose,
  exponential,
  logistic_function,
  hyperbolic_tangent,
  exponential_less_one,
  exponential_slope,
  mixed,
  streamed,
  derivative,
  first_surrogate
};

/// out[i] = operation(a[i], b[i]) for n values, n a multiple of the width; 64-byte aligned.
struct LaneFunctions {
  int width_f32, width_f64;
  void (*f32)(int operation, const float* a, const float* b, float* out, std::int64_t n);
  void (*f64)(int operation, const double* a, const double* b, double* out, std::int64_t n);
};

LaneFunctions lanes_baseline();
LaneFunctions lanes_avx2();
LaneFunctions lanes_avx512();

}  // namespace rheo_test
