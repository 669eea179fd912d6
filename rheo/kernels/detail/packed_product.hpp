// The packed product for the instruction set of the file that includes this. A tile of y stays in registers while k
// runs; the panel of W it needs is contiguous and comes from the second-level cache.
#pragma once

#include "rheo/core/pack.hpp"
#include "rheo/kernels/packed_product.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

// Registers of a tile: 8 x 3 sums of 32 registers, or 6 x 2 of 16.
inline constexpr int tile_rows = RHEO_VECTOR_BYTES == 64 ? 8 : 6;
inline constexpr int tile_registers = RHEO_VECTOR_BYTES == 64 ? 3 : 2;
// k in pieces, so that a panel's piece is read again from a near cache by the next rows.
inline constexpr std::int64_t tile_depth = 256;

template <class T>
inline constexpr std::int64_t panel_columns = tile_registers * width<Pack<T>>;

/// a b + c, rounded once where the instruction set can.
template <class T>
RHEO_INLINE Pack<T> multiply_add(Pack<T> a, Pack<T> b, Pack<T> c) {
#if RHEO_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
  } else {
    return {_mm512_fmadd_pd(a.v, b.v, c.v)};
  }
#elif RHEO_VECTOR_BYTES == 32 && defined(__FMA__)
  if constexpr (sizeof(T) == 4) {
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
  } else {
    return {_mm256_fmadd_pd(a.v, b.v, c.v)};
  }
#else
  return a * b + c;
#endif
}

/// y[R, columns] (+)= x[R, depth] panel[depth, panel_columns].
template <class T, int R>
RHEO_INLINE void product_tile(const T* x, std::int64_t x_stride, const T* panel, std::int64_t depth,
                              std::int64_t columns, bool add, T* y, std::int64_t y_stride) {
  constexpr int C = tile_registers;
  constexpr int w = width<Pack<T>>;
  using Lane = typename Lanes<T>::type;
  Lane sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 3
    for (int c = 0; c < C; ++c) sum[r][c] = Lane{};
  }
  for (std::int64_t k = 0; k < depth; ++k, panel += C * w) {
    Lane b[C];
#pragma GCC unroll 3
    for (int c = 0; c < C; ++c) b[c] = load<Pack<T>>(panel + c * w).v;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      // x - 0 is x, bit for bit: a plain broadcast, where splat's 0 + x is an addition.
      const Pack<T> a = x[r * x_stride + k] - Lane{};
#pragma GCC unroll 3
      for (int c = 0; c < C; ++c) sum[r][c] = multiply_add<T>(a, b[c], sum[r][c]).v;
    }
  }
  if (columns == C * w) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      T* to = y + r * y_stride;
#pragma GCC unroll 3
      for (int c = 0; c < C; ++c) {
        const Pack<T> s = sum[r][c];
        store(to + c * w, add ? load<Pack<T>>(to + c * w) + s : s);
      }
    }
    return;
  }
  // The last panel is padded: its row is written through the stack.
  T row[C * w];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 3
    for (int c = 0; c < C; ++c) store(row + c * w, Pack<T>(sum[r][c]));
    T* to = y + r * y_stride;
    for (std::int64_t j = 0; j < columns; ++j) to[j] = add ? to[j] + row[j] : row[j];
  }
}

template <class T>
void product_multiply(const T* x, std::int64_t x_stride, const T* packed, std::int64_t rows, std::int64_t in,
                      std::int64_t out, bool add, T* y, std::int64_t y_stride) noexcept {
  constexpr std::int64_t panel = panel_columns<T>;
  for (std::int64_t k = 0; k < in; k += tile_depth) {
    const std::int64_t depth = in - k < tile_depth ? in - k : tile_depth;
    const bool onto = add || k > 0;
    for (std::int64_t j = 0; j < out; j += panel) {
      const T* from = packed + j * in + k * panel;
      const std::int64_t columns = out - j < panel ? out - j : panel;
      std::int64_t r = 0;
      for (; r + tile_rows <= rows; r += tile_rows)
        product_tile<T, tile_rows>(x + r * x_stride + k, x_stride, from, depth, columns, onto,
                                   y + r * y_stride + j, y_stride);
      for (; r + 2 <= rows; r += 2)
        product_tile<T, 2>(x + r * x_stride + k, x_stride, from, depth, columns, onto, y + r * y_stride + j,
                           y_stride);
      if (r < rows)
        product_tile<T, 1>(x + r * x_stride + k, x_stride, from, depth, columns, onto, y + r * y_stride + j,
                           y_stride);
    }
  }
}

template <class T>
void product_pack(const T* w, std::int64_t in, std::int64_t out, std::int64_t in_stride,
                  std::int64_t out_stride, T* packed) noexcept {
  constexpr std::int64_t panel = panel_columns<T>;
  for (std::int64_t j0 = 0; j0 < out; j0 += panel) {
    T* to = packed + j0 * in;
    for (std::int64_t j = 0; j < panel; ++j) {
      const bool inside = j0 + j < out;
      const T* from = w + (j0 + j) * out_stride;
      for (std::int64_t k = 0; k < in; ++k) to[k * panel + j] = inside ? from[k * in_stride] : T{0};
    }
  }
}

template <class T>
PackedProduct<T> packed_product() {
  return {panel_columns<T>, &product_pack<T>, &product_multiply<T>};
}

inline PackedProducts packed_product_loops() { return {packed_product<float>(), packed_product<double>()}; }

}  // namespace rheo::inline RHEO_ISA::loops
