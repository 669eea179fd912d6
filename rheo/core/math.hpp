// Elementary functions, one polynomial each: the same bits in lanes, in the scalar remainder and on the GPU.
// Error at most 2 ulp, checked over a grid of all floats by tests/core/math_test.cpp.
//   exp(x)        Cody-Waite reduction x = n ln 2 + r, then Cephes' polynomial (float) or rational (double), S. Moshier
//   logistic(x)   1 / (1 + exp(-x)), written in exp(-|x|)
//   tanh(x)       Cephes' polynomial (float) or rational (double) below 0.625, else 1 - 2 / (exp(2|x|) + 1)
// Overflow gives inf, underflow goes through the subnormals to 0, NaN stays NaN.
#pragma once

#include <cmath>
#include <cstdint>

#include "rheo/core/dual.hpp"

namespace rheo::inline RHEO_ISA {
namespace detail {

template <class T>
struct FloatBits;
template <>
struct FloatBits<float> {
  using Int = std::int32_t;
  static constexpr int mantissa = 23;
  static constexpr int bias = 127;
  static constexpr float round =
      12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  static constexpr float lowest = -104.0F;
  static constexpr float highest = 89.0F;
};
template <>
struct FloatBits<double> {
  using Int = std::int64_t;
  static constexpr int mantissa = 52;
  static constexpr int bias = 1023;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double lowest = -746.0;
  static constexpr double highest = 710.0;
};

template <Scalar T>
RHEO_INLINE auto bits(T x) {
  return __builtin_bit_cast(typename FloatBits<T>::Int, x);
}
template <Scalar T>
RHEO_INLINE T from_bits(typename FloatBits<T>::Int b) {
  return __builtin_bit_cast(T, b);
}
#if !defined(__CUDACC__)
template <class T>
RHEO_INLINE auto bits(Pack<T> x) {
  return reinterpret_cast<typename Lanes<T>::ints>(x.v);
}
template <AnyPack V>
RHEO_INLINE V from_bits(typename Lanes<Number<V>>::ints b) {
  return {reinterpret_cast<typename Lanes<Number<V>>::type>(b)};
}
#endif

/// 2^n for an integer held as bits, n within the normal range.
template <class V, class I>
RHEO_INLINE V power_of_two(I n) {
  using F = FloatBits<Number<V>>;
  return from_bits<V>((n + typename F::Int{F::bias}) << F::mantissa);
}

/// exp(r) - 1 for |r| <= ln 2 / 2.
template <class V>
RHEO_INLINE V exp_reduced(V r) {
  if constexpr (sizeof(Number<V>) == 4) {
    V p = splat<V>(1.9875691500e-4F);
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    return p * (r * r) + r;
  } else {
    const V rr = r * r;
    const V p =
        r * ((1.26177193074810590878e-4 * rr + 3.02994407707441961300e-2) * rr + 9.99999999999999999910e-1);
    const V q =
        ((3.00198505138664455042e-6 * rr + 2.52448340349684104192e-3) * rr + 2.27265548208155028766e-1) * rr +
        2.00000000000000000009e0;
    return 2.0 * (p / (q - p));
  }
}

/// tanh for |x| < 0.625.
template <class V>
RHEO_INLINE V tanh_near_zero(V x) {
  const V z = x * x;
  if constexpr (sizeof(Number<V>) == 4) {
    V p = splat<V>(-5.70498872745e-3F);
    p = p * z + 2.06390887954e-2F;
    p = p * z - 5.37397155531e-2F;
    p = p * z + 1.33314422036e-1F;
    p = p * z - 3.33332819422e-1F;
    return x + x * (z * p);
  } else {
    const V p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
    const V q =
        ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
    return x + x * (z * (p / q));
  }
}

/// exp(x), and what rounding took from its last sum, to be added where it matters.
template <class V>
struct ExpParts {
  V value, rest;
};

template <class V>
RHEO_INLINE ExpParts<V> exp_parts(V x) {
  using T = Number<V>;
  using F = FloatBits<T>;
  // Both selects let NaN through.
  V c = select(x < splat<V>(F::lowest), splat<V>(F::lowest), x);
  c = select(c > splat<V>(F::highest), splat<V>(F::highest), c);
  const V shifted = c * splat<V>(T(1.44269504088896340736)) + splat<V>(F::round);
  const V n = shifted - splat<V>(F::round);
  V r;
  if constexpr (sizeof(T) == 4) {
    r = (c - n * splat<V>(T(0.693359375))) - n * splat<V>(T(-2.12194440e-4));
  } else {
    r = (c - n * splat<V>(T(6.93145751953125e-1))) - n * splat<V>(T(1.42860682030941723212e-6));
  }
  const V t = exp_reduced(r);
  const V y = t + 1;
  // 2^n in two factors, so that neither leaves the normal range.
  const auto k = bits(shifted) - bits(splat<V>(F::round));
  const auto half = k >> 1;
  const V one = power_of_two<V>(half), other = power_of_two<V>(k - half);
  return {y * one * other, ((1 - y) + t) * one * other};
}

}  // namespace detail

template <class V>
RHEO_INLINE V exp(V x)
requires(!AnyDual<V> && requires { typename NumberOf<V>::type; })
{
  return detail::exp_parts(x).value;
}

template <class V, unsigned M>
RHEO_INLINE auto exp(const Dual<V, M>& x) {
  const V y = exp(x.v);
  return chain(y, y, x);
}

/// 1 / (1 + exp(-x)).
template <class V>
RHEO_INLINE V logistic(V x)
requires(!AnyDual<V> && requires { typename NumberOf<V>::type; })
{
  const auto negative = x < 0;
  // At most 1: no overflow, and nothing cancels where the result is small.
  const auto e = detail::exp_parts(-abs(x));
  const V sum = 1 + e.value;
  const V y = select(negative, e.value, fill(x, 1)) / sum;
  // What rounding took from numerator and sum, to first order; 1 - y and y are the reciprocals of the sum.
  const V rest = (e.value - (sum - 1)) + e.rest;
  return y + (select(negative, e.rest, fill(x, 0)) - y * rest) * select(negative, 1 - y, y);
}

template <class V, unsigned M>
RHEO_INLINE auto logistic(const Dual<V, M>& x) {
  const V y = logistic(x.v);
  return chain(y, y * (1 - y), x);
}

template <class V>
RHEO_INLINE V tanh(V x)
requires(!AnyDual<V> && requires { typename NumberOf<V>::type; })
{
  const V a = abs(x);
  const V large = 1 - 2 / (exp(2 * a) + 1);
  return select(a < fill(x, 0.625), detail::tanh_near_zero(x), select(x < 0, -large, large));
}

template <class V, unsigned M>
RHEO_INLINE auto tanh(const Dual<V, M>& x) {
  const V y = tanh(x.v);
  return chain(y, 1 - y * y, x);
}

}  // namespace rheo::inline RHEO_ISA
