#include "app/neurons/page.hpp"

#include "app/neurons/description.hpp"
#include "app/page/page.hpp"

#include <algorithm>

namespace rheo::app::neurons {
namespace {

using page::escaped;

std::string prose(const NeuronDescription& neuron) {
  std::string html;
  for (const Passage& passage : passages(neuron.text)) {
    html += passage.equations ? "<pre><code>" + escaped(passage.text) + "</code></pre>\n"
                              : "<p>" + escaped(passage.text) + "</p>\n";
  }
  return html;
}

std::string parameter_table(const NeuronDescription& neuron) {
  std::vector<std::vector<std::string>> rows{{"parameter", "default", "unit", "values", "meaning"}};
  for (const auto& p : neuron.params) {
    rows.push_back({p.name, default_of(p), unit_of(p.unit), p.domain,
                    p.meaning + (p.learnable ? "" : " (not learned)")});
  }
  for (const auto& m : neuron.modes)
    rows.push_back({m.name, m.choices.front(), "", joined(m.choices), m.meaning});
  return page::grid(rows);
}

std::string state_table(const NeuronDescription& neuron) {
  std::vector<std::vector<std::string>> rows{{"state", "unit", "meaning"}};
  for (const auto& s : neuron.states) rows.push_back({s.name, unit_of(s.unit), s.meaning});
  return page::grid(rows);
}

std::string picture(const Entry& entry) {
  if (!entry.response) return "";
  return "<figure>" + page::plot(entry.picture) + "<figcaption>" +
         escaped(caption(entry.subject, *entry.response)) + "</figcaption></figure>\n";
}

std::string section(const Entry& entry) {
  const NeuronDescription& neuron = entry.subject.description;
  std::string html = "\n<h2 id=\"" + escaped(neuron.name) + "\">" + escaped(neuron.name) +
                     "</h2>\n<p class=\"lede\">" + escaped(neuron.brief) + "</p>\n" + picture(entry) +
                     prose(neuron) + parameter_table(neuron) + "\n";
  if (!neuron.states.empty()) html += state_table(neuron) + "\n";
  std::string lines;
  for (const auto& line : remarks(neuron)) {
    if (!line.starts_with("Elsewhere: ")) lines += (lines.empty() ? "" : " ") + line;
  }
  if (!lines.empty()) html += "<p>" + escaped(lines) + "</p>\n";
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [library, name] : names_elsewhere(neuron)) names.emplace_back(library, name);
  if (!names.empty()) html += "<h3>Its name elsewhere</h3>\n" + page::table(names) + "\n";
  return html;
}

}  // namespace

std::string html(const std::vector<Entry>& entries, const std::string& version) {
  std::string html = page::begin("Neurons");
  html +=
      "<header><div>\n<h1>Neurons</h1>\n<p class=\"lede\">From integrate-and-fire to the squid's axon: what "
      "each "
      "computes, what can be set, and what it does with a current.</p>\n<nav>\n";
  for (const Entry& entry : entries) {
    const std::string name = escaped(entry.subject.description.name);
    html += "<a href=\"#" + name + "\">" + name + "</a>\n";
  }
  html +=
      "</nav>\n</div></header>\n<main>\n<p>In every picture a pulse of current goes into one neuron with the "
      "parameters of its table. On the left, from above: the current, the membrane with the threshold, the "
      "other "
      "states, the spikes. On the right: the rate it settles at against a constant current, from nothing to "
      "four "
      "times what it needs to go on firing.</p>\n<p>Every neuron also takes <code>threshold</code>, "
      "<code>reset_mechanism</code>, <code>reset_delay</code>, <code>graded_spikes_factor</code> and a "
      "surrogate, "
      "where it does not say otherwise. Brian 2 has equations for neurons, not names: what stands for it is "
      "the name "
      "in its list of library models, or the example that has the same equations.</p>\n";
  for (const Entry& entry : entries) html += section(entry);
  html += "<footer>Made by Rheobase " + escaped(version) +
          ", <code>rheobase neurons</code>. <code>rheobase simulate NEURON</code> runs one with other "
          "parameters and "
          "inputs.</footer>\n</main>\n";
  return html += page::end;
}

}  // namespace rheo::app::neurons
