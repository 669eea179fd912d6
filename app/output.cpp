#include "app/output.hpp"

#include "app/exit_code.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace fs = std::filesystem;

namespace rheo::app {
namespace {

// Fixed storage, because a signal handler may read it at any moment: a slot is readable while `used` is set.
struct Slot {
  std::atomic<bool> used{false};
  std::array<char, 4096> path{};
};
std::array<Slot, 32> unfinished;

int remember(const std::string& path) {
  if (path.size() >= unfinished[0].path.size()) return -1;
  for (std::size_t i = 0; i < unfinished.size(); ++i) {
    if (unfinished[i].used.load()) continue;
    std::memcpy(unfinished[i].path.data(), path.c_str(), path.size() + 1);
    unfinished[i].used.store(true);
    return static_cast<int>(i);
  }
  return -1;  // more files at once than slots: those are left behind by Ctrl-C
}

void forget(int slot) {
  if (slot >= 0) unfinished[static_cast<std::size_t>(slot)].used.store(false);
}

std::atomic<bool> polite{false};  // a StopRequest lives
std::atomic<int> noted{0};        // the signal it was told of

extern "C" void on_signal(int signal) {
  int none = 0;
  if (polite.load() && noted.compare_exchange_strong(none, signal)) return;
  for (Slot& slot : unfinished) {
    if (slot.used.load()) unlink(slot.path.data());
  }
  _exit(128 + signal);
}

std::string quoted(const fs::path& path) { return "\"" + path.string() + "\""; }

/// Opens for writing and closes again: 0, or the error number.
int try_to_create(const fs::path& path, int flags) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
  if (file < 0) return errno;
  close(file);
  return 0;
}

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

void remove_unfinished_files_when_interrupted() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // work that goes on must not see its reads and writes fail
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopRequest::StopRequest() {
  noted.store(0);
  polite.store(true);
}

StopRequest::~StopRequest() { polite.store(false); }

int StopRequest::signal() const { return noted.load(); }

AtomicFile::AtomicFile(std::string_view option, fs::path target, bool replace) : target_(std::move(target)) {
  const std::string name = std::string(option) + " " + quoted(target_);
  if (target_.empty()) throw UsageError(std::string(option) + " needs a file name, got \"\"");
  std::error_code error;
  const fs::file_status status = fs::status(target_, error);
  if (fs::is_directory(status)) throw UsageError(name + " is a folder; give a file name");
  if (fs::exists(status) && !fs::is_regular_file(status)) {  // a device or a pipe: nothing to rename
    if (const int code = try_to_create(target_, 0))
      throw Failure("cannot write " + name + ": " + reason(code));
    temporary_ = target_;
    in_place_ = true;
    return;
  }
  if (fs::exists(status) && !replace) throw UsageError(name + " exists; --force replaces it");
  if (fs::is_symlink(fs::symlink_status(target_, error))) {  // keep the link, replace what it points to
    const fs::path real = fs::canonical(target_, error);
    if (!error) target_ = real;
  }
  fs::path temporary = target_;
  temporary.replace_filename("." + target_.stem().string() + "." + std::to_string(getpid()) +
                             target_.extension().string());
  slot_ = remember(temporary.string());
  if (const int code = try_to_create(temporary, O_CREAT | O_TRUNC)) {
    forget(slot_);
    throw Failure("cannot write " + name + ": " + reason(code));
  }
  temporary_ = temporary;
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty() && !in_place_) unlink(temporary_.c_str());
  forget(slot_);
}

void AtomicFile::write(std::string_view contents) {
  const auto fail = [this] { return Failure("cannot write " + quoted(target_) + ": " + reason(errno)); };
  const int file = open(temporary_.c_str(), O_WRONLY | O_CLOEXEC | (in_place_ ? 0 : O_TRUNC));
  if (file < 0) throw fail();
  while (!contents.empty()) {
    const ssize_t written = ::write(file, contents.data(), contents.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      const Failure failure = fail();
      close(file);
      throw failure;
    }
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  if (close(file) != 0) throw fail();
}

void AtomicFile::commit() {
  if (in_place_) return;
  std::error_code error;
  fs::rename(temporary_, target_, error);
  if (error) throw Failure("cannot write " + quoted(target_) + ": " + error.message());
  temporary_.clear();
}

void write_file(const fs::path& path, std::string_view contents) {
  AtomicFile file("output", path, true);
  file.write(contents);
  file.commit();
}

OutputFolder::OutputFolder(std::string_view option, fs::path path, bool force) : path_(std::move(path)) {
  const std::string name = std::string(option) + " " + quoted(path_);
  if (path_.empty()) throw UsageError(std::string(option) + " needs a folder name, got \"\"");
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (fs::exists(status) && !fs::is_directory(status)) throw UsageError(name + " is a file; give a folder");
  if (!fs::exists(status)) {
    created_ = fs::create_directories(path_, error);
    if (error) throw Failure("cannot create " + name + ": " + error.message());
  } else if (!force) {
    const bool empty = fs::is_empty(path_, error);
    if (error) throw Failure("cannot read " + name + ": " + error.message());
    if (!empty) throw UsageError(name + " is not empty; --force writes into it all the same");
  }
  // Trying is the only sure test: permissions, read-only mounts and full disks all show here.
  const fs::path probe = path_ / (".write-test." + std::to_string(getpid()));
  const int code = try_to_create(probe, O_CREAT);
  unlink(probe.c_str());
  if (code != 0) {
    if (created_) fs::remove(path_, error);
    throw Failure("cannot write into " + name + ": " + reason(code));
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (created_) fs::remove(path_, ignored);  // fails, as it should, when something is in it
}

}  // namespace rheo::app
