// The parts of the program's HTML pages: pages that need nothing beside them, for a bright and a dark screen.
//   std::string html = page::begin("A run") + "<h2>Curves</h2>" + page::plot(svg) + page::end;
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rheo::app::page {

/// The style sheet, with the colours of the figures.
extern const std::string_view style;

/// Text as HTML shows it.
[[nodiscard]] std::string escaped(std::string_view text);

/// An SVG document in the page, or a word that gnuplot was missing where it is empty.
/// Throws std::logic_error for something that is no SVG.
[[nodiscard]] std::string plot(std::string_view svg);

/// Two SVG documents in one, side by side, each as wide as it is; the lower one keeps its height.
/// Throws std::logic_error for something that is no SVG of gnuplot's.
[[nodiscard]] std::string beside(std::string_view left, std::string_view right, std::string_view title);

/// Two columns: quantity and value.
[[nodiscard]] std::string table(const std::vector<std::pair<std::string, std::string>>& rows);

/// The first row is the head.
[[nodiscard]] std::string grid(const std::vector<std::vector<std::string>>& rows,
                               std::string_view css_class = "even");

/// Up to the head of the page; the body follows, and then `end`.
[[nodiscard]] std::string begin(std::string_view title);
inline constexpr std::string_view end = "</body>\n</html>\n";

}  // namespace rheo::app::page
