#include "app/tutorial/costs.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "rheo/neurons/hodgkin_huxley.hpp"
#include "rheo/neurons/lapicque.hpp"
#include "rheo/nn/neurons.hpp"

namespace rheo::app::tutorial {
namespace {

struct NoSurrogate {};
/// The reset that everybody runs: subtract, with the next step.
using CountedRule =
    Rule<Counted, Counted, Counted, NoSurrogate, ResetForm::delayed_subtract>;

/// A step has no branches: which numbers go in makes no difference.
template <class Neuron>
Cost cost_of(std::string name) {
  const auto any = [](auto) { return Counted(0.5); };
  const auto state = Neuron::make_state(any);
  const auto constants = Neuron::make_constants(any);
  const CountedRule rule{1, 1, {0, 0, 0, 0}, {}};
  return {std::move(name), Neuron::state_names::count,
          count([&] { (void)Neuron::step(state, Counted(0.5), constants, rule); })};
}

Counted artificial(Counted current, Counted weight, Counted bias) {
  const Counted sum = weight * current + bias;
  return select(sum > 0, sum, 0);
}

class OneThread {
 public:
  OneThread() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_;
};

constexpr std::int64_t steps = 64,
                       neurons = 1024;  // what they take and give stays in the cache

/// Nanoseconds per neuron and step.
double time_of(const std::function<void()>& work) {
  constexpr int runs = 9, calls = 4;
  std::vector<double> times;
  work();
  for (int run = 0; run < runs; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    for (int call = 0; call < calls; ++call) work();
    const std::chrono::duration<double, std::nano> passed =
        std::chrono::steady_clock::now() - begin;
    times.push_back(passed.count() / (calls * steps * neurons));
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[runs / 2];
}

}  // namespace

std::vector<Cost> costs() {
  return {cost_of<rheo::neurons::HodgkinHuxley>("Hodgkin and Huxley's axon"),
          cost_of<rheo::neurons::Lapicque>("Leaky integrate-and-fire"),
          {"Artificial neuron", 0, count([] { (void)artificial(0.5, 0.1, -0.6); })}};
}

std::vector<double> measured_times() {
  const c10::InferenceMode no_gradients;
  const OneThread one_thread;
  const auto current = torch::full({steps, neurons}, 16.0, torch::kFloat);
  rheo::nn::HodgkinHuxley axon({.time_step = 0.1});
  rheo::nn::Lapicque lif({.R = 2.4, .C = 4.0, .time_step = 0.1, .threshold = 15.0});
  const auto weight = torch::full({1}, 0.1, torch::kFloat);
  auto sum = torch::empty_like(current);
  return {time_of([&] { axon->forward(current); }),
          time_of([&] { lif->forward(current); }),
          time_of([&] { torch::mul_out(sum, current, weight).sub_(0.6).relu_(); })};
}

}  // namespace rheo::app::tutorial
