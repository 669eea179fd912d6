// The built program in the background, so that a test can send it signals.
//   Background run(folder, log, {"train", "randman"});
//   run.wait_until([&] { return exists(folder / "metrics.csv"); });
//   run.signal(SIGINT);  EXPECT_EQ(run.wait(), 130);
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace rheo::test {

class Background {
 public:
  Background(const std::filesystem::path& folder, const std::filesystem::path& log,
             const std::vector<std::string>& arguments) {
    std::filesystem::create_directories(log);
    std::vector<std::string> words{RHEO_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string where = folder.string(), out = (log / "out").string(), err = (log / "err").string();
    pid_ = fork();
    if (pid_ != 0) return;
    const auto redirect = [](const std::string& path, int to) {
      const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
      dup2(file, to);
    };
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    setenv("PATH", "/nonexistent", 1);  // no gnuplot: figures would take longer than the learning
    if (chdir(where.c_str()) == 0) execv(RHEO_PROGRAM, argv.data());
    _exit(127);
  }
  ~Background() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// False if the program ended, or a minute passed, before `condition` held.
  bool wait_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 12000; ++i) {
      if (condition()) return true;
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
          info.si_pid == pid_) {
        return condition();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  void signal(int number) const { kill(pid_, number); }
  /// Its exit code, or 128 + the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace rheo::test
