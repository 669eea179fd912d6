#include "rheo/io/detail/tensor_header.hpp"

#include <zlib.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "rheo/ops/error.hpp"

namespace rheo::io::detail {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, numbers are copied as they lie");

using Json = nlohmann::json;

struct Type {
  std::string_view name;
  at::ScalarType dtype;
};
constexpr std::array types{Type{"F64", at::kDouble},    Type{"F32", at::kFloat}, Type{"F16", at::kHalf},
                           Type{"BF16", at::kBFloat16}, Type{"I64", at::kLong},  Type{"I32", at::kInt},
                           Type{"I16", at::kShort},     Type{"I8", at::kChar},   Type{"U8", at::kByte},
                           Type{"BOOL", at::kBool}};

constexpr std::uint64_t longest_header = 100'000'000;  // what the format allows
constexpr const char *header_sum = "crc32.header", *data_sum = "crc32.data";
constexpr std::string_view no_sum = "00000000";

[[noreturn]] void fail(const std::string& what) { throw Damage(length_bytes, what); }

std::string length_text(std::uint64_t length) {
  std::string text(length_bytes, '\0');
  std::memcpy(text.data(), &length, length_bytes);
  return text;
}

/// Where the digits of the header's own sum stand in it. They count as zeros in the sum.
std::optional<std::size_t> find_header_sum(std::string_view text) {
  const std::string key = "\"" + std::string(header_sum) + "\":\"";
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos || text.size() < at + key.size() + no_sum.size()) return std::nullopt;
  return at + key.size();
}

std::uint32_t sum_of_header(std::string text, std::size_t digits) {
  text.replace(digits, no_sum.size(), no_sum);
  return crc32_of(text, crc32_of(length_text(text.size())));
}

std::optional<std::uint64_t> unsigned_number(const Json& value) {
  return value.is_number_unsigned() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
}

/// Bytes of a tensor of this shape, which is written to `shape`; the error is the rule that is broken.
std::optional<std::string> parse_shape(const Json& json, std::vector<std::int64_t>& shape,
                                       std::uint64_t& bytes) {
  if (!json.is_array()) return "shape must be a list";
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  bool empty = false;
  for (const Json& dimension : json) {
    const auto n = unsigned_number(dimension);
    if (!n || *n > most) return "shape must hold whole numbers";
    shape.push_back(static_cast<std::int64_t>(*n));
    empty = empty || *n == 0;
    // Also without its zeros the product stays within bounds: strides are computed from it.
    if (*n != 0 && bytes > most / *n) return "shape is too large";
    bytes *= std::max<std::uint64_t>(1, *n);
  }
  if (empty) bytes = 0;
  return std::nullopt;
}

std::optional<std::string> parse_entry(const Json& value, std::uint64_t data_size, Entry& entry) {
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets")) {
    return "must have dtype, shape and data_offsets";
  }
  const Json &dtype = value["dtype"], &offsets = value["data_offsets"];
  if (!dtype.is_string()) return "dtype must be a string";
  const auto type = std::find_if(types.begin(), types.end(), [&](const Type& t) {
    return t.name == dtype.get_ref<const std::string&>();
  });
  if (type == types.end()) return "dtype " + dtype.dump() + " is not known here";
  entry.dtype = type->dtype;
  std::uint64_t bytes = c10::elementSize(entry.dtype);
  if (auto wrong = parse_shape(value["shape"], entry.shape, bytes)) return wrong;
  if (!offsets.is_array() || offsets.size() != 2) return "data_offsets must be two numbers";
  const auto begin = unsigned_number(offsets[0]), end = unsigned_number(offsets[1]);
  if (!begin || !end) return "data_offsets must be whole numbers";
  if (*begin > *end || *end > data_size) return "data_offsets must lie inside the file";
  if (*end - *begin != bytes) return "data_offsets must hold as many bytes as shape and dtype say";
  entry.begin = *begin;
  entry.end = *end;
  return std::nullopt;
}

/// Tensors must fill the data without holes or overlaps.
void check_coverage(std::vector<Entry> entries, std::uint64_t data_start, std::uint64_t data_size) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at)
      throw Damage(data_start + at, "tensor '" + entry.name + "' does not follow the one before");
    at = entry.end;
  }
  if (at != data_size) throw Damage(data_start + at, "there is more data than tensors");
}

/// A header has three levels; a parser that recurses must not meet a million brackets.
bool is_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 3) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// The names on the first level in their order; Damage for a name twice on any level.
Json parse_json(const std::string& text, std::vector<std::string>& names) {
  if (text.empty() || text.front() != '{') fail("the header must begin with {");
  if (is_deep(text)) fail("the header is nested too deeply");
  bool twice = false;
  std::vector<std::set<std::string>> open;  // keys of the objects that are open
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      twice = !open.back().insert(key).second || twice;
      if (open.size() == 1) names.push_back(key);
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    throw Damage(length_bytes + (error.byte > 0 ? error.byte - 1 : 0), "the header is not JSON");
  } catch (const Json::exception&) {  // a number out of range
    fail("the header is not JSON that can be read");
  }
  if (twice) fail("the header has a key twice");
  return json;
}

void parse_metadata(const Json& json, Header& header) {
  if (!json.is_object()) fail("__metadata__ must be an object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) fail("__metadata__ must hold strings");
    header.metadata[key] = value.get<std::string>();
  }
}

/// Takes the sums out of the metadata, and checks the header's own.
void check_sums(const std::string& text, Header& header) {
  const auto take = [&](const char* name) -> std::optional<std::string> {
    const auto found = header.metadata.extract(name);
    return found.empty() ? std::nullopt : std::optional(found.mapped());
  };
  const auto own = take(header_sum);
  header.data_sum = take(data_sum);
  if (own.has_value() != header.data_sum.has_value()) fail("one of two checksums is missing");
  if (!own) return;
  const auto digits = find_header_sum(text);
  if (!digits || hex(sum_of_header(text, *digits)) != *own) fail("the header does not have its checksum");
}

}  // namespace

bool is_known(at::ScalarType dtype) {
  return std::any_of(types.begin(), types.end(), [&](const Type& type) { return type.dtype == dtype; });
}

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t start) {
  if (bytes.empty()) return start;  // for a null pointer zlib answers with the first sum there is
  return static_cast<std::uint32_t>(
      ::crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string hex(std::uint32_t sum) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", sum);
  return text;
}

std::string header_bytes(const Header& header) {
  using Ordered = nlohmann::ordered_json;
  Ordered json = Ordered::object();
  Ordered& metadata = json["__metadata__"] = Ordered::object();
  metadata[header_sum] = std::string(no_sum);
  if (header.data_sum) metadata[data_sum] = *header.data_sum;
  for (const auto& [key, value] : header.metadata) metadata[key] = value;
  for (const Entry& entry : header.entries) {
    const auto type =
        std::find_if(types.begin(), types.end(), [&](const Type& t) { return t.dtype == entry.dtype; });
    json[entry.name] = {{"dtype", std::string(type->name)},
                        {"shape", entry.shape},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const Ordered::exception&) {
    throw ValueError("[write_tensors] names and metadata must be UTF-8, got other bytes");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > longest_header) {
    throw ValueError("[write_tensors] names and metadata must fit 100 MB, got " +
                     std::to_string(text.size()) + " bytes");
  }
  const std::size_t digits = *find_header_sum(text);
  text.replace(digits, no_sum.size(), hex(sum_of_header(text, digits)));
  return length_text(text.size()) + text;
}

std::uint64_t header_length(std::string_view first_bytes, std::uint64_t file_size) {
  if (first_bytes.size() < length_bytes)
    throw Damage(file_size, "the file ends before the length of its header");
  std::uint64_t length = 0;
  std::memcpy(&length, first_bytes.data(), length_bytes);
  if (length > longest_header || length > file_size - length_bytes) {
    throw Damage(0, "the header's length, " + std::to_string(length) + ", goes beyond the file's " +
                        std::to_string(file_size) + " bytes");
  }
  return length;
}

Header parse_header(const std::string& text, std::uint64_t data_size) {
  std::vector<std::string> names;
  const Json json = parse_json(text, names);
  Header header;
  if (const auto metadata = json.find("__metadata__"); metadata != json.end())
    parse_metadata(*metadata, header);
  check_sums(text, header);
  for (const std::string& name : names) {
    if (name == "__metadata__") continue;
    Entry entry{name, at::kFloat, {}, 0, 0};
    if (const auto wrong = parse_entry(json.at(name), data_size, entry))
      fail("tensor '" + name + "': " + *wrong);
    header.entries.push_back(std::move(entry));
  }
  check_coverage(header.entries, length_bytes + text.size(), data_size);
  return header;
}

}  // namespace rheo::io::detail
