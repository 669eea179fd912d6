// Question: how far is a dense recurrent layer from its products?
//   forward  RLeaky [100, 128, N], spikes alone, against the dense products of 100 steps and nothing else, whole batch at a
//            time, by the library chosen for them: `of_products` is their time over ours. Above 1 the layer takes less
//            than dense products would, because it skips the zeros of its spikes (`density`: the share that is not zero)
//   train    forward + backward, against the same products, as many for the adjoints, and one for the weight's gradient
//   busy     forward with half of the neurons firing at every step: the worst case for skipping
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/sum.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "rheo/nn/recurrent.hpp"
#include "rheo/ops/product.hpp"

namespace {

double once(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr std::int64_t steps = 100, batch = 128;

struct Setup {
  rheo::nn::RLeaky layer;
  at::Tensor x, spk, weight;

  Setup(std::int64_t n, double threshold)
      : layer({.beta = 0.9, .linear_features = n, .threshold = threshold}),
        x(at::rand({steps, batch, n}) * 0.4) {
    const at::NoGradGuard no_grad;
    spk = layer->forward(x).spk;
    weight = layer->parameters()[0].detach();
  }

  /// The products of all steps, `times` over.
  void products(int times) const {
    const at::NoGradGuard no_grad;
    for (int i = 0; i < times; ++i) {
      for (std::int64_t t = 0; t < steps; ++t)
        benchmark::DoNotOptimize(rheo::ops::linear(spk.select(0, t), weight));
    }
  }
  void weight_gradient() const {
    const at::NoGradGuard no_grad;
    const auto rows = spk.view({-1, spk.size(2)});
    benchmark::DoNotOptimize(rheo::ops::linear(rows.t(), rows.t()));
  }
  void forward() {
    const at::NoGradGuard no_grad;
    benchmark::DoNotOptimize(layer->forward(x));
  }
  void train() {
    x.mutable_grad().reset();
    layer->zero_grad();
    layer->forward(x).spk.sum().backward();
  }
};

/// In turns, the least time of each.
void compare(benchmark::State& state, const Setup& setup, const std::function<void()>& ours,
             const std::function<void()>& products) {
  double least = std::numeric_limits<double>::max(), dense = least;
  for (auto _ : state) {
    dense = std::min(dense, once(products));
    least = std::min(least, once(ours));
  }
  state.counters["ours_ms"] = 1e3 * least;
  state.counters["of_products"] = dense / least;
  state.counters["density"] = setup.spk.mean().item<double>();
}

void forward(benchmark::State& state) {
  Setup setup(state.range(0), 1);
  compare(state, setup, [&] { setup.forward(); }, [&] { setup.products(1); });
}
BENCHMARK(forward)->Arg(64)->Arg(256)->Arg(1000)->Iterations(20)->Unit(benchmark::kMillisecond);

void busy(benchmark::State& state) {
  Setup setup(state.range(0), 0.2);
  compare(state, setup, [&] { setup.forward(); }, [&] { setup.products(1); });
}
BENCHMARK(busy)->Arg(64)->Arg(256)->Arg(1000)->Iterations(20)->Unit(benchmark::kMillisecond);

void train(benchmark::State& state) {
  Setup setup(state.range(0), 1);
  setup.x.requires_grad_();
  compare(
      state, setup, [&] { setup.train(); },
      [&] {
        setup.products(2);
        setup.weight_gradient();
      });
}
BENCHMARK(train)->Arg(64)->Arg(256)->Arg(1000)->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
