// Random numbers without a state: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011). The number depends on (seed, step, index) only, so CPU and GPU, any number of
// threads and any split of the work give the same ones.
//   const CounterRandom random{.seed = 7, .step = t};
//   const bool spike = bernoulli(random.word(i), 0.4F);
// Four neighbouring indices share one block: a loop over many indices asks for blocks.
#pragma once

#include "rheo/core/macros.hpp"

#include <cstdint>

namespace rheo::inline RHEO_ISA {

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// The bijection itself: ten rounds on counter c0..c3 under key k0, k1.
RHEO_INLINE constexpr PhiloxBlock philox4x32(PhiloxBlock c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53U} * c.word[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * c.word[2];
    c = {{static_cast<std::uint32_t>(b >> 32) ^ c.word[1] ^ k0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ c.word[3] ^ k1, static_cast<std::uint32_t>(a)}};
    k0 += 0x9E3779B9U;  // Weyl sequence: golden ratio, sqrt(3) - 1
    k1 += 0xBB67AE85U;
  }
  return c;
}

/// The random words of one step: index 0, 1, ... up to 2^66.
struct CounterRandom {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;

  /// Words 4 number, ..., 4 number + 3.
  [[nodiscard]] RHEO_INLINE constexpr PhiloxBlock block(std::uint64_t number) const {
    return philox4x32({{static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32),
                        static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)}},
                      static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  }
  [[nodiscard]] RHEO_INLINE constexpr std::uint32_t word(std::uint64_t index) const {
    return block(index / 4).word[index % 4];
  }
};

/// [0, 1), multiples of 2^-24: every value is a float, 1 cannot appear by rounding.
RHEO_INLINE constexpr float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// [0, 1), multiples of 2^-32.
RHEO_INLINE constexpr double uniform_double(std::uint32_t word) {
  return static_cast<double>(word) * 0x1p-32;
}

/// True with probability p: never for p <= 0, always for p >= 1, never for NaN. The scaling by a power of two
/// is exact, so a float and the double of the same value decide alike.
template <class T>
RHEO_INLINE constexpr bool bernoulli(std::uint32_t word, T p) {
  if (p >= T(1)) return true;
  if (!(p > T(0))) return false;
  const T scaled = p * static_cast<T>(0x1p32);
  const auto whole = static_cast<std::uint64_t>(scaled);  // word < scaled, compared as integers
  return word < whole || (word == whole && scaled > static_cast<T>(whole));
}

}  // namespace rheo::inline RHEO_ISA
