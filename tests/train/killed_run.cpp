// The small run as a program that dies, or whose disk fills up. Run by killed_test.cpp:
//   killed_run CHECKPOINT finish               resumes where there is a checkpoint, and runs to the end
//   killed_run CHECKPOINT between BATCHES      killed after so many batches
//   killed_run CHECKPOINT writing EPOCH BYTES  killed when the checkpoint of this epoch has so many bytes on the disk
//   killed_run CHECKPOINT full EPOCH BYTES     no file may grow beyond so many bytes from this epoch on
//   killed_run CHECKPOINT disk KIB             a disk of this size of its own
// Exit status: 0 at the end, 3 after an error of the library (on stderr), 77 where the system lends no disk.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "rheo/ops/error.hpp"
#include "tests/train/small_run.hpp"

namespace {

namespace fs = std::filesystem;

void die(int) { ::kill(::getpid(), SIGKILL); }

/// Writing beyond this size raises SIGXFSZ.
void limit_files(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

bool mount_disk(const fs::path& folder, const std::string& kib) {
  if (::unshare(CLONE_NEWNS) != 0) {
    const auto user = std::to_string(::getuid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/uid_map") << "0 " << user << " 1\n";
  }
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("size=" + kib + "k").c_str()) == 0;
}

/// On a full disk the last checkpoint can still be read, and nothing else lies there.
bool is_intact(const fs::path& checkpoint, std::size_t epochs) {
  const auto files =
      std::distance(fs::directory_iterator(checkpoint.parent_path()), fs::directory_iterator());
  return files == 1 && rheo::train::read_checkpoint(checkpoint).history.size() == epochs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const fs::path path = argv[1];
  const std::string mode = argv[2];
  const auto number = [&](int i) { return i < argc ? std::stoll(argv[i]) : 0; };
  if (mode == "disk" && !mount_disk(path.parent_path(), argv[3])) return 77;
  at::set_num_threads(1);

  std::int64_t batches = 0;
  rheo::train::TrainerOptions options{.checkpoint = path};
  options.on_batch = [&](const rheo::train::Progress& progress) {
    ++batches;
    if (mode == "between" && batches == number(3)) die(0);
    const bool last = progress.epoch == number(3) && progress.batch == progress.batches;
    if ((mode == "writing" || mode == "full") && last) {
      std::signal(SIGXFSZ, mode == "full" ? SIG_IGN : &die);
      limit_files(static_cast<rlim_t>(number(4)));
    }
  };
  small_run::SmallRun run(options);
  try {
    if (mode == "finish" && fs::exists(path)) run.trainer.resume(path);
    // The disk holds one checkpoint and not two: no second file for the best.
    mode == "disk" ? run.trainer.fit(run.train) : run.fit();
  } catch (const rheo::RuntimeError& error) {
    limit_files(RLIM_INFINITY);
    std::cerr << error.what() << "\n";
    if (mode == "disk" && !is_intact(path, run.trainer.history().size() - 1)) {
      std::cerr << "the last checkpoint is lost\n";
      return 4;
    }
    return 3;
  }
  return 0;
}
