// IF against a plain loop, its rate in closed form, central differences.
#include "rheo/neurons/if.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// U = U + gain X - R threshold | (1 - R) (U + gain X). Lapicque 1907 without the leak.
Run integrate_and_fire(double gain, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) fire(after_delayed_reset(gain * input + mem, mem, c), c, mem, run);
  return run;
}

const Registration kernels{{
    .neuron = "IF",
    .loops = {{{0.625},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = integrate_and_fire(0.625, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::IF;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double gain) { return IF::derive(IF::Raw<double>{gain}); }

TEST(IF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double gain : {0.75, -0.5, 2.0}) {
      for (const double mem : {0.0, 1.7, -0.4}) {
        const double threshold = 0.8, graded = 2.5;
        const auto want =
            oracle::integrate_and_fire(gain, x, mem, trajectory::common(threshold, graded, setting));
        const auto got = trajectory::walk<IF>(constants(gain), x, {mem}, threshold, graded, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text() << " gain " << gain;
        ASSERT_EQ(first_difference(got.state[0], want.mem, 1e-11), -1) << setting.text();
        spikes += trajectory::spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Nothing leaks: n steps of current I give n I / threshold spikes, whatever I is.
TEST(IF, RateIsInputOverThreshold) {
  for (const double input : {0.01, 0.1, 0.37, 0.9}) {
    const auto out =
        trajectory::walk<IF>(constants(2), std::vector<double>(2000, input / 2), {0}, 1.25, 1, {});
    EXPECT_NEAR(static_cast<double>(trajectory::spike_steps(out.spk).size()), 2000 * input / 1.25, 1);
  }
}

TEST(IF, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<IF> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.35};
    p.constants = {0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

}  // namespace
