#include "rheo/plot/detail/svg.hpp"

#include "rheo/plot/detail/text.hpp"

namespace rheo::plot::detail {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// Replaces the first stretch from `begin` to the end of `end`; false where there is none.
bool replace_between(std::string& text, std::string_view begin, std::string_view end, std::string_view to) {
  const std::size_t first = text.find(begin);
  if (first == std::string::npos) return false;
  const std::size_t last = text.find(end, first + begin.size());
  if (last == std::string::npos) return false;
  text.replace(first, last + end.size() - first, to);
  return true;
}

/// gnuplot opens a group for every change of pen, drawn with or not: a fifth of the file.
void remove_empty_groups(std::string& svg) {
  constexpr std::string_view close = ">\n</g>\n";
  std::string kept;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = svg.find(close, at)) != std::string::npos; at += close.size()) {
    const std::size_t open = svg.rfind('<', at);
    if (open == std::string::npos || open < from || svg.compare(open, 3, "<g ") != 0) continue;
    kept.append(svg, from, open - from);
    from = at + close.size();
  }
  svg = kept.append(svg, from);
}

}  // namespace

std::string tidy_svg(std::string svg, std::string_view title) {
  const std::string own_title = title.empty() ? "" : "<title>" + xml_escaped(title) + "</title>";
  replace_between(svg, "<title>Gnuplot</title>", "</desc>", own_title);
  while (replace_between(svg, "<title>gnuplot_plot_", "</title>", "")) {
  }
  while (replace_between(svg, "<g id=\"gnuplot_", "\"", "<g")) {
  }
  remove_empty_groups(svg);
  if (svg.find("href='#gpPt", svg.find("</defs>")) == std::string::npos) {
    replace_between(svg, "<defs>", "</defs>", "");
  }
  replace_all(svg, "font-family=\"DejaVu Sans\"", "font-family=\"DejaVu Sans, Verdana, sans-serif\"");
  return svg;
}

}  // namespace rheo::plot::detail
