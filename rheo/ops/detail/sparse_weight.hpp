// A weight laid out for kernels/sparse_product.hpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/kernels/sparse_product.hpp"

namespace rheo::ops::detail {

struct SparseWeight {
  /// weight [out, in], float or double on the CPU; bias [out] or undefined.
  SparseWeight(const at::Tensor& weight, const at::Tensor& bias);

  /// Products that skip zeros would hide a NaN otherwise. A weight whose sum overflows counts as not finite too.
  bool finite = false;
  std::int64_t in = 0, out = 0, padded = 0;
  at::Tensor rows, bias_row;  // [in, padded], [padded] or undefined

  /// Everything but x, y and accumulate.
  template <class T>
  kernels::SparseProductCall<T> call() const {
    return {.in = in,
            .out = out,
            .padded = padded,
            .weight = rows.const_data_ptr<T>(),
            .bias = bias_row.defined() ? bias_row.const_data_ptr<T>() : nullptr};
  }
};

}  // namespace rheo::ops::detail
