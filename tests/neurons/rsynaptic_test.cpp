// RSynaptic with one-to-one feedback against a plain loop from its equations, recorded traces, central differences.
#include "rheo/neurons/rsynaptic.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

const Registration kernels{{
    .neuron = "RSynaptic",
    .loops = {{{0.5, 0.75, -0.375},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = rsynaptic(0.5, 0.75, -0.375, x, s[0], s[1], s[2], c);
                 return Traces{run.spk, {run.spk, run.syn, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::Reset;
using rheo::neurons::RSynaptic;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double alpha, double beta, double V) {
  return RSynaptic::derive(RSynaptic::Raw<double>{alpha, beta, V});
}

TEST(RSynaptic, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.6);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double alpha : {-0.5, 0.7, 1.25}) {
      for (const double beta : {-0.5, 0.6, 1.25}) {
        for (const double V : {0.0, 0.3, -0.8}) {
          const double threshold = 0.8, graded = 1.5;
          const auto want = oracle::rsynaptic(alpha, beta, V, x, 0.7, -0.2, 1.1,
                                              trajectory::common(threshold, graded, setting));
          const auto got = trajectory::walk<RSynaptic>(constants(alpha, beta, V), x, {0.7, -0.2, 1.1},
                                                       threshold, graded, setting);
          ASSERT_EQ(got.spk, want.spk) << setting.text() << " alpha " << alpha << " beta " << beta;
          ASSERT_EQ(got.state[0], want.spk);
          ASSERT_EQ(first_difference(got.state[1], want.syn, 1e-10), -1) << setting.text();
          ASSERT_EQ(first_difference(got.state[2], want.mem, 1e-10), -1) << setting.text();
          spikes += trajectory::spike_steps(got.spk).size();
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

TEST(RSynaptic, RecordedTraces) {
  const auto trace = [](Reset reset) {
    return trajectory::walk<RSynaptic>(constants(0.5, 0.8, 0.5), trajectory::golden_input(), {0, 0, 0}, 1, 1,
                                       {reset, true});
  };
  const auto subtract = trace(Reset::subtract);
  EXPECT_EQ(subtract.spk, (std::vector<double>{0, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(first_difference(subtract.state[1], {0.6, 0.9, 1.55, 1.275, 2.6375, 2.01875, 1.209375, 2.004688},
                             trajectory::golden_room),
            -1);
  EXPECT_EQ(
      first_difference(subtract.state[2], {0.6, 1.38, 1.654, 1.5982, 2.91606, 3.351599, 2.890654, 3.317211},
                       trajectory::golden_room),
      -1);
  const auto zero = trace(Reset::zero);
  EXPECT_EQ(zero.spk, (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(first_difference(zero.state[1], {0.6, 0.9, 1.55, 0.775, 1.8875, 1.64375, 0.521875, 1.160938},
                             trajectory::golden_room),
            -1);
  EXPECT_EQ(first_difference(zero.state[2], {0.6, 1.38, 0, 0.775, 2.5075, 0, 0.521875, 1.578438},
                             trajectory::golden_room),
            -1);
}

TEST(RSynaptic, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<RSynaptic> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.7);
    p.state = {0.6, 0.2, 0.35};
    p.constants = {0.6, 0.85, 0.4};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {-0.3, -0.1, 1.2};
    p.constants = {0.9, 0.3, -0.7};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The delayed reset carries no gradient; the spike that comes back does.
TEST(RSynaptic, DelayedResetIsDetached) {
  using S = RSynaptic::State<rheo::Dual<double, 1>, rheo::Dual<double, 2>, rheo::Dual<double, 4>>;
  const RSynaptic::Constants<double, double, double> c{0.5, 0.25, 0.75};
  for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto out = RSynaptic::step(S{rheo::seed<0>(1.0), rheo::seed<1>(0.5), rheo::seed<2>(mem)},
                                       rheo::seed<3>(0.1), c, trajectory::plain_rule(1, 1, {reset, true}));
      const bool dropped = mem > 1 && reset == Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.syn), 0.75);
      EXPECT_EQ(rheo::tangent<1>(out.state.syn), 0.5);
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), dropped ? 0 : 0.75);
      EXPECT_EQ(rheo::tangent<2>(out.state.mem), dropped ? 0 : 0.25);
      EXPECT_EQ(rheo::tangent<3>(out.state.mem), dropped ? 0 : 1);
      EXPECT_EQ(rheo::tangent<2>(out.state.spk), rheo::tangent<2>(out.spk));
    }
  }
}

}  // namespace
