// The kernels of each neuron against its plain loop from the paper's equations: every instruction set, float and double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "tests/neurons/oracles.hpp"

namespace {

using namespace rheo::kernels;

using oracle::Common;
using oracle::Run;
using Numbers = std::vector<double>;

/// Constants as the kernel takes them, the loop they stand for, and its states in the neuron's order. Inputs and first
/// states lie in the ranges the neuron names, where it counts in millivolts.
struct Oracle {
  Numbers constants;
  std::vector<Numbers Run::*> states;
  Run (*run)(const Numbers& x, const Numbers& first, const Common& common);
};

/// tau of Alpha, for its decays as they stand here.
double tau() { return std::log(0.5) / (std::log(0.5) - std::log(0.75)); }

const std::map<std::string_view, std::vector<Oracle>> oracles = {
    {"Leaky",
     {{{0.875},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) { return oracle::leaky(0.875, x, s[0], c); }},
      {{0.0},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) { return oracle::leaky(0, x, s[0], c); }}}},
    // R = 4, C = 2, dt = 1
    {"Lapicque",
     {{{0.875, 0.5},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::lapicque(4, 2, 1, false, x, s[0], c);
       }},
      {{std::exp(-0.125), -4 * std::expm1(-0.125)},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::lapicque(4, 2, 1, true, x, s[0], c);
       }}}},
    {"Synaptic",
     {{{0.5, 0.75},
       {&Run::syn, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::synaptic(0.5, 0.75, x, s[0], s[1], c);
       }}}},
    {"Alpha",
     {{{0.75, 0.5, tau()},
       {&Run::syn, &Run::inh, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::alpha(0.75, 0.5, x, s[0], s[1], s[2], c);
       }}}},
    {"DeltaLeaky",
     {{{0.37, 0.75},
       {&Run::mem, &Run::mem_prev},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::delta_leaky(0.37, 0.75, x, s[0], s[1], c);
       }}}},
    {"RLeaky",
     {{{0.75, -0.375},
       {&Run::spk, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::rleaky(0.75, -0.375, x, s[0], s[1], c);
       }}}},
    {"RSynaptic",
     {{{0.5, 0.75, -0.375},
       {&Run::spk, &Run::syn, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::rsynaptic(0.5, 0.75, -0.375, x, s[0], s[1], s[2], c);
       }}}},
    {"LeakyParallel",
     {{{0.75},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::leaky_parallel(0.75, x, s[0], c);
       }}}},
    {"StateLeaky",
     {{{0.875},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) { return oracle::state_leaky(0.875, x, s[0], c); }}}},
    {"IF",
     {{{0.625},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::integrate_and_fire(0.625, x, s[0], c);
       }}}},
    {"ParametricLIF",
     {{{0.375, 0.625},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::parametric_lif(1.6, true, x, s[0], c);
       }},
      {{0.375, 1},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::parametric_lif(1.6, false, x, s[0], c);
       }}}},
    {"LI",
     {{{0.75, 0.5, 0.125},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::leaky_integrator(4, 2, 0.5, 1, false, x, s[0], c);
       }}}},
    // time constants 4 and 8 steps, R = 2, v_leak = 0.125, w_in = 4
    {"CubaLIF",
     {{{0.75, 1, 0.875, 0.25, 0, 0.015625},
       {&Run::syn, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::cuba_lif({4, 8, 2, 0.125, 4, 1, false}, x, s[0], s[1], c);
       }}}},
    {"AdaptiveLIF",
     {{{std::exp(-0.75), std::exp(-0.25), 0.375},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::adaptive_lif(4, 12, 0.375, 3, x, s[0], s[1], c);
       }}}},
    {"SEAdLIF",
     {{{std::exp(-2.0), std::exp(-0.5), 0.25, 0.375},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::sead_lif(1, 4, 0.25, 0.375, 2, x, s[0], s[1], c);
       }}}},
    {"RefractoryLIF",
     {{{0.75, 2},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::refractory_lif(0.75, 2, x, s[0], s[1], c);
       }}}},
    {"QuadraticIF",
     {{{0.0025, -65, -50, 0.1, -60},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::quadratic_if({20, 0.5, -65, -50, 20, -60, 0.1}, x, s[0], c);
       }}}},
    {"ExponentialIF",
     {{{0.01, -65, -59.9, 3.48, 10, -68},
       {&Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::adex({1, 0.1, -65, -59.9, 3.48, 1, 0, 0, -68, 0.1}, x, 0, s[0], c);
       }}}},
    {"AdEx",
     {{{0.1 / 281, 30, -70.6, -50.4, 2, 0.1 / 144, 4, 80.5, -70.6},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::adex({281, 30, -70.6, -50.4, 2, 144, 4, 80.5, -70.6, 0.1}, x, s[0], s[1], c);
       }}}},
    {"Izhikevich",
     {{{0.01, 2.25, 35, 0.25, 0.995, 0.001, 0, -65, 8},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::izhikevich({0.02, 0.2, -65, 8}, x, s[0], s[1], c);
       }}}},
    {"ResonateAndFire",
     {{{std::exp(-0.05) * std::cos(0.5), std::exp(-0.05) * std::sin(0.5),
        ((std::exp(-0.05) * std::cos(0.5) - 1) * -1 + std::exp(-0.05) * std::sin(0.5) * 10) / 101,
        (std::exp(-0.05) * std::sin(0.5) * -1 - (std::exp(-0.05) * std::cos(0.5) - 1) * 10) / 101},
       {&Run::adapt, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::resonate_and_fire(-1, 10, 0.05, x, s[0], s[1], c);
       }}}},
    {"HodgkinHuxley",
     {{{120, 36, 0.3, 50, -77, -54.387, 1, 0.025},
       {&Run::n, &Run::m, &Run::h, &Run::mem},
       [](const auto& x, const auto& s, const auto& c) {
         return oracle::hodgkin_huxley({}, x, {s[0], s[1], s[2], s[3]}, c);
       }}}},
};

constexpr int steps = 50;
constexpr int columns = 37;

template <class T>
void compare(const KernelTable& table, const Oracle& neuron, Isa isa, const Common& common, int& spikes) {
  const auto states = static_cast<std::size_t>(table.states);
  ASSERT_EQ(neuron.states.size(), states);
  const rheo::NeuronInfo& info = *table.info;
  // Inputs on a coarse grid: float and double see the same numbers, and sums in another order stay off the threshold.
  std::vector<T> x(steps * columns), spk(x.size());
  std::vector<std::vector<T>> first(states, std::vector<T>(columns)),
      last = first, traces(states, std::vector<T>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<T>(static_cast<double>(i * i * 7 % 61) / 32 - 0.3125);
  for (std::size_t k = 0; k < states; ++k) {
    for (std::size_t i = 0; i < columns; ++i)
      first[k][i] = static_cast<T>(static_cast<double>((i + 2 * k) % 5) / 2 - 0.5);
  }
  const auto place = [](T& v, double low, double high, rheo::Range to) {
    v = static_cast<T>(to.low + (to.high - to.low) * (static_cast<double>(v) - low) / (high - low));
  };
  if (info.surrogate_scale != 1) {
    for (T& v : x) place(v, -0.3125, 1.5625, info.drive);
    for (std::size_t k = 0; k < states; ++k) {
      for (T& v : first[k]) place(v, -0.5, 1.5, info.states[k].usual);
    }
  } else if (table.kind == "RefractoryLIF") {
    for (T& v : first[0]) v = std::min(std::ceil(v), T{2});  // whole steps
  }
  std::vector<T> constants;
  for (const double c : neuron.constants) constants.push_back(static_cast<T>(c));
  constants.push_back(static_cast<T>(common.threshold));
  constants.push_back(static_cast<T>(common.graded));
  ForwardCall<T> call;
  call.steps = steps;
  call.columns = columns;
  call.x = {x.data(), columns, 1};
  for (std::size_t k = 0; k < constants.size(); ++k) call.constants[k] = &constants[k];
  call.reset = static_cast<rheo::Reset>(common.reset);
  call.reset_delay = common.delay;
  call.spk = spk.data();
  for (std::size_t k = 0; k < states; ++k) {
    call.state[k] = first[k].data();
    call.traces[k] = traces[k].data();
    call.last_state[k] = last[k].data();
  }
  const auto plan = plan_forward(steps, table.states, table.constants + 2, sizeof(T));
  struct alignas(64) Line {
    T values[64 / sizeof(T)];
  };
  std::vector<Line> workspace(static_cast<std::size_t>(plan.workspace) * sizeof(T) / 64 + 1);
  table.isa[static_cast<int>(isa)].template loops<T>().forward(call, 0, columns, workspace[0].values);

  // Where a step can end far away, upstrokes above all, rounding is relative, and grows from step to step: there every step
  // is compared with one of the plain loop from where the kernel was before it.
  const bool one_by_one = info.surrogate_scale != 1;
  const double allowed = sizeof(T) == 4 ? 2e-5 : 1e-12;
  for (std::size_t n = 0; n < columns; ++n) {
    Numbers input, start;
    for (std::size_t t = 0; t < steps; ++t) input.push_back(static_cast<double>(x[t * columns + n]));
    for (std::size_t k = 0; k < states; ++k) start.push_back(static_cast<double>(first[k][n]));
    auto want = neuron.run(input, start, common);
    for (std::size_t t = 0; t < steps; ++t) {
      const std::size_t at = t * columns + n;
      if (one_by_one) {
        for (std::size_t k = 0; t > 0 && k < states; ++k)
          start[k] = static_cast<double>(traces[k][at - columns]);
        want = neuron.run({input[t]}, start, common);
      }
      const std::size_t now = one_by_one ? 0 : t;
      if (info.fires) {
        ASSERT_EQ(static_cast<double>(spk[at]), want.spk[now])
            << table.kind << ' ' << to_string(isa) << " step " << t;
      } else {
        ASSERT_NEAR(static_cast<double>(spk[at]), want.spk[now], 3 * allowed)
            << table.kind << ' ' << to_string(isa) << " step " << t;
      }
      for (std::size_t k = 0; k < states; ++k) {
        const double w = (want.*neuron.states[k])[now];
        ASSERT_NEAR(static_cast<double>(traces[k][at]), w,
                    one_by_one ? allowed * (1 + std::fabs(w)) : allowed)
            << table.kind << ' ' << to_string(isa) << " state " << k << " step " << t;
      }
      spikes += spk[at] > 0;
    }
    for (std::size_t k = 0; k < states; ++k) EXPECT_EQ(last[k][n], traces[k][(steps - 1) * columns + n]);
  }
}

TEST(Kernels, EveryNeuronEqualsItsPlainLoop) {
  for (const KernelTable& table : library_kernels()) {
    ASSERT_TRUE(oracles.contains(table.kind))
        << table.kind << " has no loop from its paper in tests/neurons/oracles.hpp";
    int spikes = 0;
    for (const Oracle& neuron : oracles.at(table.kind)) {
      for (int i = 0; i < isa_count; ++i) {
        if (!is_available(static_cast<Isa>(i))) continue;
        for (const auto reset : {oracle::Reset::subtract, oracle::Reset::zero, oracle::Reset::none}) {
          for (const bool delay : {true, false}) {
            const bool scaled = table.info->surrogate_scale != 1;
            const double threshold = scaled ? table.info->threshold : 0.9;
            const Common common{threshold, 2.5, reset, delay};
            compare<double>(table, neuron, static_cast<Isa>(i), common, spikes);
            const Common rounded{scaled ? threshold : static_cast<double>(0.9F), 2.5, reset, delay};
            compare<float>(table, neuron, static_cast<Isa>(i), rounded, spikes);
          }
        }
      }
    }
    EXPECT_GT(spikes, 1000) << table.kind;
  }
}

}  // namespace
