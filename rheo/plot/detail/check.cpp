#include "rheo/plot/detail/check.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "rheo/plot/detail/text.hpp"

namespace rheo::plot::detail {
namespace {

void check(const std::optional<Range>& range, const char* axis) {
  if (!range) return;
  if (!(drawable(range->low) && drawable(range->high) && range->low < range->high)) {
    reject(std::string(axis) + " range must go from low to high, got " + number(range->low) + " to " +
           number(range->high));
  }
  const double size = std::max(std::abs(range->low), std::abs(range->high));
  if (range->high - range->low <= narrowest * size) {
    reject(std::string(axis) + " range must be wider than a billionth of its ends, got " +
           number(range->low) + " to " + number(range->high));
  }
}

void check_width(double width) {
  if (!(width > 0 && width <= 100)) reject("line width must be in (0, 100], got " + number(width));
}

void check(const Panel& panel) {
  check(panel.x_range, "x");
  check(panel.y_range, "y");
  for (const Line& line : panel.lines) {
    check_width(line.style.width);
    if (line.x.size() != line.y.size()) {
      reject("a line must have as many x as y, got " + std::to_string(line.x.size()) + " and " +
             std::to_string(line.y.size()));
    }
  }
  for (const Guide& guide : panel.guides) check_width(guide.style.width);
  for (const Raster& raster : panel.rasters) {
    check_width(raster.style.width);
    if (raster.x.size() != raster.row.size()) {
      reject("a raster must have as many times as rows, got " + std::to_string(raster.x.size()) + " and " +
             std::to_string(raster.row.size()));
    }
  }
}

}  // namespace

void reject(const std::string& message) { throw std::invalid_argument("[plot] " + message); }

bool drawable(double value) { return std::abs(value) <= 1e300; }

void check(const Figure& figure) {
  constexpr int largest = 20000;
  if (figure.width < 1 || figure.height < 1 || figure.width > largest || figure.height > largest) {
    reject("figure size must be 1 to " + std::to_string(largest) + " pixels, got " +
           std::to_string(figure.width) + " x " + std::to_string(figure.height));
  }
  if (figure.rows.empty()) reject("figure must have a row, got none");
  for (const Row& row : figure.rows) {
    if (row.panels.empty()) reject("row must have a panel, got none");
    if (!(row.height > 0 && drawable(row.height)))
      reject("row height must be positive, got " + number(row.height));
    for (const Panel& panel : row.panels) check(panel);
  }
}

}  // namespace rheo::plot::detail
