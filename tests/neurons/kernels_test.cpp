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

/// Constants as the kernel takes them, and the loop they stand for.
struct Oracle {
  std::vector<double> constants;
  oracle::Run (*run)(const std::vector<double>& x, double mem, const oracle::Common& common);
};

const std::map<std::string_view, std::vector<Oracle>> oracles = {
    {"Leaky",
     {{{0.875}, [](const auto& x, double mem, const auto& c) { return oracle::leaky(0.875, x, mem, c); }},
      {{0.0}, [](const auto& x, double mem, const auto& c) { return oracle::leaky(0, x, mem, c); }}}},
    // R = 4, C = 2, dt = 1
    {"Lapicque",
     {{{0.875, 0.5},
       [](const auto& x, double mem, const auto& c) { return oracle::lapicque(4, 2, 1, false, x, mem, c); }},
      {{std::exp(-0.125), -4 * std::expm1(-0.125)},
       [](const auto& x, double mem, const auto& c) { return oracle::lapicque(4, 2, 1, true, x, mem, c); }}}},
};

constexpr int steps = 50;
constexpr int columns = 37;

template <class T>
void compare(const KernelTable& table, const Oracle& neuron, Isa isa, const oracle::Common& common,
             int& spikes) {
  // Inputs on a coarse grid: float and double see the same numbers, and sums in another order stay off the threshold.
  std::vector<T> x(steps * columns), mem(columns), spk(x.size()), trace(x.size()), last(columns);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<T>(static_cast<double>(i * i * 7 % 61) / 32 - 0.3125);
  for (std::size_t i = 0; i < mem.size(); ++i) mem[i] = static_cast<T>(static_cast<double>(i % 5) / 2 - 0.5);
  std::vector<T> constants;
  for (const double c : neuron.constants) constants.push_back(static_cast<T>(c));
  constants.push_back(static_cast<T>(common.threshold));
  constants.push_back(static_cast<T>(common.graded));
  ForwardCall<T> call;
  call.steps = steps;
  call.columns = columns;
  call.x = {x.data(), columns, 1};
  call.state[0] = mem.data();
  for (std::size_t k = 0; k < constants.size(); ++k) call.constants[k] = &constants[k];
  call.reset = static_cast<rheo::Reset>(common.reset);
  call.reset_delay = common.delay;
  call.spk = spk.data();
  call.traces[0] = trace.data();
  call.last_state[0] = last.data();
  const auto plan = plan_forward(steps, table.states, table.constants + 2, sizeof(T));
  struct alignas(64) Line {
    T values[64 / sizeof(T)];
  };
  std::vector<Line> workspace(static_cast<std::size_t>(plan.workspace) * sizeof(T) / 64 + 1);
  table.isa[static_cast<int>(isa)].template loops<T>().forward(call, 0, columns, workspace[0].values);

  const double allowed = sizeof(T) == 4 ? 2e-5 : 1e-12;
  for (std::size_t n = 0; n < columns; ++n) {
    std::vector<double> input;
    for (std::size_t t = 0; t < steps; ++t) input.push_back(static_cast<double>(x[t * columns + n]));
    const auto want = neuron.run(input, static_cast<double>(mem[n]), common);
    for (std::size_t t = 0; t < steps; ++t) {
      const std::size_t at = t * columns + n;
      ASSERT_EQ(static_cast<double>(spk[at]), want.spk[t])
          << table.kind << ' ' << to_string(isa) << " step " << t;
      ASSERT_NEAR(static_cast<double>(trace[at]), want.mem[t], allowed)
          << table.kind << ' ' << to_string(isa) << ' ' << t;
      spikes += spk[at] > 0;
    }
    EXPECT_EQ(last[n], trace[(steps - 1) * columns + n]);
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
            const oracle::Common common{0.9, 2.5, reset, delay};
            compare<double>(table, neuron, static_cast<Isa>(i), common, spikes);
            const oracle::Common rounded{0.9F, 2.5, reset, delay};
            compare<float>(table, neuron, static_cast<Isa>(i), rounded, spikes);
          }
        }
      }
    }
    EXPECT_GT(spikes, 1000) << table.kind;
  }
}

}  // namespace
