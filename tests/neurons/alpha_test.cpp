// Alpha against a plain loop from its equations, recorded traces, published spike times, the alpha function itself,
// central differences, and the limits of its time constant.
#include "rheo/neurons/alpha.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct AlphaRun : Run {
  Numbers inh;  // the inhibitory current; the excitatory one is syn
};
/// The difference of two filtered inputs, scaled so that with a single input U is an alpha function. Rall 1967. Its
/// resets act on the filtered inputs with the step after a spike; without delay the membrane alone is reset.
AlphaRun alpha(double alpha, double beta, const Numbers& x, double exc, double inh, double mem,
               const Common& c) {
  AlphaRun run;
  const double a = clamped(alpha), b = clamped(beta);
  // ln b / (ln b - ln a)
  const double tau = b == 0 ? 1 : 1 / (1 - std::log(a) / std::log(b));
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    const double inh_before = inh;
    exc = a * exc + input;
    inh = b * inh - input;
    double u = tau * (exc + inh);
    if (fired_before && c.reset == Reset::zero) u = exc = inh = 0;
    if (fired_before && c.reset == Reset::subtract) {
      exc -= c.threshold;
      inh = 0;
      u += inh_before;
    }
    fire(u, c, mem, run);
    run.syn.push_back(exc);
    run.inh.push_back(inh);
  }
  return run;
}

const Registration kernels{{
    .neuron = "Alpha",
    .loops = {{{0.75, 0.5, std::log(0.5) / (std::log(0.5) - std::log(0.75))},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = alpha(0.75, 0.5, x, s[0], s[1], s[2], c);
                 return Traces{run.spk, {run.syn, run.inh, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::Reset;
using rheo::neurons::Alpha;
using trajectory::first_difference;
using trajectory::Setting;

auto constants(double alpha, double beta) { return Alpha::derive(Alpha::Raw<double>{alpha, beta}); }

TEST(Alpha, EqualsThePlainLoop) {
  const auto x = trajectory::noisy_input(300, -0.4, 0.9);
  std::size_t spikes = 0;
  for (const Setting& setting : trajectory::all_settings()) {
    for (const auto& [alpha, beta] :
         {std::pair{0.8, 0.7}, {0.95, 0.2}, {0.6, 0.0}, {1.0, 0.5}, {1.25, -0.5}}) {
      for (const double first : {0.0, 1.3, -0.4}) {
        const double threshold = 0.5, graded = 2.5;
        const auto want = oracle::alpha(alpha, beta, x, 0.4, 0.1 - first, first,
                                        trajectory::common(threshold, graded, setting));
        const auto got = trajectory::walk<Alpha>(constants(alpha, beta), x, {0.4, 0.1 - first, first},
                                                 threshold, graded, setting);
        ASSERT_EQ(got.spk, want.spk) << setting.text() << " alpha " << alpha << " beta " << beta;
        ASSERT_EQ(first_difference(got.state[0], want.syn, 1e-11), -1) << setting.text();
        ASSERT_EQ(first_difference(got.state[1], want.inh, 1e-11), -1) << setting.text();
        ASSERT_EQ(first_difference(got.state[2], want.mem, 1e-11), -1) << setting.text();
        spikes += trajectory::spike_steps(got.spk).size();
      }
    }
  }
  EXPECT_GT(spikes, 1000U);
}

TEST(Alpha, RecordedTraces) {
  const auto trace = [](Reset reset) {
    return trajectory::walk<Alpha>(constants(0.8, 0.7), trajectory::golden_input(), {0, 0, 0}, 0.5, 1,
                                   {reset, true});
  };
  const auto zero = trace(Reset::zero);
  EXPECT_EQ(zero.spk, (std::vector<double>{0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(first_difference(zero.state[2], {0, 0.160266, 0.400664, 0.671513, 0, 0, 0.053422, 0},
                             trajectory::golden_room),
            -1);
  const auto subtract = trace(Reset::subtract);
  EXPECT_EQ(subtract.spk, (std::vector<double>{0, 0, 0, 1, 0, 1, 1, 1}));
  EXPECT_EQ(first_difference(subtract.state[2],
                             {0, 0.160266, 0.400664, 0.671513, -0.136902, 4.139041, 3.164654, 1.281386},
                             trajectory::golden_room),
            -1);
  const auto none = trace(Reset::none);
  EXPECT_EQ(none.spk, (std::vector<double>{0, 0, 0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(first_difference(none.state[2],
                             {0, 0.160266, 0.400664, 0.671513, 0.782898, 1.198963, 1.413444, 1.368614},
                             trajectory::golden_room),
            -1);
}

// snnTorch's tutorial 4: 0.85 at step 10, then every ten steps from 100 on.
TEST(Alpha, TutorialsSpikeTimes) {
  std::vector<double> x(200);
  x[10] = 0.85;
  for (std::size_t t = 100; t < x.size(); t += 10) x[t] = 0.85;
  const auto out = trajectory::walk<Alpha>(constants(0.8, 0.7), x, {0, 0, 0}, 0.5, 1, {Reset::zero, true});
  EXPECT_EQ(trajectory::spike_steps(out.spk), (std::vector<int>{133, 173}));
  EXPECT_NEAR(*std::max_element(out.state[2].begin(), out.state[2].end()), 0.50073, 1e-5);
}

// As beta approaches alpha a single input is answered by -(t ln a) a^t: Rall's alpha function t exp(-t / T) / T.
TEST(Alpha, OneInputIsAnAlphaFunction) {
  const double a = 0.9;
  std::vector<double> x(60);
  x[0] = 1;
  const auto out =
      trajectory::walk<Alpha>(constants(a + 1e-7, a - 1e-7), x, {0, 0, 0}, 10, 1, {Reset::none, true});
  for (std::size_t t = 0; t < x.size(); ++t) {
    const auto time = static_cast<double>(t);
    EXPECT_NEAR(out.state[2][t], -time * std::log(a) * std::pow(a, time), 1e-5) << t;
  }
}

TEST(Alpha, DerivativesAgainstCentralDifferences) {
  for (const Setting& setting : trajectory::all_settings()) {
    trajectory::Point<Alpha> p;
    p.x = trajectory::noisy_input(25, -0.4, 0.9);
    p.state = {0.2, -0.1, 0.35};
    p.constants = {0.8, 0.6, 1.7};
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
    p.state = {-0.3, 0.4, 1.2};
    p.constants = {0.5, 0.3, 2.4};
    p.threshold = 1.1;
    EXPECT_LE(trajectory::worst_difference(p, setting), 1e-7) << setting.text();
  }
}

// The delayed reset carries no gradient; what it takes away and puts back does.
TEST(Alpha, DelayedResetIsDetached) {
  using S = Alpha::State<rheo::Dual<double, 1>, rheo::Dual<double, 2>, double>;
  const Alpha::Constants<double, double, double> c{0.5, 0.25, 2.0};
  const auto after = [&](double mem, Reset reset) {
    return Alpha::step(S{rheo::seed<0>(0.4), rheo::seed<1>(-0.3), mem}, rheo::seed<2>(0.1), c,
                       trajectory::plain_rule(1, 1, {reset, true}))
        .state;
  };
  for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const double mem : {0.25, 1.5}) {
      const auto s = after(mem, reset);
      const bool fired = mem > 1;
      const bool dropped = fired && reset == Reset::zero;
      const bool taken = fired && reset == Reset::subtract;
      EXPECT_EQ(rheo::tangent<0>(s.syn_exc), dropped ? 0 : 0.5);
      EXPECT_EQ(rheo::tangent<2>(s.syn_exc), dropped ? 0 : 1);
      EXPECT_EQ(rheo::tangent<1>(s.syn_inh), dropped || taken ? 0 : 0.25);
      EXPECT_EQ(rheo::tangent<2>(s.syn_inh), dropped || taken ? 0 : -1);
      EXPECT_EQ(rheo::tangent<0>(s.mem), dropped ? 0 : 1);
      EXPECT_EQ(rheo::tangent<1>(s.mem), dropped ? 0 : taken ? 1.5 : 0.5);
      EXPECT_EQ(rheo::tangent<2>(s.mem), 0);
    }
  }
}

TEST(Alpha, TimeConstantAndItsLimits) {
  const auto c = constants(0.8, 0.7);
  EXPECT_EQ(c.alpha, 0.8);
  EXPECT_EQ(c.beta, 0.7);
  EXPECT_NEAR(c.tau, 2.671094, 1e-6);
  EXPECT_EQ(constants(1, 0.7).tau, 1);
  EXPECT_EQ(constants(0.8, 0).tau, 1);
  EXPECT_EQ(constants(1, 0).tau, 1);
  EXPECT_NEAR(constants(1 - 1e-12, 0.7).tau, 1, 1e-11);
  EXPECT_NEAR(constants(0.8, 1e-300).tau, 1, 1e-3);
  // Clamped before the logarithms.
  EXPECT_EQ(constants(1.5, 0.7).alpha, 1);
  EXPECT_EQ(constants(1.5, 0.7).tau, 1);
  EXPECT_EQ(constants(0.8, -0.5).beta, 0);
  EXPECT_EQ(constants(0.8, -0.5).tau, 1);
}

// d tau / d alpha = ln b / (a (ln b - ln a)^2), d tau / d beta = -ln a / (b (ln b - ln a)^2)
TEST(Alpha, SensitivityOfTheTimeConstant) {
  const double a = 0.8, b = 0.55, h = 1e-6, d = std::log(b) - std::log(a);
  EXPECT_NEAR((constants(a + h, b).tau - constants(a - h, b).tau) / (2 * h), std::log(b) / (a * d * d), 1e-7);
  EXPECT_NEAR((constants(a, b + h).tau - constants(a, b - h).tau) / (2 * h), -std::log(a) / (b * d * d),
              1e-7);
}

TEST(Alpha, RefusesAnAlphaThatIsNotAboveBeta) {
  const auto refusal = [](double alpha, double beta) {
    std::string text;
    Alpha::check(Alpha::Raw<double>{alpha, beta},
                 [&](const char* parameter, const char*, double a, double b) {
                   text = parameter;
                   EXPECT_EQ(a, alpha);
                   EXPECT_EQ(b, beta);
                 });
    return text;
  };
  EXPECT_EQ(refusal(0.8, 0.7), "");
  EXPECT_EQ(refusal(0.7, 0.7), "alpha");
  EXPECT_EQ(refusal(0.6, 0.7), "alpha");
  EXPECT_EQ(refusal(0.1, -0.3), "");
  // As they are used: clamped.
  EXPECT_EQ(refusal(1.5, 1.2), "alpha");
  EXPECT_EQ(refusal(-0.2, -0.3), "alpha");
}

}  // namespace
