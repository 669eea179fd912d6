#include "app/csv.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace rheo::app {
namespace {

constexpr std::size_t longest_quote = 40;  // of a bad field, in an error

char separator_of(std::string_view line) {
  for (const char candidate : {',', ';', '\t'}) {
    if (line.find(candidate) != std::string_view::npos) return candidate;
  }
  return ',';
}

std::string_view unquoted(std::string_view field) {
  field = trimmed(field);
  if (field.size() > 1 && field.front() == '"' && field.back() == '"')
    return field.substr(1, field.size() - 2);
  return field;
}

/// A bad field may be the middle of a picture: no control codes for the terminal, and not too long.
std::string printable(std::string_view field) {
  std::string text(field.substr(0, longest_quote));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

/// Words are titles; "nan" and "inf" are bad numbers, to be complained of.
bool is_title(std::string_view field) {
  field = unquoted(field);
  const auto begins_word = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  return !field.empty() && begins_word(field.front()) && edit_distance(field, "nan") != 0 &&
         edit_distance(field, "inf") != 0 && edit_distance(field, "infinity") != 0;
}

}  // namespace

Table read_csv(std::string_view option, const std::string& path) {
  const std::string name = std::string(option) + " \"" + path + "\"";
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw UsageError(name + " is a folder; give a CSV file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure("cannot read " + name + ": " + std::strerror(errno));

  Table table;
  char separator = ',';
  std::size_t line_number = 0;
  std::size_t empty_line = 0;  // the first of a run of empty lines; an error once another row follows
  const auto wrong = [&](std::size_t line, const std::string& what) {
    return UsageError(name + " line " + std::to_string(line) + ": " + what);
  };
  for (std::string line; std::getline(file, line);) {
    ++line_number;
    std::string_view text = line;
    if (line_number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
    if (trimmed(text).starts_with('#')) continue;
    if (trimmed(text).empty()) {
      if (empty_line == 0) empty_line = line_number;
      continue;
    }
    if (empty_line != 0 && table.columns != 0) throw wrong(empty_line, "empty, with rows after it");
    empty_line = 0;

    const bool first = table.columns == 0;
    if (first) separator = separator_of(text);
    const auto fields = split(text, separator);
    if (first) {
      table.columns = fields.size();
      if (std::all_of(fields.begin(), fields.end(), is_title)) {
        for (const std::string_view field : fields) table.header.emplace_back(unquoted(field));
        continue;
      }
    }
    if (fields.size() != table.columns) {
      throw wrong(line_number, "must have " + std::to_string(table.columns) +
                                   " columns as the first line, got " + std::to_string(fields.size()));
    }
    for (const std::string_view field : fields) {
      const auto value = read_number(field);
      if (!value) {
        throw wrong(line_number, "must be finite numbers, got \"" + printable(trimmed(field)) + "\"");
      }
      table.values.push_back(*value);
    }
  }
  if (file.bad()) throw Failure("cannot read " + name + ": " + std::strerror(errno));
  if (table.values.empty()) throw UsageError(name + " holds no numbers");
  return table;
}

}  // namespace rheo::app
