#include "rheo/plot/detail/script.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "rheo/plot/detail/check.hpp"
#include "rheo/plot/detail/layout.hpp"
#include "rheo/plot/detail/text.hpp"

namespace rheo::plot::detail {
namespace {

constexpr double tic_spacing_x = 72, tic_spacing_y = 38;  // pixels
constexpr double mark_height = 0.8;                       // of a raster's row

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
      // Horizontal wraps, into the plot, long before the words fill the line; vertical leaves out what does not fit.
      const bool fits = header_width(panel) < box.right - box.left;
      line("set key at screen " + across(box.right) + ", screen " + up(box.top - header_height + 2) +
           " right top " + (fits ? "vertical" : "horizontal") +
           " maxrows 1 reverse Left samplen 1.7 spacing 1 width 0.5 textcolor rgb " + hex(colour::ink));
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

std::string script(const Figure& figure, const Target& target) {
  check(figure);
  const auto boxes = layout(figure);
  Writer writer(figure, target);
  for (std::size_t r = 0; r < figure.rows.size(); ++r) {
    const auto& panels = figure.rows[r].panels;
    for (std::size_t c = 0; c < panels.size(); ++c) {
      writer.panel(panels[c], boxes[r][c], x_range(figure, r, c), !shares_x_below(figure, r),
                   r == 0 && c == 0);
    }
  }
  return writer.finish();
}

}  // namespace rheo::plot::detail
