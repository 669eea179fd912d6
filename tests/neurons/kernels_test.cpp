// The kernels of each neuron against the plain loop that its test registers: every instruction set, float and double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "tests/neurons/oracles.hpp"

namespace {

using namespace rheo::kernels;

using oracle::Common;
using oracle::Numbers;
using oracle::Oracle;

constexpr int steps = 50;
constexpr int columns = 37;

template <class T>
void compare(const KernelTable& table, const Oracle& neuron, const oracle::Loop& loop, Isa isa,
             const Common& common) {
  const auto states = static_cast<std::size_t>(table.states);
  ASSERT_EQ(loop.constants.size(), static_cast<std::size_t>(table.constants)) << table.kind;
  const rheo::NeuronInfo& info = *table.info;
  const bool millivolts = info.surrogate_scale != 1;
  // Inputs on a coarse grid: float and double see the same numbers, and sums in another order stay off the threshold.
  std::vector<T> x(steps * columns), spk(x.size());
  std::vector<std::vector<T>> first(states, std::vector<T>(columns)),
      last = first, traces(states, std::vector<T>(x.size()));
  const auto placed = [&](double v, double low, double high, rheo::Range to) {
    return millivolts ? to.low + (to.high - to.low) * (v - low) / (high - low) : v;
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(i * i * 7 % 61) / 32 - 0.3125;
    x[i] = static_cast<T>(placed(v, -0.3125, 1.5625, info.drive));
  }
  for (std::size_t i = 0; i < columns; ++i) {
    Numbers start;
    for (std::size_t k = 0; k < states; ++k) {
      const double v = static_cast<double>((i + 2 * k) % 5) / 2 - 0.5;
      start.push_back(placed(v, -0.5, 1.5, info.states[k].usual));
    }
    if (neuron.start != nullptr) neuron.start(start);
    for (std::size_t k = 0; k < states; ++k) first[k][i] = static_cast<T>(start[k]);
  }
  std::vector<T> constants;
  for (const double c : loop.constants) constants.push_back(static_cast<T>(c));
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

  // Where a step can end far away, upstrokes above all, rounding is relative to where it began or ended, and grows from step
  // to step: there every step is compared with one of the plain loop from where the kernel was before it.
  const double allowed = sizeof(T) == 4 ? 2e-5 : 1e-12;
  int spikes = 0;
  for (std::size_t n = 0; n < columns; ++n) {
    Numbers input, start;
    for (std::size_t t = 0; t < steps; ++t) input.push_back(static_cast<double>(x[t * columns + n]));
    for (std::size_t k = 0; k < states; ++k) start.push_back(static_cast<double>(first[k][n]));
    auto want = loop.run(input, start, common);
    ASSERT_EQ(want.states.size(), states) << table.kind;
    for (std::size_t t = 0; t < steps; ++t) {
      const std::size_t at = t * columns + n;
      if (millivolts) {
        for (std::size_t k = 0; t > 0 && k < states; ++k)
          start[k] = static_cast<double>(traces[k][at - columns]);
        want = loop.run({input[t]}, start, common);
      }
      const std::size_t now = millivolts ? 0 : t;
      if (info.fires) {
        ASSERT_EQ(static_cast<double>(spk[at]), want.spk[now])
            << table.kind << ' ' << to_string(isa) << " step " << t;
      } else {
        ASSERT_NEAR(static_cast<double>(spk[at]), want.spk[now], 3 * allowed)
            << table.kind << ' ' << to_string(isa) << " step " << t;
      }
      for (std::size_t k = 0; k < states; ++k) {
        const double w = want.states[k][now];
        ASSERT_NEAR(static_cast<double>(traces[k][at]), w,
                    millivolts ? allowed * (1 + std::max(std::fabs(w), std::fabs(start[k]))) : allowed)
            << table.kind << ' ' << to_string(isa) << " state " << k << " step " << t;
      }
      spikes += spk[at] > 0;
    }
    for (std::size_t k = 0; k < states; ++k) EXPECT_EQ(last[k][n], traces[k][(steps - 1) * columns + n]);
  }
  EXPECT_GE(spikes, 5) << table.kind << ": silence proves little";
}

TEST(Kernels, EveryNeuronEqualsItsPlainLoop) {
  for (const KernelTable& table : library_kernels()) {
    const auto& all = oracle::registered();
    const auto neuron = std::ranges::find(all, table.kind, &Oracle::neuron);
    if (neuron == all.end()) {
      ADD_FAILURE() << table.kind
                    << ": its test in tests/neurons/ has no oracle::Registration, a loop from its paper";
      continue;
    }
    EXPECT_FALSE(neuron->loops.empty()) << table.kind;
    for (const oracle::Loop& loop : neuron->loops) {
      for (int i = 0; i < isa_count; ++i) {
        if (!is_available(static_cast<Isa>(i))) continue;
        for (const auto reset : {oracle::Reset::subtract, oracle::Reset::zero, oracle::Reset::none}) {
          for (const bool delay : {true, false}) {
            const bool millivolts = table.info->surrogate_scale != 1;
            const double threshold = millivolts ? table.info->threshold : 0.9;
            const Common common{threshold, 2.5, reset, delay};
            compare<double>(table, *neuron, loop, static_cast<Isa>(i), common);
            const Common rounded{millivolts ? threshold : static_cast<double>(0.9F), 2.5, reset, delay};
            compare<float>(table, *neuron, loop, static_cast<Isa>(i), rounded);
          }
        }
      }
    }
  }
}

TEST(Kernels, ALoopIsRegisteredOnceAndForANeuron) {
  for (const Oracle& neuron : oracle::registered()) {
    EXPECT_NE(find_kernels(neuron.neuron), nullptr) << "no neuron " << neuron.neuron;
    EXPECT_EQ(std::ranges::count(oracle::registered(), neuron.neuron, &Oracle::neuron), 1) << neuron.neuron;
  }
}

}  // namespace
