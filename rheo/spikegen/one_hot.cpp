#include "rheo/spikegen/one_hot.hpp"

#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>

#include "rheo/ops/define.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::spikegen {

at::Tensor to_one_hot(const at::Tensor& targets, std::int64_t num_classes) {
  if (!targets.defined() || targets.dim() != 1) {
    throw ValueError(c10::str("[to_one_hot] targets must be [B], got ",
                              targets.defined() ? targets.sizes() : at::IntArrayRef()));
  }
  if (targets.scalar_type() != at::kLong) {
    throw TypeError(c10::str("[to_one_hot] targets must be int64, got ", targets.scalar_type()));
  }
  if (num_classes < 1)
    throw ValueError(c10::str("[to_one_hot] num_classes must be at least 1, got ", num_classes));
  const auto y = targets.cpu().contiguous();
  for (std::int64_t b = 0; b < y.numel(); ++b) {
    const auto c = y.const_data_ptr<std::int64_t>()[b];
    if (c < 0 || c >= num_classes) {
      throw ValueError(c10::str("[to_one_hot] targets must be from 0 to below num_classes, ", num_classes,
                                ", got ", c, " at ", b));
    }
  }
  auto out = at::zeros({targets.size(0), num_classes},
                       at::TensorOptions().dtype(at::kFloat).device(targets.device()));
  return out.scatter_(1, targets.unsqueeze(1), 1);
}

at::Tensor to_one_hot_inverse(const at::Tensor& x) {
  if (!x.defined()) throw ValueError("[to_one_hot_inverse] x must be a tensor, got an undefined one");
  return x.eq(0).to(x.scalar_type());
}

at::Tensor from_one_hot(const at::Tensor& x) {
  if (!x.defined() || (x.dim() != 1 && x.dim() != 2)) {
    throw ValueError(c10::str("[from_one_hot] x must be [C] or [B, C], got ",
                              x.defined() ? x.sizes() : at::IntArrayRef()));
  }
  const auto ones = x.eq(1);
  if (x.dim() == 1) return ones.nonzero().squeeze(1);
  const auto count = ones.sum(1).cpu().contiguous();
  for (std::int64_t b = 0; b < x.size(0); ++b) {
    const auto found = count.const_data_ptr<std::int64_t>()[b];
    if (found != 1)
      throw ValueError(
          c10::str("[from_one_hot] x must have a single 1 in every row, got ", found, " in row ", b));
  }
  if (x.size(0) == 0) return at::zeros({0}, x.options().dtype(at::kLong));
  return ones.to(at::kByte).argmax(1);
}

namespace {

at::Tensor to_one_hot_meta(const at::Tensor& targets, c10::SymInt num_classes) {
  return at::empty_symint({targets.sym_size(0), std::move(num_classes)}, targets.options().dtype(at::kFloat));
}

at::Tensor from_one_hot_meta(const at::Tensor& x) {
  if (x.dim() != 2)
    throw ValueError(c10::str("[from_one_hot] x must be [B, C] where a call is traced, got ", x.sizes()));
  return at::empty_symint({x.sym_size(0)}, x.options().dtype(at::kLong));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<to_one_hot, to_one_hot_meta>(m,
                                                 "to_one_hot(Tensor targets, SymInt num_classes) -> Tensor");
  ops::define_plain<from_one_hot, from_one_hot_meta>(m, "from_one_hot(Tensor x) -> Tensor");
}

}  // namespace rheo::spikegen
