// QuadraticIF against a plain loop, its rheobase and its period in closed form, central differences.
#include "rheo/neurons/quadratic_if.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct Quadratic {
  double tau, a0, rest, critical, R, reset, dt;
};
/// tau dV/dt = a0 (V - V_rest) (V - V_c) + R I. Gerstner et al. 2014, equation 5.16. Not below the vertex of what an Euler
/// step makes of V.
Run quadratic_if(const Quadratic& p, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    if (mem > c.threshold) mem = p.reset;
    const double low = (p.rest + p.critical) / 2 - p.tau / (2 * p.a0 * p.dt);
    if (mem < low) mem = low;
    mem += p.dt / p.tau * (p.a0 * (mem - p.rest) * (mem - p.critical) + p.R * input);
    keep(run, mem, c);
  }
  return run;
}

const Registration kernels{{
    .neuron = "QuadraticIF",
    .loops = {{{0.0025, -65, -50, 0.1, -60, -257.5},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = quadratic_if({20, 0.5, -65, -50, 20, -60, 0.1}, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::QuadraticIF;
using trajectory::first_relative_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = QuadraticIF::Raw<double>;

Raw raw(const oracle::Quadratic& p) { return {p.tau, p.a0, p.rest, p.critical, p.R, p.reset, p.dt}; }
constexpr oracle::Quadratic usual{20, 0.5, -65, -50, 20, -60, 0.1};

TEST(QuadraticIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(600, -10, 40);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // its reset is its own
    for (const oracle::Quadratic& p : {usual, oracle::Quadratic{15, 0.25, -70, -48, 30, -66, 0.2}}) {
      for (const double mem : {-65.0, 42.0, -400.0}) {
        const auto want = oracle::quadratic_if(p, x, mem, trajectory::common(30, 2.5, setting));
        const auto got = walk<QuadraticIF>(QuadraticIF::derive(raw(p)), x, {mem}, 30, 2.5, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text();
        ASSERT_EQ(first_relative_difference(got.state[0], want.mem, 1e-10), -1) << setting.text();
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 100U);
}

std::size_t spikes_of(const oracle::Quadratic& p, double current, std::size_t steps) {
  const std::vector<double> x(steps, current);
  return spike_steps(walk<QuadraticIF>(QuadraticIF::derive(raw(p)), x, {p.rest}, 30, 1, {}).spk).size();
}

// The parabola's lowest point: a0 (V_crit - V_rest)^2 / 4 = R I. 1.40625 nA by default.
TEST(QuadraticIF, Rheobase) {
  EXPECT_EQ(spikes_of(usual, 1.40625 * 0.999, 100000), 0U);
  EXPECT_GT(spikes_of(usual, 1.40625 * 1.001, 100000), 0U);
}

// From V_reset to the threshold under a constant current: (tau / (a0 k)) (atan(v1 / k) - atan(v0 / k)), v from the middle of
// V_rest and V_crit, k^2 = R I / a0 - ((V_crit - V_rest) / 2)^2.
TEST(QuadraticIF, PeriodUnderConstantCurrent) {
  oracle::Quadratic p = usual;
  p.dt = 0.001;
  for (const double current : {1.6, 3.0, 10.0}) {
    const double middle = (p.rest + p.critical) / 2;
    const double k = std::sqrt(p.R * current / p.a0 - std::pow((p.critical - p.rest) / 2, 2));
    const double period =
        p.tau / (p.a0 * k) * (std::atan((30 - middle) / k) - std::atan((p.reset - middle) / k));
    const auto steps = spike_steps(
        walk<QuadraticIF>(QuadraticIF::derive(raw(p)), std::vector<double>(200000, current), {-65}, 30, 1, {})
            .spk);
    ASSERT_GE(steps.size(), 3U);
    EXPECT_NEAR((steps[2] - steps[1]) * p.dt, period, 0.002 * period + 2 * p.dt) << current;
  }
}

TEST(QuadraticIF, WhatItRefuses) {
  std::string said;
  const auto refuse = [&](const char* name, const char* rule, double, auto...) {
    said += std::string(name) + " " + rule + "; ";
  };
  oracle::Quadratic p = usual;
  p.dt = 2.666;  // tau / (a0 15) = 2.6667
  QuadraticIF::check(raw(p), refuse);
  EXPECT_EQ(said, "");
  p.dt = 2.667;
  QuadraticIF::check(raw(p), refuse);
  EXPECT_EQ(said, "time_step must be at most tau / (a0 (V_crit - V_rest)); ");
  said.clear();
  p = usual;
  p.critical = p.rest;
  QuadraticIF::check(raw(p), refuse);
  EXPECT_TRUE(said.starts_with("V_crit must be above V_rest")) << said;
}

// However strong an inhibition, it does not fire under it, nor after it, and comes back to rest.
TEST(QuadraticIF, InhibitionDoesNotFire) {
  for (const double dt : {0.1, 1.0, 2.6}) {
    for (const double current : {-15.0, -90.0, -7000.0, -1e6}) {
      oracle::Quadratic p = usual;
      p.dt = dt;
      std::vector<double> x(600, 0);
      std::fill_n(x.begin(), 300, current);
      const auto out = walk<QuadraticIF>(QuadraticIF::derive(raw(p)), x, {p.rest}, 30, 1, {});
      EXPECT_EQ(spike_steps(out.spk).size(), 0U) << dt << ' ' << current;
      EXPECT_LT(out.state[0][299], p.rest);
      EXPECT_NEAR(out.state[0].back(), p.rest, 0.1) << dt << ' ' << current;
    }
  }
}

TEST(QuadraticIF, Rests) {
  EXPECT_EQ(QuadraticIF::rest(raw(usual)).mem, -65);
  const auto out = walk<QuadraticIF>(QuadraticIF::derive(raw(usual)), {0, 0, 0}, {-65}, 30, 1, {});
  EXPECT_EQ(out.state[0], (std::vector<double>{-65, -65, -65}));
}

TEST(QuadraticIF, DerivativesAgainstCentralDifferences) {
  for (const double mem : {-55.0, 38.0, -90.0}) {  // at rest, just after a spike, too low
    trajectory::Point<QuadraticIF> p;
    p.x = trajectory::noisy_input(25, -4, 20);
    p.state = {mem};
    p.constants = {0.025, -65, -50, 0.1, -60, -77.5};
    p.threshold = 30;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-6) << mem;
  }
}

}  // namespace
