// The time loops of every neuron of the library: every instruction set, lanes and any split of the columns, give the
// bits of a plain scalar run, one column at a time; recomputed states give those of kept traces.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "tests/kernels/usual_constants.hpp"

namespace {

using namespace rheo::kernels;
using rheo::Reset;
using rheo::SurrogateCall;
using rheo::SurrogateKind;

// Steps that call exp could differ from another library's exp, but not between our own paths. None is excepted so far.
constexpr std::string_view not_bit_equal[] = {""};

/// Exactly n values, 64-byte aligned, so that the sanitizer sees the first one too many; filled with NaN.
template <class T>
class Array {
 public:
  explicit Array(std::int64_t n = 0) : size_(n) {
    void* p = nullptr;
    if (posix_memalign(&p, 64, static_cast<std::size_t>(n) * sizeof(T)) != 0) std::abort();
    data_.reset(static_cast<T*>(p));
    for (std::int64_t i = 0; i < n; ++i) data_.get()[i] = std::numeric_limits<T>::quiet_NaN();
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }
  T operator[](std::int64_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::int64_t size_;
  std::unique_ptr<T, Free> data_;
};

struct Case {
  std::int64_t steps = 5;
  std::int64_t columns = 70;
  std::int64_t period = 1;
  unsigned per_neuron = 0;  // a bit for each constant
  Reset reset = Reset::subtract;
  bool reset_delay = true;
  SurrogateCall surrogate;
  bool constant_x = false;  // the same row at every step
  bool splat_x = false;     // the same value in every column
  bool with_state = true;
  bool grad_spk = true;
  bool splat_grad = false;
  bool constant_grad = false;
  bool grad_traces = true;
  bool grad_last = true;
  bool wants_x = true;
  bool learning = true;

  std::string text() const {
    std::ostringstream out;
    out << "T=" << steps << " columns=" << columns << " period=" << period << " per_neuron=" << per_neuron
        << " reset=" << static_cast<int>(reset) << " delay=" << reset_delay
        << " surrogate=" << static_cast<int>(surrogate.kind) << " constant_x=" << constant_x
        << " splat_x=" << splat_x << " state=" << with_state << " grad_spk=" << grad_spk
        << " splat_grad=" << splat_grad << " constant_grad=" << constant_grad
        << " grad_traces=" << grad_traces << " grad_last=" << grad_last << " wants_x=" << wants_x
        << " learning=" << learning;
    return out.str();
  }
};

/// How a case is run; none of it may change a bit.
struct How {
  std::vector<std::int64_t> cuts;  // where the columns are split
  bool keep_traces = false;        // the backward reads them instead of computing states again
  bool streaming = false;
};

std::uint64_t hash(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

template <class T>
struct Data {
  Array<T> x, grad_spk;
  std::vector<Array<T>> state, grad_trace, grad_last, constants;

  Data(const KernelTable& table, const Case& c) {
    const std::int64_t n = c.columns;
    const std::int64_t sequence = c.steps * n;
    // A neuron in millivolts gets its own numbers, five per cent either way.
    const rheo::NeuronInfo& info = *table.info;
    const bool scaled = info.surrogate_scale != 1;
    const auto usual = scaled ? rheo_test::usual_constants(table.kind) : std::vector<double>{};
    const rheo::Range drive = scaled ? info.drive : rheo::Range{-0.5, 1.3};
    x = random(c.splat_x ? c.steps : c.constant_x ? n : sequence, 1, drive.low, drive.high);
    grad_spk = random(c.splat_grad ? c.steps : c.constant_grad ? n : sequence, 2, -1, 1);
    for (int k = 0; k < table.states; ++k) {
      const rheo::Range range = scaled ? info.states[k].usual : rheo::Range{-0.5, 1.2};
      state.push_back(random(n, 10 + k, range.low, range.high));
      grad_trace.push_back(random(c.splat_grad ? c.steps : c.constant_grad ? n : sequence, 20 + k, -1, 1));
      grad_last.push_back(random(n, 30 + k, -1, 1));
    }
    const int count = table.constants + 2;
    // A neuron that hears its own spikes amplifies; over many steps its gradient must stay within float.
    const bool contracts = c.steps > 200;
    for (int k = 0; k < count; ++k) {
      const bool each = (c.per_neuron >> k) & 1U;
      const bool graded = k == count - 1;
      const double high = graded ? (contracts ? 1 : 2) : (contracts ? 0.5 : 0.95);
      const auto at = static_cast<std::size_t>(k);
      if (scaled && !graded) {
        const double middle = at < usual.size() ? usual[at] : info.threshold;
        constants.push_back(random(each ? c.period : 1, 40 + k, 0.95 * middle, 1.05 * middle));
      } else {
        constants.push_back(random(each ? c.period : 1, 40 + k, graded ? 0.5 : 0.3, high));
      }
    }
  }

 private:
  static Array<T> random(std::int64_t n, int stream, double low, double high) {
    Array<T> out(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto r = hash(static_cast<std::uint64_t>(stream) << 40U | static_cast<std::uint64_t>(i));
      out.data()[i] = static_cast<T>(low + (high - low) * static_cast<double>(r >> 11U) * 0x1p-53);
    }
    return out;
  }
};

template <class T>
struct Results {
  std::vector<std::pair<std::string, Array<T>>> tensors;
  Array<T>& add(const std::string& name, std::int64_t n) {
    tensors.emplace_back(name, Array<T>(n));
    return tensors.back().second;
  }
};

template <class T>
void fill_call(NeuronCall<T>& call, const Case& c, const Data<T>& data) {
  call.steps = c.steps;
  call.columns = c.columns;
  call.period = c.period;
  call.x = {data.x.data(), c.splat_x ? 1 : c.constant_x ? 0 : c.columns, c.splat_x ? 0 : 1};
  for (std::size_t k = 0; k < data.state.size(); ++k)
    call.state[k] = c.with_state ? data.state[k].data() : nullptr;
  for (std::size_t k = 0; k < data.constants.size(); ++k) {
    call.constants[k] = data.constants[k].data();
    call.per_neuron[k] = (c.per_neuron >> k) & 1U;
  }
  call.reset = c.reset;
  call.reset_delay = c.reset_delay;
  call.surrogate = c.surrogate;
}

template <class Call, class Loop, class T>
void in_parts(const Call& call, const How& how, Loop loop, Array<T>& workspace) {
  std::int64_t begin = 0;
  for (const std::int64_t cut : how.cuts) {
    loop(call, begin, cut, workspace.data());
    begin = cut;
  }
  loop(call, begin, call.columns, workspace.data());
}

template <class T>
Results<T> run(const KernelTable& table, Isa isa, const Case& c, const Data<T>& data, const How& how) {
  const NeuronLoops<T>& loops = table.isa[static_cast<int>(isa)].template loops<T>();
  const std::int64_t sequence = c.steps * c.columns;
  const int S = table.states;
  const int P = table.constants + 2;
  Results<T> out;
  out.tensors.reserve(64);

  ForwardCall<T> forward;
  fill_call(forward, c, data);
  forward.streaming = how.streaming;
  forward.spk = out.add("spk", sequence).data();
  BackwardCall<T> backward;
  for (int k = 0; k < S; ++k) {
    forward.traces[k] = out.add("trace " + std::to_string(k), sequence).data();
    forward.last_state[k] = out.add("last " + std::to_string(k), c.columns).data();
    if (how.keep_traces) backward.traces[k] = forward.traces[k];
  }
  Array<T> workspace(plan_forward(c.steps, S, P, sizeof(T)).workspace);
  in_parts(forward, how, loops.forward, workspace);

  fill_call(backward, c, data);
  backward.streaming = how.streaming;
  backward.learning = c.learning;
  const auto gradient = [&](bool given, const Array<T>& values) -> Sequence<T> {
    if (!given) return {nullptr, 0, 0};
    return {values.data(), c.splat_grad ? 1 : c.constant_grad ? 0 : c.columns, c.splat_grad ? 0 : 1};
  };
  backward.grad_spk = gradient(c.grad_spk, data.grad_spk);
  for (std::size_t k = 0; k < static_cast<std::size_t>(S); ++k) {
    backward.grad_traces[k] = gradient(c.grad_traces, data.grad_trace[k]);
    backward.grad_last_state[k] = c.grad_last ? data.grad_last[k].data() : nullptr;
    backward.grad_state[k] = out.add("grad_state " + std::to_string(k), c.columns).data();
  }
  if (c.wants_x) backward.grad_x = out.add("grad_x", backward.x.step == 0 ? c.columns : sequence).data();
  if (c.learning) {
    for (int k = 0; k < P; ++k) {
      backward.grad_constants[k] = out.add("grad_constant " + std::to_string(k), c.columns).data();
    }
  }
  workspace = Array<T>(plan_backward(c.steps, S, P, sizeof(T), how.keep_traces).workspace);
  in_parts(backward, how, loops.backward, workspace);
  return out;
}

template <class T>
void expect_same_bits(const Results<T>& want, const Results<T>& got, const std::string& what) {
  ASSERT_EQ(want.tensors.size(), got.tensors.size());
  for (std::size_t i = 0; i < want.tensors.size(); ++i) {
    const auto& [name, w] = want.tensors[i];
    const auto& g = got.tensors[i].second;
    ASSERT_EQ(w.size(), g.size());
    for (std::int64_t k = 0; k < w.size(); ++k) {
      ASSERT_TRUE(std::isfinite(w[k])) << name << '[' << k << "] was not written; " << what;
      ASSERT_EQ(std::memcmp(w.data() + k, g.data() + k, sizeof(T)), 0)
          << name << '[' << k << "]: " << g[k] << ", expected " << w[k] << "; " << what;
    }
  }
}

std::vector<Isa> available() {
  std::vector<Isa> out;
  for (int i = 0; i < isa_count; ++i) {
    if (is_available(static_cast<Isa>(i))) out.push_back(static_cast<Isa>(i));
  }
  return out;
}

std::vector<std::int64_t> every_column(std::int64_t columns) {
  std::vector<std::int64_t> cuts;
  for (std::int64_t i = 1; i < columns; ++i) cuts.push_back(i);
  return cuts;
}

std::vector<std::int64_t> some_cuts(std::int64_t columns, std::uint64_t seed, std::int64_t unit) {
  std::vector<std::int64_t> cuts;
  for (std::int64_t at = 0;;) {
    at += unit * (1 + static_cast<std::int64_t>(hash(seed++) % 40));
    if (at >= columns) return cuts;
    cuts.push_back(at);
  }
}

struct Count {
  std::int64_t cases = 0, spikes = 0, silent = 0;
};

/// One column at a time is fewer than any register holds: the plain scalar run. Everything else must equal it.
template <class T>
void check_case(const KernelTable& table, const Case& c, std::uint64_t seed, Count& count) {
  const Data<T> data(table, c);
  const auto want = run<T>(table, Isa::baseline, c, data, {every_column(c.columns), true, false});
  for (const Isa isa : available()) {
    const auto what = [&](const char* how) {
      return std::string(table.kind) + " " + (sizeof(T) == 4 ? "float " : "double ") +
             std::string(to_string(isa)) + " " + how + ": " + c.text();
    };
    expect_same_bits(want, run<T>(table, isa, c, data, {}), what("whole"));
    if (::testing::Test::HasFatalFailure()) return;
    expect_same_bits(want, run<T>(table, isa, c, data, {{}, true, false}), what("traces kept"));
    if (::testing::Test::HasFatalFailure()) return;
    expect_same_bits(want,
                     run<T>(table, isa, c, data, {some_cuts(c.columns, seed, 1), (seed & 1U) != 0, false}),
                     what("split"));
    if (::testing::Test::HasFatalFailure()) return;
    if (c.columns * static_cast<std::int64_t>(sizeof(T)) % 64 == 0) {
      expect_same_bits(want,
                       run<T>(table, isa, c, data, {some_cuts(c.columns, seed, 64), (seed & 2U) != 0, true}),
                       what("streaming"));
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  ++count.cases;
  const auto& spk = want.tensors[0].second;
  for (std::int64_t i = 0; i < spk.size(); ++i) (spk[i] != 0 ? count.spikes : count.silent)++;
}

/// The axes that are not crossed in full take their values from the bits of the case's number.
void vary(Case& c, std::uint64_t number) {
  const std::uint64_t r = hash(number);
  const auto one_in = [&](int bit, std::uint64_t n) { return (r >> bit) % n == 0; };
  c.constant_x = one_in(0, 4);
  c.splat_x = !c.constant_x && one_in(4, 8);
  c.with_state = !one_in(8, 4);
  c.grad_spk = !one_in(12, 5);
  c.splat_grad = one_in(16, 4);
  c.constant_grad = !c.splat_grad && one_in(20, 4);
  c.grad_traces = !one_in(24, 3);
  c.grad_last = !one_in(28, 3);
  c.wants_x = !one_in(32, 8);
}

#define RHEO_TEST_COUNT(s) +1
SurrogateCall surrogate(int kind) {
  const double args[][3] = {
      {2},           {0},   {1},   {25},           {0},      {5},    {1, 3}, {25, 0.125}, {0.1},
      {0.1, 0.3, 7}, {100}, {0.5}, {0.5, 6, 0.15}, {0.3, 1}, {0.25}, {0}};
  static_assert(std::size(args) == RHEO_EACH(RHEO_TEST_COUNT, RHEO_SURROGATES));
  return {static_cast<SurrogateKind>(kind), {args[kind][0], args[kind][1], args[kind][2]}};
}
constexpr int surrogates = RHEO_EACH(RHEO_TEST_COUNT, RHEO_SURROGATES);
#undef RHEO_TEST_COUNT

class NeuronLoopsOf : public ::testing::TestWithParam<std::string_view> {
 protected:
  const KernelTable& table() const { return *find_kernels(GetParam()); }

  /// Both number types.
  void check(const Case& c) {
    check_case<float>(table(), c, number_, count_);
    if (!HasFatalFailure()) check_case<double>(table(), c, number_ + 7, count_);
    ++number_;
  }
  void TearDown() override {
    std::printf("%s: %lld runs compared in full, %lld spikes, %lld silent steps\n",
                std::string(GetParam()).c_str(), static_cast<long long>(count_.cases),
                static_cast<long long>(count_.spikes), static_cast<long long>(count_.silent));
    if (!table().info->fires) return;
    EXPECT_GT(count_.spikes, count_.cases);
    EXPECT_GT(count_.silent, count_.cases);
  }
  std::uint64_t number_ = 0;
  Count count_;
};

TEST_P(NeuronLoopsOf, EverySize) {
  for (const std::int64_t columns : {1, 7, 15, 16, 17, 31, 33, 64, 128, 129, 1031}) {
    for (const std::int64_t steps : {0, 1, 2, 37}) {
      for (const bool learning : {false, true}) {
        Case c;
        c.steps = steps;
        c.columns = columns;
        c.learning = learning;
        vary(c, number_);
        c.surrogate = surrogate(static_cast<int>(number_ % surrogates));
        c.reset = static_cast<Reset>(number_ / 2 % 3);
        c.reset_delay = number_ % 5 < 3;
        if (number_ % 3 != 0) {
          c.per_neuron = static_cast<unsigned>(hash(number_ + 99));
          c.period = number_ % 3 == 1 ? columns : 1;
        }
        check(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(NeuronLoopsOf, EveryResetDelaySurrogateAndConstant) {
  const unsigned all = (1U << (table().constants + 2)) - 1;
  const struct {
    std::int64_t period;
    unsigned per_neuron;
  } constants[] = {{1, 0}, {1, all}, {7, all}, {10, all}, {70, all}, {7, 1}, {10, all & ~1U}};
  for (const Reset reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const bool delay : {true, false}) {
      for (int kind = 0; kind < surrogates; ++kind) {
        for (const auto& [period, per_neuron] : constants) {
          for (const bool learning : {false, true}) {
            Case c;
            c.reset = reset;
            c.reset_delay = delay;
            c.surrogate = surrogate(kind);
            c.period = period;
            c.per_neuron = per_neuron;
            c.learning = learning;
            vary(c, number_ + 5000);
            check(c);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(NeuronLoopsOf, EveryKindOfSequence) {
  for (int bits = 0; bits < 256; ++bits) {
    const auto on = [&](int k) { return ((bits >> k) & 1) != 0; };
    Case c;
    c.steps = 6;
    c.columns = 37;
    c.constant_x = on(0);
    c.splat_x = !on(0) && on(1);
    c.with_state = on(2);
    c.grad_spk = on(3);
    c.splat_grad = on(4);
    c.constant_grad = !on(4) && on(1);
    c.grad_traces = on(5);
    c.grad_last = on(6);
    c.wants_x = on(7);
    c.learning = on(0) != on(3);
    c.reset_delay = on(2) != on(4);
    check(c);
    if (HasFatalFailure()) return;
  }
}

// So many steps that the backward keeps checkpoints and computes the states of a segment again.
TEST_P(NeuronLoopsOf, SegmentsWithCheckpoints) {
  const int P = table().constants + 2;
  for (const std::int64_t steps : {513, 1300}) {
    ASSERT_GT(plan_backward(steps, table().states, P, sizeof(float), false).segments, 1);
    ASSERT_GT(plan_backward(steps, table().states, P, sizeof(double), false).segments, 2);
    for (const std::int64_t columns : {5, 129}) {
      for (const bool delay : {true, false}) {
        for (const bool constant_x : {true, false}) {
          Case c;
          c.steps = steps;
          c.columns = columns;
          c.reset_delay = delay;
          c.reset = delay ? Reset::subtract : Reset::zero;
          c.constant_x = constant_x;
          c.per_neuron = 1;
          c.period = columns;
          check(c);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

std::vector<std::string_view> kinds() {
  std::vector<std::string_view> out;
  for (const auto& table : library_kernels()) {
    bool excepted = false;
    for (const auto name : not_bit_equal) excepted = excepted || name == table.kind;
    if (!excepted) out.push_back(table.kind);
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Library, NeuronLoopsOf, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(NeuronLoops, WhatWasCompared) {
  std::printf("instruction sets:");
  for (const Isa isa : available()) std::printf(" %s", std::string(to_string(isa)).c_str());
  for (int i = 0; i < isa_count; ++i) {
    if (is_available(static_cast<Isa>(i))) continue;
    std::printf("; skipped %s: not on this machine or not in this build",
                std::string(to_string(static_cast<Isa>(i))).c_str());
  }
  std::printf("\n");
  EXPECT_GE(library_kernels().size(), 2U);
  EXPECT_EQ(kinds().size(), library_kernels().size());
}

}  // namespace
