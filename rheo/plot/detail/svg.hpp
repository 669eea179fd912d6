#pragma once

// gnuplot's SVG, made fit to stand in a page beside others.

#include <string>
#include <string_view>

namespace rheo::plot::detail {

/// Gives the drawing its title, drops gnuplot's own titles (browsers show them as tool tips), names and
/// unused definitions (they would clash in a page with several drawings), and names fonts to fall back to.
[[nodiscard]] std::string tidy_svg(std::string svg, std::string_view title);

}  // namespace rheo::plot::detail
