// Weights on a grid of integers, forward and straight-through backward.
//   q = clamp(round(w / scale), low - zero, high - zero),  out = q scale      rounding to even on ties
//   binary: out = scale where w >= 0, else -scale
// Rows are the channels, or the parts of one tensor with one scale (scale_stride 0). A call covers the rows [begin, end).
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct WeightQuantCall {
  std::int64_t size = 0;  // elements of a row
  bool binary = false;
  T low = 0, high = 0;       // the integers there are
  const T* scale = nullptr;  // [rows] or one, above 0
  const T* zero = nullptr;   // the integer that stands for 0; unused where binary
  std::int64_t scale_stride = 1;
  const T* w = nullptr;  // [rows, size]

  T* out = nullptr;               // [rows, size]; forward, nullptr where not asked for
  std::int8_t* values = nullptr;  // q + zero, or the sign; forward, nullptr where not asked for

  const T* grad_out = nullptr;  // [rows, size]; backward
  T mean = 0;                   // binary: 1 / n where the scale is the mean of n weights, 0 where it is fixed
  T* grad = nullptr;            // overwritten
};

template <class T>
struct WeightQuantLoops {
  void (*forward)(const WeightQuantCall<T>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;
  /// grad_out where round(w / scale) is within the range, else 0; binary: grad_out (mean + scale [|w| <= 1]).
  void (*backward)(const WeightQuantCall<T>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;
};

struct WeightQuantKernels {
  WeightQuantLoops<float> f32;
  WeightQuantLoops<double> f64;

  template <class T>
  const WeightQuantLoops<T>& loops() const {
    if constexpr (sizeof(T) == 4) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// Without functions where this machine or build does not have the instruction set.
WeightQuantKernels weight_quant_kernels(Isa isa);

}  // namespace rheo::kernels
