// AdaptiveLIF against a plain loop, its intervals in closed form, its adaptation, central differences.
#include "rheo/neurons/adaptive_lif.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// V = alpha V + (1 - alpha) I - z B, B = b0 + beta b, b = rho b + (1 - rho) z, z = 1 where V > B. Bellec et al. 2018,
/// section 2. Without a reset with the next step there is none.
Run adaptive_lif(double tau_mem, double tau_adapt, double beta, double dt, const Numbers& x, double adapt,
                 double mem, const Common& c) {
  Run run;
  const double alpha = std::exp(-dt / tau_mem), rho = std::exp(-dt / tau_adapt);
  bool fired = mem > c.threshold + beta * adapt;
  for (const double input : x) {
    const double loss = c.threshold + beta * adapt;
    adapt = rho * adapt + (fired ? 1 - rho : 0);
    mem = alpha * mem + (1 - alpha) * input;
    if (fired && c.delay && c.reset == Reset::subtract) mem -= loss;
    if (fired && c.delay && c.reset == Reset::zero) mem = 0;
    fired = mem > c.threshold + beta * adapt;
    run.spk.push_back(fired ? c.graded : 0);
    run.mem.push_back(mem);
    run.adapt.push_back(adapt);
  }
  return run;
}

const Registration kernels{{
    .neuron = "AdaptiveLIF",
    .loops = {{{std::exp(-0.75), std::exp(-0.25), 0.375},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = adaptive_lif(4, 12, 0.375, 3, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::AdaptiveLIF;
using trajectory::first_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;

auto constants(double tau_mem, double tau_adapt, double beta, double dt) {
  return AdaptiveLIF::derive(AdaptiveLIF::Raw<double>{tau_mem, tau_adapt, beta, dt});
}

TEST(AdaptiveLIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -3, 8);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double beta : {0.0, 0.5, 1.8}) {
      for (const double mem : {0.0, 3.0}) {
        const double threshold = 0.8, graded = 2.5;
        const auto want = oracle::adaptive_lif(10, 100, beta, 2, x, 0.4, mem,
                                               trajectory::common(threshold, graded, setting));
        const auto got =
            walk<AdaptiveLIF>(constants(10, 100, beta, 2), x, {0.4, mem}, threshold, graded, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text() << " beta " << beta;
        ASSERT_EQ(first_difference(got.state[0], want.adapt, 1e-12), -1) << setting.text();
        ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-11), -1) << setting.text();
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Without adaptation it is Lapicque's neuron, exact for a constant input: from its reset to zero, which takes a step, the
// membrane passes the threshold after tau_mem ln(I / (I - threshold)).
TEST(AdaptiveLIF, InterspikeIntervalIsLapicquesFormula) {
  const double tau_mem = 20, threshold = 0.8;
  for (const double dt : {0.01, 1.0, 3.1}) {
    for (const double drive : {1.05, 1.5, 4.0}) {
      const double current = drive * threshold;
      const double interval = tau_mem * std::log(current / (current - threshold));
      const std::vector<double> x(static_cast<std::size_t>(6 * interval / dt) + 20, current);
      const auto steps = spike_steps(
          walk<AdaptiveLIF>(constants(tau_mem, 200, 0, dt), x, {0, 0}, threshold, 1, {rheo::Reset::zero})
              .spk);
      ASSERT_GE(steps.size(), 4U);
      for (std::size_t k = 1; k < steps.size(); ++k) {
        ASSERT_EQ(steps[k] - steps[k - 1], static_cast<int>(interval / dt) + 2) << dt << ' ' << drive;
      }
    }
  }
}

// On a constant current I the intervals grow to a limit of n steps, where a spike makes up for what the threshold lost since
// the one before: I (1 - alpha^(n-1)) = 1 + beta (1 - rho) rho^(n-1) / (1 - rho^n), with a reset to zero.
TEST(AdaptiveLIF, IntervalsGrowToTheirLimit) {
  const double tau_mem = 20, tau_adapt = 200, beta = 1.8, dt = 0.1, current = 3;
  const auto c = constants(tau_mem, tau_adapt, beta, dt);
  const auto out =
      walk<AdaptiveLIF>(c, std::vector<double>(60000, current), {0, 0}, 1, 1, {rheo::Reset::zero});
  const auto steps = spike_steps(out.spk);
  ASSERT_GT(steps.size(), 200U);
  const auto above = [&](double n) {
    return current * (1 - std::pow(c.alpha, n - 1)) - 1 -
           beta * (1 - c.rho) * std::pow(c.rho, n - 1) / (1 - std::pow(c.rho, n));
  };
  double low = 2, high = 10000;
  for (int k = 0; k < 100; ++k) (above((low + high) / 2) < 0 ? low : high) = (low + high) / 2;
  const auto last = static_cast<double>(steps.back() - steps[steps.size() - 2]);
  EXPECT_GE(last, low - 1);  // a step either way: intervals of two lengths may take turns
  EXPECT_LE(last, low + 1);
  EXPECT_LT(steps[1] - steps[0], last - 1);
  // The adaptation is the mean rate of spikes.
  double mean = 0;
  for (auto t = steps[steps.size() - 51]; t < steps.back(); ++t)
    mean += out.state[0][static_cast<std::size_t>(t)];
  EXPECT_NEAR(mean, 50, 0.05);
}

// What the threshold gains with a spike: (1 - rho) beta.
TEST(AdaptiveLIF, ThresholdAfterOneSpike) {
  const auto c = constants(20, 200, 1.8, 1);
  const double rho = std::exp(-1.0 / 200);
  const auto out = walk<AdaptiveLIF>(c, {100, 0, 0}, {0, 0}, 1, 1, {});
  EXPECT_EQ(spike_steps(out.spk), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(out.state[0][0], 0);
  EXPECT_NEAR(out.state[0][1], 1 - rho, 1e-15);
  EXPECT_NEAR(out.state[0][2], (1 - rho) * (1 + rho), 1e-15);
  const double u0 = 100 * (1 - std::exp(-1.0 / 20)), u1 = u0 * std::exp(-1.0 / 20) - 1;
  EXPECT_NEAR(out.state[1][1], u1, 1e-12);
  EXPECT_NEAR(out.state[1][2], u1 * std::exp(-1.0 / 20) - 1 - 1.8 * (1 - rho), 1e-12);
}

TEST(AdaptiveLIF, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<AdaptiveLIF> p;
    p.x = trajectory::noisy_input(25, -0.4, 2);
    p.state = {0.2, 0.35};
    p.constants = {0.7, 0.9, 0.8};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The threshold learns from the spikes that raised it: a reset carries no gradient, the adaptation does.
TEST(AdaptiveLIF, AdaptationCarriesTheSurrogateGradient) {
  using S = AdaptiveLIF::State<double, rheo::Dual<double, 1>>;
  const auto c = constants(20, 200, 1.8, 1);
  const auto rule = trajectory::plain_rule(1, 1, {});
  const auto out = AdaptiveLIF::step(S{0, rheo::seed<0>(1.25)}, 0.0, c, rule);
  const double z = std::acos(-1.0) * 0.25;  // atan, alpha 2, at 1/4 above the threshold
  EXPECT_NEAR(rheo::tangent<0>(out.state.adapt), (1 - c.rho) / (1 + z * z), 1e-15);
  EXPECT_NEAR(rheo::tangent<0>(out.state.mem), c.alpha, 1e-15);
}

}  // namespace
