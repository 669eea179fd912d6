// A dense product with a large result, by our own kernel (kernels/packed_product.hpp) into recycled memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace rheo::ops::detail {

/// x [rows, in] float on the CPU with rows of its own stride, weight [out, in] in any layout, bias [out] or undefined. No
/// autograd. A row's result does not depend on the rows beside it, nor on the number of threads.
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace rheo::ops::detail
