#include "app/neurons/subject.hpp"

#include "app/neurons/description.hpp"
#include "app/numbers.hpp"
#include "app/setup.hpp"
#include "rheo/nn/psn.hpp"

#include <memory>

namespace rheo::app::neurons {
namespace {

/// The order of the sliding neuron in the pictures.
constexpr std::int64_t sliding_order = 8;

/// From the parameter `time_step` and its unit, where the neuron has one.
TimeAxis time_axis(const Setup& setup) {
  for (const auto& p : setup.neuron->params) {
    if (p.name != "time_step") continue;
    double step = p.value.value_or(1);
    for (const auto& [name, values] : setup.params) {
      if (name == p.name) step = values.front();
    }
    if (p.unit == "s") return {1e3 * step, "ms"};
    if (p.unit == "ms") return {step, "ms"};
    return {step, "time"};
  }
  return {};
}

Subject neuron(const NeuronDescription& description) {
  SimulateArguments arguments;
  arguments.neuron = description.name;
  const Setup setup = read_setup(arguments);
  Subject subject{.description = description, .time = time_axis(setup)};
  for (const auto& [name, values] : setup.params) subject.chosen.emplace_back(name, values.front());
  if (!setup.threshold.empty()) subject.threshold = setup.threshold.front();
  subject.run = [module = setup.make(), states = description.states](const at::Tensor& x,
                                                                     bool traces) mutable {
    if (!traces) return Run{module->forward(x, State{}).spk, {}};
    const auto recorded = module->record(x, State{});
    Run run{recorded.spk, {}};
    for (const auto& state : states) {
      // The last spike as a state is the spike, and an earlier membrane is the membrane.
      if (state.name != "spk" && state.name != "mem_prev")
        run.states.emplace_back(state.name, recorded[state.name]);
    }
    return run;
  };
  return subject;
}

Subject layer(const NeuronDescription& description) {
  Subject subject{.description = description, .threshold = description.threshold};
  if (description.name != "SlidingPSN") return subject;
  subject.chosen = {{"order", static_cast<double>(sliding_order)}};
  subject.run = [module = nn::SlidingPSN({.order = sliding_order})](const at::Tensor& x,
                                                                    bool traces) mutable {
    if (!traces) return Run{module->forward(x, State{}).spk, {}};
    const auto recorded = module->record(x, State{});
    return Run{recorded.spk, {{"mem", recorded.mem}}};
  };
  return subject;
}

}  // namespace

std::string TimeAxis::label() const { return unit == "ms" ? "time (ms)" : unit; }

std::string TimeAxis::rate_label() const {
  return unit == "ms" ? "rate (Hz)" : unit == "step" ? "spikes per step" : "spikes per unit of time";
}

std::string TimeAxis::duration(double steps) const {
  const std::string number = rounded(steps * step);
  if (unit == "ms") return number + " ms";
  return unit == "step" ? number + (steps == 1 ? " step" : " steps") : number + " units of time";
}

double TimeAxis::rate(double per_step) const { return (unit == "ms" ? 1e3 : 1) * per_step / step; }

const std::vector<NeuronDescription>& list_layers() {
  static const std::vector<NeuronDescription> layers = [] {
    const std::string input = "input current";
    const std::vector<std::string> refuses = {"inhibition", "reset_mechanism", "reset_delay"};
    NeuronDescription psn;
    psn.name = "PSN";
    psn.brief = "parallel spiking neuron: learned weights over all steps";
    psn.params = {
        {"steps", std::nullopt, "steps", "positive", "T, the only length of a sequence it takes", false},
        {"weight", std::nullopt, "1", "any number", "W [T, T]; begins uniform within 1/sqrt(T)"},
        {"bias", 0.0, "1", "any number", "b [T]"}};
    psn.input = input;
    psn.refuses = refuses;
    psn.refuses.emplace_back("init_hidden");
    psn.elsewhere = "SpikingJelly: PSN, whose bias is b - threshold";
    psn.text =
        "Parallel spiking neuron: without a reset nothing feeds back, so that all steps are one product.\n"
        "    U = W X + b,   W [T, T] looks at every step, past and to come\n"
        "    S[t] = 1 if U[t] > threshold\n"
        "W. Fang et al. 2023, \"Parallel spiking neurons with high efficiency and ability to learn "
        "long-term\n"
        "dependencies\". Its weights begin at random, so that there is nothing to show before it has "
        "learned. A layer\n"
        "over whole sequences: it has no state and no step.";
    NeuronDescription sliding;
    sliding.name = "SlidingPSN";
    sliding.brief = "parallel spiking neuron: learned weights over the last k steps";
    sliding.params = {{"order", std::nullopt, "steps", "positive", "k, the steps it looks at", false},
                      {"weight", std::nullopt, "1", "any number", "w [k]; begins with w_i = 2^(i-k+1)"},
                      {"bias", 0.0, "1", "any number", "b [1]"}};
    sliding.states = {{"past", "1", "the last k-1 inputs", {-1, 1}}};
    sliding.input = input;
    sliding.refuses = refuses;
    sliding.drive = {-0.4, 1.5};
    sliding.elsewhere = "SpikingJelly: SlidingPSN, whose bias is b - threshold";
    sliding.text =
        "Parallel spiking neuron that looks at the last k steps, whatever the length of the sequence.\n"
        "    U[t] = sum_i w_i X[t-k+1+i] + b,   i = 0 ... k-1\n"
        "    S[t] = 1 if U[t] > threshold\n"
        "W. Fang et al. 2023, \"Parallel spiking neurons with high efficiency and ability to learn "
        "long-term\n"
        "dependencies\".";
    return std::vector<NeuronDescription>{psn, sliding};
  }();
  return layers;
}

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const auto& description : list_neurons()) all.push_back(neuron(description));
  for (const auto& description : list_layers()) all.push_back(layer(description));
  return all;
}

}  // namespace rheo::app::neurons
