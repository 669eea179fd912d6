#include "app/tutorial/experiments.hpp"

#include <torch/types.h>

#include "rheo/functional/lif.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/spikegen/rate_conv.hpp"

// The page shows the code between [name] and [end] as it stands here.

namespace rheo::app::tutorial {
namespace {

std::vector<float> to_vector(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kFloat).contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

torch::Tensor to_tensor(const std::vector<float>& values) {  // [T, 1]
  return torch::tensor(values).unsqueeze(1);
}

// [same]
// 4, 8 and 16 uA/cm2 for 30 ms each; a step is 0.1 ms.
torch::Tensor staircase() {
  auto current = torch::zeros({1200, 1});
  current.slice(0, 100, 400).fill_(4.0);
  current.slice(0, 400, 700).fill_(8.0);
  current.slice(0, 700, 1000).fill_(16.0);
  return current;
}

SameCurrent same_current() {
  auto current = staircase();
  // The squid's axon: four equations, rest at -65 mV.
  rheo::nn::HodgkinHuxley axon({.time_step = 0.1});
  auto shape = axon->record(current);
  // kohm cm2, uF/cm2, ms: a membrane in mV above rest, which fires at 15.
  rheo::nn::Lapicque lif({.R = 2.4, .C = 4.0, .time_step = 0.1, .threshold = 15.0});
  auto times = lif->record(current);
  // A weight, a bias, a rectifier: one number for each step, from that step alone.
  auto sum = 0.1 * current - 0.6;
  auto number = torch::relu(sum);
  return {.current = to_vector(current),
          .axon_mem = to_vector(shape.mem),
          .axon_spk = to_vector(shape.spk),
          .lif_mem = to_vector(times.mem),
          .lif_spk = to_vector(times.spk),
          .sum = to_vector(sum),
          .number = to_vector(number)};
}
// [end]

// [passive]
std::vector<double> passive_membrane() {
  auto mem = torch::full({1}, 0.9, torch::kDouble);  // U, volt
  auto current = torch::zeros({1}, torch::kDouble);  // I, ampere
  rheo::functional::LeakyIntegrateOptions cell{.time_step = 1e-3, .R = 5e7, .C = 1e-10};
  std::vector<double> trace;
  for (int step = 0; step < 100; ++step) {
    trace.push_back(mem.item<double>());
    mem = rheo::functional::leaky_integrate(mem, current, cell);
  }
  return trace;
}
// [end]

// [simulate]
// current: [steps, 1], for one neuron
Recording simulate(rheo::nn::Lapicque& neuron, torch::Tensor current,
                   double initial = 0) {
  auto mem = torch::full({1}, initial);
  auto out = neuron->record(current, rheo::State{{"mem", mem}});
  return {.input = to_vector(current),
          .mem = to_vector(torch::cat({mem.unsqueeze(0), out.mem})),
          .spk = to_vector(torch::cat({torch::zeros({1, 1}), out.spk}))};
}
// [end]

// [resting]
Recording resting() {
  rheo::nn::Lapicque lif({.R = 5.0, .C = 1e-3, .time_step = 1e-3});
  return simulate(lif, torch::zeros({100, 1}), 0.9);
}
// [end]

// [step]
Recording step_current() {
  rheo::nn::Lapicque lif({.R = 5.0, .C = 1e-3, .time_step = 1e-3});
  auto current = torch::cat({torch::zeros({10, 1}), torch::full({190, 1}, 0.1)});
  return simulate(lif, current);
}
// [end]

// [pulse]
// Called with 0.1 and 20, 0.111 and 10, 0.147 and 5, 0.5 and 1.
Recording pulse(double amplitude, int width) {
  rheo::nn::Lapicque lif({.R = 5.0, .C = 1e-3, .time_step = 1e-3});
  auto current = torch::zeros({200, 1});
  current.slice(0, 10, 10 + width).fill_(amplitude);
  return simulate(lif, current);
}
// [end]

// [by_hand]
// Called with rheo::Reset::none and rheo::Reset::subtract.
Recording by_hand(rheo::Reset reset) {
  rheo::functional::LeakyIntegrateAndFireOptions cell{
      .time_step = 1e-3, .R = 5.1, .C = 5e-3, .threshold = 1.0, .reset = reset};
  auto current = torch::cat({torch::zeros({10}), torch::full({190}, 0.2)});
  auto mem = torch::zeros({1});
  std::vector<torch::Tensor> mems, spikes;
  for (int step = 0; step < 200; ++step) {
    auto out = rheo::functional::leaky_integrate_and_fire(mem, current[step], cell);
    mem = out.mem;
    mems.push_back(out.mem);
    spikes.push_back(out.spk);
  }
  return {.input = to_vector(current),
          .mem = to_vector(torch::cat(mems)),
          .spk = to_vector(torch::cat(spikes))};
}
// [end]

// [firing]
// Called with 0.2 and 0.3 ampere. The threshold is 1 V unless you choose another.
Recording firing(double amplitude) {
  rheo::nn::Lapicque lif({.R = 5.1, .C = 5e-3, .time_step = 1e-3});
  auto current = torch::cat({torch::zeros({10, 1}), torch::full({190, 1}, amplitude)});
  return simulate(lif, current);
}
// [end]

// [threshold]
rheo::nn::Lapicque sensitive_neuron(rheo::Reset reset) {
  return rheo::nn::Lapicque({.R = 5.1,
                             .C = 5e-3,
                             .time_step = 1e-3,
                             .threshold = 0.5,
                             .reset_mechanism = reset});
}

// Called with rheo::Reset::subtract and rheo::Reset::zero.
Recording lower_threshold(rheo::Reset reset) {
  auto lif = sensitive_neuron(reset);
  auto current = torch::cat({torch::zeros({10, 1}), torch::full({190, 1}, 0.3)});
  return simulate(lif, current);
}
// [end]

// [spikes]
torch::Tensor input_spikes(std::uint64_t seed) {
  return rheo::spikegen::rate_conv(torch::full({200, 1}, 0.4), seed);
}
// [end]

// [spiking]
Recording spiking_input(torch::Tensor spikes, rheo::Reset reset) {
  auto lif = sensitive_neuron(reset);
  return simulate(lif, spikes, 0.5);
}
// [end]

// [regular]
torch::Tensor every_third_step() {
  auto spikes = torch::zeros({200, 1});
  spikes.slice(0, 0, 200, 3).fill_(1.0);
  return spikes;
}
// [end]

}  // namespace

std::vector<int> Recording::spike_times() const {
  std::vector<int> times;
  for (std::size_t n = 0; n < spk.size(); ++n) {
    if (spk[n] != 0) times.push_back(static_cast<int>(n));
  }
  return times;
}

std::vector<float> random_spikes(std::uint64_t seed) {
  return to_vector(input_spikes(seed));
}

Experiments run_experiments(const Input& input) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor spikes =
      to_tensor(input.spikes ? *input.spikes : random_spikes(input.seed));
  Experiments all{.same = same_current(),
                  .passive = passive_membrane(),
                  .resting = resting(),
                  .step_current = step_current(),
                  .pulsed = {},
                  .by_hand_without_reset = by_hand(Reset::none),
                  .by_hand = by_hand(Reset::subtract),
                  .firing = firing(0.2),
                  .larger_current = firing(0.3),
                  .lower_threshold = lower_threshold(Reset::subtract),
                  .lower_threshold_zero = lower_threshold(Reset::zero),
                  .random_subtract = spiking_input(spikes, Reset::subtract),
                  .random_zero = spiking_input(spikes, Reset::zero),
                  .random_none = spiking_input(spikes, Reset::none),
                  .regular_subtract = spiking_input(every_third_step(), Reset::subtract),
                  .regular_zero = spiking_input(every_third_step(), Reset::zero)};
  for (const Pulse& p : pulses) all.pulsed.push_back(pulse(p.amplitude, p.width));
  return all;
}

}  // namespace rheo::app::tutorial
