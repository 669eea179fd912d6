#include "app/tutorial/figures.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace rheo::app::tutorial {
namespace {

using plot::Panel;
using plot::Range;
namespace colour = plot::colour;

const std::string time_label = "time (ms)", current_label = "current (A)",
                  membrane_label = "membrane U (V)";

// Two narrow figures stand side by side where the page has room.
constexpr int wide = 720, narrow = 460;

plot::LineStyle look(plot::Colour colour, std::string label = "") {
  return {.label = std::move(label), .colour = colour};
}

plot::LineStyle current_look(plot::Colour colour = colour::orange,
                             std::string label = "") {
  return {.label = std::move(label), .colour = colour, .steps = true};
}

void mark_threshold(Panel& panel, double threshold) {
  panel.horizontal(threshold, {.label = "threshold", .colour = colour::red});
}

plot::Figure decay(std::string title, std::vector<double> mem) {
  Panel panel{.x_label = time_label,
              .y_label = membrane_label,
              .x_range = Range{0, 50},
              .y_range = Range{0, 1}};
  panel.line(mem, look(colour::blue)).vertical(5, {.label = "one time constant"});
  return {.title = std::move(title), .rows = {{.panels = {panel}}}, .height = 330};
}

/// Current over membrane, with guides at `marks`.
plot::Figure response(std::string title, const Recording& recording, double most_current,
                      double most_mem, const std::vector<double>& marks,
                      double end = steps) {
  Panel current{.y_label = current_label, .y_range = Range{0, most_current}};
  Panel mem{.x_label = time_label,
            .y_label = membrane_label,
            .x_range = Range{0, end},
            .y_range = Range{0, most_mem}};
  current.x_range = mem.x_range;
  current.line(recording.input, current_look());
  mem.line(recording.mem, look(colour::blue));
  for (const double at : marks) {
    current.vertical(at);
    mem.vertical(at);
  }
  const bool short_run = end < steps;  // stands beside another in the page
  return {.title = std::move(title),
          .rows = {{.panels = {current}}, {.panels = {mem}}},
          .width = short_run ? narrow : wide,
          .height = short_run ? 390 : 430};
}

plot::Figure pulse_comparison(const std::vector<Recording>& pulsed) {
  Panel current{
      .y_label = current_label, .x_range = Range{0, 60}, .y_range = Range{0, 0.2}};
  Panel mem{.x_label = time_label,
            .y_label = membrane_label,
            .x_range = Range{0, 60},
            .y_range = Range{0, 0.6}};
  const plot::Colour colours[] = {colour::blue, colour::orange, colour::green};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string label = std::to_string(pulses[i].width) + " ms";
    current.line(pulsed[i].input, current_look(colours[i], label));
    mem.line(pulsed[i].mem, look(colours[i]));
  }
  for (const double at : {10, 15, 20, 30}) {
    current.vertical(at);
    mem.vertical(at);
  }
  return {.title = "Three pulses compared",
          .rows = {{.panels = {current}}, {.panels = {mem}}},
          .height = 460};
}

struct FiringLook {
  double threshold = 1;
  double most_mem = 1.25;
  bool mark_first_spike = false;  // at 109
  int width = wide;
};

/// Current, membrane with threshold, spikes.
plot::Figure firing(std::string title, const Recording& recording, FiringLook options) {
  const Range time{0, steps};
  Panel current{.y_label = current_label, .x_range = time, .y_range = Range{0, 0.4}};
  Panel mem{
      .y_label = membrane_label, .x_range = time, .y_range = Range{0, options.most_mem}};
  Panel spk{.x_label = time_label, .y_label = "spikes", .x_range = time, .y_tics = false};
  current.line(recording.input, current_look());
  mem.line(recording.mem, look(colour::blue));
  mark_threshold(mem, options.threshold);
  spk.raster(recording.spk);
  if (options.mark_first_spike) {
    for (Panel* panel : {&current, &mem, &spk}) panel->vertical(109);
  }
  return {.title = std::move(title),
          .rows = {{.panels = {current}},
                   {.panels = {mem}},
                   {.panels = {spk}, .height = 0.4}},
          .width = options.width,
          .height = options.width == wide ? 560 : 520};
}

plot::Figure input_spikes(const Recording& recording) {
  Panel panel{.x_label = time_label, .x_range = Range{0, steps}, .y_tics = false};
  panel.raster(recording.input, 1, {.colour = colour::orange});
  return {.title = "Input spikes", .rows = {{.panels = {panel}}}, .height = 150};
}

struct Column {
  std::string title;
  const Recording& recording;
  Range mem_range;
};

/// Input spikes over membrane over output spikes, in columns.
plot::Figure spikes_in_and_out(std::string title, const std::vector<Column>& columns) {
  const bool dense = columns.size() > 1;
  const double mark_width = dense ? 1.2 : 1.6;
  plot::Figure figure{.title = std::move(title),
                      .rows = {{.height = 0.4}, {}, {.height = 0.4}},
                      .width = dense ? 860 : wide,
                      .height = 520};
  for (const Column& column : columns) {
    const Range time{0,
                     dense ? 100.0 : steps};  // beside each other there is room for half
    Panel input{.title = column.title, .x_range = time, .y_tics = false};
    Panel mem{.x_range = time, .y_range = column.mem_range};
    Panel spk{.x_label = time_label, .x_range = time, .y_tics = false};
    if (&column == &columns.front()) {
      input.y_label = "input";
      mem.y_label = membrane_label;
      spk.y_label = "output";
    }
    input.raster(column.recording.input, 1,
                 {.colour = colour::orange, .width = mark_width});
    mem.line(column.recording.mem, {.colour = colour::blue, .width = 1.7});
    mem.horizontal(0.5, {.colour = colour::red});
    spk.raster(column.recording.spk, 1, {.width = mark_width});
    figure.rows[0].panels.push_back(std::move(input));
    figure.rows[1].panels.push_back(std::move(mem));
    figure.rows[2].panels.push_back(std::move(spk));
  }
  return figure;
}

/// One current into three neurons, side by side: the current, what the neuron holds, what leaves it.
plot::Figure same_current(const SameCurrent& same) {
  const Range time{0, fine_step * static_cast<double>(same.current.size())};
  std::vector<double> ends, begins;  // of the steps
  for (std::size_t n = 0; n < same.current.size(); ++n) {
    begins.push_back(fine_step * static_cast<double>(n));
    ends.push_back(fine_step * static_cast<double>(n + 1));
  }
  const auto over = [](const std::vector<double>& x, const std::vector<float>& y,
                       Panel& panel, plot::LineStyle style) {
    const std::vector<double> values(y.begin(), y.end());
    panel.line(std::span(x), std::span(values), std::move(style));
  };
  plot::Figure figure{.title = "The same current into three neurons",
                      .rows = {{.height = 0.6}, {}, {.height = 0.6}},
                      .width = 980,
                      .height = 540};
  const auto column = [&](std::string title, Panel inside, Panel leaves) {
    Panel current{.title = std::move(title), .x_range = time, .y_range = Range{0, 18}};
    if (figure.rows[0].panels.empty()) current.y_label = "uA/cm2";
    over(begins, same.current, current, current_look());
    inside.x_range = leaves.x_range = time;
    leaves.x_label = time_label;
    figure.rows[0].panels.push_back(std::move(current));
    figure.rows[1].panels.push_back(std::move(inside));
    figure.rows[2].panels.push_back(std::move(leaves));
  };
  const auto spikes = [&](const std::vector<float>& spk) {
    Panel panel{.y_label = "spikes", .y_range = Range{-0.6, 0.6}, .y_tics = false};
    std::vector<double> times;
    for (std::size_t n = 0; n < spk.size(); ++n)
      if (spk[n] != 0) times.push_back(ends[n]);
    return panel.spikes(std::span<const double>(times));
  };
  Panel axon{.y_label = "membrane (mV)", .y_range = Range{-85, 50}};
  over(ends, same.axon_mem, axon, {.colour = colour::blue, .width = 1.7});
  column("Hodgkin and Huxley's axon", axon, spikes(same.axon_spk));
  Panel lif{.y_label = "above rest (mV)", .y_range = Range{0, 17}};
  over(ends, same.lif_mem, lif, {.colour = colour::blue, .width = 1.7});
  lif.horizontal(15, {.colour = colour::red});
  column("Leaky integrate-and-fire", lif, spikes(same.lif_spk));
  Panel sum{.y_label = "weighted sum", .y_range = Range{-0.8, 1.2}};
  over(begins, same.sum, sum, {.colour = colour::blue, .width = 1.7, .steps = true});
  sum.horizontal(0, {.colour = colour::red});
  Panel number{.y_label = "number", .y_range = Range{0, 1.2}};
  over(begins, same.number, number, {.colour = colour::ink, .width = 1.7, .steps = true});
  column("Artificial neuron", sum, number);
  return figure;
}

}  // namespace

std::vector<NamedFigure> figures(const Experiments& all) {
  std::vector<NamedFigure> list;
  const auto add = [&](std::string name, plot::Figure figure) {
    list.push_back({std::move(name), std::move(figure)});
  };
  add("0-same-current", same_current(all.same));
  add("a-passive-membrane", decay("A passive membrane, by hand", all.passive));
  add("b-resting", decay("Lapicque neuron without input",
                         {all.resting.mem.begin(), all.resting.mem.end()}));
  add("c-step-current",
      response("A step of current", all.step_current, 0.2, 0.6, {onset}));
  for (std::size_t i = 0; i < all.pulsed.size(); ++i) {
    const int width = pulses[i].width;
    add("d" + std::to_string(i + 1) + "-pulse",
        response("A pulse of " + std::to_string(width) + " ms", all.pulsed[i],
                 width == 1 ? 0.6 : 0.2, 1, {onset, static_cast<double>(onset + width)},
                 60));
  }
  add("d5-comparison", pulse_comparison(all.pulsed));
  add("e1-no-reset", firing("By hand, without reset", all.by_hand_without_reset,
                            {.mark_first_spike = true}));
  add("e2-reset", firing("By hand, with reset", all.by_hand, {.mark_first_spike = true}));
  add("f-firing",
      firing("Lapicque neuron, 0.2 A", all.firing, {.mark_first_spike = true}));
  add("g-larger-current", firing("Lapicque neuron, 0.3 A", all.larger_current, {}));
  add("h-lower-threshold",
      firing("Threshold 0.5 V, reset by subtraction", all.lower_threshold,
             {.threshold = 0.5, .width = narrow}));
  add("h2-zero-reset", firing("Threshold 0.5 V, reset to zero", all.lower_threshold_zero,
                              {.threshold = 0.5, .width = narrow}));
  add("i1-input", input_spikes(all.random_subtract));
  add("i2-random-spikes", spikes_in_and_out("Random spikes in, spikes out",
                                            {{"", all.random_subtract, {0, 1}}}));
  add("j-resets", spikes_in_and_out("Three resets, the same random input",
                                    {{"subtract", all.random_subtract, {0, 0.7}},
                                     {"zero", all.random_zero, {0, 0.7}},
                                     {"none", all.random_none, {0, 3}}}));
  add("k-regular", spikes_in_and_out("Two resets, a spike every third step",
                                     {{"subtract", all.regular_subtract, {0, 0.7}},
                                      {"zero", all.regular_zero, {0, 0.7}}}));
  return list;
}

}  // namespace rheo::app::tutorial
