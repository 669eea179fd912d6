// LI against a plain loop, its step response in closed form, central differences.
#include "rheo/neurons/li.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// tau dU/dt = v_leak - U + R X, by its solution or one Euler step; what leaves is U. Pedersen et al. 2024, table 1.
Run leaky_integrator(double tau, double R, double v_leak, double dt, bool exact, const Numbers& x, double mem,
                     const Common& c) {
  Run run;
  for (const double input : x) {
    const double steady = v_leak + R * input;
    mem += exact ? (steady - mem) * -std::expm1(-dt / tau) : (steady - mem) * dt / tau;
    run.mem.push_back(mem);
    run.spk.push_back(c.graded * mem);
  }
  return run;
}

const Registration kernels{{
    .neuron = "LI",
    .loops = {{{0.75, 0.5, 0.125},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = leaky_integrator(4, 2, 0.5, 1, false, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::LI;
using trajectory::first_difference;
using trajectory::Setting;
using Raw = LI::Raw<double>;

TEST(LI, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  for (const Setting& setting : trajectory::all_settings()) {  // it has no reset: none changes anything
    for (const double tau : {1.0, 2.5, 20.0}) {
      for (const bool exact : {true, false}) {
        const auto want = oracle::leaky_integrator(tau, 1.5, -0.25, 0.75, exact, x, 0.4,
                                                   trajectory::common(0.1, 2.5, setting));
        const auto c = LI::derive(Raw{.tau = tau,
                                      .R = 1.5,
                                      .v_leak = -0.25,
                                      .time_step = 0.75,
                                      .integration = exact ? LI::exact : LI::euler});
        const auto got = trajectory::walk<LI>(c, x, {0.4}, 0.1, 2.5, setting);
        ASSERT_EQ(first_difference(got.state[0], want.mem, 1e-12), -1) << setting.text() << " tau " << tau;
        ASSERT_EQ(first_difference(got.spk, want.spk, 1e-12), -1) << setting.text() << " tau " << tau;
      }
    }
  }
}

// After a step of the input the membrane has gone 1 - 1/e of the way within tau, however coarse the steps are.
TEST(LI, ExactStepResponse) {
  for (const double dt : {1e-3, 5e-3, 2e-2}) {
    const auto c =
        LI::derive(Raw{.tau = 0.02, .R = 3, .v_leak = 1, .time_step = dt, .integration = LI::exact});
    const auto steps = static_cast<std::size_t>(0.02 / dt + 0.5);
    const auto out = trajectory::walk<LI>(c, std::vector<double>(steps, 2), {1}, 1, 1, {});
    EXPECT_NEAR(out.state[0].back(), 1 + 6 * (1 - std::exp(-1.0)), 1e-12) << dt;
  }
}

TEST(LI, RestsAtItsLeak) {
  EXPECT_EQ(LI::rest(Raw{.tau = 1, .R = 1, .v_leak = 0.3, .time_step = 1}).mem, 0.3);
}

TEST(LI, EulerRefusesStepsAboveTau) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "time_step");
    EXPECT_EQ(value, 1.1);
    ++refused;
  };
  const auto raw = [](double dt, int integration) {
    return Raw{.tau = 1, .R = 1, .v_leak = 0, .time_step = dt, .integration = integration};
  };
  LI::check(raw(1.1, LI::euler), refuse);
  EXPECT_EQ(refused, 1);
  LI::check(raw(1, LI::euler), refuse);
  LI::check(raw(1.1, LI::exact), refuse);
  EXPECT_EQ(refused, 1);
}

TEST(LI, DerivativesAgainstCentralDifferences) {
  trajectory::Point<LI> p;
  p.x = trajectory::noisy_input(25, -0.4, 0.9);
  p.state = {0.35};
  p.constants = {0.6, 0.9, 0.1};
  EXPECT_LE(trajectory::worst_difference(p, {}), 1e-7);
}

}  // namespace
