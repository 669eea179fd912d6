// The loops of the scans alone, without libtorch, for every instruction set there is: against sums written out, at sizes
// around the width of a register; the backward through the adjoint identity <J x, g> = <x, J^T g>.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "rheo/kernels/associative.hpp"
#include "rheo/kernels/window.hpp"
#include "tests/kernels/instruction_sets.hpp"

namespace {

using namespace rheo::kernels;
using rheo::test::available;

/// Numbers in [-1, 1), the same every time.
std::vector<double> numbers(std::int64_t count, std::uint32_t seed) {
  std::vector<double> out(static_cast<std::size_t>(count));
  for (auto& v : out) v = static_cast<double>((seed = seed * 1664525U + 1013904223U) >> 8) / (1 << 23) - 1;
  return out;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

TEST(Window, EqualsTheSumsAndTheirAdjoint) {
  int runs = 0;
  for (const Isa isa : available()) {
    const auto loops = window_kernels(isa).f64;
    for (const std::int64_t columns : {1, 7, 9, 64, 130}) {
      for (const std::int64_t T : {1, 5, 24}) {
        for (const std::int64_t K : {1, 2, 5, 24, 40}) {
          for (const bool per_neuron : {false, true}) {
            const std::int64_t period = !per_neuron ? 1 : columns == 130 ? 13 : columns;
            const auto x = numbers(T * columns, 1), past = numbers((K - 1) * columns, 2),
                       g = numbers(T * columns, 3);
            std::vector<double> decay = numbers(period, 4), powers;
            for (std::int64_t k = 0; k < K; ++k) {
              for (auto& d : decay) powers.push_back(std::pow(0.8 + d / 4, static_cast<double>(k)));
            }
            std::vector<double> out(x.size()), gx(x.size()), gp(past.size()),
                gd(static_cast<std::size_t>(columns));
            std::vector<double> work(window_workspace);
            WindowCall<double> call;
            call.steps = T, call.columns = columns, call.window = K, call.period = period;
            call.per_neuron = per_neuron;
            call.powers = powers.data(), call.x = x.data(), call.past = past.data();
            call.out = out.data(), call.grad_out = g.data();
            call.grad_x = gx.data(), call.grad_past = gp.data(), call.grad_decay = gd.data();
            // In two parts, as threads would.
            const std::int64_t half = columns / 2;
            loops.forward(call, 0, half, work.data());
            loops.forward(call, half, columns, work.data());
            loops.backward(call, 0, half, work.data());
            loops.backward(call, half, columns, work.data());
            double slope = 0;
            for (std::int64_t t = 0; t < T; ++t) {
              for (std::int64_t c = 0; c < columns; ++c) {
                double u = 0, du = 0;
                const double d = powers[static_cast<std::size_t>(K > 1 ? period + c % period : 0)];
                for (std::int64_t k = 0; k < K; ++k) {
                  const auto at = t - k;
                  const double v = at >= 0 ? x[static_cast<std::size_t>(at * columns + c)]
                                           : past[static_cast<std::size_t>((at + K - 1) * columns + c)];
                  u += std::pow(d, static_cast<double>(k)) * v;
                  if (k > 0) du += static_cast<double>(k) * std::pow(d, static_cast<double>(k - 1)) * v;
                }
                const auto i = static_cast<std::size_t>(t * columns + c);
                ASSERT_NEAR(out[i], u, 1e-12) << columns << " columns, T " << T << ", K " << K;
                slope += g[i] * du;
              }
            }
            EXPECT_NEAR(dot(out, g), dot(x, gx) + dot(past, gp), 1e-11)
                << columns << ", T " << T << ", K " << K;
            EXPECT_NEAR(dot(gd, std::vector<double>(gd.size(), 1)), slope, 1e-10);
            ++runs;
          }
        }
      }
    }
  }
  EXPECT_EQ(runs, 150 * static_cast<int>(available().size()));
}

// Linear in v: the gradient of v is checked through the trace; that of everything else stands in tests/nn/scan_test.cpp.
TEST(Associative, EqualsTheRecurrenceAndItsAdjoint) {
  for (const Isa isa : available()) {
    const auto loops = associative_kernels(isa).f64;
    for (const std::int64_t n : {1, 7, 8, 17}) {
      for (const std::int64_t T : {1, 2, 9, 30}) {
        const std::int64_t B = 3, d = 2, size = d * n;
        const auto v = numbers(T * B * d, 1), k = numbers(T * B * n, 2), a = numbers(T * B * n, 3),
                   first = numbers(B * size, 4), g = numbers(T * B * size, 5);
        const std::vector<double> threshold(static_cast<std::size_t>(size), 0.3),
            graded(static_cast<std::size_t>(size), 2);
        std::vector<double> spk(g.size()), trace(g.size()), last(first.size());
        std::vector<double> gv(v.size()), gk(k.size()), ga(a.size()), gs(first.size()), gt(first.size()),
            gg(first.size());
        AssociativeCall<double> call;
        call.steps = T, call.batch = B, call.values = d, call.keys = n;
        call.v = v.data(), call.k = k.data(), call.a = a.data(), call.state = first.data();
        call.threshold = threshold.data(), call.graded = graded.data();
        call.out = spk.data(), call.trace = trace.data(), call.last = last.data();
        call.grad_trace = g.data();
        call.grad_v = gv.data(), call.grad_k = gk.data(), call.grad_a = ga.data(),
        call.grad_state = gs.data();
        call.grad_threshold = gt.data(), call.grad_graded = gg.data();
        std::vector<double> work(
            static_cast<std::size_t>(call.forward_workspace() + call.backward_workspace()));
        for (std::int64_t b = 0; b < B; ++b) {
          loops.forward(call, b, b + 1, work.data());
          loops.backward(call, b, b + 1, work.data());
        }
        std::vector<double> S = first;
        for (std::int64_t t = 0; t < T; ++t) {
          for (std::int64_t i = 0; i < B * size; ++i) {
            const auto b = i / size, row = t * B + b, value = row * d + i % size / n, key = row * n + i % n;
            auto& s = S[static_cast<std::size_t>(i)];
            s = s * a[static_cast<std::size_t>(key)] +
                v[static_cast<std::size_t>(value)] * k[static_cast<std::size_t>(key)];
            const auto at = static_cast<std::size_t>(t * B * size + i);
            ASSERT_NEAR(trace[at], s, 1e-13);
            ASSERT_EQ(spk[at], trace[at] > 0.3 ? 2 : 0);
          }
        }
        EXPECT_EQ(last, std::vector<double>(trace.end() - B * size, trace.end()));
        EXPECT_NEAR(dot(trace, g), dot(v, gv) + dot(first, gs), 1e-11);
        EXPECT_NEAR(dot(trace, g), dot(k, gk) + dot(first, gs), 1e-11);
        EXPECT_EQ(gt, std::vector<double>(gt.size(), 0));
      }
    }
  }
}

}  // namespace
