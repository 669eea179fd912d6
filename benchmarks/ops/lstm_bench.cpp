// Question: which share of what the matrix products alone would take does a spiking LSTM layer reach?
//   slstm/forward, slstm/train    SLSTM, T = 100, B = 128, input and hidden size `hidden`; train: spikes summed, backward
//                                 to every weight and the input. `limit` is the time of the layer's products, each as one
//                                 large product by the faster library of ops/product.hpp, over that of the layer.
//   product                       one step of the feedback, [128, hidden] times [hidden, 4 hidden]: the packed product on one
//                                 thread; `of_large` is its speed over that of a large product on one thread
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "rheo/kernels/lstm.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/ops/product.hpp"

namespace {

constexpr std::int64_t steps = 100, batch = 128;

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of a product of rows x in x out by the faster library.
double product_seconds(std::int64_t rows, std::int64_t in, std::int64_t out) {
  const auto x = at::randn({rows, in}), w = at::randn({out, in});
  double least = std::numeric_limits<double>::max();
  for (const auto library : {rheo::ops::ProductLibrary::libtorch, rheo::ops::ProductLibrary::onednn}) {
    for (int i = 0; i < 3; ++i) {
      least =
          std::min(least, seconds([&] { benchmark::DoNotOptimize(rheo::ops::linear_with(library, x, w)); }));
    }
  }
  return least;
}

void slstm(benchmark::State& state, bool train) {
  const auto hidden = state.range(0);
  rheo::nn::SLSTM layer({.input_size = hidden, .hidden_size = hidden, .threshold = 0.1});
  auto x = at::randn({steps, batch, hidden});
  x.requires_grad_(train);
  const auto once = [&] {
    if (!train) {
      const at::NoGradGuard no_grad;
      benchmark::DoNotOptimize(layer->forward(x));
      return;
    }
    layer->zero_grad();
    x.mutable_grad().reset();
    layer->forward(x).spk.sum().backward();
  };
  once();
  double least = std::numeric_limits<double>::max();
  for (auto _ : state) least = std::min(least, seconds(once));
  // Forward: input and feedback; backward: twice as much.
  const double forward = 2 * product_seconds(steps * batch, hidden, 4 * hidden);
  const double backward = train ? 2 * product_seconds(steps * batch, 4 * hidden, hidden) +
                                      2 * product_seconds(4 * hidden, steps * batch, hidden)
                                : 0;
  state.counters["limit"] = (forward + backward) / least;
}
BENCHMARK_CAPTURE(slstm, forward, false)->Arg(128)->Arg(256)->Iterations(20)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(slstm, train, true)->Arg(128)->Arg(256)->Iterations(20)->Unit(benchmark::kMillisecond);

void product(benchmark::State& state) {
  const auto hidden = state.range(0);
  const auto packed = rheo::kernels::lstm_loops(rheo::kernels::chosen_isa()).f32.product;
  const auto x = at::randn({batch, hidden}), w = at::randn({4 * hidden, hidden});
  auto y = at::empty({batch, 4 * hidden}), matrix = at::empty({packed.packed_size(hidden, 4 * hidden)});
  packed.pack(w.const_data_ptr<float>(), hidden, 4 * hidden, 1, hidden, matrix.mutable_data_ptr<float>());
  double least = std::numeric_limits<double>::max();
  for (auto _ : state) {
    least =
        std::min(least, seconds([&] {
                   packed.multiply(x.const_data_ptr<float>(), hidden, matrix.const_data_ptr<float>(), batch,
                                   hidden, 4 * hidden, false, y.mutable_data_ptr<float>(), 4 * hidden);
                 }));
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double large = product_seconds(2048, 1024, 1024) / (2048.0 * 1024 * 1024);
  at::set_num_threads(threads);
  state.counters["of_large"] = large * static_cast<double>(batch * hidden * 4 * hidden) / least;
}
BENCHMARK(product)->Arg(64)->Arg(256)->Arg(512)->Iterations(200)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
