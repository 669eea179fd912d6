// A product with an operand that is mostly zeros, as spikes are: it costs what is not zero.
//   y[r, :] = bias + sum over i with x[r, i] != 0 of x[r, i] weight[i, :]
// The terms of a sum are added in an order that depends on x alone: the same bits for every number of threads and every
// instruction set. A NaN in x counts as not zero; what x skips in weight must be finite, or y lacks a NaN (the caller looks).
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

/// `weight` has rows of this many elements, or a multiple of it, the rest zeros.
inline constexpr std::int64_t sparse_padding = 16;

template <class T>
struct SparseProductCall {
  std::int64_t in = 0, out = 0;
  std::int64_t padded = 0;    // out rounded up to sparse_padding
  const T* x = nullptr;       // [rows, in]
  const T* weight = nullptr;  // [in, padded]
  const T* bias = nullptr;    // [padded]; nullptr: zero
  T* y = nullptr;             // [rows, out]
  bool accumulate = false;    // y += instead of y =
};

/// Elements of the list of positions that a call needs.
constexpr std::int64_t sparse_workspace(std::int64_t in) { return in + sparse_padding; }

/// One instruction set's functions. Rows [begin, end); `positions` belongs to the calling thread.
struct SparseProductLoops {
  void (*f32)(const SparseProductCall<float>&, std::int64_t begin, std::int64_t end,
              std::int32_t* positions) noexcept = nullptr;
  void (*f64)(const SparseProductCall<double>&, std::int64_t begin, std::int64_t end,
              std::int32_t* positions) noexcept = nullptr;
};

/// Of an instruction set that is_available.
SparseProductLoops sparse_product_loops(Isa isa) noexcept;

/// By the instruction set in use.
void sparse_product(const SparseProductCall<float>& call, std::int64_t begin, std::int64_t end,
                    std::int32_t* positions);
void sparse_product(const SparseProductCall<double>& call, std::int64_t begin, std::int64_t end,
                    std::int32_t* positions);

}  // namespace rheo::kernels
