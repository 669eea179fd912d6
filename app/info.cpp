#include "app/command.hpp"

#include <CLI/CLI.hpp>

namespace rheo::app {
void add_info(CLI::App& program, Context&) {
  program.add_subcommand("info", "Versions, instruction set, threads and neurons");
}
}  // namespace rheo::app
