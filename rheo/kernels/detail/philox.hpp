// The words of CounterRandom, a register of them at a time.
#pragma once

#include "rheo/core/pack.hpp"
#include "rheo/core/random.hpp"

namespace rheo::inline RHEO_ISA::loops {

/// Lanes of 64 bits; each block's word lies in the lower half of its lane, the upper half is not looked at.
using Wide __attribute__((vector_size(RHEO_VECTOR_BYTES))) = std::uint64_t;
using LooseWords __attribute__((vector_size(RHEO_VECTOR_BYTES), aligned(4))) = std::uint32_t;
inline constexpr int wide_lanes = RHEO_VECTOR_BYTES / 8;

/// Words that a turn of fill_words writes.
inline constexpr std::int64_t words_a_turn = std::int64_t{8} * wide_lanes;

RHEO_INLINE Wide wide(std::uint64_t x) { return Wide{} + x; }

/// Lower half times m, 64 bits of it.
RHEO_INLINE Wide product(Wide a, std::uint32_t m) {
#if RHEO_VECTOR_BYTES == 64
  return reinterpret_cast<Wide>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(wide(m))));
#elif RHEO_VECTOR_BYTES == 32
  return reinterpret_cast<Wide>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(wide(m))));
#elif defined(__SSE2__)
  return reinterpret_cast<Wide>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(wide(m))));
#else
  return (a & 0xFFFFFFFFU) * m;
#endif
}

/// Of each pair of lanes of a and b the even ones, or the odd ones: a0 b0 a2 b2 ...
template <int odd>
RHEO_INLINE Wide pairs(Wide a, Wide b) {
#if RHEO_VECTOR_BYTES == 64
  return __builtin_shuffle(a, b, Wide{odd, 8 + odd, 2 + odd, 10 + odd, 4 + odd, 12 + odd, 6 + odd, 14 + odd});
#elif RHEO_VECTOR_BYTES == 32
  return __builtin_shuffle(a, b, Wide{odd, 4 + odd, 2 + odd, 6 + odd});
#else
  return __builtin_shuffle(a, b, Wide{odd, 2 + odd});
#endif
}

/// The keys of the ten rounds, in all lanes.
struct RoundKeys {
  Wide k0[10], k1[10];

  RHEO_INLINE explicit RoundKeys(std::uint64_t seed) {
    auto a = static_cast<std::uint32_t>(seed);
    auto b = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round, a += 0x9E3779B9U, b += 0xBB67AE85U) {
      k0[round] = wide(a);
      k1[round] = wide(b);
    }
  }
};

/// The words of two registers of blocks, in order.
RHEO_INLINE void fill_blocks(const RoundKeys& keys, std::uint64_t step, Wide number, std::uint32_t* words) {
  Wide c0[2] = {number, number + wide_lanes};
  Wide c1[2] = {c0[0] >> 32, c0[1] >> 32};
  Wide c2[2] = {wide(step), wide(step)};
  Wide c3[2] = {wide(step >> 32), wide(step >> 32)};
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const Wide a = product(c0[i], 0xD2511F53U);
      const Wide b = product(c2[i], 0xCD9E8D57U);
      c0[i] = (b >> 32) ^ c1[i] ^ keys.k0[round];
      c1[i] = b;
      c2[i] = (a >> 32) ^ c3[i] ^ keys.k1[round];
      c3[i] = a;
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const Wide lower = (c0[i] & 0xFFFFFFFFU) | (c1[i] << 32);
    const Wide upper = (c2[i] & 0xFFFFFFFFU) | (c3[i] << 32);
    auto* out = reinterpret_cast<LooseWords*>(words + i * (words_a_turn / 2));
    out[0] = reinterpret_cast<LooseWords>(pairs<0>(lower, upper));
    out[1] = reinterpret_cast<LooseWords>(pairs<1>(lower, upper));
  }
}

/// Words [4 block, 4 block + count), and on to a whole turn.
RHEO_INLINE void fill_words(const RoundKeys& keys, std::uint64_t step, std::uint64_t block,
                            std::int64_t count, std::uint32_t* words) {
  // Pairing puts the even lanes of a register before the odd ones.
  Wide number{};
  for (int lane = 0; lane < wide_lanes; ++lane) {
    number[lane] = block + static_cast<std::uint64_t>(lane / 2 + lane % 2 * (wide_lanes / 2));
  }
  for (std::int64_t i = 0; i < count; i += words_a_turn, number += 2 * wide_lanes) {
    fill_blocks(keys, step, number, words + i);
  }
}

}  // namespace rheo::inline RHEO_ISA::loops
