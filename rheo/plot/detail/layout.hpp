#pragma once

// Where the panels of a figure lie and what their axes show.

#include <cstddef>
#include <vector>

#include "rheo/plot/figure.hpp"

namespace rheo::plot::detail {

// Pixels. Chosen so that a figure shown at half its size still reads.
inline constexpr double font_size = 17;
inline constexpr double edge_margin = 12;
inline constexpr double title_height = 36,
                        header_height = 28;  // the figure's title; a panel's title and legend
inline constexpr double tics_height = 28, x_label_height = 30;

struct Box {
  double left, right, top, bottom;  // pixels, y downwards
  double margin;                    // left of it
};

/// One box for each panel, row by row. The figure has been checked; one too small for its panels is refused here.
[[nodiscard]] std::vector<std::vector<Box>> layout(const Figure& figure);

/// What the panel's x axis shows: its own range, else all data of the panels that share the axis.
[[nodiscard]] Range x_range(const Figure& figure, std::size_t row, std::size_t column);
[[nodiscard]] Range y_range(const Panel& panel);

[[nodiscard]] bool has_legend(const Panel& panel);
/// Pixels for the panel's title and its legend in one row.
[[nodiscard]] double header_width(const Panel& panel);
/// The panels of the next row stand below these and carry the x axis for both.
[[nodiscard]] bool shares_x_below(const Figure& figure, std::size_t row);

/// The tic distance, 1, 2 or 5 times a power of ten, that puts at most `most` tics on the range.
[[nodiscard]] double tic_step(const Range& range, int most);

}  // namespace rheo::plot::detail
