#include "rheo/io/safetensors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <set>

#include "rheo/io/detail/tensor_header.hpp"
#include "rheo/io/write_file.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::io {
namespace {

namespace fs = std::filesystem;
using detail::Damage;
using detail::Entry;
using detail::Header;

std::string_view bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// 0 .. size - 1, sorted.
template <class Less>
std::vector<std::size_t> sorted_indices(std::size_t size, const Less& less) {
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), less);
  return order;
}

/// A file that is read by offset.
class Source {
 public:
  explicit Source(const fs::path& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail();
    struct stat info{};
    if (::fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
      ::close(descriptor_);
      throw RuntimeError("[read_tensors] " + path_.string() + " must be a regular file, got another kind");
    }
    size_ = static_cast<std::uint64_t>(info.st_size);
  }
  ~Source() { ::close(descriptor_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  std::uint64_t size() const { return size_; }

  void read(std::uint64_t offset, char* out, std::uint64_t count) const {
    constexpr std::uint64_t at_once = std::uint64_t{1} << 30;
    while (count > 0) {
      const ssize_t n = ::pread(descriptor_, out, std::min(count, at_once), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail();
      if (n == 0) throw Damage(offset, "the file ends");
      out += n;
      offset += static_cast<std::uint64_t>(n);
      count -= static_cast<std::uint64_t>(n);
    }
  }

  std::string text(std::uint64_t offset, std::uint64_t count) const {
    std::string out(count, '\0');
    read(offset, out.data(), count);
    return out;
  }

 private:
  [[noreturn]] void fail() const {
    throw RuntimeError("[read_tensors] cannot read " + path_.string() + ": " + std::strerror(errno));
  }

  const fs::path& path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

TensorFile read(const Source& source) {
  const std::string first = source.text(0, std::min<std::uint64_t>(source.size(), detail::length_bytes));
  const std::uint64_t length = detail::header_length(first, source.size());
  const std::uint64_t start = detail::length_bytes + length;
  Header header = detail::parse_header(source.text(detail::length_bytes, length), source.size() - start);
  TensorFile file{{}, std::move(header.metadata)};
  for (const Entry& entry : header.entries) {
    file.tensors.emplace_back(entry.name, at::empty(entry.shape, entry.dtype));
  }
  const auto order = sorted_indices(file.tensors.size(), [&](std::size_t a, std::size_t b) {
    return header.entries[a].begin < header.entries[b].begin;
  });
  std::uint32_t sum = 0;
  for (const std::size_t i : order) {
    at::Tensor& tensor = file.tensors[i].second;
    if (tensor.numel() == 0) continue;
    source.read(start + header.entries[i].begin, static_cast<char*>(tensor.mutable_data_ptr()),
                tensor.nbytes());
    if (header.data_sum) sum = detail::crc32_of(bytes_of(tensor), sum);
  }
  if (header.data_sum && detail::hex(sum) != *header.data_sum)
    throw Damage(start, "the data do not have their checksum");
  return file;
}

}  // namespace

bool TensorFile::contains(std::string_view name) const {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; });
}

const at::Tensor& TensorFile::operator[](std::string_view name) const {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  throw ValueError("[TensorFile] name must be that of a tensor in the file, got '" + std::string(name) + "'");
}

void write_tensors(const fs::path& path, const TensorFile& file) {
  std::vector<at::Tensor> tensors;
  std::set<std::string_view> names{"__metadata__"};
  for (const auto& [name, tensor] : file.tensors) {
    if (!names.insert(name).second) {
      throw ValueError("[write_tensors] names must differ from each other and from __metadata__, got '" +
                       name + "' twice");
    }
    if (!tensor.defined()) {
      throw ValueError("[write_tensors] tensor '" + name + "' must be a tensor, got an undefined one");
    }
    if (tensor.layout() != at::kStrided || !detail::is_known(tensor.scalar_type())) {
      throw ValueError("[write_tensors] tensor '" + name +
                       "' must be dense and of a type the format has, got " + tensor.toString());
    }
    tensors.push_back(tensor.detach().cpu().contiguous());
  }
  // Wide types first: every tensor then lies at a multiple of its element size, as readers that map the file
  // want it.
  const auto order = sorted_indices(tensors.size(), [&](std::size_t a, std::size_t b) {
    return tensors[a].element_size() > tensors[b].element_size();
  });
  Header header;
  for (const auto& [key, value] : file.metadata) {
    if (!key.starts_with("crc32.")) header.metadata[key] = value;
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    header.entries.push_back(
        {file.tensors[i].first, tensors[i].scalar_type(), tensors[i].sizes().vec(), 0, 0});
  }
  std::vector<std::string_view> pieces(1);
  std::uint64_t at = 0;
  std::uint32_t sum = 0;
  for (const std::size_t i : order) {
    const std::string_view bytes = bytes_of(tensors[i]);
    header.entries[i].begin = at;
    header.entries[i].end = at += bytes.size();
    sum = detail::crc32_of(bytes, sum);
    pieces.push_back(bytes);
  }
  header.data_sum = detail::hex(sum);
  const std::string first = detail::header_bytes(header);
  pieces[0] = first;
  write_file(path, pieces);
}

TensorFile read_tensors(const fs::path& path) {
  const Source source(path);
  try {
    return read(source);
  } catch (const Damage& damage) {
    throw RuntimeError("[read_tensors] " + path.string() + " is damaged or not a safetensors file: at byte " +
                       std::to_string(damage.offset) + ", " + damage.what());
  }
}

}  // namespace rheo::io
