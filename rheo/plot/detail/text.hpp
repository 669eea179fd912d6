#pragma once

// Labels as they come from users, made safe to hand on; and numbers.

#include <string>
#include <string_view>

namespace rheo::plot::detail {

/// Valid UTF-8 in one line: each bad byte becomes '?', each control character a blank.
[[nodiscard]] std::string clean_text(std::string_view text);

/// Cleaned text as a gnuplot string that is shown as it is.
[[nodiscard]] std::string gnuplot_string(std::string_view text);

/// Cleaned text with the five characters that mean something in XML replaced.
[[nodiscard]] std::string xml_escaped(std::string_view text);

/// The shortest text that reads back as the same number, whatever the locale.
[[nodiscard]] std::string number(double value);

}  // namespace rheo::plot::detail
