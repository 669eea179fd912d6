#include "app/neurons/description.hpp"
#include "app/neurons/page.hpp"

namespace rheo::app::neurons {
namespace {

std::string code(const std::string& word) { return "`" + word + "`"; }

std::string parameter_table(const NeuronDescription& neuron) {
  std::string text = "| parameter | default | unit | values | |\n|---|---|---|---|---|\n";
  for (const auto& p : neuron.params) {
    text += "| " + code(p.name) + " | " + default_of(p) + " | " + unit_of(p.unit) + " | " + p.domain + " | " +
            p.meaning + (p.learnable ? "" : " (not learned)") + " |\n";
  }
  for (const auto& m : neuron.modes) {
    text += "| " + code(m.name) + " | " + m.choices.front() + " | | " + joined(m.choices) + " | " +
            m.meaning + " |\n";
  }
  return text;
}

std::string state_table(const NeuronDescription& neuron) {
  std::string text = "| state | unit | |\n|---|---|---|\n";
  for (const auto& s : neuron.states)
    text += "| " + code(s.name) + " | " + unit_of(s.unit) + " | " + s.meaning + " |\n";
  return text;
}

std::string section(const Entry& entry) {
  const NeuronDescription& neuron = entry.subject.description;
  std::string text = "\n## " + neuron.name + "\n\n```text\n" + neuron.text + "\n```\n";
  if (entry.response) {
    text += "\n![" + neuron.name + " during a pulse of current, and against constant input](" +
            picture_path(neuron.name) + ")\n\n" + caption(entry.subject, *entry.response) + "\n";
  }
  text += "\n" + parameter_table(neuron);
  if (!neuron.states.empty()) text += "\n" + state_table(neuron);
  const auto lines = remarks(neuron);
  if (!lines.empty()) text += "\n";
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

std::string markdown(const std::vector<Entry>& entries) {
  std::string text =
      "# Neurons\n\nWritten by `rheobase neurons --markdown` from the registry, pictures included. Every "
      "neuron also takes threshold,\nreset_mechanism, reset_delay, graded_spikes_factor and a surrogate, "
      "where "
      "it does not say otherwise. In the pictures\nparameters have their defaults, where the caption does "
      "not "
      "say otherwise. Brian 2 has equations for neurons, not names:\nwhat stands for it is the name in its "
      "list "
      "of library models, or the example that has the same equations.\n";
  for (const Entry& entry : entries) text += section(entry);
  return text;
}

}  // namespace rheo::app::neurons
