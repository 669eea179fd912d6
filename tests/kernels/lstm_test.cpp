// The LSTM loops against a plain double loop, on every instruction set this machine has; their backward against central
// differences. Exactly sized buffers: the sanitizer of the kernels preset sees every step outside.
#include "rheo/kernels/lstm.hpp"
#include "tests/kernels/instruction_sets.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using rheo::Reset;
using namespace rheo::kernels;
using rheo::test::available;

template <class T>
LstmFunctions<T> functions(Isa isa) {
  if constexpr (sizeof(T) == 4) {
    return lstm_loops(isa).f32;
  } else {
    return lstm_loops(isa).f64;
  }
}

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

template <class T>
struct Case {
  std::int64_t steps, batch, hidden;
  Reset reset;
  std::vector<T> share, weight, threshold, syn0, mem0;  // weight [4H, H]
  std::vector<T> gates, syn, mem, spk;

  Case(std::int64_t T_, std::int64_t B, std::int64_t H, Reset how)
      : steps(T_), batch(B), hidden(H), reset(how) {
    std::mt19937 random(7);
    std::uniform_real_distribution<T> uniform(-1, 1);
    const auto numbers = [&](std::int64_t n) {
      std::vector<T> out(size(n));
      for (T& v : out) v = uniform(random);
      return out;
    };
    share = numbers(steps * batch * 4 * hidden);
    weight = numbers(4 * hidden * hidden);
    threshold = numbers(hidden);
    syn0 = numbers(batch * hidden);
    mem0 = numbers(batch * hidden);
  }

  LstmCall<T> call() {
    LstmCall<T> c;
    c.steps = steps;
    c.batch = batch;
    c.hidden = hidden;
    c.order[2] = 3;  // i, f, o, g
    c.order[3] = 2;
    c.reset = reset;
    c.threshold = threshold.data();
    c.first_syn = syn0.data();
    c.first_mem = mem0.data();
    c.gates_step = c.share_step = 4 * batch * hidden;
    c.state_step = batch * hidden;
    return c;
  }

  std::vector<T> packed(const PackedProduct<T>& product, bool backward) const {
    const auto in = backward ? 4 * hidden : hidden, out = backward ? hidden : 4 * hidden;
    std::vector<T> to(size(product.packed_size(in, out)));
    product.pack(weight.data(), in, out, backward ? hidden : 1, backward ? 1 : hidden, to.data());
    return to;
  }

  /// The rows in two calls, as two threads would have them.
  void forward(const LstmFunctions<T>& run) {
    const auto cells = size(steps * batch * hidden);
    gates = share;
    syn.assign(cells, T(-9));
    mem.assign(cells, T(-9));
    spk.assign(cells, T(-9));
    const auto matrix = packed(run.product, false);
    auto c = call();
    c.packed = matrix.data();
    c.share = share.data();
    c.gates = gates.data();
    c.syn = syn.data();
    c.mem = mem.data();
    c.spk = spk.data();
    run.forward(c, 0, batch / 2);
    run.forward(c, batch / 2, batch);
  }

  void compare_with_a_plain_loop(double room) const {
    std::vector<double> c(syn0.begin(), syn0.end()), h(mem0.begin(), mem0.end());
    const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
    for (std::int64_t t = 0; t < steps; ++t) {
      const auto stored = h;
      for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t k = 0; k < hidden; ++k) {
          double a[4];
          for (int q = 0; q < 4; ++q) {
            a[q] = static_cast<double>(share[size(((t * batch + b) * 4 + q) * hidden + k)]);
            for (std::int64_t j = 0; j < hidden; ++j)
              a[q] += static_cast<double>(weight[size((q * hidden + k) * hidden + j)]) *
                      stored[size(b * hidden + j)];
          }
          const auto i = size(b * hidden + k), at = size((t * batch + b) * hidden + k);
          const double theta = static_cast<double>(threshold[size(k)]);
          c[i] = s(a[1]) * c[i] + s(a[0]) * std::tanh(a[3]);
          h[i] = s(a[2]) * std::tanh(c[i]);
          const bool above = stored[i] > theta;
          if (above && reset == Reset::subtract) h[i] -= theta;
          if (above && reset == Reset::zero) h[i] = 0;
          ASSERT_NEAR(syn[at], c[i], room) << t << ' ' << b << ' ' << k;
          ASSERT_NEAR(mem[at], h[i], room) << t << ' ' << b << ' ' << k;
          ASSERT_EQ(spk[at], mem[at] > threshold[size(k)] ? 1 : 0);
          // Rounding must not decide a reset of the next step otherwise.
          h[i] = static_cast<double>(mem[at]);
        }
      }
    }
  }
};

template <class T>
void every_shape() {
  for (const auto isa : available()) {
    for (const auto reset : {Reset::none, Reset::subtract, Reset::zero}) {
      for (const std::int64_t batch : {1, 2, 5, 17}) {
        for (const std::int64_t hidden : {1, 3, 8, 19}) {
          SCOPED_TRACE(std::string(to_string(isa)) + " " + std::to_string(batch) + " " +
                       std::to_string(hidden));
          Case<T> c(4, batch, hidden, reset);
          c.forward(functions<T>(isa));
          c.compare_with_a_plain_loop(64 * static_cast<double>(std::numeric_limits<T>::epsilon()));
        }
      }
    }
  }
}

TEST(LstmLoops, ForwardFloat) { every_shape<float>(); }
TEST(LstmLoops, ForwardDouble) { every_shape<double>(); }

// The loss: every membrane and cell with a weight of its own. Without a surrogate spikes carry nothing, and the flag of a
// reset carries nothing in any case, so away from the threshold differences and gradient agree.
TEST(LstmLoops, BackwardAgainstCentralDifferences) {
  for (const auto isa : available()) {
    for (const auto reset : {Reset::none, Reset::subtract, Reset::zero}) {
      SCOPED_TRACE(std::string(to_string(isa)) + " " + std::to_string(static_cast<int>(reset)));
      const auto run = functions<double>(isa);
      Case<double> c(5, 3, 9, reset);
      const auto cells = c.steps * c.batch * c.hidden;
      std::vector<double> to_syn, to_mem;
      for (std::int64_t i = 0; i < cells; ++i) {
        to_syn.push_back(std::sin(0.3 * static_cast<double>(i)));
        to_mem.push_back(std::cos(0.7 * static_cast<double>(i)));
      }
      const auto loss = [&] {
        c.forward(run);
        double sum = 0;
        for (std::size_t i = 0; i < to_mem.size(); ++i) sum += to_syn[i] * c.syn[i] + to_mem[i] * c.mem[i];
        return sum;
      };
      loss();
      const auto matrix = c.packed(run.product, true);
      std::vector<double> grad_gates(c.share.size(), -9), carry_syn(c.syn0.size()),
          carry_mem = carry_syn, grad_threshold = carry_syn;
      auto call = c.call();
      call.packed = matrix.data();
      call.gates = c.gates.data();
      call.syn = c.syn.data();
      call.mem = c.mem.data();
      call.grad_syn = to_syn.data();
      call.grad_mem = to_mem.data();
      call.grad_gates = grad_gates.data();
      call.carry_syn = carry_syn.data();
      call.carry_mem = carry_mem.data();
      call.grad_threshold = grad_threshold.data();
      run.backward(call, 0, 1);
      run.backward(call, 1, 3);
      std::vector<double> per_neuron(size(c.hidden));
      for (std::size_t i = 0; i < grad_threshold.size(); ++i)
        per_neuron[i % per_neuron.size()] += grad_threshold[i];

      const auto check = [&](const char* name, std::vector<double>& values, const std::vector<double>& grad) {
        ASSERT_EQ(values.size(), grad.size());
        for (std::size_t i = 0; i < values.size(); i += 2) {
          const double was = values[i], step = 1e-6;
          values[i] = was + step;
          const double up = loss();
          values[i] = was - step;
          const double down = loss();
          values[i] = was;
          EXPECT_NEAR(grad[i], (up - down) / (2 * step), 1e-7) << name << ' ' << i;
        }
      };
      check("share", c.share, grad_gates);
      check("first syn", c.syn0, carry_syn);
      check("first mem", c.mem0, carry_mem);
      check("threshold", c.threshold, per_neuron);
    }
  }
}

}  // namespace
