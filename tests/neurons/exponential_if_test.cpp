// ExponentialIF against a plain loop, its published rheobase, central differences.
#include "rheo/neurons/exponential_if.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

const Registration kernels{{
    .neuron = "ExponentialIF",
    .loops = {{{0.01, -65, -59.9, 3.48, 10, -68},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = adex({1, 0.1, -65, -59.9, 3.48, 1, 0, 0, -68, 0.1}, x, 0, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::ExponentialIF;
using trajectory::first_relative_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = ExponentialIF::Raw<double>;

// Fourcaud-Trocme et al. 2003: C = 1 uF/cm2, g_L = 0.1 mS/cm2, ...; tau = C / g_L, R = 1 / g_L.
constexpr oracle::Exponential usual{1, 0.1, -65, -59.9, 3.48, 1, 0, 0, -68, 0.1};
Raw raw(const oracle::Exponential& p) {
  return {p.C / p.g_L, p.E_L, p.V_T, p.Delta_T, 1 / p.g_L, p.reset, p.dt};
}

TEST(ExponentialIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(600, -2, 8);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // its reset is its own
    for (const oracle::Exponential& p :
         {usual, oracle::Exponential{2, 0.25, -70, -55, 1, 1, 0, 0, -62, 0.05}}) {
      for (const double mem : {-65.0, -20.0}) {
        const auto want = oracle::adex(p, x, 0, mem, trajectory::common(-30, 2.5, setting));
        const auto got = walk<ExponentialIF>(ExponentialIF::derive(raw(p)), x, {mem}, -30, 2.5, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text();
        ASSERT_EQ(first_relative_difference(got.state[0], want.mem, 1e-9), -1) << setting.text();
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 50U);
}

// g_L (V_T - V_L - Delta_T) = 0.162 uA/cm2.
TEST(ExponentialIF, Rheobase) {
  const auto spikes = [](double current) {
    const std::vector<double> x(300000, current);
    return spike_steps(walk<ExponentialIF>(ExponentialIF::derive(raw(usual)), x, {-65}, -30, 1, {}).spk)
        .size();
  };
  EXPECT_EQ(spikes(0.162 * 0.999), 0U);
  EXPECT_GT(spikes(0.162 * 1.001), 0U);
}

// The exponent is at most 10: finite from anywhere, and without a gradient beyond.
TEST(ExponentialIF, FarAboveTheUpstrokeNothingOverflows) {
  const auto c = ExponentialIF::derive(raw(usual));
  const auto rule = trajectory::plain_rule(1e6, 1, {});
  for (const double above : {9.9, 10.1, 1000.0}) {
    const double mem = -59.9 + 3.48 * above;
    const ExponentialIF::State<rheo::Dual<double, 1>> s{rheo::seed<0>(mem)};
    const auto out = ExponentialIF::step(s, 0.0, c, rule);
    const double e = std::exp(above < 10 ? above : 10);
    EXPECT_NEAR(out.state.mem.v, mem + 0.01 * (-65 - mem + 3.48 * e), 1e-5);
    EXPECT_NEAR(rheo::tangent<0>(out.state.mem), 0.99 + (above < 10 ? 0.01 * e : 0), 1e-5);
  }
}

TEST(ExponentialIF, StepsAboveTauAreRefused) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char* rule, double value, double bound) {
    EXPECT_STREQ(name, "time_step");
    EXPECT_STREQ(rule, "must be at most tau");
    EXPECT_EQ(value, 10.5);
    EXPECT_EQ(bound, 10);
    ++refused;
  };
  oracle::Exponential p = usual;
  p.dt = 10;
  ExponentialIF::check(raw(p), refuse);
  EXPECT_EQ(refused, 0);
  p.dt = 10.5;
  ExponentialIF::check(raw(p), refuse);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(ExponentialIF::rest(raw(p)).mem, -65);
}

TEST(ExponentialIF, DerivativesAgainstCentralDifferences) {
  for (const double mem : {-62.0, -20.0}) {  // below, and just after a spike
    trajectory::Point<ExponentialIF> p;
    p.x = trajectory::noisy_input(25, -1, 2);
    p.state = {mem};
    p.constants = {0.01, -65, -59.9, 3.48, 10, -68};
    p.threshold = -30;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-6) << mem;
  }
}

}  // namespace
