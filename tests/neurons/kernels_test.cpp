// The kernels of each neuron against its plain loop from the paper's equations: every instruction set, float and double.
#include <gtest/gtest.h>

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

/// Constants as the kernel takes them, the loop they stand for, and its states in the neuron's order.
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
};

constexpr int steps = 50;
constexpr int columns = 37;

template <class T>
void compare(const KernelTable& table, const Oracle& neuron, Isa isa, const Common& common, int& spikes) {
  const auto states = static_cast<std::size_t>(table.states);
  ASSERT_EQ(neuron.states.size(), states);
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

  const double allowed = sizeof(T) == 4 ? 2e-5 : 1e-12;
  for (std::size_t n = 0; n < columns; ++n) {
    Numbers input, start;
    for (std::size_t t = 0; t < steps; ++t) input.push_back(static_cast<double>(x[t * columns + n]));
    for (std::size_t k = 0; k < states; ++k) start.push_back(static_cast<double>(first[k][n]));
    const auto want = neuron.run(input, start, common);
    for (std::size_t t = 0; t < steps; ++t) {
      const std::size_t at = t * columns + n;
      ASSERT_EQ(static_cast<double>(spk[at]), want.spk[t])
          << table.kind << ' ' << to_string(isa) << " step " << t;
      for (std::size_t k = 0; k < states; ++k) {
        ASSERT_NEAR(static_cast<double>(traces[k][at]), (want.*neuron.states[k])[t], allowed)
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
            const Common common{0.9, 2.5, reset, delay};
            compare<double>(table, neuron, static_cast<Isa>(i), common, spikes);
            const Common rounded{0.9F, 2.5, reset, delay};
            compare<float>(table, neuron, static_cast<Isa>(i), rounded, spikes);
          }
        }
      }
    }
    EXPECT_GT(spikes, 1000) << table.kind;
  }
}

}  // namespace
