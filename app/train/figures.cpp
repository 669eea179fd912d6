#include "app/train/report.hpp"
#include "rheo/plot/figure.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

namespace rheo::app::train {
namespace {

using plot::Panel;
using plot::Range;
namespace colour = plot::colour;

constexpr int narrow = 460, wide = 860;
constexpr std::size_t most_rows = 200;  // of a raster: more is grey

using Value = std::optional<double> (*)(const rheo::train::Metrics&);

/// Over epochs; a single epoch becomes a short stroke.
void curve(Panel& panel, const RunReport& report, Value value, plot::LineStyle style) {
  std::vector<double> x, y;
  for (const auto& metrics : report.history) {
    const auto found = value(metrics);
    if (!found) continue;
    x.push_back(static_cast<double>(metrics.epoch));
    y.push_back(*found);
  }
  if (x.empty()) return;
  if (x.size() == 1) {
    x = {x[0] - 0.3, x[0] + 0.3};
    y.push_back(y[0]);
  }
  panel.line(x, y, std::move(style));
}

plot::Figure curves(const RunReport& report, const std::string& title, const std::string& y_label,
                    Value learned, Value validated) {
  Panel panel{.x_label = "epoch", .y_label = y_label};
  const double last = report.history.empty() ? 1 : static_cast<double>(report.history.back().epoch);
  panel.x_range = last > 1 ? Range{1, last} : Range{0, 2};
  const bool both = !report.history.empty() && report.history.front().validation_loss.has_value();
  curve(panel, report, learned, {.label = both ? "train" : "", .colour = colour::blue});
  curve(panel, report, validated, {.label = "validation", .colour = colour::orange});
  return {.title = title, .rows = {{.panels = {panel}}}, .width = narrow, .height = 320};
}

/// The first of a layer's neurons: [steps, kept] of [steps, neurons].
std::vector<float> first_columns(const std::vector<float>& values, std::size_t steps, std::size_t kept) {
  const std::size_t neurons = values.size() / steps;
  std::vector<float> part;
  for (std::size_t t = 0; t < steps; ++t) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(t * neurons);
    part.insert(part.end(), row, row + static_cast<std::ptrdiff_t>(kept));
  }
  return part;
}

Panel raster(const std::vector<float>& spikes, std::size_t steps, const std::string& name,
             plot::Colour colour) {
  const std::size_t neurons = spikes.size() / steps, kept = std::min(neurons, most_rows);
  Panel panel{.y_label = name,
              .x_range = Range{-0.5, static_cast<double>(steps) - 0.5},
              .y_range = Range{-0.5, static_cast<double>(kept) - 0.5}};
  panel.raster(first_columns(spikes, steps, kept), kept, {.colour = colour, .width = kept > 60 ? 1.2 : 1.6});
  return panel;
}

plot::Figure sample_figure(const RunReport& report) {
  const Sample& sample = report.sample;
  const auto steps = static_cast<std::size_t>(sample.steps);
  plot::Figure figure{.title = "One sample: class " + std::to_string(sample.label), .width = wide};
  figure.height = 560;
  if (!sample.input.empty()) {
    figure.rows.push_back(
        {.panels = {raster(sample.input, steps, "input unit", colour::orange)}, .height = 0.5});
    figure.height = 660;
  }
  figure.rows.push_back({.panels = {raster(sample.hidden, steps, "hidden neuron", colour::ink)}});

  const std::size_t classes = sample.mem.size() / steps;
  Panel mem{.y_label = "output membrane"};
  std::vector<float> line(steps);
  // The answer last, so that it lies on top.
  for (std::size_t pass = 0; pass < 2; ++pass) {
    for (std::size_t c = 0; c < classes; ++c) {
      const auto class_number = static_cast<std::int64_t>(c);
      const bool answer = class_number == sample.prediction, truth = class_number == sample.label;
      if ((answer || truth) != (pass == 1)) continue;
      for (std::size_t t = 0; t < steps; ++t) line[t] = sample.mem[t * classes + c];
      plot::LineStyle style{.colour = colour::grey, .width = 1};
      const std::string label = "class " + std::to_string(c);
      if (answer)
        style = {.label = label + ", the answer", .colour = colour::blue};
      else if (truth)
        style = {.label = label + ", the truth", .colour = colour::red};
      mem.line(line, style);
    }
  }
  mem.x_range = Range{-0.5, static_cast<double>(steps) - 0.5};
  figure.rows.push_back({.panels = {mem}, .height = 0.8});
  if (report.recipe.readout_reset != "none") {
    figure.rows.push_back({.panels = {raster(sample.output, steps, "class", colour::ink)}, .height = 0.5});
  }
  figure.rows.back().panels.front().x_label = "step";
  return figure;
}

plot::Figure firing_figure(const RunReport& report) {
  Panel panel{.x_label = "step", .y_label = "spikes per neuron"};
  for (const Firing& firing : report.firing) {
    panel.line(firing.rate_per_step, {.label = firing.layer});
  }
  panel.x_range = Range{0, static_cast<double>(std::max<std::int64_t>(report.recipe.steps - 1, 1))};
  return {.title = "Firing over time", .rows = {{.panels = {panel}}}, .width = wide, .height = 320};
}

}  // namespace

Figures draw(const RunReport& report) {
  using Metrics = rheo::train::Metrics;
  using Number = std::optional<double>;
  Figures figures;
  figures["loss"] = plot::to_svg(curves(
      report, "Loss", "loss", [](const Metrics& m) -> Number { return m.train_loss; },
      [](const Metrics& m) -> Number { return m.validation_loss; }));
  figures["accuracy"] = plot::to_svg(curves(
      report, "Accuracy", "accuracy (%)", [](const Metrics& m) -> Number { return 100 * m.train_accuracy; },
      [](const Metrics& m) -> Number {
        return m.validation_accuracy ? Number(100 * *m.validation_accuracy) : Number();
      }));
  figures["raster"] = plot::to_svg(sample_figure(report));
  figures["firing"] = plot::to_svg(firing_figure(report));
  return figures;
}

}  // namespace rheo::app::train
