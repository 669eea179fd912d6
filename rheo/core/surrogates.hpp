// Surrogate gradients: the spike is H(u), u = U - threshold, strictly greater; its derivative is replaced by factor(u).
// A surrogate is one struct here (arguments with defaults, factor) and one word in RHEO_SURROGATES.
// Names, forms and defaults are snnTorch's; each factor is finite for every finite u.
//   surrogates::atan::factor(u, args)     args: plain numbers, in the order of atan::args
#pragma once

#include <string_view>

#include "rheo/core/math.hpp"

namespace rheo {

inline constexpr int max_surrogate_args = 2;

struct SurrogateArgument {
  std::string_view name;
  double value = 0;
};

}  // namespace rheo

namespace rheo::inline RHEO_ISA::surrogates {

/// (alpha/2) / (1 + (pi/2 alpha u)^2), the library's default. Fang et al. 2021, "Incorporating learnable membrane time
/// constant to enhance learning of spiking neural networks".
struct atan {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"alpha", 2.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V z = u * static_cast<T>(1.57079632679489661923 * a[0]);
    return static_cast<T>(0.5 * a[0]) / (1 + z * z);
  }
};

/// 1: the gradient passes. Bengio et al. 2013, "Estimating or propagating gradients through stochastic neurons".
struct straight_through_estimator {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return fill(u, 1);
  }
};

/// +threshold for u < 0, -threshold from 0 on.
struct triangular {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"threshold", 1.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u < 0, fill(u, a[0]), fill(u, -a[0]));
  }
};

/// 1 / (1 + slope |u|)^2. Zenke and Ganguli 2018, "SuperSpike".
struct fast_sigmoid {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V z = a[0] * abs(u) + 1;
    return 1 / (z * z);
  }
};

/// H(u): the gradient passes where a spike is.
struct heaviside {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return select(u > 0, fill(u, 1), fill(u, 0));
  }
};

/// slope s(slope u) (1 - s(slope u)) with the logistic s, written in exp(-|.|) so that nothing overflows.
struct sigmoid {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V e = exp(abs(u) * -a[0]);
    const V z = 1 + e;
    return a[0] * e / (z * z);
  }
};

/// slope exp(-beta |u - 1|): peaks at u = 1. Gerstner and Kistler 2002, Spiking Neuron Models, section 5.3.
struct spike_rate_escape {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"beta", 1.0}, {"slope", 25.0}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return a[1] * exp(abs(u - 1) * -a[0]);
  }
};

/// Sparse fast sigmoid: fast_sigmoid where u > B, else 0. Perez-Nieves and Goodman 2021, "Sparse spiking gradient descent".
struct SFS {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {"B", 1.0}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u > a[1], fast_sigmoid::factor(u, a), fill(u, 0));
  }
};

/// Leaky spike operator: 1 where a spike is, else slope.
struct LSO {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 0.1}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u > 0, fill(u, 1), fill(u, a[0]));
  }
};

/// 0: the spike carries no gradient (surrogate_disable).
struct none {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return fill(u, 0);
  }
};

}  // namespace rheo::inline RHEO_ISA::surrogates

/// Every closed-form surrogate; the position is its number. The first is the default and has kernels of its own.
#define RHEO_SURROGATES                                                                                   \
  atan, straight_through_estimator, triangular, fast_sigmoid, heaviside, sigmoid, spike_rate_escape, SFS, \
      LSO, none

namespace rheo {

#define RHEO_SURROGATE_ENUMERATOR_(s) s
enum class SurrogateKind : int { RHEO_LIST(RHEO_SURROGATE_ENUMERATOR_, RHEO_SURROGATES) };
#undef RHEO_SURROGATE_ENUMERATOR_

/// A surrogate as it crosses into the kernels: its number and its arguments.
struct SurrogateCall {
  SurrogateKind kind = SurrogateKind::atan;
  double args[max_surrogate_args] = {2.0, 0.0};
};

}  // namespace rheo

namespace rheo::inline RHEO_ISA {

/// factor(u) of the surrogate with this number. The choice is the same for every element of a call.
template <class V, class T>
RHEO_INLINE V surrogate_factor(SurrogateKind kind, const V& u, const T* args) {
  switch (kind) {
#define RHEO_SURROGATE_CASE_(s) \
  case SurrogateKind::s:        \
    return surrogates::s::factor(u, args);
    RHEO_EACH(RHEO_SURROGATE_CASE_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_CASE_
  }
  return surrogates::none::factor(u, args);
}

/// Spike functions for the kernels: the default surrogate fixed at compile time, or any of them by number.
template <class T>
struct ArctanSpike {
  T args[max_surrogate_args];
  template <class V>
  RHEO_INLINE V factor(const V& u) const {
    return surrogates::atan::factor(u, args);
  }
};
template <class T>
struct AnySpike {
  T args[max_surrogate_args];
  SurrogateKind kind;
  template <class V>
  RHEO_INLINE V factor(const V& u) const {
    return surrogate_factor(kind, u, args);
  }
};

/// H(u - threshold) with the surrogate's derivative.
template <class Surrogate, class V>
RHEO_INLINE V spike(const Surrogate&, const V& u, const V& threshold)
requires requires { typename NumberOf<V>::type; }
{
  return number_of<V>(u > threshold);
}
template <class Surrogate, class U, class Threshold>
requires DualPair<U, Threshold>
RHEO_INLINE auto spike(const Surrogate& surrogate, const U& u, const Threshold& threshold) {
  const auto above = u - threshold;
  using V = decltype(detach(above));
  return chain(number_of<V>(u > threshold), surrogate.factor(above.v), above);
}

}  // namespace rheo::inline RHEO_ISA
