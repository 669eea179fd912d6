// Surrogate gradients: the spike is H(u), u = U - threshold, strictly greater; its derivative is replaced by factor(u).
// A surrogate is one struct here (arguments with defaults, factor) and one word in RHEO_SURROGATES. The first ones have
// snnTorch's names, forms and defaults, those after LSO are from elsewhere; each factor is finite for every finite u.
//   surrogates::atan::factor(u, args)     args: plain numbers, in the order of atan::args
// Where the factor is the derivative of a smooth spike P(u; args), the argument `slope` may be learned: its gradient is
// slope_factor = dP/d args[slope]. A stochastic one is handed noise, one number per element.
#pragma once

#include <string_view>

#include "rheo/core/math.hpp"
#include "rheo/core/random.hpp"

namespace rheo {

inline constexpr int max_surrogate_args = 3;

struct SurrogateArgument {
  std::string_view name;
  double value = 0;
};

}  // namespace rheo

namespace rheo::inline RHEO_ISA::surrogates {

/// (alpha/2) / (1 + (pi/2 alpha u)^2), the library's default. Fang et al. 2021, "Incorporating learnable membrane time
/// constant to enhance learning of spiking neural networks".
struct atan {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"alpha", 2.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V z = u * static_cast<T>(1.57079632679489661923 * a[0]);
    return static_cast<T>(0.5 * a[0]) / (1 + z * z);
  }
  static constexpr int slope = 0;
  /// Of atan(pi/2 alpha u) / pi.
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    const V z = u * static_cast<T>(1.57079632679489661923 * a[0]);
    return u * static_cast<T>(0.5) / (1 + z * z);
  }
};

/// 1: the gradient passes. Bengio et al. 2013, "Estimating or propagating gradients through stochastic neurons".
struct straight_through_estimator {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return fill(u, 1);
  }
};

/// +threshold for u < 0, -threshold from 0 on.
struct triangular {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"threshold", 1.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u < 0, fill(u, a[0]), fill(u, -a[0]));
  }
};

/// 1 / (1 + slope |u|)^2. Zenke and Ganguli 2018, "SuperSpike".
struct fast_sigmoid {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V z = a[0] * abs(u) + 1;
    return 1 / (z * z);
  }
  static constexpr int slope = 0;
  /// Of u / (1 + slope |u|).
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    const V z = a[0] * abs(u) + 1;
    return -(u / z) * (abs(u) / z);
  }
};

/// H(u): the gradient passes where a spike is.
struct heaviside {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return select(u > 0, fill(u, 1), fill(u, 0));
  }
};

/// slope s(slope u) (1 - s(slope u)) with the logistic s, written in exp(-|.|) so that nothing overflows.
struct sigmoid {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V e = exp(abs(u) * -a[0]);
    const V z = 1 + e;
    return a[0] * e / (z * z);
  }
  static constexpr int slope = 0;
  /// Of s(slope u).
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    const V e = exp(abs(u) * -a[0]);
    const V z = 1 + e;
    return u * e / (z * z);
  }
};

/// slope exp(-beta |u - 1|): peaks at u = 1. Gerstner and Kistler 2002, Spiking Neuron Models, section 5.3.
struct spike_rate_escape {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"beta", 1.0}, {"slope", 25.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return a[1] * exp(abs(u - 1) * -a[0]);
  }
  static constexpr int slope = 1;
  /// Of slope / beta exp(-beta |u - 1|) for u < 1, mirrored about (1, slope / beta) above.
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    const V e = exp(abs(u - 1) * -a[0]) * (1 / a[0]);
    return select(u < 1, e, V(2 / a[0] - e));
  }
};

/// Sparse fast sigmoid: fast_sigmoid where u > B, else 0. Perez-Nieves and Goodman 2021, "Sparse spiking gradient descent".
struct SFS {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 25.0}, {"B", 1.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u > a[1], fast_sigmoid::factor(u, a), fill(u, 0));
  }
};

/// Leaky spike operator: 1 where a spike is, else slope.
struct LSO {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"slope", 0.1}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return select(u > 0, fill(u, 1), fill(u, a[0]));
  }
  static constexpr int slope = 0;
  /// Of max(u, 0) + slope min(u, 0).
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T*) {
    return select(u > 0, fill(u, 0), u);
  }
};

/// Stochastic spike operator: 1 where a spike is, else noise (r - 1/2 + mean) variance, r uniform in [0, 1). The noise
/// depends on seed, step and position only; seed -1: another one at every call.
struct SSO {
  static constexpr SurrogateArgument args[max_surrogate_args] = {
      {"mean", 0.0}, {"variance", 0.2}, {"seed", -1}};
  static constexpr int seed = 2;
  template <class T>
  RHEO_INLINE static T noise(std::uint32_t word, const double* a) {
    return static_cast<T>((uniform_double(word) - 0.5 + a[0]) * a[1]);
  }
  template <class V, class T, class Noise>
  RHEO_INLINE static V factor(const V& u, const T*, const Noise& noise_of) {
    return select(u > 0, fill(u, 1), noise_of(u));
  }
};

/// 1 / (1 + alpha |u|)^2: fast_sigmoid under the name and with the default of Norse.
struct super_spike {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"alpha", 100.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return fast_sigmoid::factor(u, a);
  }
  static constexpr int slope = 0;
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    return fast_sigmoid::slope_factor(u, a);
  }
};

/// The normal density with mean 0 and standard deviation sigma. Yin, Corradi, Bohte 2020, "Effective and efficient
/// computation with multiple-timescale spiking recurrent neural networks".
struct gaussian {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"sigma", 0.5}, {}, {}};
  /// N(u; 0, sigma^2)
  template <class V, class T>
  RHEO_INLINE static V density(const V& u, T sigma) {
    const V z = u * (1 / sigma);
    return exp(z * z * static_cast<T>(-0.5)) * static_cast<T>(0.398942280401432677939946 / sigma);
  }
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    return density(u, a[0]);
  }
  static constexpr int slope = 0;
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    return -u * (1 / a[0]) * density(u, a[0]);
  }
};

/// (1 + h) N(u; 0, sigma^2) - h N(u; sigma, (s sigma)^2) - h N(u; -sigma, (s sigma)^2): negative on both sides. Yin,
/// Corradi, Bohte 2021, "Accurate and efficient time-domain classification with adaptive spiking recurrent neural networks".
struct multi_gaussian {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"sigma", 0.5}, {"s", 6.0}, {"h", 0.15}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V sides = gaussian::density(V(u - a[0]), a[1] * a[0]) + gaussian::density(V(u + a[0]), a[1] * a[0]);
    return (1 + a[2]) * gaussian::density(u, a[0]) - a[2] * sides;
  }
  static constexpr int slope = 0;
  /// Every term is a function of u / sigma.
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    return -u * (1 / a[0]) * factor(u, a);
  }
};

/// gamma max(0, 1 - |u| / width). Esser et al. 2016, "Convolutional networks for fast, energy-efficient neuromorphic
/// computing"; dampened by gamma, Bellec et al. 2018, "Long short-term memory and learning-to-learn in networks of
/// spiking neurons".
struct piecewise_linear {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"gamma", 0.3}, {"width", 1.0}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V z = abs(u) * (1 / a[1]);
    return select(z < 1, V(a[0] * (1 - z)), fill(u, 0));
  }
  static constexpr int slope = 0;
  /// The integral from 0 on, per gamma.
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T* a) {
    const V z = abs(u) * (1 / a[1]);
    const V inside = select(z < 1, V(z - z * z * static_cast<T>(0.5)), fill(u, 0.5)) * a[1];
    return select(u < 0, V(-inside), inside);
  }
};

/// 1 for 0 < u <= 1, 1/u above, alpha below: the derivative of a ReLU with a logarithmic tail. Cai et al. 2017, "Deep
/// learning with low precision by half-wave Gaussian quantization".
struct log_tailed_relu {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{"alpha", 0.0}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T* a) {
    const V tail = select(u > 1, u, fill(u, 1));
    return select(u > 0, V(1 / tail), fill(u, a[0]));
  }
  static constexpr int slope = 0;
  template <class V, class T>
  RHEO_INLINE static V slope_factor(const V& u, const T*) {
    return select(u > 0, fill(u, 0), u);
  }
};

/// 0: the spike carries no gradient (surrogate_disable).
struct none {
  static constexpr SurrogateArgument args[max_surrogate_args] = {{}, {}, {}};
  template <class V, class T>
  RHEO_INLINE static V factor(const V& u, const T*) {
    return fill(u, 0);
  }
};

}  // namespace rheo::inline RHEO_ISA::surrogates

/// Every closed-form surrogate; the position is its number. The first is the default and has kernels of its own.
#define RHEO_SURROGATES                                                                                   \
  atan, straight_through_estimator, triangular, fast_sigmoid, heaviside, sigmoid, spike_rate_escape, SFS, \
      LSO, SSO, super_spike, gaussian, multi_gaussian, piecewise_linear, log_tailed_relu, none

namespace rheo {

#define RHEO_SURROGATE_ENUMERATOR_(s) s
enum class SurrogateKind : int { RHEO_LIST(RHEO_SURROGATE_ENUMERATOR_, RHEO_SURROGATES) };
#undef RHEO_SURROGATE_ENUMERATOR_

/// Which of its arguments can be learned, or -1.
constexpr int surrogate_slope(SurrogateKind kind) {
  switch (kind) {
#define RHEO_SURROGATE_SLOPE_(s)                                                       \
  case SurrogateKind::s:                                                               \
    return [](auto zero) {                                                             \
      if constexpr (requires { decltype(zero)::slope; }) return decltype(zero)::slope; \
      return -1;                                                                       \
    }(surrogates::s{});
    RHEO_EACH(RHEO_SURROGATE_SLOPE_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_SLOPE_
  }
  return -1;
}

/// Whether its factor is random.
constexpr bool is_stochastic(SurrogateKind kind) { return kind == SurrogateKind::SSO; }

/// A surrogate as it crosses into the kernels: its number and its arguments.
struct SurrogateCall {
  SurrogateKind kind = SurrogateKind::atan;
  double args[max_surrogate_args] = {2.0};
};

}  // namespace rheo

namespace rheo::inline RHEO_ISA {

/// What deterministic surrogates are handed for noise.
struct NoNoise {
  template <class V>
  RHEO_INLINE V operator()(const V& u) const {
    return fill(u, 0);
  }
};

template <class S, class V, class T, class Noise>
RHEO_INLINE V factor_of(const V& u, const T* args, const Noise& noise) {
  if constexpr (requires { S::factor(u, args, noise); }) {
    return S::factor(u, args, noise);
  } else {
    return S::factor(u, args);
  }
}

/// factor(u) of the surrogate with this number. The choice is the same for every element of a call.
template <class V, class T, class Noise = NoNoise>
RHEO_INLINE V surrogate_factor(SurrogateKind kind, const V& u, const T* args, const Noise& noise = {}) {
  switch (kind) {
#define RHEO_SURROGATE_CASE_(s) \
  case SurrogateKind::s:        \
    return factor_of<surrogates::s>(u, args, noise);
    RHEO_EACH(RHEO_SURROGATE_CASE_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_CASE_
  }
  return surrogates::none::factor(u, args);
}

template <class S, class V, class T>
RHEO_INLINE V slope_factor_of(const V& u, const T* args) {
  if constexpr (requires { S::slope; }) {
    return S::slope_factor(u, args);
  } else {
    return fill(u, 0);
  }
}

/// The spike's derivative with respect to the surrogate's slope; 0 where it has none to learn.
template <class V, class T>
RHEO_INLINE V surrogate_slope_factor(SurrogateKind kind, const V& u, const T* args) {
  switch (kind) {
#define RHEO_SURROGATE_CASE_(s) \
  case SurrogateKind::s:        \
    return slope_factor_of<surrogates::s>(u, args);
    RHEO_EACH(RHEO_SURROGATE_CASE_, RHEO_SURROGATES)
#undef RHEO_SURROGATE_CASE_
  }
  return fill(u, 0);
}

/// Noise of a stochastic surrogate for the positions first, first + 1, ... of one step.
template <class T>
RHEO_INLINE void fill_noise(T* to, std::int64_t n, const double* args, std::int64_t step,
                            std::int64_t first) {
  const CounterRandom random{.seed = static_cast<std::uint64_t>(args[surrogates::SSO::seed]),
                             .step = static_cast<std::uint64_t>(step)};
  for (std::int64_t i = 0; i < n;) {
    const auto at = static_cast<std::uint64_t>(first + i);
    const PhiloxBlock block = random.block(at / 4);
    for (std::uint64_t w = at % 4; w < 4 && i < n; ++w)
      to[i++] = surrogates::SSO::noise<T>(block.word[w], args);
  }
}

template <class T>
struct LoadedNoise {
  const T* p;
  template <class V>
  RHEO_INLINE V operator()(const V&) const {
    return load<V>(p);
  }
};

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
  const T* noise = nullptr;  // of a stochastic one: that of the element u, or of the lanes from it on
  template <class V>
  RHEO_INLINE V factor(const V& u) const {
    return surrogate_factor(kind, u, args, LoadedNoise<T>{noise});
  }
};
template <class T>
RHEO_INLINE AnySpike<T> any_spike(const SurrogateCall& call) {
  AnySpike<T> s{{}, call.kind};
  for (int k = 0; k < max_surrogate_args; ++k) s.args[k] = static_cast<T>(call.args[k]);
  return s;
}

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
