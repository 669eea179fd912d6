// Synaptic against a plain loop from its equations, recorded traces, published spike times, central differences.
#include "rheo/neurons/synaptic.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// I = alpha I + X, U = beta U + I - R threshold | (1 - R) (beta U + I) | beta U + I.
Run synaptic(double alpha, double beta, const Numbers& x, double syn, double mem, const Common& c) {
  return rsynaptic(alpha, beta, 0, x, 0, syn, mem, c);
}

const Registration kernels{{
    .neuron = "Synaptic",
    .loops = {{{0.5, 0.75},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = synaptic(0.5, 0.75, x, s[0], s[1], c);
                 return Traces{run.spk, {run.syn, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::Reset;
using rheo::neurons::Synaptic;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double alpha, double beta) { return Synaptic::derive(Synaptic::Raw<double>{alpha, beta}); }

TEST(Synaptic, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.6);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double alpha : {0.0, 0.7, 1.25}) {
      for (const double beta : {-0.5, 0.6, 0.95}) {
        for (const double first : {0.0, 1.3, -0.4}) {
          const double threshold = 0.8, graded = 2.5;
          const auto want = oracle::synaptic(alpha, beta, x, 0.5 - first, first,
                                             trajectory::common(threshold, graded, setting));
          const auto got = trajectory::walk<Synaptic>(constants(alpha, beta), x, {0.5 - first, first},
                                                      threshold, graded, setting);
          ASSERT_EQ(got.spk, want.spk) << setting.text() << " alpha " << alpha << " beta " << beta;
          ASSERT_EQ(first_difference(got.state[0], want.syn, 1e-12), -1) << setting.text();
          ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-12), -1) << setting.text();
          spikes += trajectory::spike_steps(got.spk).size();
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

TEST(Synaptic, RecordedTraces) {
  const auto trace = [](Reset reset) {
    return trajectory::walk<Synaptic>(constants(0.5, 0.8), trajectory::golden_input(), {0, 0}, 1, 1,
                                      {reset, true});
  };
  const std::vector<double> syn{0.6, 0.9, 1.05, 0.525, 1.7625, 1.08125, 0.240625, 1.020313};
  const auto subtract = trace(Reset::subtract);
  EXPECT_EQ(subtract.spk, (std::vector<double>{0, 1, 1, 0, 1, 1, 0, 1}));
  EXPECT_EQ(first_difference(subtract.state[0], syn, trajectory::golden_room), -1);
  EXPECT_EQ(
      first_difference(subtract.state[1], {0.6, 1.38, 1.154, 0.4482, 2.12106, 1.778098, 0.663104, 1.550795},
                       trajectory::golden_room),
      -1);
  const auto zero = trace(Reset::zero);
  EXPECT_EQ(zero.spk, (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(first_difference(zero.state[0], syn, trajectory::golden_room), -1);
  EXPECT_EQ(first_difference(zero.state[1], {0.6, 1.38, 0, 0.525, 2.1825, 0, 0.240625, 1.212813},
                             trajectory::golden_room),
            -1);
}

// snnTorch's tutorial 4: an input spike of 0.2 every ten steps.
TEST(Synaptic, TutorialsSpikeTimes) {
  std::vector<double> x(200);
  for (std::size_t t = 0; t < x.size(); t += 10) x[t] = 0.2;
  const auto out = trajectory::walk<Synaptic>(constants(0.9, 0.8), x, {0, 0}, 1, 1, {});
  EXPECT_EQ(trajectory::spike_steps(out.spk),
            (std::vector<int>{23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191}));
  EXPECT_NEAR(*std::max_element(out.state[0].begin(), out.state[0].end()), 0.30707, 1e-5);
  EXPECT_NEAR(*std::max_element(out.state[1].begin(), out.state[1].end()), 1.02918, 1e-5);
}

TEST(Synaptic, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<Synaptic> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.7);
    p.state = {0.2, 0.35};
    p.constants = {0.6, 0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {-0.3, 1.2};
    p.constants = {0.9, 0.3};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The delayed reset carries no gradient, and the current none of the reset.
TEST(Synaptic, DelayedResetIsDetached) {
  using S = Synaptic::State<rheo::Dual<double, 1>, rheo::Dual<double, 2>>;
  const Synaptic::Constants<double, double> c{0.5, 0.25};
  for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto out = Synaptic::step(S{rheo::seed<0>(0.5), rheo::seed<1>(mem)}, rheo::seed<2>(0.1), c,
                                      trajectory::plain_rule(1, 1, {reset, true}));
      const bool dropped = mem > 1 && reset == Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.syn), 0.5);
      EXPECT_EQ(rheo::tangent<2>(out.state.syn), 1);
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), dropped ? 0 : 0.5);
      EXPECT_EQ(rheo::tangent<1>(out.state.mem), dropped ? 0 : 0.25);
      EXPECT_EQ(rheo::tangent<2>(out.state.mem), dropped ? 0 : 1);
    }
  }
}

}  // namespace
