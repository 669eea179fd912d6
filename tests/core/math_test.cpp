// exp: at most 2 ulp against long double, over every 97th float and a stratified sample of doubles; special values.
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

TEST(Exp, EveryNinetySeventhFloat) {
  double worst = 0;
  float worst_at = 0;
  std::int64_t checked = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 97) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
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
      const double error = ulps(got, std::exp(static_cast<long double>(x)));
      ++checked;
      if (error > worst) {
        worst = error;
        worst_at = x;
      }
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  std::printf("exp float: %.3f ulp at %.9g, %lld arguments\n", worst, static_cast<double>(worst_at),
              static_cast<long long>(checked));
  EXPECT_LE(worst, 2) << worst_at;
  EXPECT_GT(checked, 2000000);
}

TEST(Exp, StratifiedDoubles) {
  double worst = 0;
  double worst_at = 0;
  const auto check = [&](double x) {
    const double error = ulps(rheo::exp(x), std::exp(static_cast<long double>(x)));
    if (error > worst) {
      worst = error;
      worst_at = x;
    }
  };
  std::uint64_t random = 88172645463325252ULL;
  const auto uniform = [&] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return static_cast<double>(random >> 11) * 0x1p-53;
  };
  // One in every stratum of the whole range, then a thousand in every binade.
  constexpr int strata = 500000;
  for (int i = 0; i < strata; ++i) check(-746 + (746 + 710.0) * (i + uniform()) / strata);
  for (int exponent = -60; exponent <= 9; ++exponent) {
    for (int i = 0; i < 1000; ++i) {
      const double x = std::ldexp(1 + uniform(), exponent);
      if (x < 709) check(x);
      if (x < 745) check(-x);
    }
  }
  std::printf("exp double: %.3f ulp at %.17g\n", worst, worst_at);
  EXPECT_LE(worst, 2) << worst_at;
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
