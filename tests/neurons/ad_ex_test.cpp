// AdEx against a plain loop, its rheobase in closed form, tonic and adapting firing and their rates, central differences.
#include "rheo/neurons/ad_ex.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

const Registration kernels{{
    .neuron = "AdEx",
    .loops = {{{0.1 / 281, 30, -70.6, -50.4, 2, 0.1 / 144, 4, 80.5, -70.6},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run =
                     adex({281, 30, -70.6, -50.4, 2, 144, 4, 80.5, -70.6, 0.1}, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::AdEx;
using trajectory::first_relative_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = AdEx::Raw<double>;

constexpr oracle::Exponential usual{281, 30, -70.6, -50.4, 2, 144, 4, 80.5, -70.6, 0.1};
// Naud et al. 2008, "Firing patterns in the adaptive exponential integrate-and-fire model", table 1, figure 4.
constexpr oracle::Exponential tonic{200, 10, -70, -50, 2, 30, 2, 0, -58, 0.01};        // a, 500 pA
constexpr oracle::Exponential adapting{200, 12, -70, -50, 2, 300, 2, 60, -58, 0.01};   // b, 500 pA
constexpr oracle::Exponential bursting{130, 18, -58, -50, 2, 150, 4, 120, -50, 0.01};  // c, 400 pA
Raw raw(const oracle::Exponential& p) {
  return {p.C, p.g_L, p.E_L, p.V_T, p.Delta_T, p.tau_w, p.a, p.b, p.reset, p.dt};
}

TEST(AdEx, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(900, -500, 3000);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // its reset is its own
    for (const oracle::Exponential& p : {usual, adapting}) {
      for (const double mem : {-65.0, 25.0}) {
        const auto want = oracle::adex(p, x, 30, mem, trajectory::common(20, 2.5, setting));
        const auto got = walk<AdEx>(AdEx::derive(raw(p)), x, {30, mem}, 20, 2.5, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text();
        ASSERT_EQ(first_relative_difference(got.state[0], want.adapt, 1e-9), -1) << setting.text();
        ASSERT_EQ(first_relative_difference(got.state[1], want.mem, 1e-8), -1) << setting.text();
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 50U);
}

std::vector<int> spikes_of(const oracle::Exponential& p, double current, double ms) {
  const std::vector<double> x(static_cast<std::size_t>(ms / p.dt), current);
  return spike_steps(walk<AdEx>(AdEx::derive(raw(p)), x, {0, p.E_L}, 20, 1, {}).spk);
}

// Without adaptation the rheobase is that of the exponential model, g_L (V_T - E_L - Delta_T): 546 pA for Brette and
// Gerstner's cell. With slow adaptation and a / g_L > tau_m / tau_w rest loses its stability where the slope of the
// upstroke is 1 + tau_m / tau_w: Naud et al. 2008, equation 4.
TEST(AdEx, Rheobase) {
  oracle::Exponential plain = usual;
  plain.a = plain.b = 0;
  EXPECT_EQ(spikes_of(plain, 546 * 0.999, 3000).size(), 0U);
  EXPECT_GT(spikes_of(plain, 546 * 1.001, 3000).size(), 0U);

  // The current rises slowly, so that w keeps up and rest is left only where it becomes unstable.
  const double ratio = 281.0 / 30 / 144;
  const double hopf = (30 + 4.0) * (-50.4 + 70.6 - 2 + 2 * std::log(1 + ratio)) + 2 * 30 * (4.0 / 30 - ratio);
  std::vector<double> x;
  const double rise = 0.0005;  // pA per step
  for (double i = hopf * 0.97; i < hopf * 1.03; i += rise) x.push_back(i);
  const double v0 = [&] {  // rest at the first current, by bisection
    double low = -70.6, high = -50.4;
    for (int k = 0; k < 100; ++k) {
      const double v = (low + high) / 2;
      (34 * (v + 70.6) - 60 * std::exp((v + 50.4) / 2) < x[0] ? low : high) = v;
    }
    return low;
  }();
  const auto steps =
      spike_steps(walk<AdEx>(AdEx::derive(raw(usual)), x, {4 * (v0 + 70.6), v0}, 20, 1, {}).spk);
  ASSERT_FALSE(steps.empty());
  EXPECT_NEAR(x[static_cast<std::size_t>(steps[0])], hopf, 0.005 * hopf);
}

std::vector<double> intervals(const std::vector<int>& steps, double dt) {
  std::vector<double> out;
  for (std::size_t k = 1; k < steps.size(); ++k) out.push_back((steps[k] - steps[k - 1]) * dt);
  return out;
}

// Figure 4a of Naud et al.: evenly spaced spikes; 4b: intervals that grow to a limit; 4c: a fast burst, then slower spikes.
TEST(AdEx, PublishedPatterns) {
  const auto even = intervals(spikes_of(tonic, 500, 500), tonic.dt);
  ASSERT_GT(even.size(), 10U);
  for (std::size_t k = 8; k < even.size(); ++k) EXPECT_NEAR(even[k], even.back(), 0.01 * even.back());

  const auto grows = intervals(spikes_of(adapting, 500, 2000), adapting.dt);
  ASSERT_GT(grows.size(), 10U);
  EXPECT_LT(3 * grows[0], grows.back());
  for (std::size_t k = 1; k < 5; ++k) EXPECT_GT(grows[k], grows[k - 1]) << k;
  EXPECT_NEAR(grows[grows.size() - 2], grows.back(), 0.01 * grows.back());

  const auto burst = intervals(spikes_of(bursting, 400, 500), bursting.dt);
  ASSERT_GT(burst.size(), 5U);
  EXPECT_LT(burst[0], 10);
  EXPECT_GT(burst.back(), 4 * burst[0]);
}

// The rates of these cells, by the same differential equations in steps so small that the upstroke is smooth: the tonic one
// goes from 112 to 104.3 Hz, the adapting one from 88.7 to 13.17 Hz. Steps of 0.01 ms are half a per cent from them.
TEST(AdEx, TonicAndAdaptingRates) {
  const auto rates = [](const std::vector<double>& gaps) {
    return std::pair(1000 / gaps[0], 1000 / gaps.back());
  };
  struct Row {
    const oracle::Exponential& cell;
    double first, last;
  };
  for (const Row& row : {Row{tonic, 111.995, 104.33}, Row{adapting, 88.75, 13.174}}) {
    const auto times = oracle::adex_spike_times(row.cell, 500, 1500);
    std::vector<double> gaps;
    for (std::size_t k = 1; k < times.size(); ++k) gaps.push_back(times[k] - times[k - 1]);
    const auto [exact_first, exact_last] = rates(gaps);
    EXPECT_NEAR(exact_first, row.first, 1e-3 * row.first);
    EXPECT_NEAR(exact_last, row.last, 1e-3 * row.last);
    const auto [first, last] = rates(intervals(spikes_of(row.cell, 500, 1500), row.cell.dt));
    EXPECT_NEAR(first, row.first, 0.01 * row.first);
    EXPECT_NEAR(last, row.last, 0.01 * row.last);
  }
}

// In the steady state of the adapting cell a spike adds to w what decays in an interval, so that the mean of w is
// a (mean V - E_L) + b tau_w rate.
TEST(AdEx, AdaptationBalancesTheRate) {
  oracle::Exponential p = adapting;
  p.a = 0;
  const std::vector<double> x(400000, 500);
  const auto out = walk<AdEx>(AdEx::derive(raw(p)), x, {0, p.E_L}, 20, 1, {});
  const auto steps = spike_steps(out.spk);
  const auto from = static_cast<std::size_t>(steps[steps.size() - 6]),
             to = static_cast<std::size_t>(steps.back());
  double mean = 0;
  for (std::size_t t = from; t < to; ++t) mean += out.state[0][t] / static_cast<double>(to - from);
  const double rate = 5 / (static_cast<double>(to - from) * p.dt);
  EXPECT_NEAR(mean, p.b * p.tau_w * rate, 0.001 * mean);
}

TEST(AdEx, StepsAboveItsTimeConstantsAreRefused) {
  std::vector<std::string> said;
  const auto refuse = [&](const char* name, const char* rule, double, double) {
    EXPECT_STREQ(name, "time_step");
    said.emplace_back(rule);
  };
  oracle::Exponential p = usual;
  p.dt = 9.36;
  AdEx::check(raw(p), refuse);
  EXPECT_TRUE(said.empty());
  p.dt = 9.37;
  AdEx::check(raw(p), refuse);
  EXPECT_EQ(said, (std::vector<std::string>{"must be at most C / g_L"}));
  p.tau_w = 5;
  p.dt = 5.1;
  AdEx::check(raw(p), refuse);
  EXPECT_EQ(said.back(), "must be at most tau_w");
  const auto rest = AdEx::rest(raw(p));
  EXPECT_EQ(rest.w, 0);
  EXPECT_EQ(rest.mem, -70.6);
}

// The exponent is at most 10: finite from anywhere, and without a gradient beyond.
TEST(AdEx, FarAboveTheUpstrokeNothingOverflows) {
  const auto c = AdEx::derive(raw(usual));
  for (const double above : {9.9, 10.1, 1000.0}) {
    const double mem = -50.4 + 2 * above;
    const AdEx::State<double, rheo::Dual<double, 1>> s{0, rheo::seed<0>(mem)};
    const auto out = AdEx::step(s, 0.0, c, trajectory::plain_rule(1e6, 1, {}));
    const double e = std::exp(above < 10 ? above : 10), share = 0.1 / 281 * 30;
    EXPECT_NEAR(out.state.mem.v, mem + share * (-70.6 - mem + 2 * e), 1e-5);
    EXPECT_NEAR(rheo::tangent<0>(out.state.mem), 1 - share + (above < 10 ? share * e : 0), 1e-5);
  }
}

TEST(AdEx, DerivativesAgainstCentralDifferences) {
  for (const double mem : {-56.0, 25.0}) {  // below, and just after a spike
    trajectory::Point<AdEx> p;
    p.x = trajectory::noisy_input(20, -300, 500);
    p.state = {30, mem};
    p.constants = {0.1 / 281, 30, -70.6, -50.4, 2, 0.1 / 144, 4, 80.5, -70.6};
    p.threshold = 20;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-6) << mem;
  }
}

}  // namespace
