// LeakyParallel against a plain loop of a rectified unit, its derivatives against central differences.
#include "rheo/neurons/leaky_parallel.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// U = max(0, beta U + X): spikes that change nothing.
Run leaky_parallel(double beta, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const double u = input + beta * mem;
    mem = u < 0 ? 0 : u;
    keep(run, mem, c);
  }
  return run;
}

const Registration kernels{{
    .neuron = "LeakyParallel",
    .loops = {{{0.75},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = leaky_parallel(0.75, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::LeakyParallel;
using trajectory::all_settings;
using trajectory::Setting;

TEST(LeakyParallel, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.6, 0.7);
  const double threshold = 0.8, graded = 2.5;
  int spikes = 0, cut = 0;
  for (const Setting& setting : all_settings()) {
    for (const double beta : {-0.5, 0.0, 0.5, 0.9, 1.0}) {
      const auto want = oracle::leaky_parallel(beta, x, 0.3, trajectory::common(threshold, graded, setting));
      LeakyParallel::State<double> s{0.3};
      const auto c = LeakyParallel::derive(LeakyParallel::Raw<double>{beta});
      for (std::size_t t = 0; t < x.size(); ++t) {
        const auto out = LeakyParallel::step(s, x[t], c, trajectory::plain_rule(threshold, graded, setting));
        ASSERT_EQ(out.state.mem, want.mem[t]) << setting.text() << " beta " << beta << " step " << t;
        ASSERT_EQ(out.spk, want.spk[t]) << setting.text() << " beta " << beta << " step " << t;
        s = out.state;
        spikes += out.spk != 0;
        cut += out.state.mem == 0;
      }
    }
  }
  EXPECT_GT(spikes, 500);
  EXPECT_GT(cut, 500);
}

// At 0 the rectifier's slope is 0, as libtorch's is.
TEST(LeakyParallel, SlopeOfTheRectifier) {
  for (const double x : {-0.5, -0.25, 0.25}) {
    const auto c = LeakyParallel::make_constants([](auto) { return rheo::seed<2>(0.5); });
    const auto out = LeakyParallel::step(LeakyParallel::State<rheo::Dual<double, 1>>{rheo::seed<0>(0.5)},
                                         rheo::seed<1>(x), c, trajectory::plain_rule(1, 1, {}));
    const bool open = 0.25 + x > 0;
    EXPECT_EQ(rheo::tangent<0>(out.state.mem), open ? 0.5 : 0);
    EXPECT_EQ(rheo::tangent<1>(out.state.mem), open ? 1 : 0);
    EXPECT_EQ(rheo::tangent<2>(out.state.mem), open ? 0.5 : 0);
  }
}

TEST(LeakyParallel, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : all_settings()) {
    trajectory::Point<LeakyParallel> p;
    p.x = trajectory::noisy_input(25, -0.6, 0.7);
    p.state = {0.35};
    p.constants = {0.85};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

}  // namespace
