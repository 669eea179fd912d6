#include "rheo/plot/detail/text.hpp"

#include <charconv>
#include <cstdint>

namespace rheo::plot::detail {
namespace {

/// Length of the well-formed UTF-8 sequence at `at`, or 0.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  // Too long an encoding, a surrogate, a code point past the last, and U+FFFE and U+FFFF, which XML forbids.
  const std::uint8_t second = byte(at + 1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
      (lead == 0xf4 && second > 0x8f) || (lead == 0xef && second == 0xbf && byte(at + 2) >= 0xbe)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string clean;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at);
    const auto c = static_cast<std::uint8_t>(text[at]);
    if (length == 0) {
      clean += '?';
    } else if (c < 0x20 || c == 0x7f) {
      clean += ' ';
    } else {
      clean += text.substr(at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return clean;
}

std::string gnuplot_string(std::string_view text) {
  // Between single quotes gnuplot knows no escapes, no `commands` and no @macros; a quote is written twice.
  std::string result = "'";
  for (const char c : clean_text(text)) {
    if (c == '\'') result += c;
    result += c;
  }
  return result + "'";
}

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : clean_text(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string number(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : "NaN";
}

}  // namespace rheo::plot::detail
