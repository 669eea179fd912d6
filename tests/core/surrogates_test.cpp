// Every surrogate's factor against its formula in long double, and finite everywhere.
#include "rheo/core/surrogates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace {

using rheo::SurrogateKind;
using Args = std::vector<double>;

#define RHEO_TEST_NAME(s) #s
const std::string names[] = {RHEO_LIST(RHEO_TEST_NAME, RHEO_SURROGATES)};
#undef RHEO_TEST_NAME

/// The formulas as published (and as snnTorch has them); `scale` is how the argument's rounding is magnified.
struct Formula {
  std::vector<Args> args;
  long double (*value)(long double u, const Args& a);
  long double (*magnified)(long double u, const Args& a);
};

long double one(long double, const Args&) { return 1; }

long double normal(long double u, long double sigma) {
  return std::exp(-u * u / (2 * sigma * sigma)) / (sigma * std::sqrt(2 * 3.14159265358979323846264338328L));
}

long double squared_exponent(long double u, const Args& a) { return 1 + u * u / (2 * a[0] * a[0]); }

const std::map<std::string, Formula> formulas = {
    {"atan",
     {{{2.0}, {0.5}, {10.0}},
      [](long double u, const Args& a) {
        const long double z = 3.14159265358979323846264338328L / 2 * a[0] * u;
        return a[0] / 2 / (1 + z * z);
      },
      one}},
    {"straight_through_estimator", {{{}}, [](long double, const Args&) { return 1.0L; }, one}},
    {"triangular",
     {{{1.0}, {0.25}},
      [](long double u, const Args& a) -> long double { return u < 0 ? a[0] : -a[0]; },
      one}},
    {"fast_sigmoid",
     {{{25.0}, {1.0}},
      [](long double u, const Args& a) { return 1 / std::pow(a[0] * std::fabs(u) + 1, 2.0L); },
      one}},
    {"heaviside", {{{}}, [](long double u, const Args&) { return u > 0 ? 1.0L : 0.0L; }, one}},
    {"sigmoid",
     {{{25.0}, {1.0}, {4.5}},
      // Symmetric in u; with |u| long double keeps the small factor of either side.
      [](long double u, const Args& a) {
        const long double s = 1 / (1 + std::exp(a[0] * std::fabs(u)));
        return a[0] * s * (1 - s);
      },
      [](long double u, const Args& a) { return 1 + a[0] * std::fabs(u); }}},
    {"spike_rate_escape",
     {{{1.0, 25.0}, {3.0, 2.0}},
      [](long double u, const Args& a) { return a[1] * std::exp(-a[0] * std::fabs(u - 1)); },
      [](long double u, const Args& a) { return 1 + a[0] * (std::fabs(u) + 1); }}},
    {"SFS",
     {{{25.0, 1.0}, {5.0, 0.125}},
      [](long double u, const Args& a) {
        return u > a[1] ? 1 / std::pow(a[0] * std::fabs(u) + 1, 2.0L) : 0.0L;
      },
      one}},
    {"LSO",
     {{{0.1}, {0.5}}, [](long double u, const Args& a) -> long double { return u > 0 ? 1 : a[0]; }, one}},
    // Without noise; its noise is tested below.
    {"SSO", {{{0.5, 2.0}}, [](long double u, const Args&) { return u > 0 ? 1.0L : 0.0L; }, one}},
    {"super_spike",
     {{{100.0}, {1.0}},
      [](long double u, const Args& a) { return 1 / std::pow(a[0] * std::fabs(u) + 1, 2.0L); },
      one}},
    {"gaussian",
     {{{0.5}, {2.0}}, [](long double u, const Args& a) { return normal(u, a[0]); }, squared_exponent}},
    {"multi_gaussian",
     {{{0.5, 6.0, 0.15}, {1.0, 2.0, 0.25}},
      [](long double u, const Args& a) {
        return (1 + a[2]) * normal(u, a[0]) - a[2] * normal(u - a[0], a[1] * a[0]) -
               a[2] * normal(u + a[0], a[1] * a[0]);
      },
      // Where the terms cancel, the error is that of the largest.
      [](long double u, const Args& a) {
        const long double sum = (1 + a[2]) * normal(u, a[0]) + a[2] * normal(u - a[0], a[1] * a[0]) +
                                a[2] * normal(u + a[0], a[1] * a[0]);
        const long double value =
            sum - 2 * a[2] * (normal(u - a[0], a[1] * a[0]) + normal(u + a[0], a[1] * a[0]));
        return value == 0 ? 1 : 4 * squared_exponent(u, {a[0]}) * sum / std::fabs(value);
      }}},
    {"piecewise_linear",
     {{{0.3, 1.0}, {1.0, 0.5}},
      [](long double u, const Args& a) { return a[0] * std::max(0.0L, 1 - std::fabs(u) / a[1]); },
      [](long double u, const Args& a) { return 1 / std::max(1e-3L, 1 - std::fabs(u) / a[1]); }}},
    {"log_tailed_relu",
     {{{0.0}, {0.25}},
      [](long double u, const Args& a) -> long double { return u > 1   ? 1 / u
                                                               : u > 0 ? 1
                                                                       : a[0]; },
      one}},
    {"none", {{{}}, [](long double, const Args&) { return 0.0L; }, one}},
};

std::vector<double> arguments(double largest) {
  std::vector<double> u = {0.0, -0.0, 1.0, -1.0, 0.125, 0.25, 0.5, 1.5};
  for (int i = -400; i <= 400; ++i) u.push_back(i * 0.0137);
  for (double x = 1e-30; x < largest / 4; x *= 3.7) {
    u.push_back(x);
    u.push_back(-x);
  }
  u.push_back(largest);
  u.push_back(-largest);
  return u;
}

template <class T>
void check_formula(const std::string& name, SurrogateKind kind) {
  ASSERT_TRUE(formulas.contains(name)) << "no formula for the surrogate " << name;
  const Formula& formula = formulas.at(name);
  const long double eps = std::numeric_limits<T>::epsilon();
  // A denominator beyond the largest number gives 0 for what is this small.
  const long double tiny = 16 / static_cast<long double>(std::numeric_limits<T>::max());
  for (const Args& args : formula.args) {
    T a[rheo::max_surrogate_args] = {};
    for (std::size_t i = 0; i < args.size(); ++i) a[i] = static_cast<T>(args[i]);
    Args rounded(std::begin(a), std::end(a));
    for (const double exact_u : arguments(static_cast<double>(std::numeric_limits<T>::max()))) {
      const T u = static_cast<T>(exact_u);
      const T got = rheo::surrogate_factor(kind, u, a);
      ASSERT_TRUE(std::isfinite(got)) << name << " at " << u;
      const long double want = formula.value(u, rounded);
      const long double allowed = 4 * eps * formula.magnified(u, rounded) * std::fabs(want) + tiny;
      ASSERT_LE(std::fabs(static_cast<long double>(got) - want), allowed)
          << name << '(' << a[0] << ") at " << u;
    }
  }
}

TEST(Surrogates, EachFactorAgainstItsFormula) {
  for (std::size_t i = 0; i < std::size(names); ++i) {
    check_formula<float>(names[i], static_cast<SurrogateKind>(i));
    check_formula<double>(names[i], static_cast<SurrogateKind>(i));
  }
}

// The slope's factor is what the integral of the factor gains with the slope, but for what is the same for all u.
TEST(Surrogates, SlopeFactorIsTheDerivativeOfTheIntegral) {
  int with_slope = 0;
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const auto kind = static_cast<SurrogateKind>(i);
    const int slope = rheo::surrogate_slope(kind);
    if (slope < 0) {
      EXPECT_EQ(rheo::surrogate_slope_factor(kind, 0.5, std::array<double, 3>{1, 1, 1}.data()), 0)
          << names[i];
      continue;
    }
    ++with_slope;
    for (const Args& args : formulas.at(names[i]).args) {
      double a[rheo::max_surrogate_args] = {};
      std::copy(args.begin(), args.end(), a);
      const auto at_zero = rheo::surrogate_slope_factor(kind, 0.0, a);
      for (const double u : {-2.3, -0.7, -0.01, 0.02, 0.4, 1.9}) {
        const auto integral = [&](double delta) {
          double b[rheo::max_surrogate_args];
          std::copy(std::begin(a), std::end(a), b);
          b[slope] += delta;
          constexpr int pieces = 20000;  // midpoints
          double sum = 0;
          for (int k = 0; k < pieces; ++k) sum += rheo::surrogate_factor(kind, u * (k + 0.5) / pieces, b);
          return sum * u / pieces;
        };
        const double h = 1e-4;
        const double numeric = (integral(h) - integral(-h)) / (2 * h);
        EXPECT_NEAR(rheo::surrogate_slope_factor(kind, u, a) - at_zero, numeric,
                    1e-5 + 1e-4 * std::fabs(numeric))
            << names[i] << '(' << a[0] << ") at " << u;
      }
    }
  }
  EXPECT_EQ(with_slope, 10);
}

TEST(Surrogates, NoiseIsCountedAndCentred) {
  const double args[] = {0.1, 0.5, 42};
  std::vector<float> whole(1000), part(10);
  rheo::fill_noise(whole.data(), 1000, args, 3, 0);
  // Any piece on its own, from any position.
  for (const std::int64_t first : {0, 1, 3, 517}) {
    rheo::fill_noise(part.data(), 10, args, 3, first);
    for (std::size_t k = 0; k < 10; ++k) EXPECT_EQ(part[k], whole[static_cast<std::size_t>(first) + k]);
  }
  double sum = 0;
  for (const float v : whole) {
    sum += v;
    EXPECT_GE(v, (0.1F - 0.5F) * 0.5F);
    EXPECT_LT(v, (0.1F + 0.5F) * 0.5F);
  }
  EXPECT_NEAR(sum / 1000, 0.05, 4 * 0.5 / std::sqrt(12.0 * 1000));
  rheo::fill_noise(part.data(), 10, args, 4, 0);
  EXPECT_NE(part[0], whole[0]);
}

TEST(Surrogates, PointsReadOffTheFormulas) {
  const double k25[] = {25, 1};
  EXPECT_DOUBLE_EQ(rheo::surrogate_factor(SurrogateKind::sigmoid, 0.0, k25), 25.0 / 4);
  EXPECT_DOUBLE_EQ(rheo::surrogate_factor(SurrogateKind::fast_sigmoid, 0.04, k25), 0.25);
  const double two[] = {2, 0};
  EXPECT_DOUBLE_EQ(rheo::surrogate_factor(SurrogateKind::atan, 0.0, two), 1);
  const double escape[] = {1, 25};
  EXPECT_DOUBLE_EQ(rheo::surrogate_factor(SurrogateKind::spike_rate_escape, 1.0, escape), 25);
  // Strictly greater: at the threshold there is no spike, and triangular is on its negative side.
  const double unit[] = {1, 0};
  EXPECT_EQ(rheo::surrogate_factor(SurrogateKind::heaviside, 0.0, unit), 0);
  EXPECT_EQ(rheo::surrogate_factor(SurrogateKind::triangular, 0.0, unit), -1);
  const double sparse[] = {25, 1};
  EXPECT_EQ(rheo::surrogate_factor(SurrogateKind::SFS, 1.0, sparse), 0);
  EXPECT_GT(rheo::surrogate_factor(SurrogateKind::SFS, 1.0000001, sparse), 0);
}

TEST(Surrogates, SpikeIsStrictlyAboveAndCarriesTheFactor) {
  const double args[] = {2, 0};
  const rheo::AnySpike<double> any{{2, 0}, SurrogateKind::atan};
  const rheo::ArctanSpike<double> arctan{{2, 0}};
  EXPECT_EQ(rheo::spike(any, 0.5, 0.5), 0);
  EXPECT_EQ(rheo::spike(any, 1e-300, 0.0), 1);
  EXPECT_EQ(rheo::spike(any, -1.0, 0.0), 0);
  EXPECT_EQ(rheo::spike(any, std::numeric_limits<double>::quiet_NaN(), 0.0), 0);
  for (const double u : {-0.7, 0.0, 0.3}) {
    const auto x = rheo::seed<2>(u) * 3;
    const double f = rheo::surrogate_factor(SurrogateKind::atan, 3 * u - 0.25, args);
    auto a = rheo::spike(any, x, 0.25);
    auto b = rheo::spike(arctan, x, rheo::seed<4>(0.25));
    EXPECT_EQ(a.v, 3 * u > 0.25);
    EXPECT_EQ(b.v, a.v);
    EXPECT_EQ(rheo::tangent<2>(a), 3 * f);
    EXPECT_EQ(rheo::tangent<2>(b), 3 * f);
    EXPECT_EQ(rheo::tangent<4>(b), -f);
    static_assert(rheo::tangents<decltype(a)> == 4 && rheo::tangents<decltype(b)> == 20);
  }
}

TEST(Surrogates, DefaultsAreSnnTorchs) {
  namespace s = rheo::surrogates;
  EXPECT_EQ(s::atan::args[0].value, 2);
  EXPECT_EQ(s::triangular::args[0].value, 1);
  EXPECT_EQ(s::fast_sigmoid::args[0].value, 25);
  EXPECT_EQ(s::sigmoid::args[0].value, 25);
  EXPECT_EQ(s::spike_rate_escape::args[0].value, 1);
  EXPECT_EQ(s::spike_rate_escape::args[1].value, 25);
  EXPECT_EQ(s::SFS::args[0].value, 25);
  EXPECT_EQ(s::SFS::args[1].value, 1);
  EXPECT_EQ(s::LSO::args[0].value, 0.1);
  EXPECT_EQ(s::SSO::args[0].value, 0);
  EXPECT_EQ(s::SSO::args[1].value, 0.2);
  EXPECT_EQ(s::atan::args[0].name, "alpha");
  EXPECT_EQ(s::SFS::args[1].name, "B");
}

}  // namespace
