#include "rheo/plot/detail/gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "rheo/plot/figure.hpp"

extern char** environ;

namespace rheo::plot::detail {
namespace {

// Files without a name instead of pipes: a gnuplot that dies early raises no SIGPIPE here, and one that talks
// much while we still write cannot block us.
class ScratchFile {
 public:
  ScratchFile() : file_(std::tmpfile()) {
    if (!file_) throw Error(std::string("[plot] cannot make a temporary file: ") + std::strerror(errno));
    ::fcntl(descriptor(), F_SETFD, FD_CLOEXEC);  // not inherited by programs that other threads start
  }

  [[nodiscard]] int descriptor() const { return ::fileno(file_.get()); }

  void write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
        std::fflush(file_.get()) != 0) {
      throw Error(std::string("[plot] cannot write a temporary file: ") + std::strerror(errno));
    }
    std::rewind(file_.get());
  }

  [[nodiscard]] std::string read() {
    std::rewind(file_.get());
    std::string text;
    char buffer[1 << 14];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file_.get())) text.append(buffer, n);
    return text;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

// gnuplot points at the fault on several lines; one line reads better in an exception.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space) line += c;
    if (space && !line.empty() && line.back() != ' ') line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  constexpr std::size_t longest = 400;
  return line.size() > longest ? line.substr(0, longest) + " ..." : line;
}

struct FileActions {
  posix_spawn_file_actions_t actions;
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};

}  // namespace

std::string run_gnuplot(std::string_view commands) {
  ScratchFile input, output, errors;
  input.write(commands);

  FileActions files;
  ::posix_spawn_file_actions_adddup2(&files.actions, input.descriptor(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files.actions, output.descriptor(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files.actions, errors.descriptor(), STDERR_FILENO);
  char name[] = "gnuplot", default_settings[] = "-d";
  char* const arguments[] = {name, default_settings, nullptr};
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, name, &files.actions, nullptr, arguments, environ);
  if (failure == ENOENT || failure == EACCES) {
    throw GnuplotMissing("[plot] gnuplot is missing: install the package gnuplot-nox to get figures");
  }
  if (failure != 0) throw Error(std::string("[plot] cannot start gnuplot: ") + std::strerror(failure));

  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw Error(std::string("[plot] lost track of gnuplot: ") + std::strerror(errno));
  }
  if (!WIFEXITED(status)) {
    throw Error("[plot] gnuplot was killed by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == 127) {
    throw GnuplotMissing("[plot] gnuplot cannot be run: install the package gnuplot-nox to get figures");
  }
  if (WEXITSTATUS(status) != 0) {
    throw Error("[plot] gnuplot failed with status " + std::to_string(WEXITSTATUS(status)) + ": " +
                one_line(errors.read()));
  }
  return output.read();
}

}  // namespace rheo::plot::detail
