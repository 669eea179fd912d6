#pragma once

// Figures: rows of panels holding lines, guide lines and spike rasters.
// Numbers in, SVG or PNG out, drawn by gnuplot.
//
//   rheo::plot::Panel panel{.x_label = "time (ms)", .y_label = "membrane U (V)"};
//   panel.line(mem, {.label = "U"}).horizontal(1.0, {.label = "threshold"});
//   rheo::plot::save({.title = "One neuron", .rows = {{.panels = {panel}}}}, "neuron.svg");
//
// Knows no tensors. Nothing is shared between calls: figures can be drawn from several threads at once.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace rheo::plot {

/// A figure could not be drawn or written. One that makes no sense (lengths that differ, an empty range) is a
/// std::invalid_argument instead.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// gnuplot is not installed, or not on PATH.
struct GnuplotMissing : Error {
  using Error::Error;
};

struct Colour {
  std::uint32_t rgb = 0;  // 0xrrggbb
  friend bool operator==(Colour, Colour) = default;
};

/// The palette: blue and orange first, which colour-blind readers tell apart.
namespace colour {
inline constexpr Colour ink{0x1f2933}, grey{0x7b8794}, faint{0xe4e7eb};
inline constexpr Colour blue{0x1f6fb4}, orange{0xe07b1a}, green{0x2a9d5c}, red{0xc8374a}, purple{0x7a5fb0};
/// Lines without a colour of their own take these in turn.
inline constexpr Colour cycle[] = {blue, orange, green, purple, red};
}  // namespace colour

enum class Dash { solid, dashed, dotted };

/// What an axis shows, from low to high; low < high, both finite.
struct Range {
  double low = 0;
  double high = 1;
};

struct LineStyle {
  std::string label = {};             // the legend's text; none when empty
  std::optional<Colour> colour = {};  // the next of colour::cycle when absent
  Dash dash = Dash::solid;
  double width = 2;    // pixels
  bool steps = false;  // holds each value until the next x, as an input current does
};

struct GuideStyle {
  std::string label = {};
  Colour colour = colour::grey;
  Dash dash = Dash::dashed;
  double width = 1.5;
};

struct RasterStyle {
  std::string label = {};
  Colour colour = colour::ink;
  double width = 1.6;
};

struct Line {
  std::vector<double> x = {}, y = {};  // same length; where one is not finite, the line has a gap
  LineStyle style = {};
};

struct Guide {
  bool vertical = false;
  double at = 0;  // outside the axis range it is not drawn
  GuideStyle style = {};
};

struct Raster {
  std::vector<double> x = {}, row = {};  // same length: one upright mark per spike
  RasterStyle style = {};
};

struct Panel {
  std::string title = {}, x_label = {}, y_label = {};  // labels carry the unit, as in "membrane U (V)"
  std::optional<Range> x_range = {}, y_range = {};     // fitted to the data when absent
  bool y_tics = true;                                  // numbers and grid on the y axis
  std::vector<Line> lines = {};
  std::vector<Guide> guides = {};
  std::vector<Raster> rasters = {};

  /// A line through (first_x, y[0]), (first_x + 1, y[1]), ...
  Panel& line(std::span<const float> y, LineStyle style = {}, double first_x = 0);
  Panel& line(std::span<const double> y, LineStyle style = {}, double first_x = 0);
  /// A line through (x[i], y[i]).
  Panel& line(std::span<const float> x, std::span<const float> y, LineStyle style = {});
  Panel& line(std::span<const double> x, std::span<const double> y, LineStyle style = {});
  Panel& horizontal(double y, GuideStyle style = {});
  Panel& vertical(double x, GuideStyle style = {});
  /// One mark per spike time, all in one row.
  Panel& spikes(std::span<const double> times, double row = 0, RasterStyle style = {});
  /// One mark per non-zero entry of spk, [steps, neurons] in memory order: steps along x, neurons along y.
  Panel& raster(std::span<const float> spk, std::size_t neurons = 1, RasterStyle style = {});
};

struct Row {
  std::vector<Panel> panels = {};
  double height = 1;  // relative to the other rows
};

struct Figure {
  std::string title = {};
  std::vector<Row> rows = {};
  int width = 720;  // pixels
  int height = 400;
  /// Panels above each other share the x axis: only the lowest shows its numbers and label.
  bool share_x = true;
};

/// The figure as text: a complete SVG document. Errors: Error, GnuplotMissing, std::invalid_argument.
[[nodiscard]] std::string to_svg(const Figure& figure);

/// The figure as the bytes of a PNG, `scale` pixels per pixel of the figure. Errors as to_svg.
[[nodiscard]] std::string to_png(const Figure& figure, double scale = 2);

/// Draws into `path`, by its ending .svg or .png. The file appears under its name only when it is complete;
/// an older one is replaced. Errors: as to_svg, and Error where the folder cannot be written.
void save(const Figure& figure, const std::filesystem::path& path);

}  // namespace rheo::plot
