// SEAdLIF against a plain loop, Lapicque's interval, its oscillation, its limits of stability, central differences.
#include "rheo/neurons/sead_lif.hpp"

#include <gtest/gtest.h>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// u^ = alpha u + (1 - alpha) (I - w), S = u^ > threshold, u = u^ (1 - S), w = beta w + (1 - beta) (a u + b S). Baronig
/// et al. 2024, section 3.
Run sead_lif(double tau_mem, double tau_adapt, double a, double b, double dt, const Numbers& x, double adapt,
             double mem, const Common& c) {
  Run run;
  const double alpha = std::exp(-dt / tau_mem), beta = std::exp(-dt / tau_adapt);
  for (const double input : x) {
    mem = alpha * mem + (1 - alpha) * (input - adapt);
    const bool fired = mem > c.threshold;
    if (fired) mem = 0;
    adapt = beta * adapt + (1 - beta) * (a * mem + (fired ? b : 0));
    run.spk.push_back(fired ? c.graded : 0);
    run.mem.push_back(mem);
    run.adapt.push_back(adapt);
  }
  return run;
}

const Registration kernels{{
    .neuron = "SEAdLIF",
    .loops = {{{std::exp(-2.0), std::exp(-0.5), 0.25, 0.375},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = sead_lif(1, 4, 0.25, 0.375, 2, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::SEAdLIF;
using trajectory::first_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = SEAdLIF::Raw<double>;

TEST(SEAdLIF, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -3, 8);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // its reset is its own
    for (const double a : {0.0, 5.0, 60.0}) {
      for (const double b : {0.0, 30.0}) {
        const double threshold = 0.8, graded = 2.5;
        const auto want =
            oracle::sead_lif(10, 100, a, b, 2, x, 0.4, 0.7, trajectory::common(threshold, graded, setting));
        const auto got =
            walk<SEAdLIF>(SEAdLIF::derive(Raw{10, 100, a, b, 2}), x, {0.4, 0.7}, threshold, graded, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text() << " a " << a;
        ASSERT_EQ(first_difference(got.state[0], want.adapt, 1e-11), -1) << setting.text();
        ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-11), -1) << setting.text();
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Without spikes the pair is a damped oscillator whose eigenvalues have the modulus sqrt(alpha beta) exactly, however
// strong the coupling: what the paper chose the method for. The angle's cosine is their half sum over that modulus.
TEST(SEAdLIF, OscillatesWithTheModulusOfItsDecays) {
  const double tau_mem = 15, tau_adapt = 100, a = 60;
  const auto c = SEAdLIF::derive(Raw{tau_mem, tau_adapt, a, 0, 1});
  const auto out = walk<SEAdLIF>(c, std::vector<double>(200, 0), {0, 1}, 1e9, 1, {});
  const double modulus = std::exp(-(1 / tau_mem + 1 / tau_adapt) / 2);
  const double half_sum = (std::exp(-1 / tau_mem) + std::exp(-1 / tau_adapt) -
                           std::expm1(-1 / tau_mem) * std::expm1(-1 / tau_adapt) * a) /
                          2;
  // u[t+1] = 2 cos(angle) modulus u[t] - modulus^2 u[t-1]
  for (std::size_t t = 2; t < 200; ++t) {
    EXPECT_NEAR(out.state[1][t], 2 * half_sum * out.state[1][t - 1] - modulus * modulus * out.state[1][t - 2],
                1e-13);
  }
  EXPECT_LT(std::fabs(half_sum), modulus);  // it does oscillate
}

// Without adaptation it is Lapicque's neuron, exact for a constant input: tau_mem ln(I / (I - threshold)) between spikes.
TEST(SEAdLIF, InterspikeIntervalIsLapicquesFormula) {
  const double tau_mem = 15, threshold = 0.8;
  for (const double dt : {0.01, 1.0, 3.1}) {
    for (const double drive : {1.05, 1.5, 4.0}) {
      const double current = drive * threshold;
      const double interval = tau_mem * std::log(current / (current - threshold));
      const std::vector<double> x(static_cast<std::size_t>(5 * interval / dt) + 10, current);
      const auto steps = spike_steps(
          walk<SEAdLIF>(SEAdLIF::derive(Raw{tau_mem, 100, 0, 0, dt}), x, {0, 0}, threshold, 1, {}).spk);
      ASSERT_GE(steps.size(), 4U);
      for (std::size_t k = 1; k < steps.size(); ++k) {
        ASSERT_EQ(steps[k] - steps[k - 1], static_cast<int>(interval / dt) + 1) << dt << ' ' << drive;
      }
    }
  }
}

TEST(SEAdLIF, CouplingThatGrowsIsRefused) {
  std::string said;
  const auto refuse = [&](const char* name, const char* rule, double, auto...) {
    EXPECT_STREQ(name, "a");
    said = rule;
  };
  const double alpha = std::exp(-1.0), beta = std::exp(-0.5);
  const double most = (1 + alpha) * (1 + beta) / ((1 - alpha) * (1 - beta));
  const auto largest = [&](double a) {
    const auto out = walk<SEAdLIF>(SEAdLIF::derive(Raw{1, 2, a, 0, 1}), std::vector<double>(4000, 0), {0, 1},
                                   1e300, 1, {});
    return std::fabs(out.state[1].back());
  };
  SEAdLIF::check(Raw{1, 2, most * 0.999, 0, 1}, refuse);
  SEAdLIF::check(Raw{1, 2, -0.99, 0, 1}, refuse);
  EXPECT_EQ(said, "");
  EXPECT_LT(largest(most * 0.99), 1e-3);
  EXPECT_LT(largest(-0.99), 1e-3);
  SEAdLIF::check(Raw{1, 2, most * 1.001, 0, 1}, refuse);
  EXPECT_TRUE(said.starts_with("must be below (1 + alpha) (1 + beta)")) << said;
  EXPECT_GT(largest(most * 1.01), 1e3);
  SEAdLIF::check(Raw{1, 2, -1.01, 0, 1}, refuse);
  EXPECT_TRUE(said.starts_with("must be above -1")) << said;
  EXPECT_GT(largest(-1.01), 1e3);
}

TEST(SEAdLIF, DerivativesAgainstCentralDifferences) {
  trajectory::Point<SEAdLIF> p;
  p.x = trajectory::noisy_input(25, -1, 1);
  p.state = {0.2, 0.35};
  p.constants = {0.7, 0.9, 0.8, 1.2};
  p.threshold = 1e3;  // without the reset, whose gradient is left out on purpose
  EXPECT_LE(trajectory::worst_difference(p, {}), 1e-7);
}

// A spike reaches the adaptation with its surrogate gradient; the reset of the membrane has none.
TEST(SEAdLIF, ResetIsDetached) {
  const auto c = SEAdLIF::derive(Raw{10, 100, 0.5, 2, 1});
  const auto rule = trajectory::plain_rule(1, 3, {});
  for (const double mem : {0.5, 2.0}) {
    const SEAdLIF::State<double, rheo::Dual<double, 1>> s{0, rheo::seed<0>(mem)};
    const auto out = SEAdLIF::step(s, 0.0, c, rule);
    const double z = std::acos(-1.0) * (c.alpha * mem - 1);
    const double slope = c.alpha / (1 + z * z);
    EXPECT_EQ(out.spk.v, mem > 1 ? 3 : 0);
    EXPECT_NEAR(rheo::tangent<0>(out.spk), 3 * slope, 1e-15);
    const double through = mem > 1 ? 0 : c.alpha;
    EXPECT_NEAR(rheo::tangent<0>(out.state.mem), through, 1e-15);
    EXPECT_NEAR(rheo::tangent<0>(out.state.adapt), (1 - c.beta) * (0.5 * through + 2 * slope), 1e-15);
  }
}

}  // namespace
