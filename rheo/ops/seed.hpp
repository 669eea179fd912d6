// Where a seed comes from if the user gives none.
#pragma once

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::ops {

/// 64 bits from libtorch's default generator, so that torch::manual_seed governs them. Thread-safe.
RHEO_API std::uint64_t draw_seed();

}  // namespace rheo::ops
