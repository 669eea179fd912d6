#include "app/encoding.hpp"

#include "app/numbers.hpp"

#include <ATen/TensorOperators.h>

#include <algorithm>

namespace rheo::app {
namespace {

constexpr std::int64_t rows_shown = 1000;    // neurons of a raster
constexpr std::int64_t marks_shown = 40000;  // spikes of a raster
constexpr std::int64_t lines_shown = 5;      // signals, as many as the palette has colours

std::string plural(std::int64_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::vector<double> column(const at::Tensor& values, std::int64_t i) {
  std::vector<double> out;
  for (std::int64_t t = 0; t < values.size(0); ++t)
    out.push_back(values.const_data_ptr<float>()[t * values.size(1) + i]);
  return out;
}

}  // namespace

std::vector<Spike> spikes_of(const at::Tensor& spk) {
  std::vector<Spike> out;
  const auto* value = spk.const_data_ptr<float>();
  for (std::int64_t t = 0; t < spk.size(0); ++t) {
    for (std::int64_t i = 0; i < spk.size(1); ++i, ++value) {
      if (*value != 0) out.push_back({t, i, *value});
    }
  }
  return out;
}

std::string summary(const Encoded& encoded, const std::vector<Spike>& spikes) {
  const auto steps = encoded.spk.size(0), neurons = encoded.spk.size(1);
  std::vector<bool> fired(static_cast<std::size_t>(neurons));
  std::int64_t below = 0;
  for (const Spike& s : spikes) {
    fired[static_cast<std::size_t>(s.neuron)] = true;
    below += s.value < 0 ? 1 : 0;
  }
  const auto silent = std::count(fired.begin(), fired.end(), false);
  std::string text = encoded.encoder + ": " + plural(neurons, "neuron") + ", " + plural(steps, "step") +
                     ", " + plural(static_cast<std::int64_t>(spikes.size()), "spike");
  if (below > 0) text += " (" + std::to_string(below) + " of them negative)";
  text += ", " + rounded(static_cast<double>(spikes.size()) / static_cast<double>(steps * neurons)) +
          " for each neuron and step; " + std::to_string(silent) + " silent\n";
  if (encoded.estimate.defined()) {
    text += "rebuilt from its spikes the input is off by at most " +
            rounded((encoded.estimate - encoded.input).abs().max().item<double>()) + '\n';
  }
  return text;
}

std::string to_csv(const at::Tensor& spk, const std::vector<Spike>& spikes, bool dense) {
  std::string text = "step,neuron,spk\n";
  if (!dense) {
    for (const Spike& s : spikes)
      text += std::to_string(s.step) + ',' + std::to_string(s.neuron) + ',' + shortest(s.value) + '\n';
    return text;
  }
  text = "step";
  for (std::int64_t i = 0; i < spk.size(1); ++i) text += ",spk_" + std::to_string(i);
  text += '\n';
  const auto* value = spk.const_data_ptr<float>();
  for (std::int64_t t = 0; t < spk.size(0); ++t) {
    text += std::to_string(t);
    for (std::int64_t i = 0; i < spk.size(1); ++i, ++value) text += ',' + shortest(*value);
    text += '\n';
  }
  return text;
}

plot::Figure to_figure(const Encoded& encoded, const std::vector<Spike>& spikes, const std::string& title) {
  const auto steps = encoded.spk.size(0), neurons = encoded.spk.size(1);
  const auto end = static_cast<double>(steps);
  const plot::Range x{-0.01 * end, end};  // a spike at step 0 should not hide on the axis
  plot::Figure figure{.title = title, .width = 720, .height = 480};

  if (encoded.over_time && steps > 1) {
    const auto before = static_cast<double>(steps - encoded.input.size(0));  // silent steps put in front
    plot::Panel signal{.y_label = "input", .x_range = x};
    const auto shown = encoded.estimate.defined() ? 1 : std::min(neurons, lines_shown);
    for (std::int64_t i = 0; i < shown; ++i) {
      plot::LineStyle style;
      if (encoded.estimate.defined())
        style.label = neurons > 1 ? "input 0" : "input";
      else if (neurons > 1)
        style.label = std::to_string(i);
      signal.line(column(encoded.input, i), style, before);
    }
    if (encoded.estimate.defined())
      signal.line(column(encoded.estimate, 0), {.label = "rebuilt", .steps = true});
    figure.rows.push_back({.panels = {signal}, .height = 0.8});
  }

  // The first neurons, as many as give a raster that can be read.
  std::vector<std::int64_t> marks(static_cast<std::size_t>(neurons));
  for (const Spike& s : spikes) ++marks[static_cast<std::size_t>(s.neuron)];
  std::int64_t shown = 0, drawn = 0;
  while (shown < std::min(neurons, rows_shown) &&
         (shown == 0 || drawn + marks[static_cast<std::size_t>(shown)] <= marks_shown))
    drawn += marks[static_cast<std::size_t>(shown++)];
  // Many rows are less than a pixel high: their marks are as wide as a step allows.
  const bool crowd = shown > 200;
  if (crowd) figure.height = 640;
  plot::Raster above{.style = {.width = crowd ? std::clamp(300 / end, 1.2, 4.0) : 1.6}};
  plot::Raster below{.style = {.colour = plot::colour::red, .width = above.style.width}};
  for (const Spike& s : spikes) {
    if (s.neuron >= shown) continue;
    plot::Raster& raster = s.value > 0 ? above : below;
    raster.x.push_back(static_cast<double>(s.step));
    raster.row.push_back(static_cast<double>(s.neuron));
  }
  if (!below.x.empty()) {
    above.style.label = "1";
    below.style.label = "-1";
  }
  plot::Panel raster{
      .y_label = shown < neurons ? "neuron (the first " + std::to_string(shown) + ")" : "neuron",
      .x_range = x,
      .y_range = plot::Range{-0.6, static_cast<double>(shown) - 0.4},
      .y_tics = shown > 1};
  for (auto* r : {&above, &below}) {
    if (!r->x.empty()) raster.rasters.push_back(*r);
  }
  figure.rows.push_back({.panels = {raster}, .height = 1.6});

  if (neurons < 10) {  // low, so that the numbers of neurons are whole; and the raster says it all
    figure.height = figure.rows.size() == 1 ? 200 : 360;
    figure.rows.back() = {.panels = figure.rows.back().panels,
                          .height = 0.5 + 0.05 * static_cast<double>(neurons)};
    figure.rows.back().panels.front().x_label = "step";
    return figure;
  }
  std::vector<double> count(static_cast<std::size_t>(steps));
  for (const Spike& s : spikes) count[static_cast<std::size_t>(s.step)] += 1;
  const double most = std::max(1.0, *std::max_element(count.begin(), count.end()));
  count.push_back(count.back());  // held to the end of the last step
  plot::Panel total{
      .x_label = "step", .y_label = "spikes", .x_range = x, .y_range = plot::Range{0, 1.05 * most}};
  total.line(count, {.steps = true});
  figure.rows.push_back({.panels = {total}, .height = 0.6});
  return figure;
}

}  // namespace rheo::app
