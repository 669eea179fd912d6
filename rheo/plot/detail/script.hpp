#pragma once

// A figure as gnuplot commands.

#include <string>

#include "rheo/plot/figure.hpp"

namespace rheo::plot::detail {

enum class Format { svg, png };

struct Target {
  Format format = Format::svg;
  double scale = 1;  // png only: pixels per pixel of the figure
};

/// Checks the figure (std::invalid_argument) and returns the commands that draw it to standard output.
[[nodiscard]] std::string script(const Figure& figure, const Target& target);

}  // namespace rheo::plot::detail
