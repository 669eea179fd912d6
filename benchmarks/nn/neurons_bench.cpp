// Question: what does each neuron of the registry cost, and how much more is its backward than its forward?
//   neuron/<name>   [100, 128, 256] float32, noise in the neuron's range of drive. `forward_ms` without gradients; `backward`: the time
//                   of backward alone, for the gradient of x, over that of the forward; `learning`: the same with the gradients of
//                   all parameters that can be learned, threshold and graded factor too; `one`: of the first of them alone;
//                   `leaky`: the forward in times of Leaky's. They take turns; the least of each counts
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "rheo/nn/neurons.hpp"

namespace {

struct Least {
  double seconds = std::numeric_limits<double>::infinity();
  double time(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    seconds = std::min(seconds, took);
    return took;
  }
};

bool takes(const rheo::NeuronDescription& neuron, const std::string& option) {
  return std::find(neuron.refuses.begin(), neuron.refuses.end(), option) == neuron.refuses.end();
}

enum class Learn { nothing, one, all };

rheo::nn::Neuron make(const rheo::NeuronDescription& about, Learn learn) {
  rheo::NeuronOptions o;
  if (about.name == "Lapicque") o.params = {{"R", 4.0}, {"C", 2.0}};  // it has no defaults
  for (const auto& p : about.params) {
    const bool follows = about.name == "Lapicque" && p.name == "beta";  // from R and C
    const bool wanted = learn == Learn::all || (learn == Learn::one && o.learn.empty());
    if (wanted && p.learnable && !follows) o.learn.push_back(p.name);
  }
  if (learn == Learn::all) {
    o.learn_threshold = takes(about, "learn_threshold");
    o.learn_graded_spikes_factor = takes(about, "learn_graded_spikes_factor");
  }
  return rheo::nn::make_neuron(about.name, o);
}

at::Tensor noise(const rheo::NeuronDescription& about) {
  const auto [low, high] = about.drive;
  return at::rand({100, 128, 256}) * (high - low) + low;
}

void neuron(benchmark::State& state, const rheo::NeuronDescription& about) {
  auto plain = make(about, Learn::nothing), one = make(about, Learn::one), all = make(about, Learn::all);
  auto leaky = rheo::nn::make_neuron("Leaky");
  auto x = noise(about).requires_grad_();
  const auto leaky_x = noise(rheo::find_neuron("Leaky"));
  const auto g = at::rand({100, 128, 256});
  Least leakys, forward, backward, learning_one, learning;
  for (auto _ : state) {
    {
      const at::NoGradGuard no_grad;
      leakys.time([&] { benchmark::DoNotOptimize(leaky->forward(leaky_x)); });
      state.SetIterationTime(forward.time([&] { benchmark::DoNotOptimize(plain->forward(x)); }));
    }
    for (auto& [layer, least] : {std::pair(&plain, &backward), {&one, &learning_one}, {&all, &learning}}) {
      const auto spk = (*layer)->forward(x).spk;
      least->time([&] { spk.backward(g); });
      x.mutable_grad().reset();
      (*layer)->zero_grad();
    }
  }
  state.counters["constants"] = static_cast<double>(about.constants.size());
  state.counters["leaky"] = forward.seconds / leakys.seconds;
  state.counters["forward_ms"] = forward.seconds * 1e3;
  state.counters["backward"] = backward.seconds / forward.seconds;
  state.counters["one"] = learning_one.seconds / forward.seconds;
  state.counters["learning"] = learning.seconds / forward.seconds;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const auto& about : rheo::list_neurons()) {
    benchmark::RegisterBenchmark(("neuron/" + about.name).c_str(),
                                 [&about](benchmark::State& state) { neuron(state, about); })
        ->UseManualTime()
        ->Iterations(20)
        ->Unit(benchmark::kMillisecond);
  }
  std::printf("%s, %d threads\n", rheo::instruction_set().c_str(), at::get_num_threads());
  benchmark::RunSpecifiedBenchmarks();
}
