// The neurons as one HTML page and as Markdown with a picture each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/neurons/response.hpp"
#include "app/neurons/subject.hpp"

namespace rheo::app::neurons {

/// One neuron as its section shows it.
struct Entry {
  Subject subject;
  std::optional<Response> response;  // none where it has no picture
  std::string picture;               // SVG: pulse and curve side by side; empty where there is none
};

/// What each of them does with a current. Takes seconds.
[[nodiscard]] std::vector<Entry> measure();

/// Draws into the entries. plot::Error where that cannot be done.
void draw(std::vector<Entry>& entries);

/// A page that needs nothing beside it.
[[nodiscard]] std::string html(const std::vector<Entry>& entries, const std::string& version);

/// docs/neurons.md: pictures are named, as neurons/leaky.svg, not held.
[[nodiscard]] std::string markdown(const std::vector<Entry>& entries);

/// "neurons/hodgkin_huxley.svg": where Markdown looks for a neuron's picture.
[[nodiscard]] std::string picture_path(const std::string& name);

}  // namespace rheo::app::neurons
