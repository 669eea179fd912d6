// rheobase neurons [NAME]: the neurons there are; of one of them everything it says about itself. --markdown: all of them
// as one page, docs/neurons.md.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"
#include "rheo/nn/options.hpp"
#include "rheo/nn/registry.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace rheo::app {
namespace {

std::string unit_of(const std::string& unit) { return unit == "1" ? "" : unit; }

/// Rows of words, as wide as the widest of each column.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  }
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t k = 0; k < row.size(); ++k) {
      line += " " + row[k];
      if (k + 1 < row.size()) line += std::string(widths[k] - row[k].size() + 1, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    std::printf("%s\n", line.c_str());
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words) text += (text.empty() ? "" : ", ") + w;
  return text;
}

std::string default_of(const ParameterDescription& p) { return p.value ? rounded(*p.value) : "no default"; }

std::vector<std::vector<std::string>> parameter_rows(const NeuronDescription& n) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& p : n.params) {
    rows.push_back(
        {p.name, default_of(p), unit_of(p.unit), p.domain, p.learnable ? "learnable" : "", p.meaning});
  }
  return rows;
}

/// What a user may leave out, where it is not what all neurons have.
std::vector<std::string> remarks(const NeuronDescription& n) {
  std::vector<std::string> out;
  if (!n.fires) out.emplace_back("It does not fire: its membrane is what leaves.");
  const bool thresholds = std::find(n.refuses.begin(), n.refuses.end(), "threshold") == n.refuses.end();
  const std::string unit = unit_of(n.states.back().unit);
  if (thresholds && n.threshold != 1)
    out.push_back("threshold is " + rounded(n.threshold) + (unit.empty() ? "" : " " + unit) +
                  " unless given.");
  if (n.reset == Reset::zero) out.push_back("reset_mechanism is zero unless given.");
  if (n.surrogate_scale != 1)
    out.push_back("A surrogate sees (U - threshold) / " + rounded(n.surrogate_scale) + ".");
  if (!n.refuses.empty()) out.push_back("Not taken: " + joined(n.refuses) + ".");
  if (!n.elsewhere.empty()) out.push_back("Elsewhere: " + n.elsewhere + ".");
  return out;
}

int print_list() {
  std::vector<std::vector<std::string>> rows;
  for (const auto& n : list_neurons()) rows.push_back({n.name, n.brief});
  print_table(rows);
  std::printf("\nrheobase neurons NAME says everything about one.\n");
  return exit_ok;
}

int print_one(const NeuronDescription& n) {
  std::printf("%s\n\n", n.name.c_str());
  std::printf("%s\n", n.text.c_str());
  std::printf("\nParameters\n");
  print_table(parameter_rows(n));
  for (const auto& m : n.modes)
    std::printf("  %s: %s; %s\n", m.name.c_str(), joined(m.choices).c_str(), m.meaning.c_str());
  std::printf("\nStates\n");
  std::vector<std::vector<std::string>> states;
  for (const auto& s : n.states) states.push_back({s.name, unit_of(s.unit), s.meaning});
  print_table(states);
  std::printf("\nInput: %s%s\n", n.input.c_str(),
              unit_of(n.input_unit).empty() ? "" : (" in " + n.input_unit).c_str());
  for (const auto& line : remarks(n)) std::printf("%s\n", line.c_str());
  return exit_ok;
}

int print_markdown() {
  std::printf(
      "# Neurons\n\nWritten by `rheobase neurons --markdown` from the registry. Every neuron also takes "
      "threshold, "
      "reset_mechanism,\nreset_delay, graded_spikes_factor and a surrogate, where it does not say "
      "otherwise.\n");
  for (const auto& n : list_neurons()) {
    std::printf("\n## %s\n\n```text\n%s\n```\n", n.name.c_str(), n.text.c_str());
    std::printf("\n| parameter | default | unit | values | |\n|---|---|---|---|---|\n");
    for (const auto& p : n.params) {
      std::printf("| `%s` | %s | %s | %s | %s%s |\n", p.name.c_str(), default_of(p).c_str(),
                  unit_of(p.unit).c_str(), p.domain.c_str(), p.meaning.c_str(),
                  p.learnable ? "" : " (not learned)");
    }
    for (const auto& m : n.modes) {
      std::printf("| `%s` | %s | | %s | %s |\n", m.name.c_str(), m.choices.front().c_str(),
                  joined(m.choices).c_str(), m.meaning.c_str());
    }
    std::printf("\n| state | unit | |\n|---|---|---|\n");
    for (const auto& s : n.states)
      std::printf("| `%s` | %s | %s |\n", s.name.c_str(), unit_of(s.unit).c_str(), s.meaning.c_str());
    const auto lines = remarks(n);
    if (!lines.empty()) std::printf("\n");
    for (const auto& line : lines) std::printf("%s\n", line.c_str());
  }
  return exit_ok;
}

int run(const std::string& name, bool markdown) {
  if (markdown && !name.empty()) throw UsageError("--markdown is for all neurons, not for \"" + name + "\"");
  if (markdown) return print_markdown();
  if (name.empty()) return print_list();
  for (const auto& n : list_neurons()) {
    if (edit_distance(n.name, name) == 0) return print_one(n);  // whatever the case
  }
  return print_one(find_neuron(name));  // throws, with the nearest name
}

}  // namespace

void add_neurons(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("neurons", "The neurons there are; with a name, its equations and parameters");
  auto name = std::make_shared<std::string>();
  auto markdown = std::make_shared<bool>(false);
  command->add_option("NEURON", *name, "Its name")->type_name("");
  command->add_flag("--markdown", *markdown, "All of them, as docs/neurons.md");
  command->callback(
      [name, markdown, &context] { context.run = [name, markdown] { return run(*name, *markdown); }; });
}

}  // namespace rheo::app
