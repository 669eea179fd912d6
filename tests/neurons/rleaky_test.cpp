// RLeaky with one-to-one feedback against a plain loop from its equations, recorded traces, central differences.
#include "rheo/neurons/rleaky.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// Leaky's loop with V times the last spike added to the input.
Run rleaky(double beta, double V, const Numbers& x, double spk, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    fire(after_delayed_reset(clamped(beta) * mem + (input + V * spk), mem, c), c, mem, run);
    spk = run.spk.back();
  }
  return run;
}

const Registration kernels{{
    .neuron = "RLeaky",
    .loops = {{{0.75, -0.375},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = rleaky(0.75, -0.375, x, s[0], s[1], c);
                 return Traces{run.spk, {run.spk, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::Reset;
using rheo::neurons::RLeaky;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double beta, double V) { return RLeaky::derive(RLeaky::Raw<double>{beta, V}); }

TEST(RLeaky, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double beta : {-0.5, 0.7, 0.95, 1.25}) {
      for (const double V : {0.0, 0.3, -0.8}) {
        for (const double first : {0.0, 1.3, -0.4}) {
          const double threshold = 0.8, graded = 1.5;
          const auto want =
              oracle::rleaky(beta, V, x, 0.7, first, trajectory::common(threshold, graded, setting));
          const auto got =
              trajectory::walk<RLeaky>(constants(beta, V), x, {0.7, first}, threshold, graded, setting);
          ASSERT_EQ(got.spk, want.spk) << setting.text() << " beta " << beta << " V " << V;
          ASSERT_EQ(got.state[0], want.spk);
          ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-11), -1) << setting.text();
          spikes += trajectory::spike_steps(got.spk).size();
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

TEST(RLeaky, RecordedTraces) {
  const auto trace = [](Reset reset) {
    return trajectory::walk<RLeaky>(constants(0.9, 0.5), trajectory::golden_input(), {0, 0}, 1, 1,
                                    {reset, true});
  };
  const auto subtract = trace(Reset::subtract);
  EXPECT_EQ(subtract.spk, (std::vector<double>{0, 1, 1, 0, 1, 1, 0, 1}));
  EXPECT_EQ(
      first_difference(subtract.state[1], {0.6, 1.14, 1.126, 0.5134, 1.96206, 1.465854, 0.519269, 1.367342},
                       trajectory::golden_room),
      -1);
  const auto zero = trace(Reset::zero);
  EXPECT_EQ(zero.spk, (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(first_difference(zero.state[1], {0.6, 1.14, 0, 0, 1.5, 0, -0.3, 0.63}, trajectory::golden_room),
            -1);
}

TEST(RLeaky, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<RLeaky> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.6, 0.35};
    p.constants = {0.85, 0.4};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {-0.3, 1.2};
    p.constants = {0.3, -0.7};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The spike that comes back is the one that left: graded, with its surrogate gradient.
TEST(RLeaky, TheSpikeStateIsTheSpike) {
  using S = RLeaky::State<rheo::Dual<double, 1>, rheo::Dual<double, 2>>;
  const RLeaky::Constants<double, double> c{0.5, 0.25};
  const auto out = RLeaky::step(S{rheo::seed<0>(2.0), rheo::seed<1>(1.0)}, rheo::seed<2>(0.5), c,
                                trajectory::plain_rule(1, 3, {}));
  const double u = 0.5 * 1 + 0.5 + 0.25 * 2;
  const double slope = 3 / (1 + std::pow(std::acos(-1.0) * (u - 1), 2));  // arctan, alpha = 2
  EXPECT_EQ(out.state.spk.v, 3);
  EXPECT_EQ(out.spk.v, 3);
  EXPECT_DOUBLE_EQ(rheo::tangent<0>(out.state.spk), 0.25 * slope);
  EXPECT_DOUBLE_EQ(rheo::tangent<1>(out.state.spk), 0.5 * slope);
  EXPECT_DOUBLE_EQ(rheo::tangent<2>(out.state.spk), slope);
}

// The delayed reset carries no gradient.
TEST(RLeaky, DelayedResetIsDetached) {
  using S = RLeaky::State<rheo::Dual<double, 1>, rheo::Dual<double, 2>>;
  const RLeaky::Constants<double, double> c{0.5, 0.25};
  for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto out = RLeaky::step(S{rheo::seed<0>(1.0), rheo::seed<1>(mem)}, rheo::seed<2>(0.1), c,
                                    trajectory::plain_rule(1, 1, {reset, true}));
      const bool dropped = mem > 1 && reset == Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), dropped ? 0 : 0.25);
      EXPECT_EQ(rheo::tangent<1>(out.state.mem), dropped ? 0 : 0.5);
      EXPECT_EQ(rheo::tangent<2>(out.state.mem), dropped ? 0 : 1);
    }
  }
}

}  // namespace
