// ParametricLIF against a plain loop, its interval in closed form, tau through w, central differences.
#include "rheo/neurons/parametric_lif.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// U = U + (X - U) / tau, or U + X - U / tau. Fang et al. 2021, equation 1 and SpikingJelly's decay_input.
Run parametric_lif(double tau, bool decay_input, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const double u = decay_input ? mem + (input - mem) / tau : mem - mem / tau + input;
    fire(after_delayed_reset(u, mem, c), c, mem, run);
  }
  return run;
}

const Registration kernels{{
    .neuron = "ParametricLIF",
    .loops = {{{0.375, 0.625},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = parametric_lif(1.6, true, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }},
              {{0.375, 1},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = parametric_lif(1.6, false, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::ParametricLIF;
using trajectory::first_difference;
using trajectory::Setting;
using Raw = ParametricLIF::Raw<double>;

Raw from_tau(double tau, int decay_input) {
  return {.tau = tau, .w = 0, .has_w = false, .decay_input = decay_input};
}

TEST(ParametricLIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -1, 2);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double tau : {1.25, 2.0, 8.0}) {
      for (const bool decay_input : {true, false}) {
        for (const double mem : {0.0, 1.7, -0.4}) {
          const double threshold = 0.8, graded = 2.5;
          const auto want = oracle::parametric_lif(tau, decay_input, x, mem,
                                                   trajectory::common(threshold, graded, setting));
          const auto c =
              ParametricLIF::derive(from_tau(tau, decay_input ? ParametricLIF::yes : ParametricLIF::no));
          const auto got = trajectory::walk<ParametricLIF>(c, x, {mem}, threshold, graded, setting);
          ASSERT_EQ(got.spk, want.spk) << setting.text() << " tau " << tau;
          ASSERT_EQ(first_difference(got.state[0], want.mem, 1e-11), -1) << setting.text();
          spikes += trajectory::spike_steps(got.spk).size();
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Fang et al. start at tau = 2, which is w = 0; 1 / tau is the logistic function of w.
TEST(ParametricLIF, TauFollowsFromWAndBack) {
  EXPECT_EQ(ParametricLIF::resolve(from_tau(2, 0)).w, 0);
  EXPECT_NEAR(ParametricLIF::resolve(from_tau(5, 0)).w, -std::log(4.0), 1e-15);
  const Raw q = ParametricLIF::resolve(Raw{.tau = 2, .w = -std::log(4.0)});
  EXPECT_NEAR(q.tau, 5, 1e-14);
  EXPECT_EQ(q.w, -std::log(4.0));
  for (const double w : {-30.0, -2.0, 0.5, 30.0}) {
    const auto c = ParametricLIF::derive(Raw{.tau = 2, .w = w});
    EXPECT_GE(c.decay, 0);
    EXPECT_LE(c.decay, 1);
    EXPECT_NEAR(c.gain, 1 / (1 + std::exp(-w)), 1e-15);
    EXPECT_NEAR(c.decay + c.gain, 1, 1e-15);
  }
}

// n steps from 0 under a constant input X the membrane is X (1 - (1 - 1/tau)^n).
TEST(ParametricLIF, InterspikeInterval) {
  for (const double tau : {1.25, 2.0, 30.0}) {
    for (const double x : {1.05, 1.5, 4.0}) {
      const auto c = ParametricLIF::derive(from_tau(tau, ParametricLIF::yes));
      const auto steps =
          trajectory::spike_steps(trajectory::walk<ParametricLIF>(c, std::vector<double>(1000, x), {0}, 1, 1,
                                                                  {rheo::Reset::zero, false})
                                      .spk);
      const int interval = static_cast<int>(std::log(1 - 1 / x) / std::log(1 - 1 / tau)) + 1;
      ASSERT_EQ(steps.size(), static_cast<std::size_t>(1000 / interval)) << tau << ' ' << x;
      for (std::size_t k = 1; k < steps.size(); ++k)
        ASSERT_EQ(steps[k] - steps[k - 1], interval) << tau << ' ' << x;
    }
  }
}

TEST(ParametricLIF, TauMustBeAboveOne) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "tau");
    EXPECT_EQ(value, 1);
    ++refused;
  };
  ParametricLIF::check(from_tau(1, 0), refuse);
  EXPECT_EQ(refused, 1);
  ParametricLIF::check(from_tau(1.001, 0), refuse);
  ParametricLIF::check(Raw{.tau = 1, .w = 3}, refuse);
  EXPECT_EQ(refused, 1);
}

TEST(ParametricLIF, WStaysTheSource) {
  bool given[] = {true, false};
  const bool learned[] = {false, true};
  ParametricLIF::settle(given, learned, [](auto...) { FAIL(); });
  EXPECT_FALSE(given[0]);
  EXPECT_TRUE(given[1]);
}

TEST(ParametricLIF, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<ParametricLIF> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.35};
    p.constants = {0.6, 0.9};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

}  // namespace
