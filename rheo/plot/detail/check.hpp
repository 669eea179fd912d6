#pragma once

// Figures that make no sense are refused before anything is drawn.

#include <string>

#include "rheo/plot/figure.hpp"

namespace rheo::plot::detail {

/// Throws std::invalid_argument: lengths that differ, ranges without extent, no panel, an impossible size.
void check(const Figure& figure);

[[noreturn]] void reject(const std::string& message);

/// Can be drawn: not NaN, not infinite, and sums stay finite.
[[nodiscard]] bool drawable(double value);

/// Axes cannot show less than this part of their values.
inline constexpr double narrowest = 1e-9;

}  // namespace rheo::plot::detail
