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

/// y[R, columns] (+)= x[R, depth] panel[depth, panel_columns], of which the first C registers are read. Element (r, k) of x
/// is x[r * x_stride + k]; Transposed: x[k * x_stride + r].
template <class T, bool Transposed, int R, int C>
RHEO_INLINE void product_tile(const T* x, std::int64_t x_stride, const T* panel, std::int64_t depth,
                              std::int64_t columns, bool add, T* y, std::int64_t y_stride) {
  constexpr int w = width<Pack<T>>;
  using Lane = typename Lanes<T>::type;
  Lane sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 3
    for (int c = 0; c < C; ++c) sum[r][c] = Lane{};
  }
  for (std::int64_t k = 0; k < depth; ++k, panel += panel_columns<T>) {
    Lane b[C];
#pragma GCC unroll 3
    for (int c = 0; c < C; ++c) b[c] = load<Pack<T>>(panel + c * w).v;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      // x - 0 is x, bit for bit: a plain broadcast, where splat's 0 + x is an addition.
      const Pack<T> a = x[Transposed ? k * x_stride + r : r * x_stride + k] - Lane{};
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

/// All rows by one panel.
template <class T, bool Transposed, int C>
void product_panel(const T* x, std::int64_t x_stride, const T* panel, std::int64_t rows, std::int64_t depth,
                   std::int64_t columns, bool add, T* y, std::int64_t y_stride) noexcept {
  const std::int64_t next = Transposed ? 1 : x_stride;
  std::int64_t r = 0;
  for (; r + tile_rows <= rows; r += tile_rows)
    product_tile<T, Transposed, tile_rows, C>(x + r * next, x_stride, panel, depth, columns, add,
                                              y + r * y_stride, y_stride);
  for (; r + 2 <= rows; r += 2)
    product_tile<T, Transposed, 2, C>(x + r * next, x_stride, panel, depth, columns, add, y + r * y_stride,
                                      y_stride);
  if (r < rows)
    product_tile<T, Transposed, 1, C>(x + r * next, x_stride, panel, depth, columns, add, y + r * y_stride,
                                      y_stride);
}

template <class T, bool Transposed = false>
void product_multiply(const T* x, std::int64_t x_stride, const T* packed, std::int64_t rows, std::int64_t in,
                      std::int64_t out, bool add, T* y, std::int64_t y_stride) noexcept {
  constexpr std::int64_t panel = panel_columns<T>;
  constexpr std::int64_t w = width<Pack<T>>;
  for (std::int64_t k = 0; k < in; k += tile_depth) {
    const std::int64_t depth = in - k < tile_depth ? in - k : tile_depth;
    const bool onto = add || k > 0;
    const T* from_x = x + (Transposed ? k * x_stride : k);
    for (std::int64_t j = 0; j < out; j += panel) {
      const T* from = packed + j * in + k * panel;
      const std::int64_t columns = out - j < panel ? out - j : panel;
      // The last panel is no wider than it needs to be.
      if (columns > 2 * w || tile_registers == 2) {
        product_panel<T, Transposed, tile_registers>(from_x, x_stride, from, rows, depth, columns, onto,
                                                     y + j, y_stride);
      } else if (columns > w) {
        product_panel<T, Transposed, 2>(from_x, x_stride, from, rows, depth, columns, onto, y + j, y_stride);
      } else {
        product_panel<T, Transposed, 1>(from_x, x_stride, from, rows, depth, columns, onto, y + j, y_stride);
      }
    }
  }
}

template <class T>
void product_pack(const T* w, std::int64_t in, std::int64_t out, std::int64_t in_stride,
                  std::int64_t out_stride, T* packed) noexcept {
  constexpr std::int64_t panel = panel_columns<T>;
  for (std::int64_t j0 = 0; j0 < out; j0 += panel) {
    T* to = packed + j0 * in;
    const std::int64_t columns = out - j0 < panel ? out - j0 : panel;
    if (out_stride == 1) {  // along the rows of w, as they lie in memory
      for (std::int64_t k = 0; k < in; ++k, to += panel) {
        const T* from = w + j0 + k * in_stride;
        for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j];
        for (std::int64_t j = columns; j < panel; ++j) to[j] = T{0};
      }
      continue;
    }
    for (std::int64_t j = 0; j < panel; ++j) {
      const T* from = w + (j0 + j) * out_stride;
      for (std::int64_t k = 0; k < in; ++k) to[k * panel + j] = j < columns ? from[k * in_stride] : T{0};
    }
  }
}

template <class T>
PackedProduct<T> packed_product() {
  return {panel_columns<T>, &product_pack<T>, &product_multiply<T>, &product_multiply<T, true>};
}

inline PackedProducts packed_product_loops() { return {packed_product<float>(), packed_product<double>()}; }

}  // namespace rheo::inline RHEO_ISA::loops
