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

}  // namespace

std::vector<NamedFigure> figures(const Experiments& all) {
  std::vector<NamedFigure> list;
  const auto add = [&](std::string name, plot::Figure figure) {
    list.push_back({std::move(name), std::move(figure)});
  };
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
