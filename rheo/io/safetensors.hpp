// Files of named tensors in the safetensors format: 8 bytes of length, a JSON header, raw little-endian
// numbers. Nothing in them is executed; Python reads them with the package `safetensors`.
//   rheo::io::write_tensors("net.safetensors", {.tensors = {{"weight", w}}, .metadata = {{"about", "..."}}});
//   auto file = rheo::io::read_tensors("net.safetensors");   file["weight"]
// Format: https://github.com/huggingface/safetensors. Files of ours also carry CRC32 sums, of the header and
// of the data.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"

namespace rheo::io {

struct RHEO_API TensorFile {
  std::vector<std::pair<std::string, at::Tensor>> tensors = {};
  std::map<std::string, std::string> metadata = {};  // keys that start with "crc32." belong to the file

  bool contains(std::string_view name) const;
  /// Throws ValueError if there is no such tensor.
  const at::Tensor& operator[](std::string_view name) const;
};

/// Writes atomically (write_file). Throws ValueError for a name twice or a type the format does not have,
/// RuntimeError naming the file where it cannot be written.
RHEO_API void write_tensors(const std::filesystem::path& path, const TensorFile& file);

/// Tensors on the CPU, contiguous, in the order of the header. Throws RuntimeError naming the file and the
/// offset of what is wrong: cut off, damaged, not of this format. Memory is never taken for more than the
/// file holds.
RHEO_API TensorFile read_tensors(const std::filesystem::path& path);

}  // namespace rheo::io
