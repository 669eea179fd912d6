// HodgkinHuxley against a plain loop and its differential equations, published numbers, central differences.
#include "rheo/neurons/hodgkin_huxley.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct Axon {
  double gNa = 120, gK = 36, gL = 0.3, ENa = 50, EK = -77, EL = -54.387, C = 1, dt = 0.1;
  int pieces = 4;  // exponential Euler steps in dt
};
struct Gates {
  double n, m, h, mem;
};
struct AxonRun : Run {
  Numbers n, m, h;
};

/// y / (exp(y) - 1), 1 at 0.
double rate_form(double y) { return y == 0 ? 1 : y / std::expm1(y); }

struct Rates {
  double a_n, b_n, a_m, b_m, a_h, b_h;
};
Rates rates(double mem) {
  const double v = std::max(mem, -300.0);
  return {0.1 * rate_form(-(v + 55) / 10), 0.125 * std::exp(-(v + 65) / 80),
          rate_form(-(v + 40) / 10),       4 * std::exp(-(v + 65) / 18),
          0.07 * std::exp(-(v + 65) / 20), 1 / (1 + std::exp(-(v + 35) / 10))};
}

double ionic(const Axon& p, const Gates& g) {
  return p.gNa * std::pow(g.m, 3) * g.h * (g.mem - p.ENa) + p.gK * std::pow(g.n, 4) * (g.mem - p.EK) +
         p.gL * (g.mem - p.EL);
}

Gates slope(const Axon& p, const Gates& g, double input) {
  const Rates r = rates(g.mem);
  return {r.a_n * (1 - g.n) - r.b_n * g.n, r.a_m * (1 - g.m) - r.b_m * g.m, r.a_h * (1 - g.h) - r.b_h * g.h,
          (input - ionic(p, g)) / p.C};
}

Gates moved(const Gates& g, double by, const Gates& s) {
  return {g.n + by * s.n, g.m + by * s.m, g.h + by * s.h, g.mem + by * s.mem};
}

template <class Step>
AxonRun run_axon(const Axon& p, const Numbers& x, Gates g, const Common& c, Step step) {
  AxonRun run;
  for (const double input : x) {
    const bool above = g.mem > c.threshold;
    for (int k = 0; k < p.pieces; ++k) g = step(g, input);
    run.spk.push_back(g.mem > c.threshold && !above ? c.graded : 0);
    run.mem.push_back(g.mem);
    run.n.push_back(g.n);
    run.m.push_back(g.m);
    run.h.push_back(g.h);
  }
  return run;
}

/// Hodgkin and Huxley 1952, equations 3 to 26, rest near -65 mV; a spike where the membrane passes the threshold upwards.
AxonRun hodgkin_huxley(const Axon& p, const Numbers& x, const Gates& first, const Common& c) {
  const double dt = p.dt / p.pieces;
  return run_axon(p, x, first, c, [&](const Gates& g, double input) {
    const Rates r = rates(g.mem);
    const auto gate = [&](double y, double a, double b) {
      const double end = a / (a + b);
      return end + (y - end) * std::exp(-dt * (a + b));
    };
    Gates next{gate(g.n, r.a_n, r.b_n), gate(g.m, r.a_m, r.b_m), gate(g.h, r.a_h, r.b_h), g.mem};
    const double conductance = p.gNa * std::pow(next.m, 3) * next.h + p.gK * std::pow(next.n, 4) + p.gL;
    // What the membrane tends to with these gates held.
    const double end = g.mem + (input - ionic(p, next)) / conductance;
    next.mem = end + (g.mem - end) * std::exp(-dt * conductance / p.C);
    return next;
  });
}

/// The same differential equations by Runge and Kutta's fourth-order method, `pieces` steps in dt.
AxonRun hodgkin_huxley_exact(const Axon& p, const Numbers& x, const Gates& first, const Common& c) {
  const double dt = p.dt / p.pieces;
  return run_axon(p, x, first, c, [&](const Gates& g, double input) {
    const Gates k1 = slope(p, g, input);
    const Gates k2 = slope(p, moved(g, dt / 2, k1), input);
    const Gates k3 = slope(p, moved(g, dt / 2, k2), input);
    const Gates k4 = slope(p, moved(g, dt, k3), input);
    return moved(moved(moved(moved(g, dt / 6, k1), dt / 3, k2), dt / 3, k3), dt / 6, k4);
  });
}

/// Where it rests: gates in equilibrium at the membrane where no current flows, by bisection.
Gates resting_axon(const Axon& p) {
  const auto at = [](double v) {
    const Rates r = rates(v);
    return Gates{r.a_n / (r.a_n + r.b_n), r.a_m / (r.a_m + r.b_m), r.a_h / (r.a_h + r.b_h), v};
  };
  double low = -75, high = -55;
  for (int k = 0; k < 100; ++k) (ionic(p, at((low + high) / 2)) < 0 ? low : high) = (low + high) / 2;
  return at(low);
}

const Registration kernels{{
    .neuron = "HodgkinHuxley",
    .loops = {{{120, 36, 0.3, 50, -77, -54.387, 1, 0.025},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = hodgkin_huxley({}, x, {s[0], s[1], s[2], s[3]}, c);
                 return Traces{run.spk, {run.n, run.m, run.h, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::HodgkinHuxley;
using trajectory::first_relative_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = HodgkinHuxley::Raw<double>;

Raw raw(const oracle::Axon& p) { return {p.gNa, p.gK, p.gL, p.ENa, p.EK, p.EL, p.C, p.dt}; }

TEST(HodgkinHuxley, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(900, -10, 40);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {  // it has no reset
    for (const oracle::Axon& p : {oracle::Axon{}, oracle::Axon{110, 30, 0.4, 55, -72, -50, 1.25, 0.05}}) {
      // -40 and -55 are where the textbook's rates are 0 / 0.
      for (const double mem : {-65.0, -40.0, -55.0, 10.0, -320.0}) {
        const auto want =
            oracle::hodgkin_huxley(p, x, {0.4, 0.1, 0.5, mem}, trajectory::common(-20, 2.5, setting));
        const auto got =
            walk<HodgkinHuxley>(HodgkinHuxley::derive(raw(p)), x, {0.4, 0.1, 0.5, mem}, -20, 2.5, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text() << ' ' << mem;
        ASSERT_EQ(first_relative_difference(got.state[0], want.n, 1e-9), -1) << mem;
        ASSERT_EQ(first_relative_difference(got.state[1], want.m, 1e-9), -1) << mem;
        ASSERT_EQ(first_relative_difference(got.state[2], want.h, 1e-9), -1) << mem;
        ASSERT_EQ(first_relative_difference(got.state[3], want.mem, 1e-9), -1) << mem;
        spikes += spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 100U);
}

TEST(HodgkinHuxley, RestsInEquilibrium) {
  const auto rest = HodgkinHuxley::rest(raw({}));
  const auto want = oracle::resting_axon({});
  EXPECT_NEAR(rest.mem, want.mem, 0.01);  // -65 to a hundredth
  EXPECT_NEAR(rest.n, want.n, 1e-3);
  EXPECT_NEAR(rest.m, want.m, 1e-3);
  EXPECT_NEAR(rest.h, want.h, 1e-3);
  const auto out = walk<HodgkinHuxley>(HodgkinHuxley::derive(raw({})), std::vector<double>(5000, 0),
                                       {rest.n, rest.m, rest.h, rest.mem}, -20, 1, {});
  EXPECT_NEAR(out.state[3].back(), want.mem, 1e-6);
}

std::vector<double> first_state() {
  const auto rest = oracle::resting_axon({});
  return {rest.n, rest.m, rest.h, rest.mem};
}
trajectory::Walk<HodgkinHuxley> run(double current, double ms, double dt = 0.1) {
  oracle::Axon p;
  p.dt = dt;
  const std::vector<double> x(static_cast<std::size_t>(ms / dt), current);
  return walk<HodgkinHuxley>(HodgkinHuxley::derive(raw(p)), x, first_state(), -20, 1, {});
}

// Time step 0.1: spike times to 0.1 ms of the differential equations solved finely, heights to 2 mV.
TEST(HodgkinHuxley, ConvergesToItsDifferentialEquations) {
  const std::vector<double> x(1000, 10);
  const auto rest = oracle::resting_axon({});
  oracle::Axon p;
  p.pieces = 20;
  const auto exact = oracle::hodgkin_huxley_exact(p, x, rest, {-20});
  const auto got = run(10, 100);
  const auto a = spike_steps(got.spk), b = spike_steps(exact.spk);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1 + 2 * static_cast<double>(k)) << k;
  const auto peak = [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); };
  EXPECT_NEAR(peak(got.state[3]), peak(exact.mem), 2);
  // At least first order: a quarter of the step leaves a quarter of the error in the spikes' height, or less.
  const double fine = peak(run(10, 15, 0.025).state[3]), coarse = peak(run(10, 15, 0.1).state[3]);
  const double limit = peak(run(10, 15, 0.001).state[3]);
  EXPECT_LT((fine - limit) / (coarse - limit), 0.3);
}

// Hodgkin and Huxley 1952, figure 12: a spike rises about 100 mV from rest, then undershoots towards EK.
TEST(HodgkinHuxley, SpikeAmplitude) {
  const auto out = run(10, 20, 0.02);
  const auto& v = out.state[3];
  const auto top = std::max_element(v.begin(), v.end());
  EXPECT_NEAR(*top, 40, 3);
  EXPECT_NEAR(*top + 65, 105, 3);
  const double undershoot = *std::min_element(top, v.end());
  EXPECT_LT(undershoot, -72);
  EXPECT_GT(undershoot, -77);
}

// The rheobase of a single spike is 2.2 to 2.5 uA/cm2; repetitive firing begins at 6.2 to 6.3 with a rate of its own, some
// 50 per second (class 2): Rinzel and Miller 1980, "Numerical calculation of stable and unstable periodic solutions to the
// Hodgkin-Huxley equations", 6.26.
TEST(HodgkinHuxley, RheobaseAndOnsetOfRepetitiveFiring) {
  EXPECT_EQ(spike_steps(run(2.2, 100, 0.02).spk).size(), 0U);
  EXPECT_GE(spike_steps(run(2.5, 100, 0.02).spk).size(), 1U);
  const auto goes_on = [](double current) {
    const auto steps = spike_steps(run(current, 1000, 0.01).spk);
    return !steps.empty() && steps.back() > 96000;
  };
  EXPECT_FALSE(goes_on(6.2));
  EXPECT_TRUE(goes_on(6.3));
  const auto steps = spike_steps(run(6.6, 1000, 0.04).spk);
  EXPECT_NEAR(static_cast<double>(steps.size()), 55, 6);
  const auto rate = [](double current) { return spike_steps(run(current, 1000, 0.04).spk).size(); };
  EXPECT_GT(rate(10), steps.size());
  EXPECT_NEAR(static_cast<double>(rate(10)), 68, 4);
}

TEST(HodgkinHuxley, LongStepsAreRefused) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "time_step");
    EXPECT_EQ(value, 0.41);
    ++refused;
  };
  oracle::Axon p;
  p.dt = 0.4;
  HodgkinHuxley::check(raw(p), refuse);
  EXPECT_EQ(refused, 0);
  p.dt = 0.41;
  HodgkinHuxley::check(raw(p), refuse);
  EXPECT_EQ(refused, 1);
  // At the longest step it still fires, lower.
  const auto tall = run(10, 50, 0.01).state[3], low = run(10, 50, 0.4).state[3];
  const auto height = [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()) + 65; };
  EXPECT_GT(height(low), 0.85 * height(tall));
}

TEST(HodgkinHuxley, DerivativesAgainstCentralDifferences) {
  for (const double mem : {-65.0, -40.0, -55.0, -30.0, -320.0}) {
    trajectory::Point<HodgkinHuxley> p;
    p.x = trajectory::noisy_input(12, -4, 20);
    p.state = {0.35, 0.1, 0.5, mem};
    p.constants = {120, 36, 0.3, 50, -77, -54.387, 1, 0.025};
    p.threshold = -20;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-6) << mem;
  }
}

}  // namespace
