// Elementary functions, one polynomial each: the same bits in lanes, in the scalar remainder and on the GPU.
// Error at most 2 ulp, checked over a grid of all floats by tests/core/math_test.cpp.
//   exp(x)        Cody-Waite reduction x = n ln 2 + r, then Cephes' polynomial (float) or rational (double), S. Moshier
//   logistic(x)   1 / (1 + exp(-x)), written in exp(-|x|)
//   tanh(x)       Cephes' polynomial (float) or rational (double) below 0.625, else 1 - 2 / (exp(2|x|) + 1)
//   expm1(x)      exp(x) - 1 = 2^n ((exp(r) - 1) + (1 - 2^-n)), Taylor's sum (double), rounding errors carried along
//   exprel(x)     (exp(x) - 1) / x, 1 at 0: rates like x / (1 - exp(-x)) are 1 / exprel(-x)
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

/// c - n ln 2, ln 2 in two parts; the first difference is exact.
template <class V>
RHEO_INLINE V reduced_high(V c, V n) {
  return c - n * splat<V>(sizeof(Number<V>) == 4 ? Number<V>(0.693359375) : Number<V>(6.93145751953125e-1));
}
template <class V>
RHEO_INLINE V reduced_low(V n) {
  return n *
         splat<V>(sizeof(Number<V>) == 4 ? Number<V>(-2.12194440e-4) : Number<V>(1.42860682030941723212e-6));
}
template <class V>
RHEO_INLINE V reduce(V c, V n) {
  return reduced_high(c, n) - reduced_low(n);
}

/// (exp(r) - 1 - r) / r^2 in float.
template <class V>
RHEO_INLINE V exp_curvature_single(V r) {
  V p = splat<V>(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  return p * r + 5.0000001201e-1F;
}

/// exp(r) - 1 for |r| <= ln 2 / 2.
template <class V>
RHEO_INLINE V exp_reduced(V r) {
  if constexpr (sizeof(Number<V>) == 4) {
    return exp_curvature_single(r) * (r * r) + r;
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
  const V t = exp_reduced(reduce(c, n));
  const V y = t + 1;
  // 2^n in two factors, so that neither leaves the normal range.
  const auto k = bits(shifted) - bits(splat<V>(F::round));
  const auto half = k >> 1;
  const V one = power_of_two<V>(half), other = power_of_two<V>(k - half);
  return {y * one * other, ((1 - y) + t) * one * other};
}

/// (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2.
template <class V>
RHEO_INLINE V exp_curvature(V r) {
  if constexpr (sizeof(Number<V>) == 4) {
    return exp_curvature_single(r);
  } else {
    constexpr double terms[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    V p = splat<V>(terms[11]);
    for (int k = 11; k-- > 0;) p = p * r + splat<V>(terms[k]);
    return p;
  }
}

/// expm1(x) = value * one * other, the last two powers of two. x is at most `highest`.
template <class V>
struct Expm1Parts {
  V value, one, other;
};

template <class V>
RHEO_INLINE Expm1Parts<V> expm1_parts(V x, Number<V> highest) {
  using T = Number<V>;
  using F = FloatBits<T>;
  constexpr T lowest = -50;  // -1 from here down, in either type
  V c = select(x < splat<V>(lowest), splat<V>(lowest), x);
  c = select(c > splat<V>(highest), splat<V>(highest), c);
  const V shifted = c * splat<V>(T(1.44269504088896340736)) + splat<V>(F::round);
  const V n = shifted - splat<V>(F::round);
  const V r = reduce(c, n);
  const V q = exp_curvature(r) * (r * r);
  const V t = r + q;
  // 1 - 2^-n, which is 1 from n = 60 on.
  const V near = select(n > splat<V>(T(60)), splat<V>(T(60)), n);
  const auto m = bits(near + splat<V>(F::round)) - bits(splat<V>(F::round));
  const V tail = 1 - power_of_two<V>(-m);
  const auto k = bits(shifted) - bits(splat<V>(F::round));
  const auto half = k >> 1;
  // What rounding took from r, from t and from their sum with the tail, the largest first in each.
  const V rest = (reduced_high(c, n) - r) - reduced_low<V>(n) + ((r - t) + q);
  const V sum = tail + t;
  return {sum + (((tail - sum) + t) + rest), power_of_two<V>(half), power_of_two<V>(k - half)};
}

/// The derivative of exprel at x, whose value there is y: (1 + (x - 1) y) / x, near 0 the sum of k x^(k-1) / (k+1)!.
template <class V>
RHEO_INLINE V exprel_slope(V x, V y) {
  using T = Number<V>;
  constexpr T terms[] = {T(1.0 / 2),          T(1.0 / 3),           T(1.0 / 8),
                         T(1.0 / 30),         T(1.0 / 144),         T(1.0 / 840),
                         T(1.0 / 5760),       T(1.0 / 45360),       T(1.0 / 403200),
                         T(1.0 / 3991680),    T(1.0 / 43545600),    T(1.0 / 518918400),
                         T(1.0 / 6706022400), T(1.0 / 93405312000), T(1.0 / 1394852659200)};
  V sum = splat<V>(terms[14]);
  for (int k = 14; k-- > 0;) sum = sum * x + splat<V>(terms[k]);
  const V away = (1 + (x - 1) * y) / x;
  return select(abs(x) < splat<V>(T(0.5)), sum, away);
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

template <class V>
RHEO_INLINE V expm1(V x)
requires(!AnyDual<V> && requires { typename NumberOf<V>::type; })
{
  const auto e = detail::expm1_parts(x, detail::FloatBits<Number<V>>::highest);
  return e.value * e.one * e.other;
}

template <class V, unsigned M>
RHEO_INLINE auto expm1(const Dual<V, M>& x) {
  return chain(expm1(x.v), exp(x.v), x);
}

template <class V>
RHEO_INLINE V exprel(V x)
requires(!AnyDual<V> && requires { typename NumberOf<V>::type; })
{
  using T = Number<V>;
  // exp(x) overflows before exprel(x) does: divided before the powers of two come in.
  constexpr T highest = sizeof(T) == 4 ? T(100) : T(730);
  constexpr T near = sizeof(T) == 4 ? T(1e-4) : T(1e-8);
  const auto e = detail::expm1_parts(x, highest);
  const V divisor = select(x > splat<V>(highest), splat<V>(highest), x);
  const V away = e.value / divisor * e.one * e.other;
  return select(abs(x) < splat<V>(near), 1 + x * splat<V>(T(0.5)), away);
}

template <class V, unsigned M>
RHEO_INLINE auto exprel(const Dual<V, M>& x) {
  const V y = exprel(x.v);
  return chain(y, detail::exprel_slope(x.v, y), x);
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
