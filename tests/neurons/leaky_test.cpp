// Leaky against a plain loop from its equations, its derivatives against central differences, its gradients' closed forms.
#include "rheo/neurons/leaky.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// U = beta U + X - R threshold | beta (1 - R) U + X | beta U + X. Eshraghian et al. 2023, "Training spiking neural
/// networks using lessons from deep learning", section III.
Run leaky(double beta, const Numbers& x, double mem, const Common& c) {
  Run run;
  if (beta < 0) beta = 0;
  if (beta > 1) beta = 1;
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    double u = 0;
    if (fired_before && c.reset == Reset::zero) {
      u = input;
    } else {
      u = beta * mem + input;
    }
    if (fired_before && c.reset == Reset::subtract) u -= c.threshold;
    fire(u, c, mem, run);
  }
  return run;
}

const Registration kernels{{
    .neuron = "Leaky",
    .loops = {{{0.875},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = leaky(0.875, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }},
              {{0.0},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = leaky(0, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::Leaky;
using trajectory::all_settings;
using trajectory::Setting;

TEST(Leaky, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  int spikes = 0;
  for (const Setting& setting : all_settings()) {
    for (const double beta : {0.0, 0.5, 0.9, 1.0}) {
      for (const double mem : {0.0, 0.3, 1.7, -0.4}) {
        const double threshold = 0.8, graded = 2.5;
        const auto want = oracle::leaky(beta, x, mem, trajectory::common(threshold, graded, setting));
        Leaky::State<double> s{mem};
        const auto c = Leaky::derive(Leaky::Raw<double>{beta});
        for (std::size_t t = 0; t < x.size(); ++t) {
          const auto out = Leaky::step(s, x[t], c, trajectory::plain_rule(threshold, graded, setting));
          ASSERT_EQ(out.spk, want.spk[t]) << setting.text() << " beta " << beta << " step " << t;
          ASSERT_NEAR(out.state.mem, want.mem[t], 1e-12)
              << setting.text() << " beta " << beta << " step " << t;
          s = out.state;
          spikes += out.spk != 0;
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000);
}

TEST(Leaky, OneStepByHand) {
  const auto c = Leaky::derive(Leaky::Raw<double>{0.5});
  const auto step = [&](double mem, double x, Setting setting) {
    return Leaky::step(Leaky::State<double>{mem}, x, c, trajectory::plain_rule(1, 1, setting));
  };
  EXPECT_EQ(step(0.5, 0.25, {}).state.mem, 0.5);
  EXPECT_EQ(step(1.5, 0.25, {}).state.mem, 0);                            // subtract
  EXPECT_EQ(step(1.5, 0.25, {rheo::Reset::zero, true}).state.mem, 0.25);  // zero keeps the input
  EXPECT_EQ(step(1.5, 0.25, {rheo::Reset::none, true}).state.mem, 1);
  EXPECT_EQ(step(1.5, 0.25, {rheo::Reset::none, true}).spk, 0);  // strictly above
  EXPECT_EQ(step(1.5, 0.75, {rheo::Reset::subtract, false}).state.mem, 0.5);
  EXPECT_EQ(step(1.5, 0.75, {rheo::Reset::zero, false}).state.mem, 0);
}

TEST(Leaky, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : all_settings()) {
    trajectory::Point<Leaky> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.35};
    p.constants = {0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {1.2};
    p.constants = {0.3};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The delayed reset carries no gradient, whatever it does to the value.
TEST(Leaky, DelayedResetIsDetached) {
  const auto c = Leaky::make_constants([](auto) { return rheo::seed<2>(0.5); });
  for (const auto reset : {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto out = Leaky::step(Leaky::State<rheo::Dual<double, 1>>{rheo::seed<0>(mem)},
                                   rheo::seed<1>(0.1), c, trajectory::plain_rule(1, 1, {reset, true}));
      const bool dropped = mem > 1 && reset == rheo::Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), dropped ? 0 : 0.5);
      EXPECT_EQ(rheo::tangent<1>(out.state.mem), 1);
      EXPECT_EQ(rheo::tangent<2>(out.state.mem), dropped ? 0 : mem);
    }
  }
}

TEST(Leaky, BetaIsClamped) {
  EXPECT_EQ(Leaky::derive(Leaky::Raw<double>{-0.25}).beta, 0);
  EXPECT_EQ(Leaky::derive(Leaky::Raw<double>{1.25}).beta, 1);
  EXPECT_EQ(Leaky::derive(Leaky::Raw<double>{0.75}).beta, 0.75);
}

// Constant input below (1 - beta) threshold never fires; above it does: the rheobase.
TEST(Leaky, RheobaseIsTheLeakAtThreshold) {
  const double beta = 0.9, threshold = 1;
  const auto fires = [&](double input) {
    Leaky::State<double> s{0.0};
    double spikes = 0;
    for (int t = 0; t < 1000; ++t) {
      const auto out = Leaky::step(s, input, Leaky::derive(Leaky::Raw<double>{beta}),
                                   trajectory::plain_rule(threshold, 1, {}));
      spikes += out.spk;
      s = out.state;
    }
    return spikes > 0;
  };
  EXPECT_FALSE(fires(0.999 * (1 - beta) * threshold));
  EXPECT_TRUE(fires(1.001 * (1 - beta) * threshold));
}

}  // namespace
