// Question: from which share of spikes on is it faster to skip the zeros?
//   sparse/out/percent   [3200, 1000] spikes times a weight of `out` rows: `of_dense` is the time of the dense product,
//                        by the library chosen for it, over that of the sparse one. Above 1 skipping wins.
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "rheo/ops/product.hpp"

namespace {

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void sparse(benchmark::State& state) {
  const auto x = at::rand({3200, 1000}).lt(static_cast<double>(state.range(1)) / 100).to(at::kFloat);
  const auto w = at::randn({state.range(0), 1000}), b = at::randn({state.range(0)});
  double dense = std::numeric_limits<double>::max(), skipped = dense;
  for (auto _ : state) {  // in turns, the least time of each
    dense = std::min(dense, seconds([&] { benchmark::DoNotOptimize(rheo::ops::linear(x, w, b)); }));
    skipped =
        std::min(skipped, seconds([&] { benchmark::DoNotOptimize(rheo::ops::sparse_linear(x, w, b)); }));
  }
  state.counters["of_dense"] = dense / skipped;
}
BENCHMARK(sparse)
    ->ArgsProduct({{10, 32, 128, 1000}, {2, 5, 10, 20, 30, 50}})
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
