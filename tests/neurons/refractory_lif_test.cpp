// RefractoryLIF against a plain loop, its interval in closed form, its fastest rate, central differences.
#include "rheo/neurons/refractory_lif.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// Leaky's loop, which neither hears nor fires for some steps after a spike. wait: how many are still to come.
Run refractory_lif(double beta, int refractory, const Numbers& x, double wait, double mem, const Common& c) {
  Run run;
  int silent = wait > 0 ? static_cast<int>(std::ceil(wait)) : 0;
  bool fired = silent == refractory;
  for (const double input : x) {
    const bool resets = fired && c.delay && mem > c.threshold;
    fired = false;
    if (resets && c.reset == Reset::zero) mem = 0;
    if (silent > 0) {
      if (resets && c.reset == Reset::subtract) mem -= c.threshold;
      --silent;
      run.spk.push_back(0);
      run.mem.push_back(mem);
    } else {
      fired = beta * mem + input > c.threshold;
      fire(beta * mem + input, c, mem, run);
      if (fired) silent = refractory;
    }
    run.adapt.push_back(silent);
  }
  return run;
}

const Registration kernels{{
    .neuron = "RefractoryLIF",
    .loops = {{{0.75, 2},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = refractory_lif(0.75, 2, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
    .start = [](Numbers& first) { first[0] = std::ceil(first[0]); },  // whole steps
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::RefractoryLIF;
using trajectory::first_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = RefractoryLIF::Raw<double>;

auto constants(double beta, double refractory) { return RefractoryLIF::derive(Raw{beta, refractory}); }

TEST(RefractoryLIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 1.8);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const double beta : {0.0, 0.5, 1.0}) {
      for (const int refractory : {1, 2, 5}) {
        for (const double wait : {-1.0, 0.0, 1.0, 2.0, 5.0}) {
          if (wait > refractory) continue;
          for (const double mem : {0.1, 3.7}) {
            const double threshold = 0.8, graded = 2.5;
            const auto want = oracle::refractory_lif(beta, refractory, x, wait, mem,
                                                     trajectory::common(threshold, graded, setting));
            const auto got =
                walk<RefractoryLIF>(constants(beta, refractory), x, {wait, mem}, threshold, graded, setting);
            ASSERT_EQ(got.spk, want.spk) << setting.text() << ' ' << refractory << " wait " << wait;
            ASSERT_EQ(first_difference(got.state[0], want.adapt, 0), -1) << setting.text();
            ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-10), -1) << setting.text();
            spikes += spike_steps(got.spk).size();
          }
        }
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// However strong the input, a spike comes every refractory + 1 steps.
TEST(RefractoryLIF, FastestRate) {
  for (const int refractory : {1, 2, 5}) {
    const auto out = walk<RefractoryLIF>(constants(0.9, refractory), std::vector<double>(600, 100), {0, 0}, 1,
                                         1, {rheo::Reset::zero, true});
    EXPECT_EQ(spike_steps(out.spk).size(), 600U / (static_cast<unsigned>(refractory) + 1));
  }
}

// The refractory period is added to what the membrane takes from 0 to the threshold, E (1 - beta^n) with E = x / (1 - beta):
// Gerstner et al. 2014, Neuronal Dynamics, section 1.3.
TEST(RefractoryLIF, InterspikeInterval) {
  const double beta = 0.9;
  for (const int refractory : {1, 2, 7}) {
    for (const double end : {1.05, 1.5, 4.0}) {
      const std::vector<double> x(500, end * (1 - beta));
      const auto steps = spike_steps(
          walk<RefractoryLIF>(constants(beta, refractory), x, {0, 0}, 1, 1, {rheo::Reset::zero, true}).spk);
      ASSERT_GE(steps.size(), 4U);
      const int rise = static_cast<int>(std::log(1 - 1 / end) / std::log(beta)) + 1;
      for (std::size_t k = 1; k < steps.size(); ++k) {
        ASSERT_EQ(steps[k] - steps[k - 1], refractory + rise) << refractory << ' ' << end;
      }
    }
  }
}

TEST(RefractoryLIF, BetaIsClampedAndAPeriodIsAtLeastOne) {
  EXPECT_EQ(constants(-0.5, 3).beta, 0);
  EXPECT_EQ(constants(1.5, 3).beta, 1);
  EXPECT_EQ(constants(0.5, 3).refractory, 3);
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "refractory");
    EXPECT_EQ(value, 0.5);
    ++refused;
  };
  RefractoryLIF::check(Raw{0.9, 1}, refuse);
  EXPECT_EQ(refused, 0);
  RefractoryLIF::check(Raw{0.9, 0.5}, refuse);
  EXPECT_EQ(refused, 1);
}

TEST(RefractoryLIF, DerivativesAgainstCentralDifferences) {
  for (const double wait : {-0.5, 3.25, 1.75}) {
    trajectory::Point<RefractoryLIF> p;
    p.x = trajectory::noisy_input(12, -0.1, 0.3);
    p.state = {wait, 0.45};
    p.constants = {0.85, 3};
    p.threshold = 5;  // a spike here is a kink
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-7) << wait;
  }
}

// While it is deaf neither input nor surrogate has a gradient; afterwards both do.
TEST(RefractoryLIF, DeafWithoutGradient) {
  using S = RefractoryLIF::State<double, rheo::Dual<double, 1>>;
  const auto c = constants(0.5, 3);
  for (const auto reset : {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {
    for (const double wait : {3.0, 1.0, 0.0}) {
      const auto out = RefractoryLIF::step(S{wait, rheo::seed<0>(1.5)}, rheo::seed<1>(0.1), c,
                                           trajectory::plain_rule(1, 1, {reset, true}));
      const bool zeroed = wait == 3 && reset == rheo::Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), zeroed ? 0 : wait > 0 ? 1 : 0.5);
      EXPECT_EQ(rheo::tangent<1>(out.state.mem), wait > 0 ? 0 : 1);
      EXPECT_EQ(rheo::tangent<1>(out.spk) > 0, wait == 0);
    }
  }
}

}  // namespace
