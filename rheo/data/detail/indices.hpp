// The check every data set makes of the samples it is asked for.
#pragma once

#include "rheo/ops/error.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace rheo::data::detail {

inline void check_indices(const char* op, std::span<const std::int64_t> indices, std::int64_t size) {
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= size) {
      throw ValueError(std::string("[") + op + "] index must be 0 to " + std::to_string(size - 1) + ", got " +
                       std::to_string(index));
    }
  }
}

}  // namespace rheo::data::detail
