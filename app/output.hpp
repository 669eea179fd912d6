// Files and folders the program writes. A file appears under its name only when it is complete; an
// interrupted or failed run leaves nothing behind.
//   OutputFolder folder("--out", "report", force);
//   write_file(folder / "index.html", page);
#pragma once

#include <filesystem>
#include <string_view>

namespace rheo::app {

/// A file in the making: write to `temporary()`, then commit(). Without commit() the temporary is removed.
class AtomicFile {
 public:
  /// Throws UsageError if the target exists and `replace` is false, Failure if it cannot be written.
  AtomicFile(std::string_view option, std::filesystem::path target, bool replace);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Beside the target, so that the renaming is atomic; keeps the extension, which may decide the format.
  [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }
  void write(std::string_view contents);
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int slot_ = -1;          // in the list of files to remove on Ctrl-C
  bool in_place_ = false;  // a device or a pipe
};

/// Writes a whole file, replacing one of that name.
void write_file(const std::filesystem::path& path, std::string_view contents);

/// A folder for results. Throws UsageError if it holds something and `force` is false, Failure if it cannot
/// be written to. A folder created here and left empty is removed again.
class OutputFolder {
 public:
  OutputFolder(std::string_view option, std::filesystem::path path, bool force);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
  bool created_ = false;
};

/// Ctrl-C and termination remove temporaries and end the program with 130 (143). Called once, by main.
void remove_unfinished_files_when_interrupted();

/// While one lives, the first Ctrl-C or termination is only noted, so that the work can end in good order; the
/// next ends the program at once, as always. One at a time.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  /// The signal that came, or 0.
  [[nodiscard]] int signal() const;
};

}  // namespace rheo::app
