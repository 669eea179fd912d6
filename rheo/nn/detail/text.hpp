// Names in error messages.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/nearest.hpp"

namespace rheo::nn::detail {

/// "; did you mean 'beta'?", or nothing.
inline std::string suggestion(std::string_view name, const std::vector<std::string>& names) {
  const auto near = nearest_name(name, names);
  return near.empty() ? "" : "; did you mean '" + std::string(near) + "'?";
}

/// "beta, R, C"
inline std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

/// names.size() where there is none.
inline std::size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace rheo::nn::detail
