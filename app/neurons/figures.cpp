#include "app/neurons/figures.hpp"

#include "app/neurons/description.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

namespace rheo::app::neurons {
namespace {

using plot::Panel;
using plot::Range;
namespace colour = plot::colour;

constexpr int pulse_width = 540, curve_width = 400;
constexpr double thinned = 1.5e-3;  // of the panel: a fraction of a pixel

/// States beside the membrane.
std::size_t others(const Pulse& pulse) { return pulse.states.size() - 1; }
int height(const Pulse& pulse) { return others(pulse) > 0 ? 480 : 370; }

const std::string& unit_of_state(const Subject& subject, const std::string& name) {
  static const std::string none = "1";
  for (const auto& state : subject.description.states)
    if (state.name == name) return state.unit;
  return none;
}

void draw(Panel& panel, std::vector<double> x, std::vector<double> y, plot::LineStyle style) {
  if (!style.steps) simplify(x, y, thinned);
  panel.line(std::span<const double>(x), std::span<const double>(y), std::move(style));
}

/// The value after each step stands at the step's end.
void draw_state(Panel& panel, const Subject& subject, const std::vector<float>& values,
                plot::LineStyle style) {
  std::vector<double> x, y;
  for (std::size_t t = 0; t < values.size(); ++t) {
    x.push_back(subject.time.step * static_cast<double>(t + 1));
    y.push_back(static_cast<double>(values[t]));
    // What leaves the panel leaves it by a little: far away it would be all that counts.
    if (const auto& range = panel.y_range) {
      const double edge = 0.1 * (range->high - range->low);
      y.back() = std::clamp(y.back(), range->low - edge, range->high + edge);
    }
  }
  draw(panel, std::move(x), std::move(y), std::move(style));
}

/// What the membrane needs; a peak of a single step, which says how long a step is, may leave the panel.
Range membrane_range(const Subject& subject, const Pulse& pulse, const std::vector<float>& mem) {
  double low = mem.front(), high = mem.front(), peak = mem.front();
  for (std::size_t t = 0; t < mem.size(); ++t) {
    const double value = mem[t];
    const bool passing =
        subject.threshold && pulse.spk[t] != 0 && t + 1 < mem.size() && mem[t + 1] < *subject.threshold;
    low = std::min(low, value);
    (passing ? peak : high) = std::max(passing ? peak : high, value);
  }
  if (subject.threshold) high = std::max(high, *subject.threshold);
  high = std::max(high, std::min(peak, high + 0.5 * (high - low)));
  return {low - 0.05 * (high - low), high + 0.05 * (high - low)};
}

}  // namespace

void simplify(std::vector<double>& x, std::vector<double>& y, double tolerance) {
  const std::size_t n = x.size();
  if (n < 3 || !std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); })) return;
  const auto [low, high] = std::minmax_element(y.begin(), y.end());
  const double wide = x.back() - x.front(), tall = *high - *low;
  const auto px = [&](std::size_t i) { return wide > 0 ? (x[i] - x.front()) / wide : 0; };
  const auto py = [&](std::size_t i) { return tall > 0 ? (y[i] - *low) / tall : 0; };
  // Douglas and Peucker: of a stretch the farthest point stays, where it is too far from the straight line.
  std::vector<bool> stays(n, false);
  stays.front() = stays.back() = true;
  std::vector<std::pair<std::size_t, std::size_t>> stretches{{0, n - 1}};
  while (!stretches.empty()) {
    const auto [a, b] = stretches.back();
    stretches.pop_back();
    const double dx = px(b) - px(a), dy = py(b) - py(a), length = std::hypot(dx, dy);
    double farthest = tolerance;
    std::size_t at = a;
    for (std::size_t i = a + 1; i < b; ++i) {
      const double away = length > 0 ? std::abs(dx * (py(i) - py(a)) - dy * (px(i) - px(a))) / length : 0;
      if (away > farthest) {
        farthest = away;
        at = i;
      }
    }
    if (at == a) continue;
    stays[at] = true;
    stretches.emplace_back(a, at);
    stretches.emplace_back(at, b);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!stays[i]) continue;
    x[kept] = x[i];
    y[kept++] = y[i];
  }
  x.resize(kept);
  y.resize(kept);
}

plot::Figure pulse_figure(const Subject& subject, const Response& response) {
  const Pulse& pulse = response.pulse;
  const NeuronDescription& neuron = subject.description;
  const double step = subject.time.step;
  const Range time{0, step * static_cast<double>(pulse.steps)};

  Panel input{.title = with_unit("input", neuron.input_unit), .x_range = time};
  const double begin = step * static_cast<double>(pulse.begin), end = step * static_cast<double>(pulse.end);
  const std::vector<double> corners{0, begin, end, time.high}, levels{0, pulse.amplitude, 0, 0};
  input.line(std::span<const double>(corners), std::span<const double>(levels),
             {.colour = colour::orange, .steps = true});
  input.y_range = Range{std::min(0.0, 1.15 * pulse.amplitude), std::max(0.0, 1.15 * pulse.amplitude)};

  Panel mem{.x_range = time};
  Panel rest{.x_range = time};
  std::vector<std::string> names;
  constexpr plot::Colour colours[] = {colour::purple, colour::green, colour::red};
  for (const auto& [name, values] : pulse.states) {
    const std::string& unit = unit_of_state(subject, name);
    if (name == "mem") {
      mem.title = with_unit("membrane", unit);
      mem.y_range = membrane_range(subject, pulse, values);
      draw_state(mem, subject, values, {.colour = colour::blue});
      continue;
    }
    plot::LineStyle style{.colour = colours[names.size() % std::size(colours)]};
    if (others(pulse) > 1) style.label = name;
    rest.title = others(pulse) > 1 ? "other states" : with_unit(name, unit);
    names.push_back(name);
    draw_state(rest, subject, values, std::move(style));
  }
  if (subject.threshold && neuron.fires)
    mem.horizontal(*subject.threshold, {.label = "threshold", .colour = colour::red});

  plot::Figure figure{.rows = {{.panels = {input}, .height = 0.55}, {.panels = {mem}}},
                      .width = pulse_width,
                      .height = height(pulse)};
  if (!names.empty()) figure.rows.push_back({.panels = {rest}, .height = 0.75});
  if (neuron.fires) {
    Panel spikes{.title = "spikes", .x_range = time, .y_tics = false};
    std::vector<double> times;
    for (std::size_t t = 0; t < pulse.spk.size(); ++t)
      if (pulse.spk[t] != 0) times.push_back(step * static_cast<double>(t + 1));
    spikes.spikes(std::span<const double>(times));
    spikes.y_range = Range{-0.6, 0.6};
    figure.rows.push_back({.panels = {spikes}, .height = 0.35});
  }
  figure.rows.back().panels.front().x_label = subject.time.label();
  return figure;
}

plot::Figure curve_figure(const Subject& subject, const Response& response) {
  const Curve& curve = response.curve;
  Panel panel{.x_label = with_unit("constant input", subject.description.input_unit),
              .x_range = Range{curve.input.front(), curve.input.back()}};
  double most = 0;
  for (const double value : curve.value) most = std::max(most, value);
  if (curve.adapts) {
    for (const double value : curve.first)
      if (std::isfinite(value)) most = std::max(most, value);
    draw(panel, curve.input, curve.first, {.label = "at first", .colour = colour::orange});
  }
  draw(panel, curve.input, curve.value, {.label = curve.adapts ? "settled" : "", .colour = colour::blue});
  switch (curve.shows) {
    case Curve::Shows::membrane:
      panel.title = with_unit("settled membrane", unit_of_state(subject, "mem"));
      return {.rows = {{.panels = {panel}}}, .width = curve_width, .height = height(response.pulse)};
    case Curve::Shows::count:
      panel.title = "spikes in all";
      break;
    case Curve::Shows::rate:
      panel.title = subject.time.rate_label();
      break;
  }
  panel.y_range = Range{0, most > 0 ? (curve.adapts ? 1.2 : 1.08) * most : 1};
  return {.rows = {{.panels = {panel}}}, .width = curve_width, .height = height(response.pulse)};
}

}  // namespace rheo::app::neurons
