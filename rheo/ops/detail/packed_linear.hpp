// Dense products by our own kernel (kernels/packed_product.hpp) into recycled memory: those with a large result, and those
// with a transposed x, the gradients of weights over many time steps, that libraries repack first.
#pragma once

#include <ATen/core/Tensor.h>

namespace rheo::ops::detail {

/// x [rows, in] float on the CPU with rows of its own stride, weight [out, in] in any layout, bias [out] or undefined. No
/// autograd. A row's result does not depend on the rows beside it, nor on the number of threads.
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// The same for x whose columns are contiguous, x.stride(0) = 1: each thread takes some rows of the result, reads x as it
/// lies and packs a piece of the weight at a time. No bias.
at::Tensor packed_transposed(const at::Tensor& x, const at::Tensor& weight);

}  // namespace rheo::ops::detail
