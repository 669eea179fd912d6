// Question: are the scans linear in time, and what do they cost beside the ideal reads and writes?
//   state/T/C       StateLeaky [T, 16, C / 16] forward + backward; `ns` per element, `of_4000` the time over that at T = 4000
//   narrow/T/C      the same [T, 1, C]
//   window/T/K      the last K inputs only, [T, 16, 64]; `ns` per element does not depend on K
//   associative/T   AssociativeLeaky 64 -> 8 x 8 over [T, 16, 64] forward + backward; `of_4000` as above
#include <ATen/ops/rand.h>
#include <ATen/ops/sum.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>

#include "rheo/nn/associative_leaky.hpp"
#include "rheo/nn/state_leaky.hpp"

namespace {

/// The least time of forward and backward of a layer on x.
template <class Layer>
void train(benchmark::State& state, Layer layer, at::Tensor x, double& of_4000) {
  x.requires_grad_();
  double least = std::numeric_limits<double>::max();
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    layer->forward(x).spk.sum().backward();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    x.mutable_grad().reset();
    layer->zero_grad();
  }
  state.counters["ns"] = least * 1e9 / static_cast<double>(x.numel());
  if (x.size(0) == 4000) of_4000 = least;
  if (of_4000 > 0) state.counters["of_4000"] = least / of_4000;
}

void state(benchmark::State& s) {
  static std::map<std::int64_t, double> of_4000;
  train(s, rheo::nn::StateLeaky({.beta = 0.9}), at::rand({s.range(0), 16, s.range(1) / 16}),
        of_4000[s.range(1)]);
}
BENCHMARK(state)
    ->ArgsProduct({{4000, 32000}, {16, 32, 64, 1024}})
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);

void narrow(benchmark::State& s) {
  static std::map<std::int64_t, double> of_4000;
  train(s, rheo::nn::StateLeaky({.beta = 0.9}), at::rand({s.range(0), 1, s.range(1)}), of_4000[s.range(1)]);
}
BENCHMARK(narrow)->ArgsProduct({{4000, 32000}, {1, 4, 8}})->Iterations(20)->Unit(benchmark::kMillisecond);

void window(benchmark::State& s) {
  static std::map<std::int64_t, double> of_4000;
  train(s, rheo::nn::StateLeaky({.beta = 0.9, .kernel_truncation_steps = s.range(1)}),
        at::rand({s.range(0), 16, 64}), of_4000[s.range(1)]);
}
BENCHMARK(window)->ArgsProduct({{4000, 32000}, {1, 16, 512}})->Iterations(10)->Unit(benchmark::kMillisecond);

void associative(benchmark::State& s) {
  static double of_4000 = 0;
  train(s, rheo::nn::AssociativeLeaky({.in_dim = 64, .d_value = 8, .d_key = 8}),
        at::rand({s.range(0), 16, 64}), of_4000);
}
BENCHMARK(associative)->Arg(4000)->Arg(32000)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
