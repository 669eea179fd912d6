#include "rheo/ops/detail/sparse_weight.hpp"

#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

namespace rheo::ops::detail {

SparseWeight::SparseWeight(const at::Tensor& weight, const at::Tensor& bias)
    : in(weight.size(1)),
      out(weight.size(0)),
      padded((out + kernels::sparse_padding - 1) / kernels::sparse_padding * kernels::sparse_padding),
      rows(at::zeros({in, padded}, weight.options().requires_grad(false))) {
  rows.narrow(1, 0, out).copy_(weight.detach().t());
  finite = in <= std::numeric_limits<std::int32_t>::max() && std::isfinite(rows.sum().item<double>());
  if (!bias.defined()) return;
  bias_row = at::zeros({padded}, rows.options());
  bias_row.narrow(0, 0, out).copy_(bias.detach());
}

}  // namespace rheo::ops::detail
