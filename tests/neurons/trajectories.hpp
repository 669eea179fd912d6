// A neuron's own step over a sequence: on numbers, and on duals with the adjoint carried backward, for any neuron and any
// rule. With the smooth rule below every derivative can be checked by central differences.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "rheo/core/neuron.hpp"
#include "tests/neurons/oracles.hpp"

namespace trajectory {

/// Fires smoothly: 1/2 + atan(pi/2 alpha (u - threshold)) / pi, whose derivative is the arctan surrogate's factor.
struct Smooth {
  double alpha = 2;
  double value(double u) const { return 0.5 + std::atan(std::acos(-1.0) / 2 * alpha * u) / std::acos(-1.0); }
  double slope(double u) const {
    const double z = std::acos(-1.0) / 2 * alpha * u;
    return alpha / 2 / (1 + z * z);
  }
};
inline double spike(const Smooth& s, double u, double threshold) { return s.value(u - threshold); }
template <class U, class Threshold>
requires rheo::DualPair<U, Threshold>
auto spike(const Smooth& s, const U& u, const Threshold& threshold) {
  const auto above = u - threshold;
  return rheo::chain(s.value(above.v), s.slope(above.v), above);
}

/// The library's rule with nothing detached: the delayed reset fires smoothly too.
template <class Threshold, class Graded>
struct SmoothRule : rheo::Rule<Threshold, Graded, double, Smooth> {
  template <class U>
  auto reset(const U& stored) const {
    const auto flag = spike(this->surrogate, stored, this->threshold);
    auto zeroed = flag * this->resets.delayed_zero;
    auto subtracts = flag * this->resets.delayed_subtract;
    auto taken = flag * (this->threshold * this->resets.delayed_subtract);
    return rheo::DelayedReset<decltype(zeroed), decltype(taken)>{zeroed, subtracts, taken};
  }
};

struct Setting {
  rheo::Reset reset = rheo::Reset::subtract;
  bool delay = true;
  std::string text() const {
    return "reset " + std::to_string(static_cast<int>(reset)) + (delay ? "" : ", no delay");
  }
};

inline std::vector<Setting> all_settings() {
  std::vector<Setting> out;
  for (const auto reset : {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {
    for (const bool delay : {true, false}) out.push_back({reset, delay});
  }
  return out;
}

inline auto factors(const Setting& s) {
  return rheo::reset_factors(s.reset, s.delay, [](int on) { return static_cast<double>(on); });
}

/// The library's rule on plain numbers, as the forward kernels have it.
inline auto plain_rule(double threshold, double graded, const Setting& s) {
  return rheo::Rule<double, double, double, rheo::ArctanSpike<double>>{
      threshold, graded, factors(s), {{2, 0}}};
}

inline oracle::Common common(double threshold, double graded, const Setting& s) {
  return {threshold, graded, static_cast<oracle::Reset>(s.reset), s.delay};
}

/// Spikes and states after every step, on plain numbers.
template <class N>
struct Walk {
  std::vector<double> spk;
  std::vector<double> state[N::state_names::count];
};

template <class N, class Constants>
Walk<N> walk(const Constants& c, const std::vector<double>& x, const std::vector<double>& first,
             double threshold, double graded, const Setting& setting) {
  Walk<N> out;
  auto state = N::make_state([&](auto k) { return first[decltype(k)::value]; });
  for (const double input : x) {
    const auto o = N::step(state, input, c, plain_rule(threshold, graded, setting));
    state = o.state;
    out.spk.push_back(o.spk);
    rheo::unroll<N::state_names::count>([&](auto k) {
      constexpr int K = decltype(k)::value;
      out.state[K].push_back(state.template get<K>());
    });
  }
  return out;
}

/// The first step at which a and b are further apart than `allowed`, or -1.
inline int first_difference(const std::vector<double>& a, const std::vector<double>& b, double allowed) {
  for (std::size_t t = 0; t < a.size() || t < b.size(); ++t) {
    if (t >= a.size() || t >= b.size() || !(std::fabs(a[t] - b[t]) <= allowed)) return static_cast<int>(t);
  }
  return -1;
}

/// The same where the values themselves are large: relative to 1 + |b|.
inline int first_relative_difference(const std::vector<double>& a, const std::vector<double>& b,
                                     double allowed) {
  for (std::size_t t = 0; t < a.size() || t < b.size(); ++t) {
    if (t >= a.size() || t >= b.size() || !(std::fabs(a[t] - b[t]) <= allowed * (1 + std::fabs(b[t]))))
      return static_cast<int>(t);
  }
  return -1;
}

/// Steps that fired.
inline std::vector<int> spike_steps(const std::vector<double>& spk) {
  std::vector<int> out;
  for (std::size_t t = 0; t < spk.size(); ++t) {
    if (spk[t] != 0) out.push_back(static_cast<int>(t));
  }
  return out;
}

/// The input of the recorded traces, and how far those are from doubles: six decimals, computed in float.
inline constexpr double golden_room = 3e-6;
inline std::vector<double> golden_input() { return {0.6, 0.6, 0.6, 0, 1.5, 0.2, -0.3, 0.9}; }

/// All N sees: inputs, first states, constants, then threshold and graded factor.
template <class N>
struct Point {
  static constexpr int S = N::state_names::count;
  static constexpr int P = N::constants_names::count;
  std::vector<double> x, state, constants;
  double threshold = 0.6, graded = 1.7;

  /// Every number in a row, to be moved one at a time.
  std::vector<double*> numbers() {
    std::vector<double*> out;
    for (auto* list : {&x, &state, &constants}) {
      for (double& v : *list) out.push_back(&v);
    }
    out.push_back(&threshold);
    out.push_back(&graded);
    return out;
  }
};

/// A scalar that depends on every spike and every state after every step, each with a weight of its own.
inline double weight(std::size_t step, int output) {
  return std::sin(1.0 + 1.3 * static_cast<double>(step) + 2.1 * output);
}

template <class N>
double smooth_loss(const Point<N>& p, const Setting& setting) {
  auto state = N::make_state([&](auto k) { return p.state[decltype(k)::value]; });
  const auto c = N::make_constants([&](auto k) { return p.constants[decltype(k)::value]; });
  SmoothRule<double, double> rule{{p.threshold, p.graded, factors(setting), {}}};
  double loss = 0;
  for (std::size_t t = 0; t < p.x.size(); ++t) {
    const auto out = N::step(state, p.x[t], c, rule);
    loss += weight(t, 0) * out.spk;
    rheo::unroll<Point<N>::S>([&](auto k) {
      loss += weight(t, 1 + decltype(k)::value) * out.state.template get<decltype(k)::value>();
    });
    state = out.state;
  }
  return loss;
}

template <int K, class X>
double slope_of(const X& x) {
  if constexpr (rheo::has_tangent<K, X>) {
    return rheo::tangent<K>(x);
  } else {
    return 0;
  }
}

/// Its gradient as the kernels take it: each step's Jacobian from duals, multiplied by the adjoint from the left.
template <class N>
std::vector<double> smooth_gradient(const Point<N>& p, const Setting& setting) {
  constexpr int S = Point<N>::S;
  constexpr int P = Point<N>::P;
  std::vector<std::vector<double>> before;
  {
    auto state = N::make_state([&](auto k) { return p.state[decltype(k)::value]; });
    const auto c = N::make_constants([&](auto k) { return p.constants[decltype(k)::value]; });
    SmoothRule<double, double> rule{{p.threshold, p.graded, factors(setting), {}}};
    for (const double x : p.x) {
      before.emplace_back(S);
      rheo::unroll<S>(
          [&](auto k) { before.back()[decltype(k)::value] = state.template get<decltype(k)::value>(); });
      state = N::step(state, x, c, rule).state;
    }
  }
  std::vector<double> grad_x(p.x.size()), adjoint(S), constants(P + 2);
  const auto c = N::make_constants([&](auto k) {
    constexpr int K = decltype(k)::value;
    return rheo::seed<S + 1 + K>(p.constants[K]);
  });
  const auto threshold = rheo::seed<S + 1 + P>(p.threshold);
  const auto graded = rheo::seed<S + 2 + P>(p.graded);
  SmoothRule<std::remove_const_t<decltype(threshold)>, std::remove_const_t<decltype(graded)>> rule{
      {threshold, graded, factors(setting), {}}};
  for (std::size_t t = p.x.size(); t-- > 0;) {
    const auto s = N::make_state([&](auto k) {
      constexpr int K = decltype(k)::value;
      return rheo::seed<K>(before[t][K]);
    });
    const auto out = N::step(s, rheo::seed<S>(p.x[t]), c, rule);
    std::vector<double> pulled(S + 1 + P + 2);
    const auto add = [&](const auto& output, double by) {
      rheo::unroll<S + 1 + P + 2>(
          [&](auto k) { pulled[decltype(k)::value] += by * slope_of<decltype(k)::value>(output); });
    };
    add(out.spk, weight(t, 0));
    rheo::unroll<S>([&](auto k) {
      constexpr int K = decltype(k)::value;
      add(out.state.template get<K>(), adjoint[K] + weight(t, 1 + K));
    });
    for (std::size_t k = 0; k < S; ++k) adjoint[k] = pulled[k];
    grad_x[t] = pulled[S];
    for (std::size_t k = 0; k < P + 2; ++k) constants[k] += pulled[S + 1 + k];
  }
  std::vector<double> out = grad_x;
  out.insert(out.end(), adjoint.begin(), adjoint.end());
  out.insert(out.end(), constants.begin(), constants.end());
  return out;
}

/// The largest difference between gradient and central differences, scaled by the largest gradient.
template <class N>
double worst_difference(Point<N> p, const Setting& setting) {
  constexpr double h = 1e-6;
  const auto gradient = smooth_gradient(p, setting);
  const auto numbers = p.numbers();
  double largest = 0;
  double worst = 0;
  for (const double g : gradient) largest = std::max(largest, std::fabs(g));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double value = *numbers[i];
    *numbers[i] = value + h;
    const double above = smooth_loss(p, setting);
    *numbers[i] = value - h;
    const double below = smooth_loss(p, setting);
    *numbers[i] = value;
    worst = std::max(worst, std::fabs((above - below) / (2 * h) - gradient[i]));
  }
  return worst / largest;
}

/// Input that makes a neuron fire now and then; `scale` for neurons that see amperes.
inline std::vector<double> noisy_input(int steps, double low, double high) {
  std::vector<double> x;
  unsigned long long r = 88172645463325252ULL;
  for (int t = 0; t < steps; ++t) {
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    x.push_back(low + (high - low) * static_cast<double>(r >> 11) * 0x1p-53);
  }
  return x;
}

}  // namespace trajectory
