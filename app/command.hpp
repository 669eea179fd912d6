// The program's subcommands. Each is one file, app/<name>.cpp, with one function that tells CLI11 its options
// and stores what to run:
//   void add_info(CLI::App& program, Context& context) {
//     CLI::App* command = program.add_subcommand("info", "Versions, ...");
//     command->callback([&context] { context.run = [&context] { return print_info(context); }; });
//   }
// To add one: the file, its name in app/CMakeLists.txt, and the two lines below.
// Data goes to stdout, everything else to stderr. Errors are exceptions (exit_code.hpp), printed by main.cpp.
#pragma once

#include <functional>
#include <string_view>

namespace CLI {
class App;
}

namespace rheo::app {

/// What all subcommands share. Lives in main().
struct Context {
  bool quiet = false;        // --quiet: no notes
  std::function<int()> run;  // set by the chosen subcommand; returns an ExitCode

  /// One line for the user on stderr, unless --quiet.
  void note(std::string_view text) const;
};

using AddCommand = void (*)(CLI::App& program, Context& context);

void add_tutorial(CLI::App& program, Context& context);
void add_train(CLI::App& program, Context& context);
void add_predict(CLI::App& program, Context& context);
void add_inspect(CLI::App& program, Context& context);
void add_simulate(CLI::App& program, Context& context);
void add_encode(CLI::App& program, Context& context);
void add_neurons(CLI::App& program, Context& context);
void add_tune(CLI::App& program, Context& context);
void add_info(CLI::App& program, Context& context);

/// In the order of `rheobase --help`.
inline constexpr AddCommand commands[] = {add_tutorial, add_train,   add_predict, add_inspect, add_simulate,
                                          add_encode,   add_neurons, add_tune,    add_info};

}  // namespace rheo::app
