// Dual numbers: every operation against its closed form and against central differences; derivatives known to be zero
// are types.
#include "rheo/core/dual.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "rheo/core/math.hpp"

namespace {

using rheo::chain;
using rheo::Dual;
using rheo::seed;
using rheo::select;
using rheo::tangent;
using rheo::tangents;

using D0 = Dual<double, 1>;
using D1 = Dual<double, 2>;

// What a result depends on is its type.
static_assert(tangents<double> == 0);
static_assert(tangents<decltype(seed<0>(1.0))> == 1);
static_assert(tangents<decltype(seed<3>(1.0))> == 8);
static_assert(tangents<decltype(seed<0>(1.0) + 1)> == 1);
static_assert(tangents<decltype(2.0 * seed<1>(1.0))> == 2);
static_assert(tangents<decltype(seed<0>(1.0) * seed<1>(1.0))> == 3);
static_assert(tangents<decltype(seed<0>(1.0) / seed<2>(1.0))> == 5);
static_assert(tangents<decltype(-seed<4>(1.0))> == 16);
static_assert(tangents<decltype(rheo::exp(seed<1>(1.0)))> == 2);
static_assert(tangents<decltype(rheo::tanh(seed<1>(1.0)) + rheo::logistic(seed<0>(1.0)))> == 3);
static_assert(tangents<decltype(select(true, seed<0>(1.0), seed<1>(1.0)))> == 3);
static_assert(tangents<decltype(select(true, seed<0>(1.0), 1.0))> == 1);
static_assert(tangents<decltype(detach(seed<0>(1.0)))> == 0);
static_assert(std::is_same_v<decltype(detach(seed<0>(1.0))), double>);
static_assert(std::is_same_v<decltype(seed<0>(1.0) > 0), bool>);

constexpr double h = 1e-6;
const double points[] = {-2.5, -1.0, -0.3, 0.2, 0.7, 1.0, 3.5};

/// Value, and both derivatives, of f at every pair of points.
template <class F>
void check(F f) {
  for (const double a : points) {
    for (const double b : points) {
      const auto y = f(seed<0>(a), seed<1>(b));
      EXPECT_EQ(y.v, f(a, b)) << a << ' ' << b;
      const double da = (f(a + h, b) - f(a - h, b)) / (2 * h);
      const double db = (f(a, b + h) - f(a, b - h)) / (2 * h);
      EXPECT_NEAR(tangent<0>(y), da, 1e-7 * (1 + std::fabs(da))) << a << ' ' << b;
      EXPECT_NEAR(tangent<1>(y), db, 1e-7 * (1 + std::fabs(db))) << a << ' ' << b;
    }
  }
}

TEST(Dual, OperatorsAgainstCentralDifferences) {
  check([](auto a, auto b) { return a + b; });
  check([](auto a, auto b) { return a - b; });
  check([](auto a, auto b) { return a * b; });
  check([](auto a, auto b) { return a / b; });
  check([](auto a, auto b) { return -a * -b; });
  // The same input on both sides, and derivatives on one side only.
  check([](auto a, auto b) { return a * a - b * b + a * b; });
  check([](auto a, auto b) { return (a + b) / (b * b + 1) - (a - b) * (b - a); });
  check([](auto a, auto b) { return 2 / b + a / 4 - 3 * a + (1 - b) + (a - 1) + (a + 1) * (1 + b); });
  check([](auto a, auto b) { return rheo::exp(a * b / 4) + rheo::exp(-(a * a)) + b; });
  check([](auto a, auto b) { return rheo::logistic(a * b) + rheo::tanh(a) * b - rheo::tanh(b / 8); });
}

TEST(Dual, ClosedForms) {
  const D0 a = seed<0>(1.75);
  const D1 b = seed<1>(-0.375);
  EXPECT_EQ(tangent<0>(a), 1);
  EXPECT_EQ(tangent<0>(a + b), 1);
  EXPECT_EQ(tangent<1>(a + b), 1);
  EXPECT_EQ(tangent<0>(a - b), 1);
  EXPECT_EQ(tangent<1>(a - b), -1);
  EXPECT_EQ(tangent<0>(a * b), -0.375);
  EXPECT_EQ(tangent<1>(a * b), 1.75);
  EXPECT_EQ(tangent<0>(a / b), 1 / -0.375);
  EXPECT_NEAR(tangent<1>(a / b), -1.75 / (0.375 * 0.375), 1e-14);
  EXPECT_EQ(tangent<0>(a * 3), 3);
  EXPECT_EQ(tangent<0>(3 - a), -1);
  EXPECT_EQ(tangent<0>(a * a), 3.5);
  EXPECT_EQ(tangent<0>(-a), -1);
  EXPECT_EQ(tangent<0>(rheo::exp(a)), rheo::exp(1.75));
  EXPECT_EQ(tangent<0>(chain(5.0, 7.0, a)), 7);
  EXPECT_EQ(chain(5.0, 7.0, a).v, 5);
}

TEST(Dual, SelectTakesValueAndDerivativesTogether) {
  const D0 a = seed<0>(2.0);
  const D1 b = seed<1>(3.0);
  const auto first = select(true, a, b);
  EXPECT_EQ(first.v, 2);
  EXPECT_EQ(tangent<0>(first), 1);
  EXPECT_EQ(tangent<1>(first), 0);
  const auto second = select(false, a, b);
  EXPECT_EQ(second.v, 3);
  EXPECT_EQ(tangent<0>(second), 0);
  EXPECT_EQ(tangent<1>(second), 1);
  EXPECT_EQ(tangent<0>(select(false, a * a, a)), 1);
  EXPECT_EQ(tangent<0>(select(true, a * a, a)), 4);
  EXPECT_EQ(tangent<0>(select(false, a, 5.0)), 0);
  // What is not chosen does not leak, even where it is not finite.
  const D0 bad = chain(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), a);
  EXPECT_EQ(tangent<0>(select(true, a, bad)), 1);
  EXPECT_EQ(select(false, bad, a).v, 2);
}

TEST(Dual, AbsHasTheSlopeOfItsSide) {
  EXPECT_EQ(abs(seed<0>(-2.0)).v, 2);
  EXPECT_EQ(tangent<0>(abs(seed<0>(-2.0))), -1);
  EXPECT_EQ(tangent<0>(abs(seed<0>(2.0) * 3)), 3);
  EXPECT_EQ(tangent<0>(abs(seed<0>(0.0))), 0);
}

TEST(Dual, WidenAddsZeros) {
  using Wide = Dual<double, 7>;
  const auto w = rheo::widen<Wide>(seed<1>(4.0));
  EXPECT_EQ(w.v, 4);
  EXPECT_EQ(tangent<0>(w), 0);
  EXPECT_EQ(tangent<1>(w), 1);
  EXPECT_EQ(tangent<2>(w), 0);
}

TEST(Dual, CopiesKeepEveryDerivative) {
  const auto y = seed<0>(2.0) * seed<1>(3.0) * seed<2>(5.0);
  auto z = y;
  z = y;
  EXPECT_EQ(z.v, 30);
  EXPECT_EQ(tangent<0>(z), 15);
  EXPECT_EQ(tangent<1>(z), 10);
  EXPECT_EQ(tangent<2>(z), 6);
}

TEST(Dual, ComparisonsLookAtTheValue) {
  EXPECT_TRUE(seed<0>(2.0) > 1);
  EXPECT_FALSE(seed<0>(1.0) > 1);
  EXPECT_TRUE(seed<0>(1.0) < seed<1>(2.0));
  EXPECT_FALSE(seed<0>(2.0) < 2);
}

}  // namespace
