// The nearest of a list of names, for messages such as `did you mean "Leaky"?`.
//   std::string_view guess = rheo::nearest_name("Leeky", names);   // "" when nothing is near
// Near: the typed text begins the name, or at most a third of the letters differ (case ignored). Host only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace rheo {

namespace detail {
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace detail

/// Letters to insert, delete, replace or swap with their neighbour to turn a into b; case is ignored.
/// Texts are cut after 63 letters.
constexpr std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t longest = 64;
  a = a.substr(0, longest - 1);
  b = b.substr(0, longest - 1);
  std::array<std::size_t, longest> two_back{}, previous{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto at = [](std::string_view text, std::size_t k) { return detail::lower(text[k - 1]); };
      const std::size_t replaced = previous[j - 1] + (at(a, i) == at(b, j) ? 0 : 1);
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && at(a, i) == at(b, j - 1) && at(a, i - 1) == at(b, j)) {
        row[j] = std::min(row[j], two_back[j - 2] + 1);
      }
    }
    two_back = previous;
    previous = row;
  }
  return previous[b.size()];
}

/// The name of `names` (a range of things convertible to string_view) that was probably meant, or "".
template <class Names>
constexpr std::string_view nearest_name(std::string_view typed, const Names& names) {
  std::string_view best;
  std::size_t best_distance = 0;
  for (const auto& entry : names) {
    const std::string_view name(entry);
    std::size_t distance = edit_distance(typed, name);
    const bool begins = typed.size() > 1 && edit_distance(typed, name.substr(0, typed.size())) == 0;
    if (begins) distance = std::min<std::size_t>(distance, 1);
    const std::size_t allowed = std::max<std::size_t>(1, std::max(typed.size(), name.size()) / 3);
    if (distance <= allowed && distance < name.size() && (best.empty() || distance < best_distance)) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace rheo
