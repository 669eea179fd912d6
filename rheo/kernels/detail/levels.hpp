// The loops of levels.hpp, for the instruction set of the file that includes this.
#pragma once

#include "rheo/core/macros.hpp"
#include "rheo/kernels/levels.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

/// Plain loops over arrays: left to the compiler.
template <class T>
void even_levels(const LevelsCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const T* const __restrict x = call.x;
  T* const __restrict out = call.out;
  const T* const __restrict levels = call.levels;
  const T* const __restrict edges = call.edges;
  const T low = call.low, per_step = call.per_step, last = static_cast<T>(call.count - 1);
  for (std::int64_t i = begin; i < end; ++i) {
    const T v = x[i];
    T place = (v - low) * per_step + T(0.5);
    place = place > T(0) ? place : T(0);
    place = place < last ? place : last;
    const auto k = static_cast<std::int32_t>(place);
    const auto right = k + (edges[k + 1] < v ? 1 : 0) - (edges[k] >= v ? 1 : 0);
    out[i] = v != v ? v : levels[right];
  }
}

template <class T>
void searched_levels(const LevelsCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  constexpr std::int64_t block = 256;
  const T* const __restrict levels = call.levels;
  const T* const __restrict edges = call.edges;
  std::int32_t place[block];
  for (auto from = begin; from < end; from += block) {
    const auto n = end - from < block ? end - from : block;
    const T* const __restrict x = call.x + from;
    T* const __restrict out = call.out + from;
    for (std::int64_t i = 0; i < n; ++i) place[i] = 0;
    for (std::int32_t bit = call.count / 2; bit > 0; bit /= 2) {
      for (std::int64_t i = 0; i < n; ++i) {
        place[i] += bit & -static_cast<std::int32_t>(edges[place[i] + bit] < x[i]);
      }
    }
    for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] != x[i] ? x[i] : levels[place[i]];
  }
}

template <class T>
void nearest_levels(const LevelsCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  if (call.even) {
    even_levels(call, begin, end);
  } else {
    searched_levels(call, begin, end);
  }
}

inline LevelKernels levels_loops() { return {&nearest_levels<float>, &nearest_levels<double>}; }

}  // namespace rheo::inline RHEO_ISA::loops
