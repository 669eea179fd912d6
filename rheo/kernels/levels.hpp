// Every value becomes the nearest of 2^bits levels, the lower of two as near; NaN stays NaN.
// Levels evenly apart: the place is computed, then put right by its two borders. Others: a binary search without branches, all
// values of a block one bit at a time.
// A call covers the values [begin, end); any split gives the same bits.
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct LevelsCall {
  std::int32_t count = 2;     // of levels, a power of two
  const T* levels = nullptr;  // [count], rising
  const T* edges =
      nullptr;  // [count + 1]: level k is that of values in (edges[k], edges[k+1]]; first and last are NaN
  bool even = false;  // levels[k] is low + k / per_step, and borders are far apart in the precision of T
  T low = 0;
  T per_step = 0;  // 1 / distance of levels
  const T* x = nullptr;
  T* out = nullptr;
};

struct LevelKernels {
  void (*f32)(const LevelsCall<float>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;
  void (*f64)(const LevelsCall<double>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;

  void operator()(const LevelsCall<float>& call, std::int64_t begin, std::int64_t end) const {
    f32(call, begin, end);
  }
  void operator()(const LevelsCall<double>& call, std::int64_t begin, std::int64_t end) const {
    f64(call, begin, end);
  }
};

/// Without functions where this machine or build does not have the instruction set.
LevelKernels level_kernels(Isa isa);

}  // namespace rheo::kernels
