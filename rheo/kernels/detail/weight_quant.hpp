// The loops of weight_quant.hpp, for the instruction set of the file that includes this. Plain loops: compilers make
// vectors of them.
#pragma once

#include "rheo/core/macros.hpp"
#include "rheo/kernels/weight_quant.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

/// Round to even, |v| below 2^21: past this sum there is no room for a fraction.
template <class T>
RHEO_INLINE T rounded(T v) {
  constexpr T shift = sizeof(T) == 4 ? T(12582912) : T(6755399441055744);  // 1.5 * 2^23, 1.5 * 2^52
  return (v + shift) - shift;
}

/// round(w / scale), but no further than one past the range.
template <class T>
RHEO_INLINE T place(T w, T scale, T low, T high) {
  T v = w / scale;
  v = v < low - 1 ? low - 1 : v;
  v = v > high + 1 ? high + 1 : v;
  return rounded(v);
}

template <class T>
void weight_quant_forward(const WeightQuantCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto n = call.size;
  for (auto row = begin; row < end; ++row) {
    const T scale = call.scale[row * call.scale_stride];
    const T zero = call.binary ? T(0) : call.zero[row * call.scale_stride];
    const T low = call.low - zero, high = call.high - zero;
    const T* const __restrict w = call.w + row * n;
    const auto value = [&](std::int64_t i) RHEO_LAMBDA {
      if (call.binary) return w[i] >= 0 ? T(1) : T(-1);
      T q = place(w[i], scale, low, high);
      q = q < low ? low : q;
      return q > high ? high : q;
    };
    if (call.out != nullptr) {
      T* const __restrict out = call.out + row * n;
      for (std::int64_t i = 0; i < n; ++i) out[i] = value(i) * scale;
    }
    if (call.values != nullptr) {
      std::int8_t* const __restrict values = call.values + row * n;
      for (std::int64_t i = 0; i < n; ++i) values[i] = static_cast<std::int8_t>(value(i) + zero);
    }
  }
}

template <class T>
void weight_quant_backward(const WeightQuantCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto n = call.size;
  for (auto row = begin; row < end; ++row) {
    const T scale = call.scale[row * call.scale_stride];
    const T* const __restrict w = call.w + row * n;
    const T* const __restrict grad_out = call.grad_out + row * n;
    T* const __restrict grad = call.grad + row * n;
    if (call.binary) {
      const T within = call.mean + scale, outside = call.mean;
      for (std::int64_t i = 0; i < n; ++i) {
        grad[i] = grad_out[i] * (w[i] >= T(-1) && w[i] <= T(1) ? within : outside);
      }
      continue;
    }
    const T zero = call.zero[row * call.scale_stride];
    const T low = call.low - zero, high = call.high - zero;
    for (std::int64_t i = 0; i < n; ++i) {
      const T q = place(w[i], scale, low, high);
      grad[i] = q >= low && q <= high ? grad_out[i] : T(0);
    }
  }
}

inline WeightQuantKernels weight_quant_loops() {
  return {{&weight_quant_forward<float>, &weight_quant_backward<float>},
          {&weight_quant_forward<double>, &weight_quant_backward<double>}};
}

}  // namespace rheo::inline RHEO_ISA::loops
