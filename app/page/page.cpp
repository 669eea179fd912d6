#include "app/page/page.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace rheo::app::page {
namespace {

/// What gnuplot writes: <svg viewBox="0 0 WIDTH HEIGHT" ...> and then the drawing.
struct Drawing {
  long width = 0, height = 0;
  std::string_view inside;  // between <svg ...> and </svg>, without the title
};

Drawing read(std::string_view svg) {
  constexpr std::string_view box = "viewBox=\"0 0 ";
  const std::size_t size = svg.find(box), open = svg.find('>', size), close = svg.rfind("</svg>");
  if (size == std::string_view::npos || open == std::string_view::npos || close == std::string_view::npos)
    throw std::logic_error("not an SVG");
  const std::string numbers(svg.substr(size + box.size(), 32));
  char* rest = nullptr;
  const long width = std::strtol(numbers.c_str(), &rest, 10);
  return {width, std::strtol(rest, nullptr, 10), svg.substr(open + 1, close - open - 1)};
}

}  // namespace

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

std::string beside(std::string_view left, std::string_view right, std::string_view title) {
  const Drawing a = read(left), b = read(right);
  const auto part = [](const Drawing& drawing, long x) {
    const std::string size =
        "width=\"" + std::to_string(drawing.width) + "\" height=\"" + std::to_string(drawing.height) + "\"";
    return "<svg x=\"" + std::to_string(x) + "\" " + size + ">" + std::string(drawing.inside) + "</svg>\n";
  };
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + std::to_string(a.width + b.width) +
         " " + std::to_string(std::max(a.height, b.height)) + "\">\n<title>" + escaped(title) + "</title>\n" +
         part(a, 0) + part(b, a.width) + "</svg>\n";
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
