// Products with one matrix many times, the matrix packed once: y[rows, out] (+)= x[rows, in] W[in, out].
//   product.pack(w, in, out, 1, in, packed);                          // W = w^T of w [out, in]
//   product.multiply(x, in, packed, rows, in, out, true, y, out);     // y += x W, at every time step
// What a recurrence needs: no allocation, no threads of its own, rows independent of one another. A row's result does
// not depend on the rows beside it, so any split of the rows gives the same bits.
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

/// Compiled once per instruction set.
template <class T>
struct PackedProduct {
  /// Columns of a panel: the packed matrix holds `in` rows for `out` rounded up to panels.
  std::int64_t panel = 0;
  /// Element (k, j) of W is w[k * in_stride + j * out_stride]. in, out > 0.
  void (*pack)(const T* w, std::int64_t in, std::int64_t out, std::int64_t in_stride, std::int64_t out_stride,
               T* packed) noexcept = nullptr;
  /// x [rows, in] with x_stride between rows, y [rows, out] with y_stride; `add`: onto what y holds.
  void (*multiply)(const T* x, std::int64_t x_stride, const T* packed, std::int64_t rows, std::int64_t in,
                   std::int64_t out, bool add, T* y, std::int64_t y_stride) noexcept = nullptr;
  /// The same with x lying transposed, [in, rows] with x_stride between the values of k.
  void (*multiply_transposed)(const T* x, std::int64_t x_stride, const T* packed, std::int64_t rows,
                              std::int64_t in, std::int64_t out, bool add, T* y,
                              std::int64_t y_stride) noexcept = nullptr;

  std::int64_t packed_size(std::int64_t in, std::int64_t out) const {
    return in * ((out + panel - 1) / panel) * panel;
  }
};

struct PackedProducts {
  PackedProduct<float> f32;
  PackedProduct<double> f64;

  template <class T>
  const PackedProduct<T>& of() const {
    if constexpr (sizeof(T) == 4) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// Without functions where this build or machine has no such instruction set.
PackedProducts packed_products(Isa isa);

}  // namespace rheo::kernels
