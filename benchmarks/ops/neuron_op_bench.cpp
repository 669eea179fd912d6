// Question: what does the road through the operator and autograd cost?
//   large   Leaky [100, 128, 1000]: forward, forward + backward through the module, memory recycled, against the time of
//           the ideal reads and writes at the copy speed of this run (`of_copy`)
//   small   Leaky [100, 1, 64]: forward + backward against row.sum().backward() on one row (`rows`), autograd's floor
//   steps   the same 100 steps called one by one, against the one call (`sequences`)
//   memory  resident memory that forward + backward of the large case adds, in tensors of the input's size (`inputs`):
//           spikes and the gradient of x; the backward keeps x itself and computes the membranes again
//   constant  an input that does not change, [100, 128, 1000] from one row, against the expanded tensor (`expanded`)
#include <ATen/Parallel.h>
#include <ATen/ops/copy.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/sum.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <limits>

#include "rheo/nn/neurons.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace {

using rheo::nn::Leaky;

double once(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
double best(int n, const std::function<void()>& work) {
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < n; ++i) least = std::min(least, once(work));
  return least;
}

void copy_around_cache(const float* from, float* to, std::int64_t n) {
#if defined(__SSE2__)
  for (std::int64_t i = 0; i + 4 <= n; i += 4) _mm_stream_ps(to + i, _mm_loadu_ps(from + i));
#else
  std::copy(from, from + n, to);
#endif
}

/// Seconds per byte of a 268 MB copy on all threads.
double copy_limit() {
  static const double limit = [] {
    const std::int64_t n = std::int64_t{1} << 25;
    const auto from = rheo::ops::recycled_empty({n}, at::kFloat).zero_();
    const auto to = rheo::ops::recycled_empty({n}, at::kFloat).zero_();
    const float* f = from.const_data_ptr<float>();
    float* t = to.mutable_data_ptr<float>();
    const double s = best(20, [&] {
      at::parallel_for(0, n / 16, 1 << 14, [&](std::int64_t a, std::int64_t b) {
        copy_around_cache(f + 16 * a, t + 16 * a, 16 * (b - a));
      });
    });
    return s / (8.0 * static_cast<double>(n));
  }();
  return limit;
}

double measure(benchmark::State& state, const std::function<void()>& work) {
  double least = std::numeric_limits<double>::max();
  for (auto _ : state) {
    const double s = once(work);
    least = std::min(least, s);
    state.SetIterationTime(s);
  }
  state.counters["least_us"] = least * 1e6;
  return least;
}

constexpr double large_elements = 100.0 * 128 * 1000;

/// Uniform numbers in memory of the pool, as results of the layer before would be.
at::Tensor recycled_rand(double scale) {
  const auto x = rheo::ops::recycled_empty({100, 128, 1000}, at::kFloat);
  x.copy_(at::rand({100, 128, 1000}) * scale);
  return x;
}

void large_forward(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  const auto x = recycled_rand(0.4);
  const at::NoGradGuard no_grad;
  const double least = measure(state, [&] { lif->forward(x); });
  state.counters["of_copy"] = 8 * large_elements * copy_limit() / least;
}

void large_forward_backward(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  auto x = recycled_rand(0.4).requires_grad_();
  const auto g = recycled_rand(1);
  const double least = measure(state, [&] {
    lif->forward(x).spk.backward(g);
    x.mutable_grad().reset();
  });
  state.counters["of_copy"] =
      20 * large_elements * copy_limit() / least;  // x, spikes; x, gradient, gradient of x
}

void small_forward_backward(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  auto x = at::rand({100, 1, 64}).requires_grad_();
  auto row = at::rand({1, 64}).requires_grad_();
  const auto many = [](const std::function<void()>& f) {
    for (int i = 0; i < 100; ++i) f();
  };
  const double floor = best(100, [&] {
    many([&] {
      row.sum().backward();
      row.mutable_grad().reset();
    });
  });
  const double least = measure(state, [&] {
    many([&] {
      lif->forward(x).spk.sum().backward();
      x.mutable_grad().reset();
    });
  });
  state.counters["rows"] = least / floor;
}

void steps_one_by_one(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  const auto x = at::rand({100, 1, 64});
  const at::NoGradGuard no_grad;
  const double sequence = best(2000, [&] { lif->forward(x); });
  const double least = measure(state, [&] {
    rheo::State s;
    for (int t = 0; t < 100; ++t) s = lif->step(x.select(0, t), s).state;
  });
  state.counters["sequences"] = least / sequence;
}

void constant_input(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  auto row = (at::rand({128, 1000}) * 0.4).requires_grad_();
  const auto expanded = best(30, [&] {
    lif->forward(row.unsqueeze(0).expand({100, 128, 1000})).spk.sum().backward();
    row.mutable_grad().reset();
  });
  const double least = measure(state, [&] {
    lif->forward(rheo::TimeConstant{row, 100}).spk.sum().backward();
    row.mutable_grad().reset();
  });
  state.counters["expanded"] = least / expanded;
}

/// Resident memory of this process in bytes; 0 where the system does not say.
double resident() {
  std::ifstream status("/proc/self/statm");
  double pages = 0, in_memory = 0;
  status >> pages >> in_memory;
  return in_memory * 4096;
}

void large_memory(benchmark::State& state) {
  Leaky lif({.beta = 0.9});
  auto x = recycled_rand(0.4).requires_grad_();
  const auto g = recycled_rand(1);
  double most = 0;
  for (auto _ : state) {
    rheo::release_memory();
    const double before = resident();
    const auto spk = lif->forward(x).spk;
    spk.backward(g);
    most = std::max(most, resident() - before);
    x.mutable_grad().reset();
  }
  state.counters["inputs"] = most / (4 * large_elements);
}

BENCHMARK(large_memory)->Iterations(3);
BENCHMARK(large_forward)->UseManualTime()->Iterations(100);
BENCHMARK(large_forward_backward)->UseManualTime()->Iterations(100);
BENCHMARK(small_forward_backward)->UseManualTime()->Iterations(100);
BENCHMARK(steps_one_by_one)->UseManualTime()->Iterations(100);
BENCHMARK(constant_input)->UseManualTime()->Iterations(50);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::printf("%s, %d threads; copy limit %.1f GB/s\n", rheo::instruction_set().c_str(),
              at::get_num_threads(), 1e-9 / copy_limit());
  benchmark::RunSpecifiedBenchmarks();
}
