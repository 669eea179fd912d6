// CubaLIF against its differential equations solved numerically, the published discretisation, Lapicque's interval, the
// postsynaptic potential, central differences.
#include "rheo/neurons/cuba_lif.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct Cuba {
  double tau_syn, tau_mem, R, v_leak, w_in, dt;
  bool exact;
};
/// tau_syn dI/dt = w_in X - I, tau_mem dU/dt = v_leak - U + R I, by Runge and Kutta's fourth-order method in many small
/// steps, or one Euler step of both. Pedersen et al. 2024, table 1.
Run cuba_lif(const Cuba& p, const Numbers& x, double syn, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const auto syn_slope = [&](double i) { return (p.w_in * input - i) / p.tau_syn; };
    const auto mem_slope = [&](double i, double u) { return (p.v_leak - u + p.R * i) / p.tau_mem; };
    const double before = mem;
    const int pieces = p.exact ? 400 : 1;
    const double h = p.dt / pieces;
    double i = syn, u = mem;
    for (int k = 0; k < pieces; ++k) {
      const double i1 = syn_slope(i), u1 = mem_slope(i, u);
      if (!p.exact) {
        i += h * i1;
        u += h * u1;
        continue;
      }
      const double i2 = syn_slope(i + h / 2 * i1), u2 = mem_slope(i + h / 2 * i1, u + h / 2 * u1);
      const double i3 = syn_slope(i + h / 2 * i2), u3 = mem_slope(i + h / 2 * i2, u + h / 2 * u2);
      const double i4 = syn_slope(i + h * i3), u4 = mem_slope(i + h * i3, u + h * u3);
      i += h / 6 * (i1 + 2 * i2 + 2 * i3 + i4);
      u += h / 6 * (u1 + 2 * u2 + 2 * u3 + u4);
    }
    syn = i;
    fire(after_delayed_reset(u, before, c), c, mem, run);
    run.syn.push_back(syn);
  }
  return run;
}

const Registration kernels{{
    .neuron = "CubaLIF",
    .loops = {{{0.75, 1, 0.875, 0.25, 0, 0.015625},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = cuba_lif({4, 8, 2, 0.125, 4, 1, false}, x, s[0], s[1], c);
                 return Traces{run.spk, {run.syn, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::CubaLIF;
using trajectory::first_difference;
using trajectory::Setting;
using Raw = CubaLIF::Raw<double>;

Raw raw(const oracle::Cuba& p) {
  return {.tau_syn = p.tau_syn,
          .tau_mem = p.tau_mem,
          .R = p.R,
          .v_leak = p.v_leak,
          .w_in = p.w_in,
          .time_step = p.dt,
          .integration = p.exact ? CubaLIF::exact : CubaLIF::euler};
}

TEST(CubaLIF, EqualsItsDifferentialEquations) {
  const auto x = trajectory::noisy_input(200, -0.8, 3.5);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const oracle::Cuba p : {oracle::Cuba{5, 20, 2, -0.25, 1.5, 1, true},
                                 {20, 5, 1.5, 0.25, 2, 2, true},
                                 {8, 8, 2, 0, 1.25, 1, true},  // where k is 0 / 0
                                 {2, 0.125, 1.5, 0.1, 1, 1, true},
                                 {0.125, 4, 1.5, 0.1, 1, 1, true},
                                 {5, 20, 2, -0.25, 1.5, 1, false}}) {
      const double threshold = 0.8, graded = 2.5;
      const auto want = oracle::cuba_lif(p, x, 0.3, 1.1, trajectory::common(threshold, graded, setting));
      const auto got =
          trajectory::walk<CubaLIF>(CubaLIF::derive(raw(p)), x, {0.3, 1.1}, threshold, graded, setting);
      ASSERT_EQ(got.spk, want.spk) << setting.text() << " tau_syn " << p.tau_syn;
      ASSERT_EQ(first_difference(got.state[0], want.syn, 1e-10), -1) << setting.text();
      ASSERT_EQ(first_difference(got.state[1], want.mem, 1e-9), -1) << setting.text();
      spikes += trajectory::spike_steps(got.spk).size();
    }
  }
  EXPECT_GT(spikes, 1000U);
}

// Both sides from the values before the step.
TEST(CubaLIF, EulerByHand) {
  const auto c = CubaLIF::derive(raw({2e-3, 4e-3, 40, 0.5, 20, 1e-4, false}));
  const auto out = trajectory::walk<CubaLIF>(c, {1, 0}, {0.2, 0.1}, 10, 1, {});
  EXPECT_NEAR(out.state[0][0], 0.2 + 0.05 * (20 - 0.2), 1e-14);
  EXPECT_NEAR(out.state[1][0], 0.1 + 0.025 * (0.5 - 0.1 + 40 * 0.2), 1e-14);
  EXPECT_NEAR(out.state[0][1], 1.19 - 0.05 * 1.19, 1e-14);
  EXPECT_NEAR(out.state[1][1], 0.31 + 0.025 * (0.5 - 0.31 + 40 * 1.19), 1e-14);
}

// Steps far longer than one or both time constants: the first membrane from zero, R w_in X (1 - b - k), in long double.
TEST(CubaLIF, LongStepsAreExactToo) {
  for (const double mem_rate : {1e-3, 0.5, 15.0, 18.0, 40.0, 90.0, 800.0}) {
    for (const double syn_rate : {0.01, 0.1, 0.5, 1.0, 30.0, 95.0}) {
      const auto c = CubaLIF::derive(raw({1 / syn_rate, 1 / mem_rate, 2, 0, 1.5, 1, true}));
      const long double a = std::exp(-static_cast<long double>(syn_rate)),
                        b = std::exp(-static_cast<long double>(mem_rate)),
                        apart = static_cast<long double>(mem_rate) - syn_rate,
                        k = apart == 0 ? mem_rate * b : (a - b) * mem_rate / apart;
      const auto out = trajectory::walk<CubaLIF>(c, {1, 0}, {0, 0}, 1e9, 1, {});
      const auto first = static_cast<double>(3 * (1 - b - k)), current = static_cast<double>(1.5L * (1 - a));
      EXPECT_NEAR(out.state[1][0], first, 1e-12) << mem_rate << ' ' << syn_rate;
      EXPECT_NEAR(out.state[1][1], static_cast<double>(b) * first + static_cast<double>(2 * k) * current,
                  1e-12)
          << mem_rate << ' ' << syn_rate;
    }
  }
}

// A long run without spikes ends at v_leak + R w_in X, at whatever step.
TEST(CubaLIF, SteadyState) {
  for (const bool exact : {true, false}) {
    for (const double dt : {1e-4, 2e-3}) {
      const auto c = CubaLIF::derive(raw({5e-3, 2e-2, 3, 0.5, 2, dt, exact}));
      const auto out = trajectory::walk<CubaLIF>(c, std::vector<double>(20000, 0.1), {0, 0}, 10, 1, {});
      EXPECT_NEAR(out.state[0].back(), 0.2, 1e-12);
      EXPECT_NEAR(out.state[1].back(), 1.1, 1e-12);
    }
  }
}

// Once the current has settled the membrane goes to E = v_leak + R w_in X as Lapicque's does: from its reset to 0 it passes the
// threshold after tau_mem ln(E / (E - threshold)), in the step that this falls into, however long the step is.
TEST(CubaLIF, InterspikeIntervalIsLapicquesFormula) {
  const double R = 3, v_leak = 0.25, w_in = 2, tau_mem = 2e-2, threshold = 0.8;
  for (const double tau_syn : {5e-3, tau_mem}) {
    for (const double dt : {1e-5, 1e-3, 3.1e-3}) {
      for (const double drive : {1.05, 1.5, 4.0}) {
        const double end = drive * threshold, x = (end - v_leak) / (R * w_in);
        const double interval = tau_mem * std::log(end / (end - threshold));
        const auto steps = static_cast<std::size_t>(5 * interval / dt) + 10;
        const auto out = trajectory::walk<CubaLIF>(
            CubaLIF::derive(raw({tau_syn, tau_mem, R, v_leak, w_in, dt, true})),
            std::vector<double>(steps, x), {w_in * x, 0}, threshold, 1, {rheo::Reset::zero, false});
        const auto fired = trajectory::spike_steps(out.spk);
        ASSERT_GE(fired.size(), 4U);
        for (std::size_t k = 1; k < fired.size(); ++k) {
          ASSERT_EQ(fired[k] - fired[k - 1], static_cast<int>(interval / dt) + 1) << dt << ' ' << drive;
        }
      }
    }
  }
}

// What a unit of current leaves on the membrane, R tau_syn / (tau_mem - tau_syn) (exp(-t / tau_mem) - exp(-t / tau_syn)), is
// highest at tau_mem tau_syn / (tau_mem - tau_syn) ln(tau_mem / tau_syn): Gerstner et al. 2014, Neuronal Dynamics, section 1.3.
TEST(CubaLIF, PostsynapticPotential) {
  const double tau_syn = 5e-3, tau_mem = 2e-2, R = 3, dt = 1e-4;
  const auto c = CubaLIF::derive(raw({tau_syn, tau_mem, R, 0, 1, dt, true}));
  const auto mem = trajectory::walk<CubaLIF>(c, std::vector<double>(1000, 0), {1, 0}, 10, 1, {}).state[1];
  for (std::size_t k = 0; k < mem.size(); ++k) {
    const double t = static_cast<double>(k + 1) * dt;
    ASSERT_NEAR(mem[k], R * tau_syn / (tau_mem - tau_syn) * (std::exp(-t / tau_mem) - std::exp(-t / tau_syn)),
                1e-13);
  }
  const auto top = std::max_element(mem.begin(), mem.end()) - mem.begin();
  EXPECT_NEAR(static_cast<double>(top + 1) * dt,
              tau_mem * tau_syn / (tau_mem - tau_syn) * std::log(tau_mem / tau_syn), dt);
}

TEST(CubaLIF, RestsAtItsLeak) {
  const auto rest = CubaLIF::rest(raw({1, 1, 1, 0.3, 1, 1, true}));
  EXPECT_EQ(rest.syn, 0);
  EXPECT_EQ(rest.mem, 0.3);
}

TEST(CubaLIF, EulerRefusesStepsAboveATimeConstant) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double) {
    EXPECT_STREQ(name, "time_step");
    ++refused;
  };
  CubaLIF::check(raw({1, 2, 1, 0, 1, 1, false}), refuse);
  CubaLIF::check(raw({1, 2, 1, 0, 1, 5, true}), refuse);
  EXPECT_EQ(refused, 0);
  CubaLIF::check(raw({1, 2, 1, 0, 1, 1.1, false}), refuse);
  EXPECT_EQ(refused, 1);
  CubaLIF::check(raw({2, 1, 1, 0, 1, 1.1, false}), refuse);
  EXPECT_EQ(refused, 2);
}

TEST(CubaLIF, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<CubaLIF> p;
    p.x = trajectory::noisy_input(25, -0.4, 2);
    p.state = {0.2, 0.35};
    p.constants = {0.6, 0.9, 0.8, 0.4, 0.3, 0.1};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

}  // namespace
