// rheobase info: what a bug report needs, and which neurons there are.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/kernels/registry.hpp"
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

int print_info() {
  const std::string isa = instruction_set();  // first: RHEOBASE_ISA may be wrong
  line("rheobase", version());
  line("libtorch", TORCH_VERSION);
  line("instruction set", isa + " (this machine has " + available_instruction_sets() + ")");
  line("products", ops::product_library());
  line("threads", std::to_string(at::get_num_threads()));
  line("CUDA", at::hasCUDA() ? "yes" : "no");
  line("gnuplot", gnuplot_version());
  std::printf("\nNeurons; rheobase neurons NAME says more.\n\n");
  for (const NeuronDescription& neuron : list_neurons()) line(neuron.name, neuron.brief);
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("info", "Versions, instruction set, threads and the names of the neurons");
  command->callback([&context] { context.run = print_info; });
}

}  // namespace rheo::app
