// Runs the built program as a user does: by a shell, in a folder, with what it says and returns kept.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace rheo::test {

struct Result {
  int code = -1;
  std::string out, err;
};

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs `environment rheobase arguments` in `folder`; stdout and stderr go to files in `log`. The shell reads the
/// arguments: quote what it would change.
inline Result run_program(const std::filesystem::path& folder, const std::filesystem::path& log,
                          const std::string& environment, const std::string& arguments) {
  std::filesystem::create_directories(log);
  const std::string command = "cd '" + folder.string() + "' && " + environment + " '" RHEO_PROGRAM "' " +
                              arguments + " > '" + (log / "out").string() + "' 2> '" +
                              (log / "err").string() + "'";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(log / "out"),
          contents(log / "err")};
}

}  // namespace rheo::test
