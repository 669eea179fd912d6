#include "app/neurons/figures.hpp"
#include "app/neurons/page.hpp"
#include "app/page/page.hpp"

#include <cctype>
#include <future>

namespace rheo::app::neurons {

std::vector<Entry> measure() {
  std::vector<Entry> entries;
  for (Subject& subject : subjects()) {
    Entry entry{std::move(subject), std::nullopt, ""};
    if (entry.subject.run) entry.response = respond(entry.subject);
    entries.push_back(std::move(entry));
  }
  return entries;
}

void draw(std::vector<Entry>& entries) {
  for (Entry& entry : entries) {
    if (!entry.response) continue;
    const plot::Figure pulse = pulse_figure(entry.subject, *entry.response);
    auto left = std::async(std::launch::async, [&pulse] { return plot::to_svg(pulse); });
    const std::string right = plot::to_svg(curve_figure(entry.subject, *entry.response));
    entry.picture = page::beside(left.get(), right, entry.subject.description.name);
  }
}

std::string picture_path(const std::string& name) {
  // As the neuron's header is called: RLeaky in rleaky.hpp, HodgkinHuxley in hodgkin_huxley.hpp.
  const auto upper = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; };
  std::string stem;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && upper(name[i]) && !upper(name[i - 1])) stem += '_';
    stem += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return "neurons/" + stem + ".svg";
}

}  // namespace rheo::app::neurons
