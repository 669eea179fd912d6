#include "rheo/io/write_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "rheo/ops/error.hpp"

namespace rheo::io {
namespace {

namespace fs = std::filesystem;

/// The file while it is written: closed and removed unless it was renamed.
class Partial {
 public:
  Partial(const fs::path& target, int mode) : target_(target), path_(target) {
    path_ += ".partial";
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (descriptor_ < 0) fail();
  }
  ~Partial() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  void write(std::string_view text) {
    constexpr std::size_t at_once = std::size_t{1} << 30;  // Linux writes no more than 2 GB in a call
    while (!text.empty()) {
      const ssize_t n = ::write(descriptor_, text.data(), std::min(text.size(), at_once));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail();
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void finish() {
    if (::fsync(descriptor_) != 0) fail();
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail();
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail();
    path_.clear();
  }

 private:
  [[noreturn]] void fail() const {
    throw RuntimeError("[write_file] cannot write " + target_.string() + ": " + std::strerror(errno));
  }

  const fs::path& target_;
  fs::path path_;
  int descriptor_ = -1;
};

/// The new name is in the folder's data; without this a power cut may undo the rename. Some file systems know
/// no such thing.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

void write_file(const fs::path& path, std::span<const std::string_view> pieces) {
  struct stat old{};
  const bool replaces = ::stat(path.c_str(), &old) == 0;
  Partial file(path, replaces ? static_cast<int>(old.st_mode & 0777) : 0666);
  for (const std::string_view piece : pieces) file.write(piece);
  file.finish();
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

void write_file(const fs::path& path, std::string_view text) {
  write_file(path, std::span<const std::string_view>(&text, 1));
}

}  // namespace rheo::io
