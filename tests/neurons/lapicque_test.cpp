// Lapicque's neuron against a plain loop of its differential equation, published numbers, central differences; what
// follows from beta, R, C and time_step.
#include "rheo/neurons/lapicque.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <tuple>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

/// C dU/dt = -U / R + X by one Euler step of dt, or solved over dt with X held. Lapicque 1907; Gerstner and Kistler
/// 2002, Spiking Neuron Models, section 4.1.
Run lapicque(double R, double C, double dt, bool exact, const Numbers& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    double u = 0;
    if (exact) {
      const double steady = R * input;
      u = steady + (mem - steady) * std::exp(-dt / (R * C));
    } else {
      u = mem + dt * (-mem / R + input) / C;
    }
    if (fired_before && c.reset == Reset::subtract) u -= c.threshold;
    if (fired_before && c.reset == Reset::zero) u = 0;
    fire(u, c, mem, run);
  }
  return run;
}

const Registration kernels{{
    .neuron = "Lapicque",  // R = 4, C = 2, dt = 1
    .loops = {{{0.875, 0.5},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = lapicque(4, 2, 1, false, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }},
              {{std::exp(-0.125), -4 * std::expm1(-0.125)},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = lapicque(4, 2, 1, true, x, s[0], c);
                 return Traces{run.spk, {run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::Lapicque;
using trajectory::all_settings;
using trajectory::Setting;
using Raw = Lapicque::Raw<double>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Parameters; NaN: not given.
Raw raw(double beta, double R, double C, double time_step, int integration) {
  Raw p{};
  p.beta = beta;
  p.R = R;
  p.C = C;
  p.time_step = time_step;
  p.has_beta = !std::isnan(beta);
  p.has_R = !std::isnan(R);
  p.has_C = !std::isnan(C);
  p.integration = integration;
  return p;
}

TEST(Lapicque, EqualsThePlainLoop) {
  const double R = 5.1, C = 5e-3, dt = 1e-3, threshold = 0.8, graded = 2.5;
  const auto x = trajectory::noisy_input(300, -0.2, 1.4);
  int spikes = 0;
  for (const Setting& setting : all_settings()) {
    for (const int integration : {Lapicque::euler, Lapicque::exact}) {
      for (const double mem : {0.0, 0.3, 1.7, -0.4}) {
        const auto want = oracle::lapicque(R, C, dt, integration == Lapicque::exact, x, mem,
                                           trajectory::common(threshold, graded, setting));
        Lapicque::State<double> s{mem};
        const auto c = Lapicque::derive(raw(nan, R, C, dt, integration));
        for (std::size_t t = 0; t < x.size(); ++t) {
          const auto out = Lapicque::step(s, x[t], c, trajectory::plain_rule(threshold, graded, setting));
          ASSERT_EQ(out.spk, want.spk[t])
              << setting.text() << " integration " << integration << " step " << t;
          ASSERT_NEAR(out.state.mem, want.mem[t], 1e-12) << setting.text() << " step " << t;
          s = out.state;
          spikes += out.spk != 0;
        }
      }
    }
  }
  EXPECT_GT(spikes, 300);
}

/// Entries of a recording that begins with the initial state, as the tutorials count: step t is entry t + 1.
std::vector<int> spike_entries(double current) {
  Lapicque::State<double> s{0.0};
  const auto c = Lapicque::derive(raw(nan, 5.1, 5e-3, 1e-3, Lapicque::euler));
  std::vector<int> out;
  for (int t = 0; t < 200; ++t) {
    const auto o = Lapicque::step(s, t < 10 ? 0.0 : current, c, trajectory::plain_rule(1, 1, {}));
    if (o.spk > 0) out.push_back(t + 1);
    s = o.state;
  }
  return out;
}

TEST(Lapicque, TutorialsSpikeTimes) {
  EXPECT_EQ(spike_entries(0.2), (std::vector<int>{109}));
  EXPECT_EQ(spike_entries(0.3), (std::vector<int>{37, 64, 92, 119, 147, 174}));
}

// From reset 0 the membrane reaches the threshold after T = tau ln(R I / (R I - threshold)).
TEST(Lapicque, InterspikeIntervalIsLapicquesFormula) {
  for (const double R : {5.1, 2.0}) {
    for (const double C : {5e-3, 20e-3}) {
      for (const double threshold : {0.5, 1.0}) {
        for (const double drive : {1.05, 1.5, 4.0}) {
          const double dt = 1e-5, current = drive * threshold / R;
          const double interval = R * C * std::log(R * current / (R * current - threshold));
          Lapicque::State<double> s{0.0};
          const auto c = Lapicque::derive(raw(nan, R, C, dt, Lapicque::exact));
          double last = 0;
          int spikes = 0;
          for (int t = 1; spikes < 5; ++t) {
            ASSERT_LT(t, 10000000);
            const auto o = Lapicque::step(s, current, c,
                                          trajectory::plain_rule(threshold, 1, {rheo::Reset::zero, false}));
            s = o.state;
            if (o.spk == 0) continue;
            EXPECT_NEAR(t * dt - last, interval, dt) << R << ' ' << C << ' ' << threshold << ' ' << drive;
            last = t * dt;
            ++spikes;
          }
        }
      }
    }
  }
}

// Lapicque's rheobase: the smallest current that makes it fire is threshold / R.
TEST(Lapicque, RheobaseIsThresholdOverR) {
  for (const int integration : {Lapicque::euler, Lapicque::exact}) {
    for (const double R : {5.1, 0.7}) {
      const double threshold = 0.9;
      const auto c = Lapicque::derive(raw(nan, R, 0.02, 1e-3, integration));
      const auto fires = [&](double current) {
        Lapicque::State<double> s{0.0};
        for (int t = 0; t < 5000; ++t) {
          const auto o = Lapicque::step(s, current, c, trajectory::plain_rule(threshold, 1, {}));
          if (o.spk > 0) return true;
          s = o.state;
        }
        return false;
      };
      EXPECT_FALSE(fires(0.999 * threshold / R));
      EXPECT_TRUE(fires(1.001 * threshold / R));
    }
  }
}

TEST(Lapicque, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : all_settings()) {
    trajectory::Point<Lapicque> p;
    p.x = trajectory::noisy_input(25, -0.2, 1.4);
    p.state = {0.35};
    p.constants = {0.9, 0.6};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {1.2};
    p.constants = {0.4, 1.3};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

TEST(Lapicque, DelayedResetIsDetached) {
  const auto c = Lapicque::Constants{rheo::seed<2>(0.5), rheo::seed<3>(0.25)};
  for (const auto reset : {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto out = Lapicque::step(Lapicque::State<rheo::Dual<double, 1>>{rheo::seed<0>(mem)},
                                      rheo::seed<1>(0.1), c, trajectory::plain_rule(1, 1, {reset, true}));
      // Unlike Leaky's, this neuron's reset to zero drops the step's input too.
      const bool dropped = mem > 1 && reset == rheo::Reset::zero;
      EXPECT_EQ(rheo::tangent<0>(out.state.mem), dropped ? 0 : 0.5);
      EXPECT_EQ(rheo::tangent<1>(out.state.mem), dropped ? 0 : 0.25);
      EXPECT_EQ(rheo::tangent<2>(out.state.mem), dropped ? 0 : mem);
      EXPECT_EQ(rheo::tangent<3>(out.state.mem), dropped ? 0 : 0.1);
    }
  }
}

// ---- what follows from the parameters ----------------------------------------------------------------------------

TEST(Lapicque, ResolvesWhatWasNotGiven) {
  const double dt = 0.002;
  const auto both = Lapicque::resolve(raw(nan, 4, 0.05, dt, 0));
  EXPECT_EQ(both.R, 4);
  EXPECT_EQ(both.C, 0.05);
  EXPECT_DOUBLE_EQ(both.beta, std::exp(-0.01));
  const auto beta_only = Lapicque::resolve(raw(0.8, nan, nan, dt, 0));
  EXPECT_EQ(beta_only.beta, 0.8);
  EXPECT_EQ(beta_only.R, 1);
  EXPECT_DOUBLE_EQ(beta_only.C, dt / -std::log(0.8));
  const auto beta_R = Lapicque::resolve(raw(0.8, 4, nan, dt, 0));
  EXPECT_EQ(beta_R.beta, 0.8);
  EXPECT_EQ(beta_R.R, 4);
  EXPECT_DOUBLE_EQ(beta_R.C, dt / (4 * -std::log(0.8)));
  const auto beta_C = Lapicque::resolve(raw(0.8, nan, 0.05, dt, 0));
  EXPECT_EQ(beta_C.beta, 0.8);
  EXPECT_EQ(beta_C.C, 0.05);
  EXPECT_DOUBLE_EQ(beta_C.R, dt / (0.05 * -std::log(0.8)));
  // No leak: what follows from it is infinite, and positive.
  EXPECT_EQ(Lapicque::resolve(raw(1, nan, nan, dt, 0)).C, std::numeric_limits<double>::infinity());
  EXPECT_EQ(Lapicque::resolve(raw(1, 4, nan, dt, 0)).C, std::numeric_limits<double>::infinity());
  EXPECT_EQ(Lapicque::resolve(raw(1, nan, 0.05, dt, 0)).R, std::numeric_limits<double>::infinity());
  // All three, agreeing to 1e-6: R and C are taken, beta follows.
  const double close = std::exp(-0.01) + 5e-7;
  const auto all = Lapicque::resolve(raw(close, 4, 0.05, dt, 0));
  EXPECT_EQ(all.R, 4);
  EXPECT_EQ(all.C, 0.05);
  EXPECT_EQ(all.beta, both.beta);
}

struct Constants {
  double decay, gain;
};

/// By the definitions, from R, C and the time step.
Constants expected(double R, double C, double dt, bool exact) {
  if (exact) return {std::exp(-dt / (R * C)), R * -std::expm1(-dt / (R * C))};
  return {(R * C - dt) / (R * C), dt / C};
}

TEST(Lapicque, ConstantsOfEveryCombination) {
  const double dt = 0.002;
  for (const bool exact : {false, true}) {
    for (const double R : {1.0, 4.0}) {
      for (const double C : {0.05, 0.3}) {
        const double beta = std::exp(-dt / (R * C));
        for (const auto& [b, r, c] : {std::tuple{nan, R, C}, {beta, R, nan}, {beta, nan, C}, {beta, R, C}}) {
          const auto got = Lapicque::derive(raw(b, r, c, dt, exact ? Lapicque::exact : Lapicque::euler));
          const auto want = expected(R, C, dt, exact);
          EXPECT_NEAR(got.decay, want.decay, 1e-13) << b << ' ' << r << ' ' << c;
          EXPECT_NEAR(got.gain, want.gain, 1e-11) << b << ' ' << r << ' ' << c;
        }
        // beta alone: R = 1.
        const auto alone =
            Lapicque::derive(raw(beta, nan, nan, dt, exact ? Lapicque::exact : Lapicque::euler));
        const auto want = expected(1, R * C, dt, exact);
        EXPECT_NEAR(alone.decay, want.decay, 1e-13);
        EXPECT_NEAR(alone.gain, want.gain, 1e-11);
      }
    }
    // beta = 1: no leak, and the input is ignored.
    const auto still = Lapicque::derive(raw(1, nan, nan, 1, exact ? Lapicque::exact : Lapicque::euler));
    EXPECT_EQ(still.decay, 1);
    EXPECT_EQ(still.gain, 0);
  }
}

// Where beta is given it is used as it is, not recovered from a C that follows from it: beta = 1 has a finite derivative.
TEST(Lapicque, BetaIsTakenAsItIs) {
  for (const double beta : {0.4, 0.61, 0.7, 0.83, 0.9, 0.97, 0.999, 1.0}) {
    for (const auto& [r, c] : {std::pair{nan, nan}, {3.7, nan}, {nan, 0.013}}) {
      EXPECT_EQ(Lapicque::derive(raw(beta, r, c, 0.3, Lapicque::exact)).decay, beta);
      EXPECT_EQ(Lapicque::derive(raw(beta, r, c, 0.3, Lapicque::euler)).decay, 1 + std::log(beta));
    }
  }
  // Beside R and C it is only compared with what follows from them.
  const double close = std::exp(-0.01) + 5e-7;
  for (const int integration : {Lapicque::euler, Lapicque::exact}) {
    const auto all = Lapicque::derive(raw(close, 4, 0.05, 0.002, integration));
    const auto two = Lapicque::derive(raw(nan, 4, 0.05, 0.002, integration));
    EXPECT_EQ(all.decay, two.decay);
    EXPECT_EQ(all.gain, two.gain);
  }
}

/// Central differences of derive, parameter by parameter, against the derivatives worked out by hand.
TEST(Lapicque, SensitivityOfTheConstants) {
  const double dt = 0.3, R = 1.4, C = 0.9, tau = R * C, e = std::exp(-dt / tau);
  const double beta = 0.7, L = std::log(beta);
  struct Row {
    const char* what;
    Raw p;
    double* (*field)(Raw&);
    double d_decay, d_gain;
  };
  const auto beta_of = [](Raw& p) { return &p.beta; };
  const auto R_of = [](Raw& p) { return &p.R; };
  const auto C_of = [](Raw& p) { return &p.C; };
  const auto dt_of = [](Raw& p) { return &p.time_step; };
  constexpr int euler = Lapicque::euler, exact = Lapicque::exact;
  const double e_R = e * dt / (R * R * C), e_C = e * dt / (R * C * C);
  const Row rows[] = {
      {"R of R C, euler", raw(nan, R, C, dt, euler), R_of, dt / (R * R * C), 0},
      {"C of R C, euler", raw(nan, R, C, dt, euler), C_of, dt / (R * C * C), -dt / (C * C)},
      {"dt of R C, euler", raw(nan, R, C, dt, euler), dt_of, -1 / tau, 1 / C},
      {"R of R C, exact", raw(nan, R, C, dt, exact), R_of, e_R, 1 - e - R * e_R},
      {"C of R C, exact", raw(nan, R, C, dt, exact), C_of, e_C, -R * e_C},
      {"dt of R C, exact", raw(nan, R, C, dt, exact), dt_of, -e / tau, e / C},
      // euler, beta: decay = 1 + ln beta, gain = -R ln beta (R known) or dt / C (C known)
      {"beta of beta, euler", raw(beta, nan, nan, dt, euler), beta_of, 1 / beta, -1 / beta},
      {"dt of beta, euler", raw(beta, nan, nan, dt, euler), dt_of, 0, 0},
      {"beta of beta R, euler", raw(beta, R, nan, dt, euler), beta_of, 1 / beta, -R / beta},
      {"R of beta R, euler", raw(beta, R, nan, dt, euler), R_of, 0, -L},
      {"beta of beta C, euler", raw(beta, nan, C, dt, euler), beta_of, 1 / beta, 0},
      {"C of beta C, euler", raw(beta, nan, C, dt, euler), C_of, 0, -dt / (C * C)},
      // exact, beta: decay = beta, gain = R (1 - beta), with R = -dt / (C ln beta) where C is known
      {"beta of beta, exact", raw(beta, nan, nan, dt, exact), beta_of, 1, -1},
      {"beta of beta R, exact", raw(beta, R, nan, dt, exact), beta_of, 1, -R},
      {"R of beta R, exact", raw(beta, R, nan, dt, exact), R_of, 0, 1 - beta},
      {"beta of beta C, exact", raw(beta, nan, C, dt, exact), beta_of, 1,
       dt / (C * L) + (1 - beta) * dt / (C * L * L * beta)},
      {"C of beta C, exact", raw(beta, nan, C, dt, exact), C_of, 0, (1 - beta) * dt / (C * C * L)},
  };
  for (const Row& row : rows) {
    constexpr double h = 1e-6;
    Raw above = row.p, below = row.p;
    *row.field(above) += h;
    *row.field(below) -= h;
    const auto a = Lapicque::derive(above);
    const auto b = Lapicque::derive(below);
    EXPECT_NEAR((a.decay - b.decay) / (2 * h), row.d_decay, 1e-7 * (1 + std::fabs(row.d_decay))) << row.what;
    EXPECT_NEAR((a.gain - b.gain) / (2 * h), row.d_gain, 1e-7 * (1 + std::fabs(row.d_gain))) << row.what;
  }
}

std::string refusal(const Raw& p) {
  std::string text;
  Lapicque::check(p, [&](const char* parameter, const char*, double) {
    if (text.empty()) text = parameter;
  });
  return text;
}

TEST(Lapicque, RefusesWhatTheEquationsCannotUse) {
  EXPECT_EQ(refusal(raw(nan, 4, 0.05, 0.002, 0)), "");
  EXPECT_EQ(refusal(raw(0.8, nan, nan, 1, 0)), "");
  EXPECT_EQ(refusal(raw(nan, nan, nan, 1, 0)), "beta");
  EXPECT_EQ(refusal(raw(nan, 4, nan, 1, 0)), "C");
  EXPECT_EQ(refusal(raw(nan, nan, 4, 1, 0)), "R");
  EXPECT_EQ(refusal(raw(std::exp(-0.01) + 5e-7, 4, 0.05, 0.002, 0)), "");
  EXPECT_EQ(refusal(raw(std::exp(-0.01) + 2e-6, 4, 0.05, 0.002, 0)), "beta");
  EXPECT_EQ(refusal(raw(std::exp(-0.01) - 2e-6, 4, 0.05, 0.002, 0)), "beta");
  // Below 1/e the Euler factor is negative; the exact one never is.
  EXPECT_EQ(refusal(raw(0.3679, nan, nan, 1, Lapicque::euler)), "");
  EXPECT_EQ(refusal(raw(0.3678, nan, nan, 1, Lapicque::euler)), "beta");
  EXPECT_EQ(refusal(raw(0.3678, nan, nan, 1, Lapicque::exact)), "");
  // R would be infinite, and the exact gain R (1 - beta) not a number.
  EXPECT_EQ(refusal(raw(1, nan, 0.05, 1, Lapicque::exact)), "beta");
  EXPECT_EQ(refusal(raw(1, nan, 0.05, 1, Lapicque::euler)), "");
  EXPECT_EQ(refusal(raw(1, nan, nan, 1, Lapicque::exact)), "");
  EXPECT_EQ(refusal(raw(1, 4, nan, 1, Lapicque::exact)), "");
}

TEST(Lapicque, SettlesWhichParametersAreStored) {
  struct Row {
    bool beta, R, C, learn_beta, learn_R, learn_C;  // given, learned
    bool keeps_beta, keeps_R, keeps_C;
  };
  const Row rows[] = {
      {false, true, true, false, false, false, false, true, true},
      {true, true, true, false, false, false, false, true, true},
      {true, false, false, false, false, false, true, false, false},
      {true, true, false, false, false, true, false, true, true},
      {true, false, true, false, true, false, false, true, true},
      {false, true, true, true, false, false, true, true, false},
      {true, false, true, true, false, false, true, false, true},
      {true, true, false, true, false, false, true, true, false},
  };
  for (const Row& r : rows) {
    bool given[] = {r.beta, r.R, r.C, true};
    const bool learned[] = {r.learn_beta, r.learn_R, r.learn_C, false};
    Lapicque::settle(given, learned, [](const char* p, const char*, double) { FAIL() << p; });
    EXPECT_EQ(given[0], r.keeps_beta);
    EXPECT_EQ(given[1], r.keeps_R);
    EXPECT_EQ(given[2], r.keeps_C);
  }
  for (const bool with_R : {true, false}) {
    bool given[] = {true, true, true, true};
    const bool learned[] = {true, with_R, !with_R, false};
    std::string refused;
    Lapicque::settle(given, learned, [&](const char* p, const char*, double) { refused = p; });
    EXPECT_EQ(refused, "learn_beta");
  }
}

}  // namespace
