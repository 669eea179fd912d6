// Dual<V, M>: a value with its derivatives with respect to the inputs whose bits are set in M.
// A derivative that is known to be zero has no slot: it is a type, not a number, and costs nothing.
// Dual<V, 0> does not exist; a value without derivatives is V itself.
//   auto u = seed<0>(mem), b = seed<1>(beta);  auto y = b * u;  tangent<0>(y) is beta, tangent<1>(y) is mem
// Forward mode needs no tape: with a state, an input and a few constants everything stays in registers.
#pragma once

#include "rheo/core/fields.hpp"
#include "rheo/core/pack.hpp"

namespace rheo::inline RHEO_ISA {

namespace detail {
/// N values as members, not an array: g++ keeps members in registers, arrays of vectors it moves through memory.
template <class V, int N>
struct Slopes {
  V first;
  Slopes<V, N - 1> rest;
  template <int I>
  RHEO_INLINE constexpr V& at() {
    if constexpr (I == 0) {
      return first;
    } else {
      return rest.template at<I - 1>();
    }
  }
  template <int I>
  RHEO_INLINE constexpr const V& at() const {
    if constexpr (I == 0) {
      return first;
    } else {
      return rest.template at<I - 1>();
    }
  }
};
template <class V>
struct Slopes<V, 0> {};
}  // namespace detail

template <class V, unsigned M>
struct Dual {
  static_assert(M != 0);
  static constexpr int count = __builtin_popcount(M);
  V v;
  detail::Slopes<V, count> d;

  RHEO_INLINE Dual() {}
  RHEO_INLINE Dual(const V& value, const V& slope) : v(value) { d.first = slope; }
  // Copied member by member, for the same reason.
  RHEO_INLINE Dual(const Dual& other) : v(other.v) { copy<0>(other); }
  RHEO_INLINE Dual& operator=(const Dual& other) {
    v = other.v;
    copy<0>(other);
    return *this;
  }

 private:
  template <int I>
  RHEO_INLINE void copy(const Dual& other) {
    d.template at<I>() = other.d.template at<I>();
    if constexpr (I + 1 < count) copy<I + 1>(other);
  }
};

template <class V, unsigned M>
struct NumberOf<Dual<V, M>> {
  using type = Number<V>;
};

template <class X>
inline constexpr unsigned tangents = 0;
template <class V, unsigned M>
inline constexpr unsigned tangents<Dual<V, M>> = M;
template <class X>
concept AnyDual = tangents<X> != 0;

/// The value without its derivatives: what follows from it carries no gradient.
template <class V>
RHEO_INLINE V detach(const V& x) {
  return x;
}
template <class V, unsigned M>
RHEO_INLINE V detach(const Dual<V, M>& x) {
  return x.v;
}

/// The derivative with respect to input K.
template <int K, class V, unsigned M>
RHEO_INLINE constexpr const V& tangent(const Dual<V, M>& x) {
  static_assert((M >> K) & 1U);
  return x.d.template at<__builtin_popcount(M & ((1U << K) - 1U))>();
}
template <int K, class V, unsigned M>
RHEO_INLINE constexpr V& tangent(Dual<V, M>& x) {
  static_assert((M >> K) & 1U);
  return x.d.template at<__builtin_popcount(M & ((1U << K) - 1U))>();
}
template <int K, class X>
inline constexpr bool has_tangent = ((tangents<X> >> K) & 1U) != 0;

/// Input number K: its own derivative is one.
template <int K, class V>
RHEO_INLINE Dual<V, 1U << K> seed(V v) {
  return {v, splat<V>(Number<V>{1})};
}

inline constexpr int max_tangents = 16;

namespace detail {

// The rules of differentiation, one tangent after the other. Recursion with plain arguments, no closures: compilers
// keep every member in a register only if no address of it is ever stored.

template <int K, class Out, class V, class X>
RHEO_INLINE void scale_tangents(Out& out, const V& slope, const X& x) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, X>) tangent<K>(out) = slope * tangent<K>(x);
    scale_tangents<K + 1>(out, slope, x);
  }
}

template <int K, class Out, class X>
RHEO_INLINE void widen_tangents(Out& out, const X& x) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, X>) {
      tangent<K>(out) = tangent<K>(x);
    } else if constexpr (has_tangent<K, Out>) {
      tangent<K>(out) = splat<decltype(detach(x))>(Number<X>{0});
    }
    widen_tangents<K + 1>(out, x);
  }
}

template <int K, class Out, class A, class B>
RHEO_INLINE void add_tangents(Out& out, const A& a, const B& b) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, A> && has_tangent<K, B>) {
      tangent<K>(out) = tangent<K>(a) + tangent<K>(b);
    } else if constexpr (has_tangent<K, A>) {
      tangent<K>(out) = tangent<K>(a);
    } else if constexpr (has_tangent<K, B>) {
      tangent<K>(out) = tangent<K>(b);
    }
    add_tangents<K + 1>(out, a, b);
  }
}

template <int K, class Out, class A, class B>
RHEO_INLINE void subtract_tangents(Out& out, const A& a, const B& b) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, A> && has_tangent<K, B>) {
      tangent<K>(out) = tangent<K>(a) - tangent<K>(b);
    } else if constexpr (has_tangent<K, A>) {
      tangent<K>(out) = tangent<K>(a);
    } else if constexpr (has_tangent<K, B>) {
      tangent<K>(out) = -tangent<K>(b);
    }
    subtract_tangents<K + 1>(out, a, b);
  }
}

template <int K, class Out, class A, class B>
RHEO_INLINE void multiply_tangents(Out& out, const A& a, const B& b) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, A> && has_tangent<K, B>) {
      tangent<K>(out) = tangent<K>(a) * detach(b) + detach(a) * tangent<K>(b);
    } else if constexpr (has_tangent<K, A>) {
      tangent<K>(out) = tangent<K>(a) * detach(b);
    } else if constexpr (has_tangent<K, B>) {
      tangent<K>(out) = detach(a) * tangent<K>(b);
    }
    multiply_tangents<K + 1>(out, a, b);
  }
}

template <int K, class Out, class A, class B>
RHEO_INLINE void divide_tangents(Out& out, const A& a, const B& b) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, A> && has_tangent<K, B>) {
      tangent<K>(out) = (tangent<K>(a) - out.v * tangent<K>(b)) / detach(b);
    } else if constexpr (has_tangent<K, A>) {
      tangent<K>(out) = tangent<K>(a) / detach(b);
    } else if constexpr (has_tangent<K, B>) {
      tangent<K>(out) = -(out.v * tangent<K>(b)) / detach(b);
    }
    divide_tangents<K + 1>(out, a, b);
  }
}

template <int K, class Out, class Mask, class A, class B>
RHEO_INLINE void select_tangents(Out& out, const Mask& m, const A& a, const B& b) {
  if constexpr (K < max_tangents) {
    if constexpr (has_tangent<K, A> && has_tangent<K, B>) {
      tangent<K>(out) = select(m, tangent<K>(a), tangent<K>(b));
    } else if constexpr (has_tangent<K, A>) {
      tangent<K>(out) = select(m, tangent<K>(a), splat<decltype(detach(a))>(Number<A>{0}));
    } else if constexpr (has_tangent<K, B>) {
      tangent<K>(out) = select(m, splat<decltype(detach(b))>(Number<B>{0}), tangent<K>(b));
    }
    select_tangents<K + 1>(out, m, a, b);
  }
}

// A number literal beside a dual takes the dual's value type.
template <class V, class X>
RHEO_INLINE auto lift(const X& x) {
  if constexpr (std::is_arithmetic_v<X> && !std::is_same_v<X, V>) {
    return splat<V>(static_cast<Number<V>>(x));
  } else {
    return x;
  }
}

template <class A, class B>
struct ValueOf {
  using type = decltype(detach(A{}));
};
template <class A, class B>
requires(!AnyDual<A>)
struct ValueOf<A, B> {
  using type = decltype(detach(B{}));
};

}  // namespace detail

/// f(x) with derivative slope * dx.
template <class V, unsigned M>
RHEO_INLINE Dual<V, M> chain(const V& value, const V& slope, const Dual<V, M>& x) {
  Dual<V, M> out;
  out.v = value;
  detail::scale_tangents<0>(out, slope, x);
  return out;
}

/// The same value in a type with more derivatives; the new ones are zero.
template <class To, class X>
RHEO_INLINE To widen(const X& x) {
  if constexpr (std::is_same_v<To, X>) {
    return x;
  } else {
    To out;
    out.v = detach(x);
    detail::widen_tangents<0>(out, x);
    return out;
  }
}

template <class A, class B>
concept DualPair = AnyDual<A> || AnyDual<B>;

#define RHEO_DUAL_OPERATOR_(op, rule)                    \
  template <class A, class B>                            \
  requires DualPair<A, B>                                \
  RHEO_INLINE auto operator op(const A& x, const B& y) { \
    using V = typename detail::ValueOf<A, B>::type;      \
    const auto a = detail::lift<V>(x);                   \
    const auto b = detail::lift<V>(y);                   \
    Dual<V, tangents<A> | tangents<B>> out;              \
    out.v = detach(a) op detach(b);                      \
    detail::rule<0>(out, a, b);                          \
    return out;                                          \
  }
RHEO_DUAL_OPERATOR_(+, add_tangents)
RHEO_DUAL_OPERATOR_(-, subtract_tangents)
RHEO_DUAL_OPERATOR_(*, multiply_tangents)
RHEO_DUAL_OPERATOR_(/, divide_tangents)
#undef RHEO_DUAL_OPERATOR_

template <class V, unsigned M>
RHEO_INLINE Dual<V, M> operator-(const Dual<V, M>& a) {
  return chain(-a.v, splat<V>(Number<V>{-1}), a);
}

/// |x|; its derivative at 0 is 0.
template <class V, unsigned M>
RHEO_INLINE Dual<V, M> abs(const Dual<V, M>& a) {
  const V zero = splat<V>(Number<V>{0});
  const V one = splat<V>(Number<V>{1});
  const V not_above = select(a.v < zero, -one, zero);
  return chain(abs(a.v), V(select(a.v > zero, one, not_above)), a);
}

// Comparisons look at the value alone.
template <class A, class B>
requires DualPair<A, B>
RHEO_INLINE auto operator>(const A& a, const B& b) {
  return detach(a) > detach(b);
}
template <class A, class B>
requires DualPair<A, B>
RHEO_INLINE auto operator<(const A& a, const B& b) {
  return detach(a) < detach(b);
}

/// Selects value and derivatives; no derivative is multiplied by a mask, so a non-finite one not chosen does not leak.
template <class Mask, class A, class B>
requires DualPair<A, B>
RHEO_INLINE auto select(const Mask& m, const A& a, const B& b) {
  using V = typename detail::ValueOf<A, B>::type;
  Dual<V, tangents<A> | tangents<B>> out;
  out.v = select(m, detach(a), detach(b));
  detail::select_tangents<0>(out, m, a, b);
  return out;
}

}  // namespace rheo::inline RHEO_ISA
