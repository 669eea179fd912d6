// The sparse product for the instruction set of the file that includes this. A row's positions of what is not zero are
// listed first, without branches; then the sums run down the list, a few registers of columns at a time, in four chains
// that hide the latency of an addition.
#pragma once

#include "rheo/core/pack.hpp"
#include "rheo/kernels/sparse_product.hpp"

namespace rheo::inline RHEO_ISA::loops {

using ::rheo::kernels::SparseProductCall;
using ::rheo::kernels::SparseProductLoops;

inline constexpr int chains = 4;

#if RHEO_VECTOR_BYTES == 32
/// For every 8-bit mask, the numbers of its set bits, first to last.
struct SetBits {
  std::uint8_t at[256][8] = {};
  constexpr SetBits() {
    for (int mask = 0; mask < 256; ++mask) {
      int n = 0;
      for (int bit = 0; bit < 8; ++bit) {
        if ((mask >> bit & 1) != 0) at[mask][n++] = static_cast<std::uint8_t>(bit);
      }
    }
  }
};
inline constexpr SetBits set_bits;
#endif

/// Positions of what is not zero in x[0, n); returns how many. Writes up to a vector's width behind the last.
template <class T>
RHEO_INLINE std::int64_t list_nonzero(const T* x, std::int64_t n, std::int32_t* to) {
  std::int64_t count = 0;
  std::int64_t i = 0;
#if RHEO_VECTOR_BYTES == 64
  constexpr int w = width<Pack<T>>;
  if constexpr (sizeof(T) == 4) {
    __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + w <= n; i += w) {
      const __mmask16 m = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i), _mm512_setzero_ps(), _CMP_NEQ_UQ);
      // Into a register, then to memory: compressing straight into memory is slow on some CPUs.
      _mm512_storeu_si512(to + count, _mm512_maskz_compress_epi32(m, at));
      count += __builtin_popcount(m);
      at = _mm512_add_epi32(at, _mm512_set1_epi32(w));
    }
  } else {
    __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (; i + w <= n; i += w) {
      const __mmask8 m = _mm512_cmp_pd_mask(_mm512_loadu_pd(x + i), _mm512_setzero_pd(), _CMP_NEQ_UQ);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + count), _mm256_maskz_compress_epi32(m, at));
      count += __builtin_popcount(m);
      at = _mm256_add_epi32(at, _mm256_set1_epi32(w));
    }
  }
#elif RHEO_VECTOR_BYTES == 32
  constexpr int w = width<Pack<T>>;
  __m256i first = _mm256_setzero_si256();
  for (; i + w <= n; i += w) {
    int m;
    if constexpr (sizeof(T) == 4) {
      m = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + i), _mm256_setzero_ps(), _CMP_NEQ_UQ));
    } else {
      m = _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(x + i), _mm256_setzero_pd(), _CMP_NEQ_UQ));
    }
    const auto bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(set_bits.at[m]));
    const auto at = _mm256_add_epi32(first, _mm256_cvtepu8_epi32(bits));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + count), at);
    count += __builtin_popcount(static_cast<unsigned>(m));
    first = _mm256_add_epi32(first, _mm256_set1_epi32(w));
  }
#endif
  for (; i < n; ++i) {
    to[count] = static_cast<std::int32_t>(i);
    count += x[i] == 0 ? 0 : 1;
  }
  return count;
}

/// Columns [c, c + K vectors) of one row.
template <int K, class T>
RHEO_INLINE void sum_columns(const SparseProductCall<T>& call, const T* x, const std::int32_t* at,
                             std::int64_t count, std::int64_t c, T* y) {
  using V = Pack<T>;
  constexpr int w = width<V>;
  V sum[chains][K];
  for (int j = 0; j < chains; ++j) {
    for (int k = 0; k < K; ++k) sum[j][k] = splat<V>(T{0});
  }
  std::int64_t n = 0;
  for (; n + chains <= count; n += chains) {
#pragma GCC unroll 4
    for (int j = 0; j < chains; ++j) {
      const V value = splat<V>(x[at[n + j]]);
      const T* weight = call.weight + at[n + j] * call.padded + c;
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) sum[j][k] = sum[j][k] + value * load<V>(weight + k * w);
    }
  }
  for (; n < count; ++n) {
    const V value = splat<V>(x[at[n]]);
    const T* weight = call.weight + at[n] * call.padded + c;
    for (int k = 0; k < K; ++k) sum[0][k] = sum[0][k] + value * load<V>(weight + k * w);
  }
  for (int k = 0; k < K; ++k) {
    V total = (sum[0][k] + sum[1][k]) + (sum[2][k] + sum[3][k]);
    const std::int64_t at_column = c + k * w;
    if (call.bias != nullptr) total = load<V>(call.bias + at_column) + total;
    const std::int64_t left = call.out - at_column;
    if (left >= w) {
      if (call.accumulate) total = load<V>(y + at_column) + total;
      store(y + at_column, total);
    } else {
      T lanes[w];
      store(lanes, total);
      for (std::int64_t l = 0; l < left; ++l)
        y[at_column + l] = call.accumulate ? y[at_column + l] + lanes[l] : lanes[l];
    }
  }
}

template <class T>
void sparse_rows(const SparseProductCall<T>& call, std::int64_t begin, std::int64_t end,
                 std::int32_t* positions) noexcept {
  constexpr int w = width<Pack<T>>;
  constexpr int wide = RHEO_VECTOR_BYTES == 64 ? 4 : 2;  // with its chains, what the registers hold
  for (std::int64_t r = begin; r < end; ++r) {
    const T* x = call.x + r * call.in;
    T* y = call.y + r * call.out;
    const std::int64_t count = list_nonzero(x, call.in, positions);
    std::int64_t c = 0;
    for (; c + wide * w <= call.padded; c += wide * w) sum_columns<wide>(call, x, positions, count, c, y);
    for (; c < call.padded; c += w) sum_columns<1>(call, x, positions, count, c, y);
  }
}

inline SparseProductLoops sparse_product_loops() { return {&sparse_rows<float>, &sparse_rows<double>}; }

}  // namespace rheo::inline RHEO_ISA::loops
