// rheobase info: what a bug report needs, and which neurons there are.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/kernels/registry.hpp"
#include "rheo/nn/options.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/ops/product.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <torch/headeronly/version.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace rheo::app {
namespace {

void line(const std::string& name, const std::string& value) {
  std::printf("%-16s %s\n", name.c_str(), value.c_str());
}

/// "5.4 patchlevel 4", or that there is none.
std::string gnuplot_version() {
  const std::unique_ptr<FILE, int (*)(FILE*)> answer(popen("gnuplot --version 2>/dev/null", "r"), pclose);
  std::array<char, 128> text{};
  if (!answer || std::fgets(text.data(), static_cast<int>(text.size()), answer.get()) == nullptr) {
    return "not found: figures need it";
  }
  std::string version(trimmed(std::string_view(text.data())));
  if (version.ends_with('\n')) version.pop_back();
  return version.starts_with("gnuplot ") ? version.substr(8) : version;
}

std::string available_instruction_sets() {
  std::string names;
  for (int i = 0; i < kernels::isa_count; ++i) {
    const auto isa = static_cast<kernels::Isa>(i);
    if (kernels::is_available(isa))
      names += (names.empty() ? "" : ", ") + std::string(kernels::to_string(isa));
  }
  return names;
}

std::string bracketed(const std::string& unit) {
  return unit == "1" || unit.empty() ? "" : " [" + unit + "]";
}

/// A name, what it may be, what it is.
void entry(const std::string& name, const std::string& values, const std::string& meaning) {
  std::printf("  %-14s %-38s %s\n", name.c_str(), values.c_str(), meaning.c_str());
}

void print_neuron(const NeuronDescription& neuron) {
  line(neuron.name, neuron.brief);
  for (const ParameterDescription& param : neuron.params) {
    const std::string value = param.value ? rounded(*param.value) : "no default";
    entry(param.name, value + bracketed(param.unit) + (param.domain.empty() ? "" : ", " + param.domain),
          param.meaning);
  }
  for (const ModeDescription& mode : neuron.modes) {
    std::string choices;
    for (const std::string& choice : mode.choices) choices += (choices.empty() ? "" : " | ") + choice;
    entry(mode.name, choices, mode.meaning);
  }
  for (const StateDescription& state : neuron.states) {
    entry(state.name, "state" + bracketed(state.unit), state.meaning);
  }
  if (neuron.reset != Reset::subtract) entry("reset_mechanism", to_string(neuron.reset), "unless given");
  for (const std::string& option : neuron.refuses) entry(option, "not taken", "");
}

int print_info() {
  const std::string isa = instruction_set();  // first: RHEOBASE_ISA may be wrong
  line("rheobase", version());
  line("libtorch", TORCH_VERSION);
  line("instruction set", isa + " (this machine has " + available_instruction_sets() + ")");
  line("products", ops::product_library());
  line("threads", std::to_string(at::get_num_threads()));
  line("CUDA", at::hasCUDA() ? "yes" : "no");
  line("gnuplot", gnuplot_version());
  std::printf(
      "\nNeurons, with parameters and their defaults. All also take threshold=1, "
      "reset_mechanism=subtract|zero|none,\n"
      "reset_delay=true and graded_spikes_factor=1.\n\n");
  for (const NeuronDescription& neuron : list_neurons()) print_neuron(neuron);
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand(
      "info", "Versions, instruction set, threads and the neurons with their parameters");
  command->callback([&context] { context.run = print_info; });
}

}  // namespace rheo::app
