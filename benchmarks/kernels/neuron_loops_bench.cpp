// Question: how near do the generated time loops come to what memory allows, and what does deriving the backward cost
// against writing it by hand? Leaky, then the other neurons. [T, B, N] = [100, 128, 1000] float32, all of libgomp's threads, memory reused.
// `of_copy` = time of the ideal reads and writes at the copy limit measured in the same run (268 MB, stores around the
// cache) / time; `of_hand` = time of the hand-written backward / time.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string_view>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "benchmarks/kernels/opponents.hpp"

namespace rheo {
#define RHEO_DECLARE_(isa)     \
  namespace isa::opponents {   \
  benchmarks::Opponents all(); \
  }
RHEO_DECLARE_(baseline)
#if defined(__x86_64__)
RHEO_DECLARE_(avx2)
RHEO_DECLARE_(avx512)
#endif
#undef RHEO_DECLARE_

namespace benchmarks {

Opponents opponents(kernels::Isa isa) {
#if defined(__x86_64__)
  if (isa == kernels::Isa::avx512) return avx512::opponents::all();
  if (isa == kernels::Isa::avx2) return avx2::opponents::all();
#endif
  (void)isa;
  return baseline::opponents::all();
}

namespace {

constexpr std::int64_t steps = 100, columns = 128 * 1000;
constexpr std::int64_t elements = steps * columns;

float* buffer(std::int64_t n) {
  const auto bytes = (static_cast<std::size_t>(n) * sizeof(float) + (1U << 21) - 1) >> 21 << 21;
  auto* p = static_cast<float*>(std::aligned_alloc(1U << 21, bytes));
#if defined(__linux__)
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  std::fill(p, p + n, 0.0F);
  return p;
}

/// Splits the columns over the threads as ops/ does.
void parallel(std::int64_t n, const std::function<void(std::int64_t, std::int64_t, int)>& part) {
#pragma omp parallel
  {
    const std::int64_t threads = omp_get_num_threads(), id = omp_get_thread_num();
    const std::int64_t units = (n + 63) / 64, each = (units + threads - 1) / threads;
    const std::int64_t begin = std::min(n, id * each * 64), end = std::min(n, (id + 1) * each * 64);
    if (begin < end) part(begin, end, static_cast<int>(id));
  }
}

/// A neuron with its constants, then threshold and graded factor.
struct Model {
  kernels::KernelTable table;
  float constants[kernels::max_constants];
  const kernels::NeuronLoops<float>& loops() const {
    return table.isa[static_cast<int>(kernels::chosen_isa())].f32;
  }
};

// Lapicque: R = 5.1, C = 5e-3, dt = 1e-3. Alpha: alpha = 0.9, beta = 0.8.
const Model& model(std::string_view kind) {
  static const std::map<std::string_view, Model> all = {
      {"Leaky", {*kernels::find_kernels("Leaky"), {0.9F, 1, 1}}},
      {"Lapicque", {*kernels::find_kernels("Lapicque"), {0.9607843F, 0.2F, 1, 1}}},
      {"Synaptic", {*kernels::find_kernels("Synaptic"), {0.9F, 0.8F, 1, 1}}},
      {"Alpha", {*kernels::find_kernels("Alpha"), {0.9F, 0.8F, 1.8945305F, 1, 1}}},
      {"RLeaky", {*kernels::find_kernels("RLeaky"), {0.9F, -0.5F, 1, 1}}},
  };
  return all.at(kind);
}

struct Setup {
  kernels::Isa isa = kernels::chosen_isa();
  Opponents opponents_ = opponents(isa);
  float* x = buffer(elements);
  float* g = buffer(elements);
  float* out = buffer(elements);
  float* grad_x = buffer(elements);
  std::vector<float*> rows;
  std::vector<float*> workspace;
  double seconds_per_byte = 0;

  Setup() {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> uniform(-0.2F, 0.6F);
    for (std::int64_t i = 0; i < elements; ++i) {
      x[i] = uniform(random);
      g[i] = uniform(random);
    }
    for (int k = 0; k < kernels::max_constants; ++k) rows.push_back(buffer(columns));
    const auto plan =
        kernels::plan_backward(steps, kernels::max_states, kernels::max_constants, sizeof(float), false);
    for (int i = 0; i < omp_get_max_threads(); ++i) {
      workspace.push_back(buffer(std::max(plan.workspace, hand_workspace(steps))));
    }
    const std::int64_t n = 5 * elements / 2;  // 134 MB each way, more than any cache here holds
    float* from = buffer(n);
    float* to = buffer(n);
    seconds_per_byte =
        best([&] {
          parallel(n, [&](std::int64_t a, std::int64_t b, int) { opponents_.copy(from + a, to + a, b - a); });
        }) /
        (8.0 * static_cast<double>(n));
    std::free(from);
    std::free(to);
    std::printf("[100, 128, 1000] float32, %s, %d threads; copy limit %.1f GB/s\n",
                std::string(kernels::to_string(isa)).c_str(), omp_get_max_threads(), 1e-9 / seconds_per_byte);
  }

  static double best(const std::function<void()>& work) {
    double least = std::numeric_limits<double>::max();
    for (int i = 0; i < 20; ++i) {
      const auto start = std::chrono::steady_clock::now();
      work();
      least =
          std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return least;
  }

  void hand() {
    const auto& constants = model("Leaky").constants;
    const HandCall call{x, g, grad_x, steps, columns, constants[0], constants[1]};
    parallel(columns, [&](std::int64_t a, std::int64_t b, int id) {
      opponents_.leaky_backward(call, a, b, workspace[static_cast<std::size_t>(id)]);
    });
  }

  void describe(kernels::NeuronCall<float>& call, const Model& m) {
    call.steps = steps;
    call.columns = columns;
    call.x = {x, columns, 1};
    for (int k = 0; k < m.table.constants + 2; ++k) call.constants[k] = m.constants + k;
  }
  void forward(const Model& m) {
    kernels::ForwardCall<float> call;
    describe(call, m);
    call.spk = out;
    call.streaming = true;
    parallel(columns, [&](std::int64_t a, std::int64_t b, int id) {
      m.loops().forward(call, a, b, workspace[static_cast<std::size_t>(id)]);
    });
  }
  void backward(const Model& m, bool learning, bool splat) {
    kernels::BackwardCall<float> call;
    describe(call, m);
    static const float one = 1;
    call.grad_spk = splat ? kernels::Sequence<float>{&one, 0, 0} : kernels::Sequence<float>{g, columns, 1};
    call.grad_x = grad_x;
    call.streaming = true;
    call.learning = learning;
    if (learning) std::copy_n(rows.begin(), m.table.constants + 2, call.grad_constants);
    parallel(columns, [&](std::int64_t a, std::int64_t b, int id) {
      m.loops().backward(call, a, b, workspace[static_cast<std::size_t>(id)]);
    });
  }
};

Setup& setup() {
  static Setup s;
  return s;
}

/// The least of all iterations, on a machine where others run too; ratios are taken from it. Against the hand-written
/// backward the two take turns, so that both see the same machine.
void measure(benchmark::State& state, double streams, bool against_hand, const std::function<void()>& work) {
  const auto once = [](const std::function<void()>& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double least = std::numeric_limits<double>::max();
  double least_by_hand = least;
  for (auto _ : state) {
    if (against_hand) least_by_hand = std::min(least_by_hand, once([] { setup().hand(); }));
    const double s = once(work);
    least = std::min(least, s);
    state.SetIterationTime(s);
  }
  const double ideal = streams * 4.0 * static_cast<double>(elements) * setup().seconds_per_byte;
  state.counters["least_ms"] = least * 1e3;
  state.counters["of_copy"] = ideal / least;
  if (against_hand) state.counters["of_hand"] = least_by_hand / least;
}

// Streams: rows of x read, rows of spikes written; x and gradient read, gradient of x written.
void forward(benchmark::State& state) {
  measure(state, 2, false, [] { setup().forward(model("Leaky")); });
}
void backward_derived(benchmark::State& state) {
  measure(state, 3, true, [] { setup().backward(model("Leaky"), false, false); });
}
void backward_derived_learning(benchmark::State& state) {
  measure(state, 3, true, [] { setup().backward(model("Leaky"), true, false); });
}
void backward_by_hand(benchmark::State& state) {
  measure(state, 3, false, [] { setup().hand(); });
}
void forward_and_backward(benchmark::State& state) {
  measure(state, 5, false, [] {
    setup().forward(model("Leaky"));
    setup().backward(model("Leaky"), false, false);
  });
}
void forward_and_backward_of_a_sum(benchmark::State& state) {
  measure(state, 4, false, [] {
    setup().forward(model("Leaky"));
    setup().backward(model("Leaky"), false, true);
  });
}

/// The other neurons, as Leaky: two or three states in registers instead of one, the same rows of memory.
void neuron(benchmark::State& state, std::string_view kind, bool learning) {
  const Model& m = model(kind);
  measure(state, 5, false, [&] {
    setup().forward(m);
    setup().backward(m, learning, false);
  });
}

BENCHMARK(forward)->UseManualTime()->Iterations(100);
BENCHMARK(backward_by_hand)->UseManualTime()->Iterations(100);
BENCHMARK(backward_derived)->UseManualTime()->Iterations(100);
BENCHMARK(backward_derived_learning)->UseManualTime()->Iterations(100);
BENCHMARK(forward_and_backward)->UseManualTime()->Iterations(100);
BENCHMARK(forward_and_backward_of_a_sum)->UseManualTime()->Iterations(100);
BENCHMARK_CAPTURE(neuron, Lapicque, "Lapicque", false)->UseManualTime()->Iterations(50);
BENCHMARK_CAPTURE(neuron, Synaptic, "Synaptic", false)->UseManualTime()->Iterations(50);
BENCHMARK_CAPTURE(neuron, Synaptic_learning, "Synaptic", true)->UseManualTime()->Iterations(50);
BENCHMARK_CAPTURE(neuron, Alpha, "Alpha", false)->UseManualTime()->Iterations(50);
BENCHMARK_CAPTURE(neuron, Alpha_learning, "Alpha", true)->UseManualTime()->Iterations(50);
BENCHMARK_CAPTURE(neuron, RLeaky, "RLeaky", false)->UseManualTime()->Iterations(50);

}  // namespace
}  // namespace benchmarks
}  // namespace rheo

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  rheo::benchmarks::setup();
  benchmark::RunSpecifiedBenchmarks();
}
