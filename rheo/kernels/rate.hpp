// Spikes with given probabilities: row t of the result is bernoulli(word i of step t, p[i]) with the words of
// core/random.hpp. Which instruction set or split of the work makes them no spike can tell.
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct RateCall {
  std::uint64_t seed = 0;
  std::int64_t columns = 0;
  std::int64_t silent = 0;  // steps without spikes, the first ones
  const T* p = nullptr;     // [columns]
  T* out = nullptr;         // [T, columns]
  bool streaming = false;   // around the cache; out and its rows are aligned to 64 bytes
};

/// Columns in a tile; a call covers the columns [begin, end) of a tile, so begin is a multiple of it.
inline constexpr std::int64_t rate_tile = 1024;

/// The steps [first, last) of the columns [begin, end), at most rate_tile of them. Returns whether a p is NaN.
template <class T>
using RateLoop = bool (*)(const RateCall<T>&, std::int64_t first, std::int64_t last, std::int64_t begin,
                          std::int64_t end) noexcept;

struct RateKernels {
  RateLoop<float> f32 = nullptr;
  RateLoop<double> f64 = nullptr;

  bool operator()(const RateCall<float>& call, std::int64_t first, std::int64_t last, std::int64_t begin,
                  std::int64_t end) const noexcept {
    return f32(call, first, last, begin, end);
  }
  bool operator()(const RateCall<double>& call, std::int64_t first, std::int64_t last, std::int64_t begin,
                  std::int64_t end) const noexcept {
    return f64(call, first, last, begin, end);
  }
};

/// Without functions where this machine or build does not have the instruction set.
RateKernels rate_kernels(Isa isa);

}  // namespace rheo::kernels
