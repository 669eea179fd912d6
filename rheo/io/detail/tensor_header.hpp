// The header of a safetensors file: from entries to text and back, with everything checked that can be
// checked without the data.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::io::detail {

inline constexpr std::size_t length_bytes = 8;  // of the header, at the very start

/// What is wrong in a file, and where.
class Damage : public std::runtime_error {
 public:
  Damage(std::uint64_t at, const std::string& what) : std::runtime_error(what), offset(at) {}
  std::uint64_t offset;
};

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;  // in the data
};

struct Header {
  std::vector<Entry> entries;  // in the order of the text
  std::map<std::string, std::string> metadata;
  std::optional<std::string> data_sum;  // hexadecimal, in files of ours
};

bool is_known(at::ScalarType dtype);

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t start = 0);
std::string hex(std::uint32_t sum);

/// Length, JSON and padding: the bytes a file begins with. Throws ValueError for text that is not UTF-8 or
/// too long.
std::string header_bytes(const Header& header);

/// The length a file says its header has. Throws Damage where the file is too short for it.
std::uint64_t header_length(std::string_view first_bytes, std::uint64_t file_size);

/// Throws Damage, also where entries do not fill `data_size` bytes without holes and overlaps.
Header parse_header(const std::string& text, std::uint64_t data_size);

}  // namespace rheo::io::detail
