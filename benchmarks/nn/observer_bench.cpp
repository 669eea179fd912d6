// Question: what does it cost that layers can be observed?
//   observe_call      the shortest call there is, a step of one Leaky, through step(); `extra_ns` is its time less that of the same
//                     call with nothing in between, `test_ns` the time of the question who observes alone. Each is the least of many
//                     runs, in turns
//   observe_elsewhere the same, while another layer is observed: a look into the table
//   observe_mean      [100, 128, 1000] forward of a Leaky with a running mean of its spikes: `times` the time without
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "rheo/nn/neurons.hpp"
#include "rheo/nn/probe.hpp"

namespace {

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A neuron whose calls can go around the question.
struct Bare : rheo::nn::NeuronImpl {
  using NeuronImpl::NeuronImpl;
  rheo::nn::Output straight(const at::Tensor& x) {
    auto out = do_forward(rheo::Input(x.unsqueeze(0)), {});
    return {out.spk.squeeze(0), std::move(out.state)};
  }
};

constexpr int calls = 2000;

void measure(benchmark::State& state, const Bare* observed) {
  const at::NoGradGuard no_grad;
  Bare lif(rheo::nn::Leaky::entry(), rheo::NeuronOptions{});
  const auto x = at::rand({1, 1});
  rheo::nn::Observation watching;
  if (observed != nullptr) {
    watching = rheo::nn::observe(const_cast<Bare&>(*observed), std::make_shared<rheo::nn::Observer>());
  }
  double with = std::numeric_limits<double>::infinity(), without = with, test = with;
  for (auto _ : state) {
    without = std::min(without, seconds([&] {
                         for (int i = 0; i < calls; ++i) benchmark::DoNotOptimize(lif.straight(x));
                       }));
    with = std::min(with, seconds([&] {
                      for (int i = 0; i < calls; ++i) benchmark::DoNotOptimize(lif.step(x));
                    }));
    test = std::min(test, seconds([&] {
                      for (int i = 0; i < calls; ++i) benchmark::DoNotOptimize(rheo::nn::observers_of(lif));
                    }));
  }
  state.counters["call_ns"] = with / calls * 1e9;
  state.counters["extra_ns"] = (with - without) / calls * 1e9;
  state.counters["test_ns"] = test / calls * 1e9;
}

void observe_call(benchmark::State& state) { measure(state, nullptr); }
void observe_elsewhere(benchmark::State& state) {
  const Bare other(rheo::nn::Leaky::entry(), rheo::NeuronOptions{});
  measure(state, &other);
}

void observe_mean(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  rheo::nn::Leaky lif({.beta = 0.9});
  const auto x = at::rand({100, 128, 1000});
  double with = std::numeric_limits<double>::infinity(), without = with;
  for (auto _ : state) {
    without = std::min(without, seconds([&] { benchmark::DoNotOptimize(lif->forward(x)); }));
    const rheo::nn::OutputMonitor rate(lif, {""}, {.keep = rheo::nn::Keep::mean});
    with = std::min(with, seconds([&] { benchmark::DoNotOptimize(lif->forward(x)); }));
  }
  state.counters["times"] = with / without;
}

BENCHMARK(observe_call)->Iterations(200)->Unit(benchmark::kMicrosecond);
BENCHMARK(observe_elsewhere)->Iterations(200)->Unit(benchmark::kMicrosecond);
BENCHMARK(observe_mean)->Iterations(30)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
