// The loops of rate.hpp, for the instruction set of the file that includes this.
#pragma once

#include "rheo/kernels/detail/philox.hpp"
#include "rheo/kernels/detail/rows.hpp"
#include "rheo/kernels/rate.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

/// A word up to `last` makes the value `on`: as bernoulli decides, without its branches.
template <class T>
struct RateTile {
  alignas(64) std::uint32_t last[rate_tile];
  alignas(64) T on[rate_tile];
};

/// Returns whether a p is NaN.
template <class T>
RHEO_INLINE bool set_tile(const T* p, std::int64_t n, RateTile<T>& tile) {
  bool nan = false;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool some = p[i] > T(0), always = p[i] >= T(1);
    const T scaled = some && !always ? p[i] * static_cast<T>(0x1p32) : T(1);
    const auto whole = static_cast<std::int64_t>(scaled);
    const auto limit = whole + (scaled > static_cast<T>(whole) ? 1 : 0);  // word < limit
    tile.last[i] = always ? 0xFFFFFFFFU : static_cast<std::uint32_t>(limit - 1);
    tile.on[i] = some ? T(1) : T(0);
    nan |= p[i] != p[i];
  }
  return nan;
}

template <class T>
bool rate_rows(const RateCall<T>& call, std::int64_t first, std::int64_t end, std::int64_t begin,
               std::int64_t stop) noexcept {
  const RoundKeys keys(call.seed);
  const auto n = stop - begin;
  RateTile<T> tile;
  const bool nan = set_tile(call.p + begin, n, tile);
  alignas(64) std::uint32_t words[rate_tile];
  alignas(64) T value[rate_tile];
  for (auto t = first; t < end; ++t) {
    T* const __restrict row = call.out + t * call.columns + begin;
    if (t < call.silent) {
      fill_row(row, n, T(0));
      continue;
    }
    fill_words(keys, static_cast<std::uint64_t>(t), static_cast<std::uint64_t>(begin / 4), n, words);
    T* const __restrict spk = call.streaming ? value : row;
    for (std::int64_t i = 0; i < n; ++i) spk[i] = words[i] <= tile.last[i] ? tile.on[i] : T(0);
    if (call.streaming) {
      for_row<T>(
          n, [](auto) RHEO_LAMBDA { return 0; },
          [&](auto lane, std::int64_t i, int)
              RHEO_LAMBDA { stream(row + i, load<decltype(lane)>(value + i)); });
    }
  }
  if (call.streaming) finish_streaming();
  return nan;
}

inline RateKernels rate_loops() { return {&rate_rows<float>, &rate_rows<double>}; }

}  // namespace rheo::inline RHEO_ISA::loops
