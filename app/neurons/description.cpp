#include "app/neurons/description.hpp"

#include <algorithm>
#include <sstream>

#include "app/numbers.hpp"

namespace rheo::app::neurons {

std::string unit_of(const std::string& unit) { return unit == "1" ? "" : unit; }

std::string with_unit(const std::string& name, const std::string& unit) {
  return unit_of(unit).empty() ? name : name + " (" + unit + ")";
}

std::string amount(double value, const std::string& unit) {
  return rounded(value) + (unit_of(unit).empty() ? "" : " " + unit);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words) text += (text.empty() ? "" : ", ") + w;
  return text;
}

std::string default_of(const ParameterDescription& parameter) {
  return parameter.value ? rounded(*parameter.value) : "no default";
}

std::vector<std::string> remarks(const NeuronDescription& neuron) {
  std::vector<std::string> out;
  if (!neuron.fires) out.emplace_back("It does not fire: its membrane is what leaves.");
  const auto& refused = neuron.refuses;
  const auto takes = [&](const std::string& option) {
    return std::find(refused.begin(), refused.end(), option) == refused.end();
  };
  if (takes("threshold") && neuron.threshold != 1) {
    out.push_back("threshold is " + amount(neuron.threshold, neuron.states.back().unit) + " unless given.");
  }
  if (takes("reset_mechanism") && neuron.reset == Reset::zero)
    out.emplace_back("reset_mechanism is zero unless given.");
  if (neuron.surrogate_scale != 1)
    out.push_back("A surrogate sees (U - threshold) / " + rounded(neuron.surrogate_scale) + ".");
  if (!refused.empty()) out.push_back("Not taken: " + joined(refused) + ".");
  if (!neuron.elsewhere.empty()) out.push_back("Elsewhere: " + neuron.elsewhere + ".");
  return out;
}

std::vector<NameElsewhere> names_elsewhere(const NeuronDescription& neuron) {
  std::vector<NameElsewhere> names;
  std::istringstream entries(neuron.elsewhere);
  for (std::string entry; std::getline(entries, entry, ';');) {
    const std::size_t colon = entry.find(':');
    if (colon == std::string::npos) continue;
    names.push_back(
        {std::string(trimmed(entry.substr(0, colon))), std::string(trimmed(entry.substr(colon + 1)))});
  }
  return names;
}

std::vector<Passage> passages(const std::string& text) {
  constexpr std::string_view indent = "    ";
  std::vector<Passage> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool equations = line.starts_with(indent);
    if (found.empty() || found.back().equations != equations) found.push_back({equations, ""});
    std::string& passage = found.back().text;
    if (!passage.empty()) passage += equations ? "\n" : " ";
    passage += equations ? line.substr(indent.size()) : line;
  }
  return found;
}

}  // namespace rheo::app::neurons
