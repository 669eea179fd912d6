// LI against a plain loop, its step response in closed form, central differences.
#include "rheo/neurons/li.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

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
