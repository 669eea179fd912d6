#include "rheo/ops/detail/packed_linear.hpp"

#include <ATen/Parallel.h>

#include <algorithm>

#include "rheo/kernels/packed_product.hpp"
#include "rheo/kernels/registry.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::ops::detail {

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  constexpr std::int64_t block = 64;  // rows whose results stay in the second-level cache
  const auto rows = x.size(0), in = weight.size(1), out = weight.size(0);
  const auto product = kernels::packed_products(kernels::chosen_isa()).f32;
  const auto packed = recycled_empty({product.packed_size(in, out)}, at::kFloat);
  product.pack(weight.const_data_ptr<float>(), in, out, weight.stride(1), weight.stride(0),
               packed.mutable_data_ptr<float>());
  const auto bias_row = bias.defined() ? bias.contiguous() : bias;
  const auto y = recycled_empty({rows, out}, at::kFloat);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  at::parallel_for(0, (rows + block - 1) / block, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = begin * block; r < std::min(rows, end * block); r += block) {
      const auto count = std::min(block, rows - r);
      for (std::int64_t k = r; bias.defined() && k < r + count; ++k)
        std::copy_n(bias_row.const_data_ptr<float>(), out, to + k * out);
      product.multiply(from + r * x.stride(0), x.stride(0), packed.const_data_ptr<float>(), count, in, out,
                       bias.defined(), to + r * out, out);
    }
  });
  return y;
}

at::Tensor packed_transposed(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t block = 8;  // rows; threads split at multiples of it
  constexpr std::int64_t piece =
      256;  // of the inner dimension: its part of the weight stays in the second-level cache
  const auto rows = x.size(0), in = weight.size(1), out = weight.size(0);
  const auto product = kernels::packed_products(kernels::chosen_isa()).f32;
  const auto y = recycled_empty({rows, out}, at::kFloat);
  const float* from = x.const_data_ptr<float>();
  const float* w = weight.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  const auto blocks = (rows + block - 1) / block;
  const auto grain = (blocks + at::get_num_threads() - 1) / at::get_num_threads();
  at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto first = begin * block, count = std::min(rows, end * block) - first;
    auto* packed = static_cast<float*>(
        thread_workspace(static_cast<std::size_t>(product.packed_size(piece, out)) * sizeof(float)));
    for (std::int64_t k = 0; k < in; k += piece) {
      const auto depth = std::min(piece, in - k);
      product.pack(w + k * weight.stride(1), depth, out, weight.stride(1), weight.stride(0), packed);
      product.multiply_transposed(from + first + k * x.stride(1), x.stride(1), packed, count, depth, out,
                                  k > 0, to + first * out, out);
    }
  });
  return y;
}

}  // namespace rheo::ops::detail
