#include "app/recording.hpp"

#include "app/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace rheo::app {
namespace {

constexpr std::size_t lines_shown = 5;      // as many as the palette has colours
constexpr std::size_t rows_shown = 200;     // of a raster; more would be a grey block
constexpr std::size_t points_shown = 4000;  // of a line; the figure is 720 pixels wide
constexpr std::size_t marks_shown = 20000;
constexpr std::size_t times_listed = 20;
constexpr std::size_t neurons_listed = 20;

/// The membrane where there is one: what the threshold is compared with.
const Trace& membrane(const Recording& recording) {
  for (const Trace& state : recording.states) {
    if (state.name == "mem") return state;
  }
  return recording.states.front();
}

std::vector<std::size_t> spike_times(const Recording& recording, std::size_t neuron) {
  std::vector<std::size_t> times;
  for (std::size_t t = 0; t < recording.steps; ++t) {
    if (recording.spk[t * recording.neurons + neuron] != 0) times.push_back(t);
  }
  return times;
}

std::string with_unit(const std::string& name, const std::string& unit) {
  return unit.empty() || unit == "1" ? name : name + " (" + unit + ")";
}

std::string plural(std::size_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

/// One neuron's trace; a long one is thinned to the lowest and highest value of each few steps.
void draw_line(plot::Panel& panel, const Recording& recording, const Trace& trace, std::size_t neuron,
               const plot::LineStyle& style) {
  const std::size_t bucket = (2 * recording.steps + points_shown - 1) / points_shown;
  std::vector<double> x;
  std::vector<double> y;
  const auto point = [&](std::size_t t) {
    x.push_back(static_cast<double>(t));
    y.push_back(trace.values[t * recording.neurons + neuron]);
  };
  if (recording.steps <= points_shown) {
    for (std::size_t t = 0; t < recording.steps; ++t) point(t);
  } else {
    for (std::size_t first = 0; first < recording.steps; first += bucket) {
      std::size_t low = first;
      std::size_t high = first;
      for (std::size_t t = first; t < std::min(first + bucket, recording.steps); ++t) {
        const float value = trace.values[t * recording.neurons + neuron];
        if (value < trace.values[low * recording.neurons + neuron]) low = t;
        if (value > trace.values[high * recording.neurons + neuron]) high = t;
      }
      point(std::min(low, high));
      if (low != high) point(std::max(low, high));
    }
  }
  panel.line(std::span<const double>(x), std::span<const double>(y), style);
}

void draw_lines(plot::Panel& panel, const Recording& recording, const Trace& trace, bool legend) {
  bool same = true;  // one line for an input that all neurons share
  for (std::size_t i = 0; i < trace.values.size() && same; ++i) {
    same = trace.values[i] == trace.values[i - i % recording.neurons];
  }
  const std::size_t count = same ? 1 : std::min(recording.neurons, lines_shown);
  for (std::size_t n = 0; n < count; ++n) {
    plot::LineStyle style;
    style.steps = &trace == &recording.input;  // a current holds for its whole step
    if (legend && count > 1) style.label = "neuron " + std::to_string(n);
    if (recording.neurons == 1 || (same && &trace == &recording.input)) {
      style.colour = &trace == &recording.input ? plot::colour::orange : plot::colour::blue;
    }
    draw_line(panel, recording, trace, n, style);
  }
}

void draw_raster(plot::Panel& panel, const Recording& recording, std::span<const float> spk) {
  const std::size_t rows = std::min(recording.neurons, rows_shown);
  std::size_t marks = 0;
  for (std::size_t n = 0; n < rows && marks < marks_shown; ++n) {
    std::vector<double> times;
    for (std::size_t t = 0; t < recording.steps && marks < marks_shown; ++t) {
      if (spk[t * recording.neurons + n] == 0) continue;
      times.push_back(static_cast<double>(t));
      ++marks;
    }
    if (!times.empty()) panel.spikes(std::span<const double>(times), static_cast<double>(n));
  }
  panel.y_range = plot::Range{-0.6, static_cast<double>(rows) - 0.4};
  panel.y_tics = rows > 1;
}

}  // namespace

std::string summary(const Recording& recording) {
  const Trace& mem = membrane(recording);
  std::string text;
  std::size_t total = 0;
  const std::size_t listed = std::min(recording.neurons, neurons_listed);
  for (std::size_t n = 0; n < recording.neurons; ++n) {
    const auto times = spike_times(recording, n);
    total += times.size();
    if (n >= listed) continue;
    if (recording.neurons > 1) text += "neuron " + std::to_string(n) + ": ";
    if (recording.fires) text += plural(times.size(), "spike");
    for (std::size_t i = 0; recording.fires && i < std::min(times.size(), times_listed); ++i) {
      text += (i == 0 ? (times.size() == 1 ? " at step " : " at steps ") : ", ") + std::to_string(times[i]);
    }
    if (recording.fires && times.size() > times_listed) text += ", ...";
    float highest = -std::numeric_limits<float>::infinity();
    std::size_t when = 0;
    bool finite = true;
    for (std::size_t t = 0; t < recording.steps; ++t) {
      const float value = mem.values[t * recording.neurons + n];
      finite = finite && std::isfinite(value);
      if (value > highest) {
        highest = value;
        when = t;
      }
    }
    if (recording.steps > 0) {
      text += (recording.fires ? "; " : "") + mem.name +
              (finite ? " at most " + rounded(highest) + " (step " + std::to_string(when) + ")"
                      : std::string(" does not stay finite"));
    }
    text += '\n';
  }
  if (recording.neurons > listed) {
    text += "... " + std::to_string(recording.neurons) + " neurons" +
            (recording.fires ? ", " + plural(total, "spike") + " in all" : "") + "\n";
  }
  return text;
}

std::string to_csv(const Recording& recording) {
  std::vector<const Trace*> traces = {&recording.input};
  for (const Trace& state : recording.states) traces.push_back(&state);
  const Trace spikes{"spk", "", recording.spk};
  if (recording.fires) traces.push_back(&spikes);

  std::string text = "step";
  for (const Trace* trace : traces) {
    for (std::size_t n = 0; n < recording.neurons; ++n) {
      text += "," + trace->name + (recording.neurons > 1 ? "_" + std::to_string(n) : "");
    }
  }
  text += '\n';
  for (std::size_t t = 0; t < recording.steps; ++t) {
    text += std::to_string(t);
    for (const Trace* trace : traces) {
      for (std::size_t n = 0; n < recording.neurons; ++n) {
        text += ',' + shortest(trace->values[t * recording.neurons + n]);
      }
    }
    text += '\n';
  }
  return text;
}

plot::Figure to_figure(const Recording& recording) {
  const Trace& mem = membrane(recording);
  const bool crowd = recording.neurons > 1;
  const auto end = static_cast<double>(recording.steps);
  const plot::Range steps{-0.01 * end, end};  // a spike at step 0 should not hide on the axis

  plot::Panel input{.y_label = with_unit(recording.input.name, recording.input.unit), .x_range = steps};
  if (recording.input_is_spikes) {
    input.y_label = recording.input.name;
    draw_raster(input, recording, recording.input.values);
  } else {
    draw_lines(input, recording, recording.input, false);
  }

  plot::Panel membrane_panel{.y_label = with_unit(mem.name, mem.unit), .x_range = steps};
  draw_lines(membrane_panel, recording, mem, true);
  std::vector<double> thresholds(recording.threshold.begin(),
                                 recording.threshold.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                   recording.threshold.size(), lines_shown)));
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    plot::GuideStyle style{.label = i == 0 && !crowd ? "threshold" : ""};
    if (thresholds.size() > 1) style.colour = plot::colour::cycle[i];
    if (std::isfinite(thresholds[i])) membrane_panel.horizontal(thresholds[i], style);
  }

  plot::Panel spikes{.x_label = "step", .y_label = crowd ? "neuron" : "spk", .x_range = steps};
  draw_raster(spikes, recording, recording.spk);

  std::size_t count = 0;
  for (const float s : recording.spk) count += s != 0 ? 1 : 0;
  std::string title = recording.neuron + ": ";
  if (crowd) title += std::to_string(recording.neurons) + " neurons, ";
  if (recording.fires) title += plural(count, "spike") + " in ";
  title += plural(recording.steps, "step");

  const double raster_height = crowd ? 0.7 : 0.35;
  if (!recording.fires) membrane_panel.x_label = spikes.x_label;
  plot::Figure figure{.title = title,
                      .rows = {{.panels = {input}, .height = recording.input_is_spikes ? raster_height : 0.7},
                               {.panels = {membrane_panel}, .height = 1}},
                      .width = 720,
                      .height = 560};
  if (recording.fires) figure.rows.push_back({.panels = {spikes}, .height = raster_height});
  return figure;
}

}  // namespace rheo::app
