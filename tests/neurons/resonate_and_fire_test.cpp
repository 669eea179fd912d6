// ResonateAndFire against a plain loop on complex numbers, its published selectivity, central differences.
#include "rheo/neurons/resonate_and_fire.hpp"

#include <gtest/gtest.h>

#include <complex>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// dz/dt = (b + i omega) z + I, solved over dt by complex numbers; z = i threshold after a spike. Izhikevich 2001,
/// equations 2 and 3. adapt: the real part.
Run resonate_and_fire(double b, double omega, double dt, const Numbers& x, double real, double mem,
                      const Common& c) {
  Run run;
  const std::complex<double> rate(b, omega);
  std::complex<double> z(real, mem);
  for (const double input : x) {
    if (z.imag() > c.threshold) z = {0, c.threshold};
    const std::complex<double> steady = -input / rate;
    z = steady + (z - steady) * std::exp(rate * dt);
    keep(run, z.imag(), c);
    run.adapt.push_back(z.real());
  }
  return run;
}

// b = -1, omega = 10, dt = 0.05: real and imaginary part of exp(rate dt), and of (exp(rate dt) - 1) / rate.
const double re = std::exp(-0.05) * std::cos(0.5), im = std::exp(-0.05) * std::sin(0.5);
const Registration kernels{{
    .neuron = "ResonateAndFire",
    .loops = {{{re, im, ((re - 1) * -1 + im * 10) / 101, (im * -1 - (re - 1) * 10) / 101},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = resonate_and_fire(-1, 10, 0.05, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::ResonateAndFire;
using trajectory::first_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = ResonateAndFire::Raw<double>;

TEST(ResonateAndFire, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(400, -20, 40);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // its reset is its own
    for (const Raw& p : {Raw{-1, 10, 0.05}, Raw{0, 3, 0.2}, Raw{-0.5, 20, 0.02}}) {
      const auto want = oracle::resonate_and_fire(p.b, p.omega, p.time_step, x, 0.3, 0.9,
                                                  trajectory::common(0.8, 2.5, setting));
      const auto got = walk<ResonateAndFire>(ResonateAndFire::derive(p), x, {0.3, 0.9}, 0.8, 2.5, setting);
      ASSERT_EQ(got.spk, want.spk) << setting.text();
      ASSERT_EQ(first_difference(got.state[0], want.adapt, 1e-10), -1) << setting.text();
      ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-10), -1) << setting.text();
      spikes += spike_steps(got.spk).size();
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Izhikevich 2001, figure 5: of two pulses the second makes it fire if it comes a period later, not after half or one and
// a half of it. b = -1, omega = 10: the period is 0.628.
TEST(ResonateAndFire, DoubletsInItsOwnRhythm) {
  const auto c = ResonateAndFire::derive(Raw{-1, 10, 0.01});
  const auto spikes = [&](double interval) {
    std::vector<double> x(300, 0);
    x[0] += 80;
    x[static_cast<std::size_t>(interval / 0.01 + 0.5)] += 80;
    return spike_steps(walk<ResonateAndFire>(c, x, {0, 0}, 1, 1, {}).spk).size();
  };
  const double period = 2 * std::acos(-1.0) / 10;
  EXPECT_EQ(spikes(period), 1U);
  EXPECT_EQ(spikes(period / 2), 0U);
  EXPECT_EQ(spikes(1.5 * period), 0U);
}

// An inhibitory pulse half a period before an excitatory one makes it fire, where two excitatory ones do not: figure 6.
TEST(ResonateAndFire, InhibitionHelps) {
  const auto c = ResonateAndFire::derive(Raw{-1, 10, 0.01});
  const auto spikes = [&](double first) {
    std::vector<double> x(300, 0);
    x[0] = first;
    x[31] = 80;
    return spike_steps(walk<ResonateAndFire>(c, x, {0, 0}, 1, 1, {}).spk).size();
  };
  EXPECT_EQ(spikes(80), 0U);
  EXPECT_EQ(spikes(-80), 1U);
}

TEST(ResonateAndFire, StartsFromTheThresholdAfterASpike) {
  const auto c = ResonateAndFire::derive(Raw{-1, 10, 0.05});
  const auto out = walk<ResonateAndFire>(c, {0}, {0.7, 1.5}, 1.25, 1, {});
  EXPECT_NEAR(out.state[0][0], -1.25 * std::exp(-0.05) * std::sin(0.5), 1e-15);
  EXPECT_NEAR(out.state[1][0], 1.25 * std::exp(-0.05) * std::cos(0.5), 1e-15);
}

TEST(ResonateAndFire, AntiDampingIsRefused) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "b");
    EXPECT_EQ(value, 0.1);
    ++refused;
  };
  ResonateAndFire::check(Raw{0, 10, 0.05}, refuse);
  EXPECT_EQ(refused, 0);
  ResonateAndFire::check(Raw{0.1, 10, 0.05}, refuse);
  EXPECT_EQ(refused, 1);
}

TEST(ResonateAndFire, DerivativesAgainstCentralDifferences) {
  for (const double mem : {0.3, 2.0}) {  // below, and just after a spike
    trajectory::Point<ResonateAndFire> p;
    p.x = trajectory::noisy_input(25, -2, 2);
    p.state = {0.2, mem};
    p.constants = {0.8, 0.5, 0.05, 0.02};
    p.threshold = 1.4;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-7) << mem;
  }
}

}  // namespace
