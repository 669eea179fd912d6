#include "app/neurons/response.hpp"

#include "app/neurons/description.hpp"
#include "app/numbers.hpp"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace rheo::app::neurons {
namespace {

constexpr std::int64_t long_run = 10000;        // steps: as long as a constant input is held
constexpr std::size_t settled = long_run / 2;   // spikes from here on are not those of the beginning
constexpr std::size_t soon = 20;                // steps in which a neuron without a rheobase should fire
constexpr double grid_ratio = 1.06;             // between neighbours of the coarse grid
constexpr double above_onset = 1.5, range = 4;  // of the pulse and of the curve, in onsets
constexpr std::size_t curve_points = 161;
constexpr std::size_t spikes_shown = 6;
constexpr std::size_t shortest_pulse = 30, longest_pulse = 4000;

using Train = std::vector<std::size_t>;  // the steps of the spikes

std::vector<float> column(const at::Tensor& values, std::int64_t n) {  // values [T, N]
  const at::Tensor one = values.select(1, n).contiguous();
  return {one.const_data_ptr<float>(), one.const_data_ptr<float>() + one.numel()};
}

/// Each input held for `long_run` steps: what came out.
Run hold(const Subject& subject, const std::vector<double>& inputs, bool states) {
  const at::Tensor row = at::tensor(at::ArrayRef<double>(inputs), at::kFloat);
  const at::Tensor x = row.expand({long_run, row.numel()}).contiguous();
  return subject.run(x, states);
}

std::vector<Train> trains(const Subject& subject, const std::vector<double>& inputs) {
  const at::Tensor spk = hold(subject, inputs, false).spk.contiguous();
  const float* data = spk.const_data_ptr<float>();
  std::vector<Train> found(inputs.size());
  for (std::size_t t = 0; t < static_cast<std::size_t>(long_run); ++t) {
    for (std::size_t n = 0; n < inputs.size(); ++n) {
      if (data[t * inputs.size() + n] != 0) found[n].push_back(t);
    }
  }
  return found;
}

bool fires(const Train& train) { return !train.empty(); }
bool goes_on(const Train& train) { return train.size() > 1 && train[train.size() - 2] >= settled; }

/// Spikes per step once it has settled.
double rate_of(const Train& train) {
  const auto late = std::lower_bound(train.begin(), train.end(), settled);
  const auto count = train.end() - late;
  if (count < 2)
    return static_cast<double>(count) / static_cast<double>(static_cast<std::size_t>(long_run) - settled);
  return static_cast<double>(count - 1) / static_cast<double>(train.back() - *late);
}

/// A short number that is not below `value`: 1, 1.2, 1.5, 2, ... times a power of ten.
double round_up(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double digit : {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (digit * power >= value * (1 - 1e-9)) return digit * power;
  }
  return 10 * power;
}

/// Three significant digits.
double brief(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(std::abs(value))) - 2);
  return std::round(value / power) * power;
}

std::vector<double> even_steps(double from, double to, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(from + (to - from) * static_cast<double>(i) / static_cast<double>(count - 1));
  return values;
}

/// The constant inputs that are tried first, and what they did.
struct Grid {
  std::vector<double> inputs;
  std::vector<Train> trains;

  explicit Grid(const Subject& subject) {
    const double top =
        std::max(std::abs(subject.description.drive.low), std::abs(subject.description.drive.high));
    for (double input = 1e-6 * top; input < 10 * top; input *= grid_ratio) inputs.push_back(input);
    trains = neurons::trains(subject, inputs);
  }

  /// The first input for which `holds`, and for the next ones too.
  [[nodiscard]] std::optional<std::size_t> first(const std::function<bool(const Train&)>& holds) const {
    for (std::size_t i = 0; i + 3 <= trains.size(); ++i) {
      if (holds(trains[i]) && holds(trains[i + 1]) && holds(trains[i + 2])) return i;
    }
    return std::nullopt;
  }

  /// The smallest input for which `holds`, between two neighbours of the grid.
  [[nodiscard]] std::optional<double> smallest(const Subject& subject,
                                               const std::function<bool(const Train&)>& holds) const {
    const auto i = first(holds);
    if (!i || *i == 0) return i ? std::optional(inputs[0]) : std::nullopt;
    const auto fine = even_steps(inputs[*i - 1], inputs[*i], 201);
    const auto tried = neurons::trains(subject, fine);
    for (std::size_t k = 0; k < fine.size(); ++k) {
      if (holds(tried[k])) return brief(fine[k]);
    }
    return brief(inputs[*i]);
  }
};

/// Whether the first spike only waits for enough input to have come in: a quarter of the time takes twice the input.
bool adds_up(const Grid& grid) {
  const auto late = grid.first(fires);
  const auto early = grid.first([](const Train& t) { return fires(t) && t.front() < settled / 2; });
  return late && early && grid.inputs[*early] > 2 * grid.inputs[*late];
}

/// How many steps of `amplitude` show what the neuron does.
std::size_t pulse_length(const Subject& subject, double amplitude) {
  const Run run = hold(subject, {amplitude}, true);
  const std::vector<float> spk = column(run.spk, 0);
  Train train;
  for (std::size_t t = 0; t < spk.size(); ++t) {
    if (spk[t] != 0 && subject.description.fires) train.push_back(t);
  }
  double length = 0;
  if (goes_on(train)) {
    const std::size_t last = std::min(spikes_shown, train.size()) - 1;
    length = static_cast<double>(2 * train[last] - train[last - 1]);
  } else {
    const std::vector<float> mem = column(membrane(run.states), 0);
    const auto [low, high] = std::minmax_element(mem.begin(), mem.end());
    std::size_t last = train.empty() ? 0 : train.back();
    for (std::size_t t = 0; t < mem.size(); ++t) {
      if (std::abs(mem[t] - mem.back()) > 0.02F * (*high - *low)) last = std::max(last, t);
    }
    length = 1.3 * static_cast<double>(last);
  }
  length = std::clamp(length, static_cast<double>(shortest_pulse), static_cast<double>(longest_pulse));
  return static_cast<std::size_t>(round_up(length));
}

Pulse pulse(const Subject& subject, double amplitude) {
  Pulse p{.amplitude = amplitude};
  const std::size_t length = pulse_length(subject, amplitude);
  p.begin = length / 10;
  p.end = p.begin + length;
  p.steps = p.end + length / 3;
  at::Tensor x = at::zeros({static_cast<std::int64_t>(p.steps), 1}, at::kFloat);
  x.slice(0, static_cast<std::int64_t>(p.begin), static_cast<std::int64_t>(p.end)).fill_(amplitude);
  const Run run = subject.run(x, true);
  p.input = column(x, 0);
  p.spk = column(run.spk, 0);
  for (const auto& [name, values] : run.states) p.states.emplace_back(name, column(values, 0));
  return p;
}

Curve curve(const Subject& subject, Curve::Shows shows, double end) {
  Curve c{.shows = shows};
  if (shows == Curve::Shows::membrane) {
    c.input = even_steps(-end, end, curve_points);
    const at::Tensor mem = membrane(hold(subject, c.input, true).states);
    for (std::size_t i = 0; i < curve_points; ++i)
      c.value.push_back(static_cast<double>(mem[long_run - 1][static_cast<std::int64_t>(i)].item<float>()));
    return c;
  }
  c.input = even_steps(0, end, curve_points);
  std::size_t other = 0;
  for (const Train& train : trains(subject, c.input)) {
    if (shows == Curve::Shows::count) {
      c.value.push_back(static_cast<double>(train.size()));
      continue;
    }
    const double rate = rate_of(train);
    c.value.push_back(subject.time.rate(rate));
    c.first.push_back(std::numeric_limits<double>::quiet_NaN());
    if (train.size() < 2) continue;
    const double interval = static_cast<double>(train[1] - train[0]), later = 1 / rate;
    c.first.back() = subject.time.rate(1 / interval);
    other += rate > 0 && std::abs(interval - later) > std::max(1.01, 0.1 * later) ? 1 : 0;
  }
  c.adapts = 10 * other > curve_points;
  return c;
}

/// Above the onset; where that means to fire in every step, and less makes it fire for a while, so much less.
double pulse_amplitude(const Subject& subject, const Response& response, double scale) {
  const double amplitude = round_up(above_onset * scale);
  if (!response.onset || *response.once > 0.9 * *response.onset) return amplitude;
  const Train train = trains(subject, {amplitude}).front();
  const bool always = train.size() > 1 && train[1] == train[0] + 1;
  return always ? round_up(std::sqrt(*response.once * *response.onset)) : amplitude;
}

/// What the right picture says.
std::string curve_in_words(const Subject& subject, const Response& response) {
  const auto& unit = subject.description.input_unit;
  if (!subject.description.fires) return "the membrane that a constant input leads to.";
  if (!response.once) return "no constant input makes it fire.";
  const std::string sets_in = "when an input of " + amount(*response.once, unit) + " or more sets in";
  if (response.curve.shows == Curve::Shows::count) return "it fires only " + sets_in + ".";
  if (response.adds_up) return "it has no rheobase, any input makes it fire in the end.";
  if (*response.once < 0.99 * *response.onset) {
    return "it fires " + sets_in + ", and goes on firing from " + amount(*response.onset, unit) + ".";
  }
  return "it fires from " + amount(*response.onset, unit) + " on, its rheobase.";
}

}  // namespace

std::size_t Pulse::spikes() const {
  return static_cast<std::size_t>(std::count_if(spk.begin(), spk.end(), [](float s) { return s != 0; }));
}

Response respond(const Subject& subject) {
  const c10::InferenceMode no_gradients;
  Response response;
  const double drive = subject.description.drive.high;
  if (!subject.description.fires) {
    response.pulse = pulse(subject, drive);
    response.curve = curve(subject, Curve::Shows::membrane, drive);
    return response;
  }
  const Grid grid(subject);
  response.once = grid.smallest(subject, fires);
  response.onset = grid.smallest(subject, goes_on);
  response.adds_up = adds_up(grid);
  double scale = response.onset ? *response.onset : response.once.value_or(drive);
  if (response.adds_up) {
    const auto quick = grid.first([](const Train& t) { return fires(t) && t.front() < soon; });
    if (quick) scale = grid.inputs[*quick];
  }
  const bool lasting = response.onset.has_value();
  response.pulse = pulse(subject, pulse_amplitude(subject, response, scale));
  response.curve =
      curve(subject, lasting ? Curve::Shows::rate : Curve::Shows::count, round_up(range * scale));
  return response;
}

std::string caption(const Subject& subject, const Response& response) {
  const Pulse& pulse = response.pulse;
  std::string text = "Left: " + amount(pulse.amplitude, subject.description.input_unit) + " for " +
                     subject.time.duration(static_cast<double>(pulse.end - pulse.begin));
  const std::size_t spikes = pulse.spikes();
  if (subject.description.fires) text += ", " + std::to_string(spikes) + (spikes == 1 ? " spike" : " spikes");
  text += ". Right: " + curve_in_words(subject, response);
  std::string chosen;
  for (const auto& [name, value] : subject.chosen)
    chosen += (chosen.empty() ? " Here " : ", ") + name + " = " + rounded(value);
  return text + (chosen.empty() ? "" : chosen + ".");
}

}  // namespace rheo::app::neurons
