#include "app/page/page.hpp"

#include <stdexcept>

namespace rheo::app::page {

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string plot(std::string_view svg) {
  if (svg.empty()) {
    return "<p class=\"missing\">No figure: gnuplot was missing when this page was made.</p>";
  }
  // The XML declaration belongs to a file, not into a page.
  const std::size_t start = svg.find("<svg");
  if (start == std::string_view::npos) throw std::logic_error("not an SVG");
  return "<div class=\"plot\">" + std::string(svg.substr(start)) + "</div>";
}

std::string table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string html = "<table>\n";
  for (const auto& [quantity, value] : rows) {
    html += "<tr><th>" + escaped(quantity) + "</th><td>" + escaped(value) + "</td></tr>\n";
  }
  return html + "</table>";
}

std::string grid(const std::vector<std::vector<std::string>>& rows, std::string_view css_class) {
  std::string html = "<table class=\"" + std::string(css_class) + "\">\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const char* cell = i == 0 ? "th" : "td";
    html += "<tr>";
    for (const std::string& text : rows[i]) {
      html += "<" + std::string(cell) + ">" + escaped(text) + "</" + cell + ">";
    }
    html += "</tr>\n";
  }
  return html + "</table>";
}

std::string begin(std::string_view title) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(title) + "</title>\n<style>\n" + std::string(style) + "</style>\n</head>\n<body>\n";
}

}  // namespace rheo::app::page
