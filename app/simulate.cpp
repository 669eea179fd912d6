#include "app/command.hpp"

#include <CLI/CLI.hpp>

namespace rheo::app {
void add_simulate(CLI::App& program, Context&) { program.add_subcommand("simulate", "Runs one neuron"); }
}  // namespace rheo::app
