#include "rheo/plot/detail/layout.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "rheo/plot/detail/check.hpp"

namespace rheo::plot::detail {
namespace {

constexpr double y_label_width = 34, tic_width = 20, right_margin = 28, gap_height = 20;  // pixels
constexpr double sample_width = 40;  // of a line or a mark in the legend, with the space around it
constexpr double digit_width = 0.64 * font_size;

struct Extent {
  double low = 0, high = 0;
  bool empty = true;

  void add(double value) {
    if (!drawable(value)) return;
    low = empty ? value : std::min(low, value);
    high = empty ? value : std::max(high, value);
    empty = false;
  }

  [[nodiscard]] Range range(double margin) const {
    if (empty) return {0, 1};
    const double size = std::max(std::abs(low), std::abs(high));
    if (high - low <= narrowest * size)
      return {low - 0.5 * std::max(1.0, size), high + 0.5 * std::max(1.0, size)};
    return {low - margin * (high - low), high + margin * (high - low)};
  }
};

void add_x(Extent& extent, const Panel& panel) {
  for (const Line& line : panel.lines)
    std::for_each(line.x.begin(), line.x.end(), [&](double x) { extent.add(x); });
  for (const Raster& raster : panel.rasters) {
    std::for_each(raster.x.begin(), raster.x.end(), [&](double x) { extent.add(x); });
  }
}

/// Room for the widest number on the y axis and for the label, left of the box.
double left_margin(const Panel& panel, const Range& y) {
  std::size_t longest = 0;
  if (panel.y_tics) {
    const double step = tic_step(y, 4);
    const double first = std::ceil(y.low / step);
    for (int i = 0; i < 6 && (first + i) * step <= y.high; ++i) {
      char text[32];
      const int length = std::snprintf(text, sizeof text, "%g", (first + i) * step);
      longest = std::max(longest, static_cast<std::size_t>(length));
    }
  }
  return (panel.y_label.empty() ? edge_margin : y_label_width) + digit_width * static_cast<double>(longest) +
         tic_width;
}

}  // namespace

double tic_step(const Range& range, int most) {
  const double raw = (range.high - range.low) / std::max(1, most);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

Range x_range(const Figure& figure, std::size_t row, std::size_t column) {
  const auto& panels = figure.rows[row].panels;
  if (panels[column].x_range) return *panels[column].x_range;
  Extent extent;
  for (std::size_t other = 0; other < figure.rows.size(); ++other) {
    const bool shared = figure.share_x && figure.rows[other].panels.size() == panels.size();
    if (other == row || shared) add_x(extent, figure.rows[other].panels[column]);
  }
  return extent.range(0);
}

Range y_range(const Panel& panel) {
  if (panel.y_range) return *panel.y_range;
  Extent extent;
  for (const Line& line : panel.lines)
    std::for_each(line.y.begin(), line.y.end(), [&](double y) { extent.add(y); });
  for (const Guide& guide : panel.guides) {
    if (!guide.vertical) extent.add(guide.at);
  }
  const bool only_rasters = extent.empty && !panel.rasters.empty();
  if (only_rasters) extent.add(0);
  for (const Raster& raster : panel.rasters) {
    std::for_each(raster.row.begin(), raster.row.end(), [&](double row) {
      extent.add(row - 0.5);
      extent.add(row + 0.5);
    });
  }
  if (only_rasters && extent.high == extent.low) return {-0.5, 0.5};
  return extent.range(only_rasters ? 0 : 0.05);
}

bool has_legend(const Panel& panel) {
  const auto labelled = [](const auto& item) { return !item.style.label.empty(); };
  return std::any_of(panel.lines.begin(), panel.lines.end(), labelled) ||
         std::any_of(panel.guides.begin(), panel.guides.end(), labelled) ||
         std::any_of(panel.rasters.begin(), panel.rasters.end(), labelled);
}

double header_width(const Panel& panel) {
  double width = digit_width * static_cast<double>(panel.title.size());
  const auto add = [&](const auto& items) {
    for (const auto& item : items) {
      const std::string& label = item.style.label;
      if (!label.empty()) width += sample_width + digit_width * static_cast<double>(label.size());
    }
  };
  add(panel.lines);
  add(panel.guides);
  add(panel.rasters);
  return width;
}

bool shares_x_below(const Figure& figure, std::size_t row) {
  return figure.share_x && row + 1 < figure.rows.size() &&
         figure.rows[row + 1].panels.size() == figure.rows[row].panels.size();
}

std::vector<std::vector<Box>> layout(const Figure& figure) {
  std::vector<double> header(figure.rows.size()), footer(figure.rows.size());
  double fixed = edge_margin + (figure.title.empty() ? 0 : title_height), weights = 0;
  for (std::size_t r = 0; r < figure.rows.size(); ++r) {
    const auto& panels = figure.rows[r].panels;
    const bool any_header = std::any_of(panels.begin(), panels.end(), [](const Panel& panel) {
      return !panel.title.empty() || has_legend(panel);
    });
    const bool any_label =
        std::any_of(panels.begin(), panels.end(), [](const Panel& panel) { return !panel.x_label.empty(); });
    header[r] = any_header ? header_height : 0;
    footer[r] = shares_x_below(figure, r) ? gap_height
                                          : tics_height + (any_label ? x_label_height : 0) + gap_height / 2;
    fixed += header[r] + footer[r];
    weights += figure.rows[r].height;
  }
  const double to_share = figure.height - fixed;
  std::vector<std::vector<Box>> boxes;
  double y = edge_margin + (figure.title.empty() ? 0 : title_height);
  for (std::size_t r = 0; r < figure.rows.size(); ++r) {
    const std::size_t columns = figure.rows[r].panels.size();
    const double height = to_share * figure.rows[r].height / weights;
    y += header[r];
    boxes.emplace_back();
    for (std::size_t c = 0; c < columns; ++c) {
      double margin = 0;
      for (const Row& other : figure.rows) {  // boxes above each other line up
        if (other.panels.size() == columns)
          margin = std::max(margin, left_margin(other.panels[c], y_range(other.panels[c])));
      }
      const double cell = figure.width / static_cast<double>(columns);
      const Box box{static_cast<double>(c) * cell + margin, static_cast<double>(c + 1) * cell - right_margin,
                    y, y + height, margin};
      if (!(height >= 8 && box.right - box.left >= 8)) {
        reject("figure of " + std::to_string(figure.width) + " x " + std::to_string(figure.height) +
               " pixels is too small for its panels");
      }
      boxes.back().push_back(box);
    }
    y += height + footer[r];
  }
  return boxes;
}

}  // namespace rheo::plot::detail
