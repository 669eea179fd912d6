// Runs that are killed, by SIGKILL between two batches and in the middle of writing a checkpoint, and full
// disks. Resumed, they end with the same checkpoint as an uninterrupted run, byte for byte.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "rheo/train/checkpoint.hpp"
#include "tests/train/small_run.hpp"

extern char** environ;

namespace {

namespace fs = std::filesystem;
using small_run::bytes_of;

class Killed : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheo_killed_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    for (const char* name : {"whole", "killed"}) fs::create_directory(folder_ / name);
    ASSERT_EQ(run({(folder_ / "whole" / "run.safetensors").string(), "finish"}), 0);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The wait status of killed_run; what it says on stderr is kept.
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), RHEO_KILLED_RUN);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const fs::path errors = folder_ / "errors";
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       0600);
    pid_t child = 0;
    const int failure = ::posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failure, 0);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    errors_ = bytes_of(errors);
    return status;
  }

  fs::path killed() const { return folder_ / "killed" / "run.safetensors"; }

  void expect_killed(const std::vector<std::string>& how) {
    std::vector<std::string> arguments{killed().string()};
    arguments.insert(arguments.end(), how.begin(), how.end());
    const int status = run(arguments);
    ASSERT_TRUE(WIFSIGNALED(status)) << status << errors_;
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
  }

  void expect_same_end() {
    ASSERT_EQ(run({killed().string(), "finish"}), 0) << errors_;
    for (const char* name : {"run.safetensors", "run-best.safetensors"}) {
      const std::string whole = bytes_of(folder_ / "whole" / name);
      EXPECT_FALSE(whole.empty());
      EXPECT_TRUE(bytes_of(folder_ / "killed" / name) == whole) << name;
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "killed"), fs::directory_iterator()), 2);
  }

  fs::path folder_;
  std::string errors_;
};

TEST_F(Killed, BetweenBatches) {
  for (const int batches : {3, 6, 7, 11, 17}) {
    fs::remove(killed());
    expect_killed({"between", std::to_string(batches)});
    EXPECT_EQ(fs::exists(killed()), batches > small_run::batches);
    expect_same_end();
  }
}

// The first writes that reach the limit are those of the best checkpoint in epochs that are the best so far,
// else of the run's own: both must survive.
TEST_F(Killed, InTheMiddleOfWriting) {
  const auto size = fs::file_size(folder_ / "whole" / "run.safetensors");
  for (int epoch = 1; epoch <= small_run::epochs; ++epoch) {
    for (const auto bytes : {std::uintmax_t{0}, std::uintmax_t{1}, size / 2, size - 1000}) {
      fs::remove(killed());
      expect_killed({"writing", std::to_string(epoch), std::to_string(bytes)});
      EXPECT_TRUE(fs::exists(killed().string() + ".partial") ||
                  fs::exists(folder_ / "killed" / "run-best.safetensors.partial"));
      ASSERT_EQ(fs::exists(killed()), epoch > 1);
      if (epoch > 1) {
        EXPECT_EQ(rheo::train::read_checkpoint(killed()).epoch, epoch - 1);
      }
      expect_same_end();
    }
  }
}

TEST_F(Killed, FullDisk) {
  for (const int bytes : {0, 5000}) {
    fs::remove_all(folder_ / "killed");
    fs::create_directory(folder_ / "killed");
    const int status = run({killed().string(), "full", "2", std::to_string(bytes)});
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status << errors_;
    EXPECT_NE(errors_.find("[write_file] cannot write " + (folder_ / "killed" / "run").string()),
              std::string::npos)
        << errors_;
    EXPECT_NE(errors_.find("File too large"), std::string::npos) << errors_;
    EXPECT_EQ(rheo::train::read_checkpoint(killed()).epoch, 1);
    EXPECT_FALSE(fs::exists(killed().string() + ".partial"));
    expect_same_end();
  }
}

// The same on a disk that really is full.
TEST_F(Killed, FullDiskOfItsOwn) {
  const auto size = fs::file_size(folder_ / "whole" / "run.safetensors");
  const int status = run({killed().string(), "disk", std::to_string(size / 1024 + 8)});
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "the system lends no disk to mount";
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status << errors_;
  EXPECT_EQ(errors_, "[write_file] cannot write " + killed().string() + ": No space left on device\n");
}

}  // namespace
