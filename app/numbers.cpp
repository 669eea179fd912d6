#include "app/numbers.hpp"

#include "app/exit_code.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace rheo::app {
namespace {

UsageError must_be(std::string_view what, std::string_view rule, std::string_view got) {
  return UsageError(std::string(what) + " must be " + std::string(rule) + ", got \"" + std::string(got) +
                    "\"");
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<double> read_number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool complete = error == std::errc() && end == text.data() + text.size();
  if (!complete || !std::isfinite(static_cast<float>(value))) return std::nullopt;
  return value;
}

double number(std::string_view what, std::string_view text) {
  const auto value = read_number(text);
  if (!value) throw must_be(what, "a finite number", text);
  return *value;
}

std::vector<double> numbers(std::string_view what, std::string_view text) {
  std::vector<double> values;
  for (const std::string_view part : split(text, ',')) {
    const auto value = read_number(part);
    if (!value) throw must_be(what, "a finite number, or several with commas between them", text);
    values.push_back(*value);
  }
  return values;
}

std::uint64_t whole_number(std::string_view what, std::string_view text, std::uint64_t most) {
  const std::string_view digits = trimmed(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool complete = end == digits.data() + digits.size() && !digits.empty();
  if (complete && (error == std::errc::result_out_of_range || (error == std::errc() && value > most))) {
    throw must_be(what, "at most " + std::to_string(most), text);
  }
  if (!complete || error != std::errc()) throw must_be(what, "a whole number, 0 or more", text);
  return value;
}

std::string shortest(float value) {
  std::array<char, 32> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), result.ptr};
}

std::string rounded(double value) {
  std::array<char, 32> text{};
  const auto result =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6);
  return {text.data(), result.ptr};
}

}  // namespace rheo::app
