// Numbers on the command line and in files: read whole or not at all, whatever the locale.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rheo::app {

/// A finite number that a float can hold, or nothing. Spaces around it are ignored.
[[nodiscard]] std::optional<double> read_number(std::string_view text);

/// As read_number, or a UsageError: `<what> must be a number, got "<text>"`.
[[nodiscard]] double number(std::string_view what, std::string_view text);

/// Numbers with commas between them, at least one.
[[nodiscard]] std::vector<double> numbers(std::string_view what, std::string_view text);

/// A whole number from 0 to `most`, or a UsageError.
[[nodiscard]] std::uint64_t whole_number(std::string_view what, std::string_view text,
                                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

/// The shortest text that reads back as the same float: 0.3, not 0.300000012.
[[nodiscard]] std::string shortest(float value);

/// Six significant digits, for people.
[[nodiscard]] std::string rounded(double value);

[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace rheo::app
