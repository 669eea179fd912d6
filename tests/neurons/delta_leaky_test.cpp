// DeltaLeaky against a plain loop from its equations, published spike times, central differences.
#include "rheo/neurons/delta_leaky.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct DeltaRun : Run {
  Numbers mem_prev;
};
/// U = beta U + X, a spike where |U - U before| > delta. Common: the graded factor alone.
DeltaRun delta_leaky(double delta, double beta, const Numbers& x, double mem, double, const Common& c) {
  DeltaRun run;
  for (const double input : x) {
    const double before = mem;
    mem = beta * before + input;
    const double change = mem > before ? mem - before : before - mem;
    run.spk.push_back(change > delta ? c.graded : 0);
    run.mem.push_back(mem);
    run.mem_prev.push_back(before);
  }
  return run;
}

const Registration kernels{{
    .neuron = "DeltaLeaky",
    .loops = {{{0.37, 0.75},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = delta_leaky(0.37, 0.75, x, s[0], s[1], c);
                 return Traces{run.spk, {run.mem, run.mem_prev}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::DeltaLeaky;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double delta, double beta) { return DeltaLeaky::derive(DeltaLeaky::Raw<double>{delta, beta}); }

TEST(DeltaLeaky, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // it has no reset: none changes anything
    for (const double delta : {0.25, 0.4}) {
      for (const double beta : {-0.5, 0.6, 1.01}) {  // not clamped
        for (const double mem : {0.0, 1.3, -0.4}) {
          const double graded = 2.5;
          const auto want =
              oracle::delta_leaky(delta, beta, x, mem, 0, trajectory::common(0.1, graded, setting));
          const auto got =
              trajectory::walk<DeltaLeaky>(constants(delta, beta), x, {mem, 0.7}, 0.1, graded, setting);
          ASSERT_EQ(got.spk, want.spk) << setting.text() << " delta " << delta << " beta " << beta;
          ASSERT_EQ(first_difference(got.state[0], want.mem, 1e-11), -1) << setting.text();
          ASSERT_EQ(first_difference(got.state[1], want.mem_prev, 1e-11), -1) << setting.text();
          spikes += trajectory::spike_steps(got.spk).size();
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// snnTorch's delta tutorial: a current of 0.5, then 1.2 from step 50 on. The neuron tells of the changes alone.
TEST(DeltaLeaky, TutorialsSpikeTimes) {
  std::vector<double> x(100, 0.5);
  std::fill(x.begin() + 50, x.end(), 1.2);
  const auto steps = [&](double delta) {
    return trajectory::spike_steps(
        trajectory::walk<DeltaLeaky>(constants(delta, 0.8), x, {0, 0}, 1, 1, {}).spk);
  };
  EXPECT_EQ(steps(0.3), (std::vector<int>{0, 1, 2, 50, 51, 52, 53}));
  EXPECT_EQ(steps(1), (std::vector<int>{}));
}

TEST(DeltaLeaky, FallingMembranesFireToo) {
  const auto out =
      trajectory::walk<DeltaLeaky>(constants(0.5, 0.5), {1, -0.25, 0.125, 0.5}, {0, 0}, 1, 1, {});
  EXPECT_EQ(out.state[0], (std::vector<double>{1, 0.25, 0.25, 0.625}));
  EXPECT_EQ(out.state[1], (std::vector<double>{0, 1, 0.25, 0.25}));
  EXPECT_EQ(out.spk, (std::vector<double>{1, 1, 0, 0}));
}

TEST(DeltaLeaky, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<DeltaLeaky> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.35, 0};
    p.constants = {0.4, 0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {1.2, 0.5};
    p.constants = {0.2, 1.05};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// Where the membrane stands still no direction is better than the other.
TEST(DeltaLeaky, NoGradientWhereNothingChanges) {
  using S = DeltaLeaky::State<rheo::Dual<double, 1>, double>;
  const DeltaLeaky::Constants<double, double> c{0.5, 1.0};
  const auto out =
      DeltaLeaky::step(S{rheo::seed<0>(0.25), 0.0}, rheo::seed<1>(0.0), c, trajectory::plain_rule(1, 1, {}));
  EXPECT_EQ(out.spk.v, 0);
  EXPECT_EQ(rheo::tangent<1>(out.spk), 0);
}

}  // namespace
