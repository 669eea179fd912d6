// exp, logistic and tanh: at most 2 ulp against long double, over every 97th float and a stratified sample of doubles;
// special values.
#include "rheo/core/math.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
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
void each_ninety_seventh_float(F f) {
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 97)
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

TEST(Exp, EveryNinetySeventhFloat) {
  Worst<float> worst;
  each_ninety_seventh_float([&](float x) {
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
      worst.add(x, got, std::exp(static_cast<long double>(x)));
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

long double exact_logistic(long double x) { return 1 / (1 + std::exp(-x)); }

TEST(Logistic, EveryNinetySeventhFloat) {
  Worst<float> worst;
  each_ninety_seventh_float([&](float x) {
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
      worst.add(x, got, exact_logistic(x));
    }
  });
  worst.expect_at_most_two("logistic float");
}

TEST(Logistic, StratifiedDoubles) {
  Worst<double> worst;
  stratified_doubles(-746, 40, [&](double x) { worst.add(x, rheo::logistic(x), exact_logistic(x)); });
  worst.expect_at_most_two("logistic double");
}

TEST(Tanh, EveryNinetySeventhFloat) {
  Worst<float> worst;
  each_ninety_seventh_float([&](float x) {
    const float got = rheo::tanh(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(got));
    } else if (std::fabs(x) > 10) {
      ASSERT_EQ(got, x > 0 ? 1 : -1) << x;
    } else if (std::fabs(x) < 0x1p-14F) {
      ASSERT_EQ(got, x) << x;
    } else {
      worst.add(x, got, std::tanh(static_cast<long double>(x)));
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
