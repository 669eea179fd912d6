#include "rheo/data/idx.hpp"

#include "rheo/ops/error.hpp"

#include <ATen/ops/empty.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace rheo::data {
namespace {

constexpr std::uint64_t deflate_ratio = 1032;  // no deflate stream grows by more
constexpr std::size_t chunk = 1 << 16;

/// The bytes of a file, decompressed where it is gzip. Errors name the file and the byte.
class Bytes {
 public:
  explicit Bytes(const std::filesystem::path& file) : file_(file.string()) {
    std::error_code error;
    if (!std::filesystem::exists(file, error)) fail("does not exist");
    if (!std::filesystem::is_regular_file(file, error)) fail("must be a file");
    size_ = std::filesystem::file_size(file, error);
    errno = 0;
    if (!error) stream_.open(file, std::ios::binary);
    if (error || !stream_) {
      fail("cannot be read: " + (error ? error : std::error_code(errno, std::generic_category())).message());
    }
    std::array<std::uint8_t, 2> first{};
    gzip_ = read_file(first.data(), first.size()) == 2 && first == std::array<std::uint8_t, 2>{0x1f, 0x8b};
    stream_.clear();
    stream_.seekg(0);
    in_file_ = 0;
    if (gzip_ && inflateInit2(&inflate_, 15 + 16) != Z_OK) fail("zlib cannot start");
  }
  ~Bytes() {
    if (gzip_) inflateEnd(&inflate_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  [[noreturn]] void fail(const std::string& text) const {
    throw RuntimeError("[read_idx] " + file_ + ": " + text);
  }

  /// Fewer than `count` only at the end.
  std::uint64_t read(std::uint8_t* out, std::uint64_t count) {
    std::uint64_t done = 0;
    while (done < count) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, 1 << 24));
      const std::size_t got = gzip_ ? read_gzip(out + done, part) : read_file(out + done, part);
      done += got;
      if (got < part) break;
    }
    position_ += done;
    return done;
  }

  /// Of the file, as it lies on the disk.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// At most this many bytes can follow.
  [[nodiscard]] std::uint64_t rest() const { return gzip_ ? size_ * deflate_ratio : size_ - position_; }
  [[nodiscard]] std::string end() const {
    return "ends at byte " + std::to_string(position_) + (gzip_ ? " of its decompressed data" : "");
  }

  /// Nothing may follow.
  void finish() {
    std::uint8_t extra = 0;
    if (read(&extra, 1) == 1) {
      fail("must end after its elements, got more at byte " + std::to_string(position_ - 1) +
           (gzip_ ? " of its decompressed data" : ""));
    }
    if (gzip_ && (inflate_.avail_in > 0 || in_file_ < size_)) {
      fail("must end after its gzip data, got more at byte " + std::to_string(in_file_ - inflate_.avail_in));
    }
  }

 private:
  std::size_t read_file(std::uint8_t* out, std::size_t count) {
    stream_.read(reinterpret_cast<char*>(out), static_cast<std::streamsize>(count));
    if (stream_.bad()) fail("cannot be read at byte " + std::to_string(in_file_));
    const auto got = static_cast<std::size_t>(stream_.gcount());
    in_file_ += got;
    return got;
  }

  std::size_t read_gzip(std::uint8_t* out, std::size_t count) {
    inflate_.next_out = out;
    inflate_.avail_out = static_cast<uInt>(count);
    while (inflate_.avail_out > 0 && !ended_) {
      if (inflate_.avail_in == 0) {
        inflate_.next_in = compressed_.data();
        inflate_.avail_in = static_cast<uInt>(read_file(compressed_.data(), compressed_.size()));
        if (inflate_.avail_in == 0) fail("gzip data is cut off at byte " + std::to_string(in_file_));
      }
      const int status = ::inflate(&inflate_, Z_NO_FLUSH);
      ended_ = status == Z_STREAM_END;
      if (status != Z_OK && status != Z_STREAM_END) {
        fail("gzip data is damaged near byte " + std::to_string(in_file_ - inflate_.avail_in) + ": " +
             (inflate_.msg != nullptr ? inflate_.msg : "zlib status " + std::to_string(status)));
      }
    }
    return count - inflate_.avail_out;
  }

  std::string file_;
  std::ifstream stream_;
  std::uint64_t size_ = 0;      // of the file
  std::uint64_t in_file_ = 0;   // bytes read from it
  std::uint64_t position_ = 0;  // bytes handed out
  bool gzip_ = false;
  bool ended_ = false;
  z_stream inflate_{};
  std::vector<std::uint8_t> compressed_ = std::vector<std::uint8_t>(chunk);
};

std::string hex(const std::array<std::uint8_t, 4>& bytes) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
  return text.data();
}

}  // namespace

at::Tensor read_idx(const std::filesystem::path& file) {
  Bytes bytes(file);
  std::array<std::uint8_t, 4> word{};
  const auto next_word = [&] {
    if (bytes.read(word.data(), word.size()) != word.size())
      bytes.fail("is cut off in its header, " + bytes.end());
  };
  next_word();
  if (word[0] != 0 || word[1] != 0 || word[3] < 1 || word[3] > 8) {
    bytes.fail("must be an IDX file, which begins with 00 00 08 and 01 to 08, got " + hex(word));
  }
  if (word[2] != 0x08) bytes.fail("elements must be unsigned bytes (08 at byte 2), got " + hex(word));

  std::vector<std::int64_t> sizes(word[3]);
  std::uint64_t elements = 1;
  bool too_many = false;
  std::string promise;
  for (std::int64_t& size : sizes) {
    next_word();
    const std::uint32_t value = std::uint32_t{word[0]} << 24 | std::uint32_t{word[1]} << 16 |
                                std::uint32_t{word[2]} << 8 | std::uint32_t{word[3]};
    size = value;
    promise += (promise.empty() ? "" : " x ") + std::to_string(value);
    too_many |= __builtin_mul_overflow(elements, std::uint64_t{value}, &elements);
  }
  // Before any memory is asked for.
  if (too_many || elements > bytes.rest()) {
    bytes.fail("is cut off or damaged: its header promises " + promise + " elements, more than its " +
               std::to_string(bytes.size()) + " bytes can hold");
  }
  at::Tensor out = at::empty(sizes, at::kByte);
  if (bytes.read(out.mutable_data_ptr<std::uint8_t>(), elements) != elements) {
    bytes.fail("is cut off: its header promises " + promise + " elements, and it " + bytes.end());
  }
  bytes.finish();
  return out;
}

}  // namespace rheo::data
