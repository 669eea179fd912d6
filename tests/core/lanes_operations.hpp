// What lanes.hpp declares, for any number type V.
#pragma once

#include "rheo/core/surrogates.hpp"
#include "tests/core/lanes.hpp"

namespace rheo::inline RHEO_ISA::lane_test {

template <class V>
V operate(int operation, const V& a, const V& b) {
  using T = Number<V>;
  switch (operation) {
    case rheo_test::add:
      return a + b;
    case rheo_test::subtract:
      return a - b;
    case rheo_test::multiply:
      return a * b;
    case rheo_test::divide:
      return a / b;
    case rheo_test::negate:
      return -a;
    case rheo_test::absolute:
      return abs(a);
    case rheo_test::greater:
      return number_of<V>(a > b);
    case rheo_test::less:
      return number_of<V>(a < b);
    case rheo_test::choose:
      return select(a < b, a, b * a);
    case rheo_test::exponential:
      return exp(a);
    case rheo_test::logistic_function:
      return logistic(a);
    case rheo_test::hyperbolic_tangent:
      return tanh(a);
    case rheo_test::exponential_less_one:
      return expm1(a);
    case rheo_test::exponential_slope:
      return exprel(a) + tangent<0>(exprel(seed<0>(b)));
    case rheo_test::mixed:
      return 2 * a - b / 3 + (1 - a) * fill(b, 7);
    case rheo_test::streamed:
      return a;
    case rheo_test::derivative: {
      const auto x = seed<0>(a);
      const auto y = select(x > b, exp(x * b) / (1 + x * x), x * x * x - b);
      return tangent<0>(y);
    }
    default:
      break;
  }
  const T args[max_surrogate_args] = {T(1.5), T(0.75), T(0.5)};
  return surrogate_factor(static_cast<SurrogateKind>(operation - rheo_test::first_surrogate), a, args);
}

template <class V, class T>
void apply(int operation, const T* a, const T* b, T* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += width<V>) {
    const V v = operate(operation, load<V>(a + i), load<V>(b + i));
    if (operation == rheo_test::streamed) {
      stream(out + i, v);
    } else {
      store(out + i, v);
    }
  }
}

}  // namespace rheo::inline RHEO_ISA::lane_test
