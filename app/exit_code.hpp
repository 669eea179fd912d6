// What the program returns to the shell, and the two errors of its own that lead there.
#pragma once

#include <stdexcept>
#include <string>

namespace rheo::app {

enum ExitCode : int {
  exit_ok = 0,
  exit_failure = 1,        // something could not be done: a file, memory, a missing program
  exit_usage = 2,          // what was asked makes no sense: an option, a value, the contents of an input file
  exit_interrupted = 130,  // Ctrl-C, as shells report it
};

inline constexpr const char* exit_code_help =
    "Exit codes: 0 done; 1 failed (a file cannot be read or written, out of memory, a missing program);\n"
    "2 bad command line, value or input data; 130 interrupted.";

/// A bad argument or bad data: ends in exit_usage. Other std::invalid_argument errors do so too.
struct UsageError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Something that could not be done: ends in exit_failure.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace rheo::app
