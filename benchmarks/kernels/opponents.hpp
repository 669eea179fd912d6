// What the generated loops are measured against: the copy limit, and Leaky's backward as one would write it by hand.
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::benchmarks {

/// Leaky, subtract, arctan(2): gradient of x. Rows of `columns`, columns [begin, end).
struct HandCall {
  const float* x;
  const float* grad_spk;
  float* grad_x;
  std::int64_t steps, columns;
  float beta, threshold;
};

struct Opponents {
  /// to[i] = from[i] with stores around the cache; both 64-byte aligned.
  void (*copy)(const float* from, float* to, std::int64_t n) = nullptr;
  void (*leaky_backward)(const HandCall& call, std::int64_t begin, std::int64_t end,
                         float* workspace) = nullptr;
};

/// Floats of workspace that leaky_backward wants.
inline constexpr std::int64_t hand_tile = 512;
inline std::int64_t hand_workspace(std::int64_t steps) { return (steps + 1) * hand_tile; }

Opponents opponents(kernels::Isa isa);

}  // namespace rheo::benchmarks
