// rheobase info: what a bug report needs, and which neurons there are.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/nn/registry.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <torch/headeronly/version.h>

#include <array>
#include <cmath>
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

std::string domain(Domain domain) {
  switch (domain) {
    case Domain::any:
      return "any number";
    case Domain::unit_interval:
      return "clamped to [0, 1]";
    case Domain::positive:
      return "above 0";
    case Domain::decay:
      return "in (0, 1]";
  }
  return "";
}

std::string unit(std::string_view name) { return name == "1" || name.empty() ? "" : " " + std::string(name); }

void print_neuron(const NeuronDescription& neuron) {
  line(std::string(neuron.name), std::string(neuron.brief));
  for (const auto& param : neuron.params) {
    const std::string value =
        std::isnan(param.value) ? "no default" : rounded(param.value) + unit(param.unit);
    const std::string learnable = param.learnable ? "" : ", not learnable";
    const std::string dimension = std::isnan(param.value) ? unit(param.unit) : "";
    std::printf("  %-14s %s%s (%s%s). %s\n", std::string(param.name).c_str(), value.c_str(),
                dimension.empty() ? "" : (" [" + dimension.substr(1) + "]").c_str(),
                domain(param.domain).c_str(), learnable.c_str(), std::string(param.meaning).c_str());
  }
  for (const auto& mode : neuron.modes) {
    std::string choices;
    for (const std::string_view choice : mode.choices) {
      if (!choice.empty()) choices += (choices.empty() ? "" : " | ") + std::string(choice);
    }
    std::printf("  %-14s %s. %s\n", std::string(mode.name).c_str(), choices.c_str(),
                std::string(mode.meaning).c_str());
  }
  for (const auto& state : neuron.states) {
    std::printf("  %-14s state%s. %s\n", std::string(state.name).c_str(),
                state.unit == "1" ? "" : (" [" + std::string(state.unit) + "]").c_str(),
                std::string(state.meaning).c_str());
  }
}

int print_info() {
  line("rheobase", std::string(version()));
  line("libtorch", TORCH_VERSION);
  line("instruction set", std::string(instruction_set()));
  line("threads", std::to_string(at::get_num_threads()));
  line("CUDA", at::hasCUDA() ? "yes" : "no");
  line("gnuplot", gnuplot_version());
  std::printf(
      "\nNeurons, with parameters and their defaults. All also take threshold=1, "
      "reset_mechanism=subtract|zero|none,\n"
      "reset_delay=true and graded_spikes_factor=1.\n\n");
  for (const NeuronDescription& neuron : neurons()) print_neuron(neuron);
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand(
      "info", "Versions, instruction set, threads and the neurons with their parameters");
  command->callback([&context] { context.run = print_info; });
}

}  // namespace rheo::app
