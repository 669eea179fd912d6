#include "app/train/toml.hpp"

#include "app/exit_code.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace rheo::app::train {
namespace {

FieldValue plain_value(const toml::node& node, const std::string& what) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* whole = node.as_integer()) return std::int64_t{whole->get()};
  if (const auto* number = node.as_floating_point()) return number->get();
  throw UsageError(what + " must be a word, a number, true or false");
}

}  // namespace

std::vector<Setting> read_toml(std::string_view option, const std::filesystem::path& file) {
  const std::string name = std::string(option) + " \"" + file.string() + "\"";
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) throw UsageError(name + " is a folder; give a TOML file");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw Failure("cannot read " + name + ": " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};

  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw UsageError(name + " line " + std::to_string(error.source().begin.line) +
                     " is no TOML: " + std::string(error.description()));
  }
  std::vector<std::pair<toml::source_index, Setting>> found;
  for (const auto& [key, node] : table) {
    const auto line = node.source().begin.line;
    const std::string what = name + " line " + std::to_string(line) + ": " + std::string(key.str());
    found.push_back({line, {std::string(key.str()), plain_value(node, what)}});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Setting> settings;
  for (auto& [line, setting] : found) settings.push_back(std::move(setting));
  return settings;
}

}  // namespace rheo::app::train
