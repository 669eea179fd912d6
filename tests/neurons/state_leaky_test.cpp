// StateLeaky against the sum its state is, its derivatives against central differences, its impulse response.
#include "rheo/neurons/state_leaky.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// U = decay U + X: spikes that change nothing.
Run state_leaky(double decay, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    mem = input + mem * decay;
    keep(run, mem, c);
  }
  return run;
}

const Registration kernels{{
    .neuron = "StateLeaky",
    .loops = {{{0.875},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = state_leaky(0.875, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::StateLeaky;
using trajectory::all_settings;
using trajectory::Setting;

StateLeaky::Raw<double> beta(double value) {
  StateLeaky::Raw<double> raw{value, 0};
  raw.has_tau = false;
  return raw;
}

// U[t] = sum over k of exp(-k / tau) X[t-k], written as that sum; no setting of the reset has any effect.
TEST(StateLeaky, IsTheSumOfDecayedInputs) {
  const auto x = trajectory::noisy_input(200, -0.4, 0.9);
  const double threshold = 0.8, graded = 2.5;
  int spikes = 0;
  for (const Setting& setting : all_settings()) {
    for (const double b : {0.0, 0.5, 0.9, 1.0, 1.01}) {
      StateLeaky::State<double> s{0.0};
      const auto c = StateLeaky::derive(beta(b));
      const double tau = 1 / (1 - b + 1e-12);
      for (std::size_t t = 0; t < x.size(); ++t) {
        double u = 0;
        for (std::size_t k = 0; k <= t; ++k) u += std::exp(-static_cast<double>(k) / tau) * x[t - k];
        const auto out = StateLeaky::step(s, x[t], c, trajectory::plain_rule(threshold, graded, setting));
        ASSERT_NEAR(out.state.mem, u, 1e-9) << setting.text() << " beta " << b << " step " << t;
        ASSERT_EQ(out.spk, u > threshold ? graded : 0) << setting.text() << " beta " << b << " step " << t;
        s = out.state;
        spikes += out.spk != 0;
      }
    }
  }
  EXPECT_GT(spikes, 1000);
}

TEST(StateLeaky, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : all_settings()) {
    trajectory::Point<StateLeaky> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.35};
    p.constants = {0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// snnTorch's documentation has beta as the decay; its code has exp(beta - 1).
TEST(StateLeaky, DecayAndTau) {
  EXPECT_NEAR(StateLeaky::derive(beta(0.9)).decay, 0.904837418035960, 1e-12);
  EXPECT_NEAR(StateLeaky::derive(beta(0)).decay, 0.367879441171442, 1e-12);
  EXPECT_NEAR(StateLeaky::derive(beta(1)).decay, 1, 2e-12);
  EXPECT_GT(StateLeaky::derive(beta(1.5)).decay, 1);
  EXPECT_NEAR(StateLeaky::resolve(beta(0.75)).tau, 4, 1e-9);
  EXPECT_NEAR(StateLeaky::resolve(beta(1)).tau, 1e12, 1);
  const StateLeaky::Raw<double> tau{0.1, 8};
  EXPECT_EQ(StateLeaky::resolve(tau).beta, 0.875);
  EXPECT_EQ(StateLeaky::derive(tau).decay, std::exp(-0.125));
}

}  // namespace
