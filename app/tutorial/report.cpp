#include "app/tutorial/report.hpp"

#include "app/tutorial/costs.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>

namespace rheo::app::tutorial {
namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Seven digits: what a float holds.
std::string seven(double value) { return formatted("%.7g", value); }

/// All digits that distinguish a double, as Python prints a float tensor's item().
std::string all_digits(float value) {
  return formatted("%.16g", static_cast<double>(value));
}

std::string volt(double value) { return seven(value) + " V"; }

template <class T>
std::string list(std::span<const T> values, const char* separator = ", ") {
  std::string text;
  for (const T value : values) {
    text += (text.empty() ? "" : separator) + seven(static_cast<double>(value));
  }
  return text.empty() ? "none" : text;
}

Row circuit(Circuit c) {
  return {"R, C, tau = R C",
          seven(c.R) + " ohm, " + seven(c.C) + " F, " + seven(1e3 * c.R * c.C) + " ms"};
}

template <class T>
Row value_at(const std::vector<T>& mem, std::size_t n) {
  return {"U[" + std::to_string(n) + "]", volt(static_cast<double>(mem[n]))};
}

template <class T>
Row values(const std::vector<T>& mem, std::size_t first, std::size_t last) {
  return {"U[" + std::to_string(first) + "] to U[" + std::to_string(last) + "]",
          list(std::span(mem).subspan(first, last - first + 1)) + " V"};
}

Row spikes(const std::string& what, const Recording& recording) {
  const auto times = recording.spike_times();
  return {what + " (" + std::to_string(times.size()) + ")",
          list(std::span<const int>(times))};
}

float highest(const Recording& recording) {
  return *std::max_element(recording.mem.begin(), recording.mem.end());
}

/// "25, 27, 28 steps": the distances that occur, once each.
std::string intervals(const Recording& recording) {
  const auto times = recording.spike_times();
  std::vector<int> distances;
  for (std::size_t i = 1; i < times.size(); ++i)
    distances.push_back(times[i] - times[i - 1]);
  std::sort(distances.begin(), distances.end());
  distances.erase(std::unique(distances.begin(), distances.end()), distances.end());
  return list(std::span<const int>(distances)) + " steps";
}

/// The time from 0 to the threshold under a constant current, from the exact solution.
double time_to_threshold(Circuit c, double current, double threshold) {
  return c.R * c.C * std::log(c.R * current / (c.R * current - threshold));
}

Section pulse_section(const Experiments& all) {
  Section section{
      "d", "Four pulses that reach the same voltage", {circuit(first_neuron)}};
  for (std::size_t i = 0; i < all.pulsed.size(); ++i) {
    const auto& mem = all.pulsed[i].mem;
    const auto peak = std::max_element(mem.begin(), mem.end());
    const Pulse& p = pulses[i];
    section.rows.push_back({seven(p.amplitude) + " A for " + std::to_string(p.width) +
                                (p.width == 1 ? " step" : " steps"),
                            seven(1e3 * p.amplitude * p.width * time_step) +
                                " mC; peak " + volt(static_cast<double>(*peak)) + " at " +
                                std::to_string(peak - mem.begin()) +
                                "; U[20] = " + volt(static_cast<double>(mem[20])) +
                                ", U[30] = " + volt(static_cast<double>(mem[30])) +
                                ", U[40] = " + volt(static_cast<double>(mem[40]))});
  }
  return section;
}

Section by_hand_section(const Experiments& all) {
  const auto& free = all.by_hand_without_reset;
  const auto flags = free.spike_times();
  const auto crossing =
      std::find_if(free.mem.begin(), free.mem.end(), [](float u) { return u > 1.0F; }) -
      free.mem.begin();
  return {"e",
          "Firing, by hand",
          {circuit(second_neuron),
           {"Without reset: U first above 1 V",
            "step " + std::to_string(crossing) + ", U = " +
                volt(static_cast<double>(free.mem[static_cast<std::size_t>(crossing)]))},
           {"Without reset: spike flag set",
            flags.empty() ? "never"
                          : "steps " + std::to_string(flags.front()) + " to " +
                                std::to_string(flags.back()) + " (" +
                                std::to_string(flags.size()) + ")"},
           {"Without reset: highest U", volt(static_cast<double>(highest(free)))},
           spikes("With reset: spike flag set at step", all.by_hand),
           {"With reset: U after steps 107, 108, 109",
            list(std::span(all.by_hand.mem).subspan(107, 3)) + " V"}}};
}

Section firing_section(const Recording& recording) {
  const auto R = static_cast<float>(second_neuron.R),
             C = static_cast<float>(second_neuron.C);
  const double rheobase = 1.0 / second_neuron.R;
  return {"f",
          "The same neuron from the library",
          {{"Membrane potential time constant",
            formatted("%.3f", static_cast<double>(R * C)) + "s"},
           {"Rheobase: the smallest current that ever fires, threshold / R",
            formatted("%.4f A", rheobase)},
           spikes("Spike times", recording),
           {"spk[105] to spk[114]", list(std::span(recording.spk).subspan(105, 10), " ")},
           values(recording.mem, 108, 110),
           value_at(recording.mem, 200)}};
}

/// "10.4, 24.6 ms": the ends of the steps that fired.
std::string fine_times(const std::vector<float>& spk) {
  std::vector<double> times;
  for (std::size_t n = 0; n < spk.size(); ++n)
    if (spk[n] != 0) times.push_back(fine_step * static_cast<double>(n + 1));
  return list(std::span<const double>(times)) + (times.empty() ? "" : " ms");
}

/// "0 at 4, 0.2 at 8": the number that leaves, for each current.
std::string numbers_by_current(const SameCurrent& same) {
  std::string text;
  for (std::size_t n = 0; n < same.current.size(); ++n) {
    if (same.current[n] == 0 || (n > 0 && same.current[n] == same.current[n - 1]))
      continue;
    text += (text.empty() ? "" : ", ") +
            formatted("%.4g", static_cast<double>(same.number[n])) + " at " +
            seven(static_cast<double>(same.current[n]));
  }
  return text + " uA/cm2";
}

Section same_current_section(const SameCurrent& same) {
  Section section{"0",
                  "The same current into three neurons",
                  {{"The axon's spikes", fine_times(same.axon_spk)},
                   {"The integrate-and-fire neuron's", fine_times(same.lif_spk)},
                   {"The artificial neuron's number", numbers_by_current(same)}},
                  {{"in one step", "states", "+ and -", "times", "divided", "exp",
                    "compared", "in all"}}};
  for (const Cost& cost : costs()) {
    const Operations& o = cost.operations;
    section.grid.push_back({cost.neuron});
    for (const int number : {cost.states, o.additions, o.multiplications, o.divisions,
                             o.exponentials, o.comparisons, o.total()}) {
      section.grid.back().push_back(std::to_string(number));
    }
  }
  return section;
}

std::string aligned(const std::vector<std::vector<std::string>>& grid) {
  std::vector<std::size_t> widths;
  for (const auto& row : grid) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t k = 0; k < row.size(); ++k)
      widths[k] = std::max(widths[k], row[k].size());
  }
  std::string text;
  for (const auto& row : grid) {
    text += "  ";
    for (std::size_t k = 0; k < row.size(); ++k) {
      const std::string space(widths[k] - row[k].size(), ' ');
      text += k == 0 ? " " + row[k] + space : "  " + space + row[k];
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::vector<std::vector<std::string>> with_times(
    std::vector<std::vector<std::string>> grid, const std::vector<double>& nanoseconds) {
  for (std::size_t row = 0; row < grid.size() && row <= nanoseconds.size(); ++row)
    grid[row].push_back(row == 0 ? "ns"
                                 : formatted(nanoseconds[row - 1] < 10 ? "%.2g" : "%.0f",
                                             nanoseconds[row - 1]));
  return grid;
}

std::vector<Section> report(const Experiments& all) {
  const float input = all.step_current.input.back(),
              R = static_cast<float>(first_neuron.R);
  const auto count = [](const Recording& r) {
    return std::to_string(
        std::count_if(r.input.begin(), r.input.end(), [](float x) { return x != 0; }));
  };
  return {
      same_current_section(all.same),
      {"a",
       "The passive membrane, by hand",
       {circuit({5e7, 1e-10}), values(all.passive, 0, 5), value_at(all.passive, 10),
        value_at(all.passive, 25), value_at(all.passive, 50)}},
      {"b",
       "The passive membrane, from the library",
       {circuit(first_neuron), values(all.resting.mem, 0, 5),
        value_at(all.resting.mem, 50), value_at(all.resting.mem, 100),
        spikes("Spike times", all.resting)}},
      {"c",
       "A step of current",
       {circuit(first_neuron),
        values(all.step_current.mem, 11, 15),
        value_at(all.step_current.mem, 20),
        value_at(all.step_current.mem, 30),
        value_at(all.step_current.mem, 50),
        {"The calculated value of input pulse [A] x resistance [ohm]",
         all_digits(input * R) + " V"},
        {"The simulated value of steady-state membrane potential",
         all_digits(all.step_current.mem[200]) + " V"}}},
      pulse_section(all),
      by_hand_section(all),
      firing_section(all.firing),
      {"g",
       "A larger current",
       {spikes("Spike times at 0.3 A", all.larger_current),
        {"Between spikes", intervals(all.larger_current)},
        {"Predicted, tau ln(I R / (I R - threshold))",
         formatted("%.2f ms", 1e3 * time_to_threshold(second_neuron, 0.3, 1.0))},
        {"Highest U", volt(static_cast<double>(highest(all.larger_current)))}}},
      {"h",
       "A lower threshold",
       {spikes("Spike times at 0.3 A, threshold 0.5 V", all.lower_threshold),
        {"Between spikes", intervals(all.lower_threshold)},
        {"Predicted, tau ln(I R / (I R - threshold))",
         formatted("%.2f ms", 1e3 * time_to_threshold(second_neuron, 0.3, 0.5))},
        {"Highest U", volt(static_cast<double>(highest(all.lower_threshold)))},
        spikes("Spike times with reset to zero", all.lower_threshold_zero),
        {"Between spikes, reset to zero", intervals(all.lower_threshold_zero)}}},
      {"i",
       "Spikes as input",
       {{"Input spikes", count(all.random_subtract) + " in 200 steps"},
        spikes("Spike times", all.random_subtract)}},
      {"j",
       "Reset mechanisms, random input",
       {spikes("Spike times, subtract", all.random_subtract),
        spikes("Spike times, zero", all.random_zero),
        {"Steps above the threshold, none",
         std::to_string(all.random_none.spike_times().size()) + " of " +
             std::to_string(steps)}}},
      {"k",
       "Reset mechanisms, a spike every third step",
       {spikes("Spike times, subtract", all.regular_subtract),
        {"Between spikes, subtract", intervals(all.regular_subtract)},
        spikes("Spike times, zero", all.regular_zero),
        {"Between spikes, zero", intervals(all.regular_zero)}}},
  };
}

std::string to_text(const std::vector<Section>& sections, std::uint64_t seed) {
  std::string text = "Tutorial 2: the leaky integrate-and-fire neuron (seed " +
                     std::to_string(seed) + ")\n";
  for (const Section& section : sections) {
    text += "\n" + section.id + ". " + section.title + "\n";
    for (const Row& row : section.rows)
      text += "   " + row.quantity + ": " + row.value + "\n";
    text += aligned(section.grid);
  }
  return text;
}

}  // namespace rheo::app::tutorial
