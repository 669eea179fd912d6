// The program `rheobase`: reads the command line and runs one subcommand.
// Every error becomes one line and an exit code.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "rheo/core/nearest.hpp"

#include <CLI/CLI.hpp>
#include <c10/util/Exception.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app {

void Context::note(std::string_view text) const {
  if (!quiet) std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

namespace {

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& names) {
  const std::string_view guess = nearest_name(typed, names);
  return guess.empty() ? "; see rheobase --help" : "; did you mean " + std::string(guess) + "?";
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

/// Finds a mistyped subcommand or option before CLI11 does: that complains first of what is then missing.
void check_names(const CLI::App& program, const std::vector<std::string>& arguments) {
  const CLI::App* command = &program;
  std::vector<std::string> subcommands;
  for (const CLI::App* sub : program.get_subcommands({})) subcommands.push_back(sub->get_name());
  for (const std::string& argument : arguments) {
    if (argument == "--") return;
    if (argument.starts_with("--")) {
      const std::string name = argument.substr(0, argument.find('='));
      if (command->get_option_no_throw(name) == nullptr && program.get_option_no_throw(name) == nullptr) {
        const std::string where = command == &program ? "" : " for " + command->get_name();
        throw UsageError("unknown option " + name + where + did_you_mean(name, option_names(*command)));
      }
    } else if (command == &program && !argument.starts_with("-")) {
      command = nullptr;
      for (const CLI::App* sub : program.get_subcommands({})) {
        if (sub->get_name() == argument) command = sub;
      }
      if (command == nullptr) {
        throw UsageError("unknown subcommand " + argument + did_you_mean(argument, subcommands));
      }
    }
  }
}

/// CLI11 explains some errors on several lines; libtorch adds a stack trace. The first line says it.
std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

int report(std::string_view message, ExitCode code) {
  std::fprintf(stderr, "rheobase: error: %s\n", first_line(message).c_str());
  return code;
}

int run(const std::vector<std::string>& arguments) {
  Context context;
  CLI::App program("Rheobase " RHEO_PROGRAM_VERSION ": simulate and train spiking neural networks.",
                   "rheobase");
  program.footer(exit_code_help);
  program.fallthrough();  // --quiet may stand after the subcommand too
  program.add_flag("-q,--quiet", context.quiet, "No notes on stderr, only results and errors");
  program.set_version_flag("--version", "rheobase " RHEO_PROGRAM_VERSION);
  for (const AddCommand add : commands) add(program, context);
  for (CLI::App* command : program.get_subcommands({})) {
    if (command->get_footer().empty()) command->footer(exit_code_help);
  }

  if (arguments.empty()) {
    std::fputs(program.help().c_str(), stdout);
    return exit_ok;
  }
  check_names(program, arguments);
  try {
    program.parse(
        std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 reads from the back
  } catch (const CLI::Success& help_or_version) {
    return program.exit(help_or_version) == 0 ? exit_ok : exit_failure;
  } catch (const CLI::ParseError& error) {
    const auto chosen = program.get_subcommands();
    const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
    throw UsageError(first_line(error.what()) + "; see rheobase" + command + " --help");
  }
  if (!context.run) throw UsageError("a subcommand is needed; see rheobase --help");
  const int code = context.run();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw Failure("cannot write to standard output");
  return code;
}

}  // namespace
}  // namespace rheo::app

int main(int argc, char** argv) {
  using namespace rheo::app;
  remove_unfinished_files_when_interrupted();
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::invalid_argument& error) {  // ours, and the library's ValueError and TypeError
    return report(error.what(), exit_usage);
  } catch (const c10::Error& error) {
    return report(error.what_without_backtrace(), exit_failure);
  } catch (const std::bad_alloc&) {
    return report("out of memory", exit_failure);
  } catch (const std::exception& error) {
    return report(error.what(), exit_failure);
  }
}
