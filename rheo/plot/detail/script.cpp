#include "rheo/plot/detail/script.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "rheo/plot/detail/text.hpp"

namespace rheo::plot::detail {
namespace {

// Pixels. Chosen so that a figure shown at half its size still reads.
constexpr double font_size = 17;
constexpr double y_label_width = 34, tic_width = 20, right_margin = 28, edge_margin = 12;
constexpr double digit_width = 0.64 * font_size;
constexpr double title_height = 36, header_height = 28;  // the figure's title; a panel's title and legend
constexpr double tics_height = 28, x_label_height = 30, gap_height = 20;
constexpr double tic_spacing_x = 72, tic_spacing_y = 38;
constexpr double mark_height = 0.8;  // of a raster's row

/// The shortest text that reads back as the same number, whatever the locale.
std::string number(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : "NaN";
}

bool drawable(double value) { return std::abs(value) <= 1e300; }  // not NaN, not infinite; sums stay finite

std::string coordinate(double value) { return drawable(value) ? number(value) : "NaN"; }

std::string hex(Colour colour) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "'#";
  for (int shift = 20; shift >= 0; shift -= 4) text += digits[(colour.rgb >> shift) & 15];
  return text + "'";
}

const char* dash_pattern(Dash dash) {
  switch (dash) {
    case Dash::dashed:
      return "(12,8)";
    case Dash::dotted:
      return "(3,6)";
    case Dash::solid:
      break;
  }
  return "solid";
}

std::string line_look(Colour colour, Dash dash, double width) {
  return "lc rgb " + hex(colour) + " lw " + number(width) + " dt " + dash_pattern(dash);
}

[[noreturn]] void reject(const std::string& message) { throw std::invalid_argument("[plot] " + message); }

void check(const std::optional<Range>& range, const char* axis) {
  if (range && !(drawable(range->low) && drawable(range->high) && range->low < range->high)) {
    reject(std::string(axis) + " range must go from low to high, got " + number(range->low) + " to " +
           number(range->high));
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

// ---- what an axis shows when nothing was said

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
    if (high - low <= 1e-9 * size) return {low - 0.5 * std::max(1.0, size), high + 0.5 * std::max(1.0, size)};
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

// ---- layout

struct Box {
  double left, right, top, bottom;  // pixels, y downwards
  double margin;                    // left of it
};

bool has_legend(const Panel& panel) {
  const auto labelled = [](const auto& item) { return !item.style.label.empty(); };
  return std::any_of(panel.lines.begin(), panel.lines.end(), labelled) ||
         std::any_of(panel.guides.begin(), panel.guides.end(), labelled) ||
         std::any_of(panel.rasters.begin(), panel.rasters.end(), labelled);
}

bool shares_x_below(const Figure& figure, std::size_t row) {
  return figure.share_x && row + 1 < figure.rows.size() &&
         figure.rows[row + 1].panels.size() == figure.rows[row].panels.size();
}

/// Room for the widest number on the y axis and for the label, left of the box.
double left_margin(const Panel& panel, const Range& y) {
  std::size_t longest = 0;
  if (panel.y_tics) {
    const double step = tic_step(y, 4);
    for (double tic = std::ceil(y.low / step); tic <= std::floor(y.high / step); ++tic) {
      char text[32];
      longest =
          std::max(longest, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%g", tic * step)));
    }
  }
  return (panel.y_label.empty() ? edge_margin : y_label_width) + digit_width * static_cast<double>(longest) +
         tic_width;
}

/// One box for each panel, row by row.
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

/// The line's corners when each value holds until the next x, and the last one as long as the one before.
/// gnuplot's own steps are drawn piece by piece, which shows.
Line staircase(const Line& line) {
  Line path{.style = line.style};
  const std::size_t n = line.x.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double end = i + 1 < n ? line.x[i + 1] : n > 1 ? 2 * line.x[i] - line.x[i - 1] : line.x[i];
    if (i == 0 || line.y[i] != line.y[i - 1]) {
      path.x.push_back(line.x[i]);
      path.y.push_back(line.y[i]);
    }
    if (i + 1 == n || line.y[i] != line.y[i + 1]) {
      path.x.push_back(end);
      path.y.push_back(line.y[i]);
    }
  }
  return path;
}

// ---- commands

class Writer {
 public:
  Writer(const Figure& figure, const Target& target) : figure_(figure) {
    const bool svg = target.format == Format::svg;
    line("set encoding utf8");
    if (svg) {
      line("set terminal svg size " + size(1) + " dynamic noenhanced font " + font() +
           " rounded background '#ffffff'");
    } else {
      line("set terminal pngcairo size " + size(target.scale) + " noenhanced font " + font() + " fontscale " +
           number(0.75 * target.scale) + " linewidth " + number(target.scale) +
           " rounded background '#ffffff'");
    }
    line("set multiplot");
  }

  void panel(const Panel& panel, const Box& box, const Range& x, bool x_labels, bool first) {
    const Range y = y_range(panel);
    line("unset label; unset arrow; unset grid; unset key");
    line("set lmargin at screen " + across(box.left) + "; set rmargin at screen " + across(box.right));
    line("set tmargin at screen " + up(box.top) + "; set bmargin at screen " + up(box.bottom));
    line("set xrange [" + number(x.low) + ":" + number(x.high) + "]");
    line("set yrange [" + number(y.low) + ":" + number(y.high) + "]");
    line("set border 3 back lw 1 lc rgb " + hex(colour::grey));
    line("set tics nomirror out scale 0.5 textcolor rgb " + hex(colour::ink));
    line("set clip two");
    axis_tics(panel, box, x, y, x_labels);
    labels(panel, box, x_labels, first);
    guides(panel, x, y);
    if (has_legend(panel)) {
      line("set key at screen " + across(box.right) + ", screen " + up(box.top - header_height + 2) +
           " right top horizontal reverse Left samplen 1.7 spacing 1 width 0.5 maxrows 1 textcolor rgb " +
           hex(colour::ink));
    }
    plot(panel);
  }

  std::string finish() {
    line("unset multiplot");
    return std::move(text_);
  }

 private:
  void line(const std::string& command) { text_ += command + "\n"; }

  static std::string font() { return "'DejaVu Sans," + number(font_size) + "'"; }
  [[nodiscard]] std::string size(double scale) const {
    return number(std::round(figure_.width * scale)) + "," + number(std::round(figure_.height * scale));
  }
  [[nodiscard]] std::string across(double pixels) const { return number(pixels / figure_.width); }
  [[nodiscard]] std::string up(double pixels) const { return number(1 - pixels / figure_.height); }

  void axis_tics(const Panel& panel, const Box& box, const Range& x, const Range& y, bool x_labels) {
    const int most_x = std::max(2, static_cast<int>((box.right - box.left) / tic_spacing_x));
    const int most_y = std::max(2, static_cast<int>((box.bottom - box.top) / tic_spacing_y));
    line("set xtics offset 0, 0.35 " + number(tic_step(x, most_x)) + "; set format x " +
         (x_labels ? "'%g'" : "''"));
    if (panel.y_tics) {
      line("set ytics nomirror " + number(tic_step(y, most_y)) + "; set format y '%g'");
      line("set grid ytics back lt 1 lw 1 lc rgb " + hex(colour::faint));
    } else {
      line("unset ytics");
    }
  }

  void label(const std::string& text, const std::string& place, const std::string& look) {
    line("set label " + gnuplot_string(text) + " at " + place + " " + look + " textcolor rgb " +
         hex(colour::ink));
  }

  void labels(const Panel& panel, const Box& box, bool x_labels, bool first) {
    if (first && !figure_.title.empty()) {
      label(figure_.title, "screen " + across(edge_margin) + ", screen " + up(edge_margin + 10),
            "left font 'DejaVu Sans Bold," + number(font_size + 1) + "'");
    }
    if (!panel.title.empty()) {
      label(panel.title, "screen " + across(box.left) + ", screen " + up(box.top - header_height / 2),
            "left font 'DejaVu Sans Bold," + number(font_size - 1) + "'");
    }
    const std::string middle_x = across((box.left + box.right) / 2),
                      middle_y = up((box.top + box.bottom) / 2);
    if (x_labels && !panel.x_label.empty()) {
      label(panel.x_label,
            "screen " + middle_x + ", screen " + up(box.bottom + tics_height + 0.65 * x_label_height),
            "center");
    }
    if (!panel.y_label.empty()) {
      label(panel.y_label,
            "screen " + across(box.left - box.margin + edge_margin + 10) + ", screen " + middle_y,
            "center rotate by 90");
    }
  }

  void guides(const Panel& panel, const Range& x, const Range& y) {
    for (const Guide& guide : panel.guides) {
      const Range& range = guide.vertical ? x : y;
      if (!(guide.at >= range.low && guide.at <= range.high)) continue;
      const std::string at = "first " + number(guide.at);
      line("set arrow from " +
           (guide.vertical ? at + ", graph 0 to " + at + ", graph 1"
                           : "graph 0, " + at + " to graph 1, " + at) +
           " nohead back " + line_look(guide.style.colour, guide.style.dash, guide.style.width));
    }
  }

  static std::string title(const std::string& label) {
    return label.empty() ? " notitle" : " title " + gnuplot_string(label);
  }

  /// Writes the points as a data block, a line break where one cannot be drawn; "" where none can.
  template <class Point>
  std::string data_block(std::size_t n, const std::vector<double>& a, const std::vector<double>& b,
                         Point point) {
    std::string rows;
    bool any = false;
    for (std::size_t i = 0; i < n; ++i) {
      const bool shown = drawable(a[i]) && drawable(b[i]);
      any |= shown;
      rows += shown ? point(a[i], b[i]) : "\n";
    }
    if (!any) return "";
    const std::string name = "$data" + std::to_string(blocks_++);
    line(name + " << end_of_data");
    text_ += rows;
    line("end_of_data");
    return name;
  }

  void plot(const Panel& panel) {
    std::vector<std::string> parts;
    std::size_t next_colour = 0;
    for (const Line& series : panel.lines) {
      const Colour drawn = series.style.colour ? *series.style.colour
                                               : colour::cycle[next_colour++ % std::size(colour::cycle)];
      const Line path = series.style.steps ? staircase(series) : series;
      const std::string data = data_block(path.x.size(), path.x, path.y, [](double x, double y) {
        return coordinate(x) + " " + coordinate(y) + "\n";
      });
      parts.push_back((data.empty() ? "NaN" : data + " using 1:2") + " with lines " +
                      line_look(drawn, series.style.dash, series.style.width) + title(series.style.label));
    }
    for (const Raster& raster : panel.rasters) {
      const std::string data = data_block(raster.x.size(), raster.x, raster.row, [](double x, double row) {
        return coordinate(x) + " " + coordinate(row - mark_height / 2) + " 0 " + number(mark_height) + "\n";
      });
      const std::string look = line_look(raster.style.colour, Dash::solid, raster.style.width);
      parts.push_back((data.empty() ? "NaN with lines " : data + " using 1:2:3:4 with vectors nohead ") +
                      look + title(raster.style.label));
    }
    for (const Guide& guide : panel.guides) {
      if (guide.style.label.empty()) continue;
      parts.push_back("NaN with lines " + line_look(guide.style.colour, guide.style.dash, guide.style.width) +
                      title(guide.style.label));
    }
    std::string command = "plot ";
    for (std::size_t i = 0; i < parts.size(); ++i) command += (i == 0 ? "" : ", ") + parts[i];
    line(parts.empty() ? "plot NaN notitle" : command);
  }

  const Figure& figure_;
  std::string text_;
  int blocks_ = 0;
};

}  // namespace

double tic_step(const Range& range, int most) {
  const double raw = (range.high - range.low) / std::max(1, most);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string script(const Figure& figure, const Target& target) {
  check(figure);
  const auto boxes = layout(figure);
  Writer writer(figure, target);
  for (std::size_t r = 0; r < figure.rows.size(); ++r) {
    const auto& panels = figure.rows[r].panels;
    for (std::size_t c = 0; c < panels.size(); ++c) {
      Extent extent;
      for (std::size_t other = 0; other < figure.rows.size(); ++other) {
        const bool shared = figure.share_x && figure.rows[other].panels.size() == panels.size();
        if (other == r || shared) add_x(extent, figure.rows[other].panels[c]);
      }
      const Range x = panels[c].x_range.value_or(extent.range(0));
      writer.panel(panels[c], boxes[r][c], x, !shares_x_below(figure, r), r == 0 && c == 0);
    }
  }
  return writer.finish();
}

}  // namespace rheo::plot::detail
