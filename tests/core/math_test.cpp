// exp, expm1, exprel, logistic and tanh: at most 2 ulp, over every 97th float (against double) and a stratified sample of
// doubles (against long double); special values. With RHEOBASE_EXHAUSTIVE set, over every float: ./dev test exhaustive.
#include "rheo/core/math.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

namespace {

/// Distance in units of the last place of the exact result.
template <class T>
double ulps(T got, long double exact) {
  if (exact > static_cast<long double>(std::numeric_limits<T>::max())) {
    return std::isinf(got) || got == std::numeric_limits<T>::max() ? 0 : 1e9;
  }
  if (std::isinf(got)) return 1e9;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent;
  const long double ulp =
      std::ldexp(1.0L, (exponent < lowest ? lowest : exponent) - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / ulp);
}

template <class T>
struct Worst {
  double error = 0;
  T at = 0;
  std::int64_t checked = 0;

  void add(T x, T got, long double exact) {
    const double e = ulps(got, exact);
    ++checked;
    if (e > error) {
      error = e;
      at = x;
    }
  }
  void expect_at_most_two(const char* name) const {
    testing::Test::RecordProperty("worst_ulp", std::to_string(error));
    std::printf("%s: %.3f ulp at %.17g, %lld arguments\n", name, error, static_cast<double>(at),
                static_cast<long long>(checked));
    EXPECT_LE(error, 2) << name << " at " << at;
    EXPECT_GT(checked, 500000);
  }
};

template <class F>
void each_float(F f) {
  const std::uint64_t stride = std::getenv("RHEOBASE_EXHAUSTIVE") != nullptr ? 1 : 97;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += stride)
    f(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
}

/// One double in every stratum of [lowest, highest), then a thousand of either sign in every binade.
template <class F>
void stratified_doubles(double lowest, double highest, F f) {
  std::uint64_t random = 88172645463325252ULL;
  const auto uniform = [&] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return static_cast<double>(random >> 11) * 0x1p-53;
  };
  constexpr int strata = 500000;
  for (int i = 0; i < strata; ++i) f(lowest + (highest - lowest) * (i + uniform()) / strata);
  for (int exponent = -60; exponent <= 9; ++exponent) {
    for (int i = 0; i < 1000; ++i) {
      const double x = std::ldexp(1 + uniform(), exponent);
      if (x < highest) f(x);
      if (-x > lowest) f(-x);
    }
  }
}

TEST(Exp, Floats) {
  Worst<float> worst;
  each_float([&](float x) {
    const float got = rheo::exp(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (x > 89) {
      ASSERT_EQ(got, std::numeric_limits<float>::infinity()) << x;
    } else if (x < -104) {
      ASSERT_EQ(got, 0) << x;
    } else if (std::fabs(x) < 0x1p-26F) {
      ASSERT_EQ(got, 1) << x;
    } else {
      worst.add(x, got, std::exp(static_cast<double>(x)));
    }
  });
  worst.expect_at_most_two("exp float");
}

TEST(Exp, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(-746, 710, [&](double x) {
    if (x < 709) worst.add(x, rheo::exp(x), std::exp(static_cast<long double>(x)));
  });
  worst.expect_at_most_two("exp double");
}

template <class T>
T exact_logistic(T x) {
  return 1 / (1 + std::exp(-x));
}

TEST(Logistic, Floats) {
  Worst<float> worst;
  each_float([&](float x) {
    const float got = rheo::logistic(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (x > 18) {
      ASSERT_EQ(got, 1) << x;
    } else if (x < -104) {
      ASSERT_EQ(got, 0) << x;
    } else if (std::fabs(x) < 0x1p-26F) {
      ASSERT_EQ(got, 0.5F) << x;
    } else {
      worst.add(x, got, exact_logistic(static_cast<double>(x)));
    }
  });
  worst.expect_at_most_two("logistic float");
}

TEST(Logistic, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(-746, 40, [&](double x) {
    worst.add(x, rheo::logistic(x), exact_logistic(static_cast<long double>(x)));
  });
  worst.expect_at_most_two("logistic double");
}

TEST(Tanh, Floats) {
  Worst<float> worst;
  each_float([&](float x) {
    const float got = rheo::tanh(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (std::fabs(x) > 10) {
      ASSERT_EQ(got, x > 0 ? 1 : -1) << x;
    } else if (std::fabs(x) < 0x1p-14F) {
      ASSERT_EQ(got, x) << x;
    } else {
      worst.add(x, got, std::tanh(static_cast<double>(x)));
    }
  });
  worst.expect_at_most_two("tanh float");
}

TEST(Tanh, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(-20, 20,
                     [&](double x) { worst.add(x, rheo::tanh(x), std::tanh(static_cast<long double>(x))); });
  worst.expect_at_most_two("tanh double");
}

template <class T>
void special_values_of_the_sigmoids() {
  using L = std::numeric_limits<T>;
  for (const T x : {L::infinity(), L::max(), T{800}}) {
    EXPECT_EQ(rheo::logistic(x), 1);
    EXPECT_EQ(rheo::logistic(-x), 0);
    EXPECT_EQ(rheo::tanh(x), 1);
    EXPECT_EQ(rheo::tanh(-x), -1);
  }
  for (const T x : {T{0}, T{-0.0}, L::denorm_min(), L::min()}) {
    EXPECT_EQ(rheo::logistic(x), T(0.5));
    EXPECT_EQ(rheo::tanh(x), x);
    EXPECT_EQ(rheo::tanh(-x), -x);
  }
  EXPECT_TRUE(std::isnan(rheo::logistic(L::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rheo::tanh(L::quiet_NaN())));
}

TEST(Expm1, Floats) {
  Worst<float> worst;
  each_float([&](float x) {
    const float got = rheo::expm1(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (x > 89) {
      ASSERT_EQ(got, std::numeric_limits<float>::infinity()) << x;
    } else if (x < -18) {
      ASSERT_EQ(got, -1) << x;
    } else if (std::fabs(x) < 0x1p-26F) {
      ASSERT_EQ(got, x) << x;
    } else {
      worst.add(x, got, std::expm1(static_cast<double>(x)));
    }
  });
  worst.expect_at_most_two("expm1 float");
}

TEST(Expm1, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(
      -45, 709, [&](double x) { worst.add(x, rheo::expm1(x), std::expm1(static_cast<long double>(x))); });
  stratified_doubles(
      -2, 2, [&](double x) { worst.add(x, rheo::expm1(x), std::expm1(static_cast<long double>(x))); });
  worst.expect_at_most_two("expm1 double");
}

template <class T>
T exact_exprel(T x) {
  return x == 0 ? 1 : std::expm1(x) / x;
}

TEST(Exprel, Floats) {
  Worst<float> worst;
  each_float([&](float x) {
    const float got = rheo::exprel(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (x > 94) {
      ASSERT_EQ(got, std::numeric_limits<float>::infinity()) << x;
    } else if (std::fabs(x) < 0x1p-26F) {
      ASSERT_EQ(got, 1) << x;
    } else {
      worst.add(x, got, exact_exprel(static_cast<double>(x)));
    }
  });
  worst.expect_at_most_two("exprel float");
}

TEST(Exprel, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(
      -800, 716, [&](double x) { worst.add(x, rheo::exprel(x), exact_exprel(static_cast<long double>(x))); });
  stratified_doubles(
      -2, 2, [&](double x) { worst.add(x, rheo::exprel(x), exact_exprel(static_cast<long double>(x))); });
  worst.expect_at_most_two("exprel double");
}

// Its derivative, (exp(x) - exprel(x)) / x, is as smooth at 0 as anywhere.
TEST(Exprel, Derivative) {
  for (double x = -40; x < 40; x += 0.0078125) {
    const auto y = rheo::exprel(rheo::seed<0>(x));
    const long double z = x;
    const long double exact =
        std::fabs(x) < 1e-3 ? 0.5L + z / 3 + z * z / 8 + z * z * z / 30 : (std::exp(z) - exact_exprel(z)) / z;
    // (1 + (x - 1) y) / x: what rounding leaves of the product is compared with y.
    const double allowed = 4e-16 * (2 + std::fabs(x)) * static_cast<double>(exact);
    ASSERT_NEAR(rheo::tangent<0>(y), static_cast<double>(exact), allowed) << x;
    ASSERT_EQ(y.v, rheo::exprel(x));
  }
  for (const double x : {0.0, 1e-300, -1e-12, 3e-9, -2e-5}) {
    EXPECT_NEAR(rheo::tangent<0>(rheo::exprel(rheo::seed<0>(x))), 0.5 + x / 3, 1e-10) << x;
  }
  EXPECT_EQ(rheo::tangent<0>(rheo::expm1(rheo::seed<0>(0.0))), 1);
}

template <class T>
void special_values_near_exp() {
  using L = std::numeric_limits<T>;
  EXPECT_EQ(rheo::expm1(L::infinity()), L::infinity());
  EXPECT_EQ(rheo::expm1(-L::infinity()), -1);
  EXPECT_EQ(rheo::exprel(L::infinity()), L::infinity());
  EXPECT_EQ(rheo::exprel(L::lowest()), -1 / L::lowest());
  EXPECT_EQ(rheo::exprel(-L::infinity()), 0);
  EXPECT_TRUE(std::isnan(rheo::expm1(L::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rheo::exprel(L::quiet_NaN())));
  for (const T x : {T{0}, T{-0.0}, L::denorm_min(), -L::denorm_min(), L::min()}) {
    EXPECT_EQ(rheo::expm1(x), x);
    EXPECT_EQ(rheo::exprel(x), 1);
  }
}

TEST(Exprel, SpecialValues) {
  special_values_near_exp<float>();
  special_values_near_exp<double>();
}

TEST(Sigmoids, SpecialValues) {
  special_values_of_the_sigmoids<float>();
  special_values_of_the_sigmoids<double>();
}

TEST(Sigmoids, TanhIsOdd) {
  for (float x = 0; x < 12; x += 0.001F) ASSERT_EQ(rheo::tanh(-x), -rheo::tanh(x)) << x;
}

template <class T>
void special_values() {
  using L = std::numeric_limits<T>;
  EXPECT_TRUE(std::isnan(rheo::exp(L::quiet_NaN())));
  EXPECT_EQ(rheo::exp(L::infinity()), L::infinity());
  EXPECT_EQ(rheo::exp(-L::infinity()), 0);
  EXPECT_EQ(rheo::exp(L::max()), L::infinity());
  EXPECT_EQ(rheo::exp(L::lowest()), 0);
  EXPECT_EQ(rheo::exp(T{0}), 1);
  EXPECT_EQ(rheo::exp(T{-0.0}), 1);
  EXPECT_EQ(rheo::exp(L::denorm_min()), 1);
  EXPECT_LE(ulps(rheo::exp(T{1}), std::exp(1.0L)), 1);
}

TEST(Exp, SpecialValues) {
  special_values<float>();
  special_values<double>();
}

TEST(Exp, UnderflowGoesThroughTheSubnormals) {
  for (const float x : {-87.4F, -90.0F, -95.5F, -100.0F, -103.0F, -103.9F}) {
    EXPECT_LE(ulps(rheo::exp(x), std::exp(static_cast<long double>(x))), 2) << x;
    EXPECT_LT(rheo::exp(x), std::numeric_limits<float>::min());
  }
  EXPECT_GT(rheo::exp(-103.0F), 0);
  for (const double x : {-708.5, -720.0, -735.25, -745.0}) {
    EXPECT_LE(ulps(rheo::exp(x), std::exp(static_cast<long double>(x))), 2) << x;
    EXPECT_GT(rheo::exp(x), 0);
    EXPECT_LT(rheo::exp(x), std::numeric_limits<double>::min());
  }
}

TEST(Exp, OverflowBeginsWhereTheLargestNumberEnds) {
  EXPECT_TRUE(std::isfinite(rheo::exp(88.7F)));
  EXPECT_TRUE(std::isinf(rheo::exp(88.73F)));
  EXPECT_TRUE(std::isfinite(rheo::exp(709.78)));
  EXPECT_TRUE(std::isinf(rheo::exp(709.79)));
}

}  // namespace
