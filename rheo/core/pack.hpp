// Pack<T>: the lanes of one vector register, as a number type. Arithmetic, comparison, select, load and store.
//   Pack<float> u = load<Pack<float>>(p);  u = select(u > 1, u - 1, u);  store(p, u);
// Plain compiler vectors, plus intrinsics where the comparison mask lives in a register of its own (AVX-512).
// Scalars (float, double) offer the same functions, so that a remainder runs the same code.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__SSE2__) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

#include "rheo/core/macros.hpp"

#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define RHEO_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define RHEO_VECTOR_BYTES 32
#else
#define RHEO_VECTOR_BYTES 16
#endif

namespace rheo::inline RHEO_ISA {

template <class T>
concept Scalar = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// The number type under a value: float for float, Pack<float>, Dual<Pack<float>, M>.
template <class V>
struct NumberOf;
template <Scalar T>
struct NumberOf<T> {
  using type = T;
};
template <class V>
using Number = typename NumberOf<V>::type;

// ---- scalars ---------------------------------------------------------------------------------------------------

template <class V>
inline constexpr int width = 1;

template <Scalar V, class T>
RHEO_INLINE V load(const T* p) {
  return *p;
}
template <Scalar T>
RHEO_INLINE void store(T* p, T v) {
  *p = v;
}
template <Scalar T>
RHEO_INLINE void stream(T* p, T v) {
  *p = v;
}
template <Scalar V, class T>
RHEO_INLINE V splat(T v) {
  return static_cast<V>(v);
}
template <Scalar T>
RHEO_INLINE T select(bool m, T a, T b) {
  return m ? a : b;
}
/// 1 where the mask is set, else 0.
template <class V>
RHEO_INLINE V number_of(bool m)
requires Scalar<V>
{
  return static_cast<V>(m);
}

#if !defined(__CUDACC__)

// ---- lanes -----------------------------------------------------------------------------------------------------
// g++ drops vector_size when it depends on a template parameter: one specialisation each.

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using type __attribute__((vector_size(RHEO_VECTOR_BYTES))) = float;
  using ints __attribute__((vector_size(RHEO_VECTOR_BYTES))) = std::int32_t;
  using loose __attribute__((vector_size(RHEO_VECTOR_BYTES), aligned(4))) = float;
};
template <>
struct Lanes<double> {
  using type __attribute__((vector_size(RHEO_VECTOR_BYTES))) = double;
  using ints __attribute__((vector_size(RHEO_VECTOR_BYTES))) = std::int64_t;
  using loose __attribute__((vector_size(RHEO_VECTOR_BYTES), aligned(8))) = double;
};

template <class T>
struct Pack {
  typename Lanes<T>::type v;

  RHEO_INLINE Pack() {}
  RHEO_INLINE Pack(typename Lanes<T>::type lanes) : v(lanes) {}
  // Written out, because g++ copies the default way through memory once a Pack sits in a struct.
  RHEO_INLINE Pack(const Pack& other) : v(other.v) {}
  RHEO_INLINE Pack& operator=(const Pack& other) {
    v = other.v;
    return *this;
  }
};
template <class T>
struct NumberOf<Pack<T>> {
  using type = T;
};
template <class T>
inline constexpr int width<Pack<T>> = RHEO_VECTOR_BYTES / int{sizeof(T)};

template <class T>
struct PackMask {
#if RHEO_VECTOR_BYTES == 64
  std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8> m;
#else
  typename Lanes<T>::ints m;
#endif
};

template <class V>
inline constexpr bool is_pack = false;
template <class T>
inline constexpr bool is_pack<Pack<T>> = true;
template <class V>
concept AnyPack = is_pack<V>;

template <AnyPack V, class T>
RHEO_INLINE V load(const T* p) {
  return {*reinterpret_cast<const typename Lanes<T>::loose*>(p)};
}
template <class T>
RHEO_INLINE void store(T* p, Pack<T> a) {
  *reinterpret_cast<typename Lanes<T>::loose*>(p) = a.v;
}
template <AnyPack V, class T>
RHEO_INLINE V splat(T x) {
  return {typename Lanes<Number<V>>::type{} + static_cast<Number<V>>(x)};
}

/// A store that bypasses the cache; `p` must be aligned to the vector. For results too large to stay in cache.
template <class T>
RHEO_INLINE void stream(T* p, Pack<T> a) {
#if RHEO_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(p, a.v);
  } else {
    _mm512_stream_pd(p, a.v);
  }
#elif RHEO_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4) {
    _mm256_stream_ps(p, a.v);
  } else {
    _mm256_stream_pd(p, a.v);
  }
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) {
    _mm_stream_ps(p, a.v);
  } else {
    _mm_stream_pd(p, a.v);
  }
#else
  store(p, a);
#endif
}

template <class T>
RHEO_INLINE Pack<T> operator+(Pack<T> a, Pack<T> b) {
  return {a.v + b.v};
}
template <class T>
RHEO_INLINE Pack<T> operator-(Pack<T> a, Pack<T> b) {
  return {a.v - b.v};
}
template <class T>
RHEO_INLINE Pack<T> operator*(Pack<T> a, Pack<T> b) {
  return {a.v * b.v};
}
template <class T>
RHEO_INLINE Pack<T> operator/(Pack<T> a, Pack<T> b) {
  return {a.v / b.v};
}
template <class T>
RHEO_INLINE Pack<T> operator-(Pack<T> a) {
  return {-a.v};
}

// A plain number meets lanes: every lane gets it.
#define RHEO_MIXED_(op)                        \
  template <class T, class S>                  \
  RHEO_INLINE auto operator op(Pack<T> a, S b) \
  requires std::is_arithmetic_v<S>             \
  {                                            \
    return a op splat<Pack<T>>(b);             \
  }                                            \
  template <class T, class S>                  \
  RHEO_INLINE auto operator op(S a, Pack<T> b) \
  requires std::is_arithmetic_v<S>             \
  {                                            \
    return splat<Pack<T>>(a) op b;             \
  }

template <class T>
RHEO_INLINE PackMask<T> operator>(Pack<T> a, Pack<T> b) {
#if RHEO_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
  } else {
    return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)};
  }
#else
  return {a.v > b.v};
#endif
}
template <class T>
RHEO_INLINE PackMask<T> operator<(Pack<T> a, Pack<T> b) {
  return b > a;
}

RHEO_MIXED_(+)
RHEO_MIXED_(-)
RHEO_MIXED_(*)
RHEO_MIXED_(/)
RHEO_MIXED_(>)
RHEO_MIXED_(<)
#undef RHEO_MIXED_

template <class T>
RHEO_INLINE Pack<T> select(PackMask<T> m, Pack<T> a, Pack<T> b) {
#if RHEO_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    return {_mm512_mask_blend_ps(m.m, b.v, a.v)};
  } else {
    return {_mm512_mask_blend_pd(m.m, b.v, a.v)};
  }
#else
  return {m.m ? a.v : b.v};
#endif
}
template <class V, class T>
RHEO_INLINE V number_of(PackMask<T> m) {
  return select(m, splat<Pack<T>>(T{1}), splat<Pack<T>>(T{0}));
}

#endif  // !__CUDACC__

/// The number x in the type of the value u.
template <class V, class S>
RHEO_INLINE V fill(const V&, S x)
requires requires { typename NumberOf<V>::type; }
{
  return splat<V>(static_cast<Number<V>>(x));
}

/// |a|, bit for bit the same on lanes and scalars.
template <class V>
RHEO_INLINE V abs(V a)
requires requires { typename NumberOf<V>::type; }
{
  return select(a < splat<V>(Number<V>{0}), -a, a);
}

}  // namespace rheo::inline RHEO_ISA
