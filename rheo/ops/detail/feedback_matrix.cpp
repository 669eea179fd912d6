#include "rheo/ops/detail/feedback_matrix.hpp"

#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <optional>

#include "rheo/kernels/packed_product.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::ops::detail {
namespace {

// Work below this many multiplications is not worth a second thread.
constexpr std::int64_t grain_products = std::int64_t{1} << 20;

std::array<std::int64_t, 2> padding_of(const at::Tensor& weight) {
  return {weight.size(2) / 2, weight.size(3) / 2};
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed) {
  return at::convolution(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, {1, 1},
                         padding_of(weight), {1, 1}, transposed, {0, 0}, 1);
}

const kernels::PackedProducts& products() {
  static const auto chosen = kernels::packed_products(kernels::chosen_isa());
  return chosen;
}

}  // namespace

std::vector<std::int64_t> feedback_sizes(at::IntArrayRef sizes, const at::Tensor& weight) {
  const std::size_t kept = weight.dim() == 2 ? 1 : 3;
  std::vector<std::int64_t> out{c10::multiply_integers(sizes.slice(0, sizes.size() - kept))};
  out.insert(out.end(), sizes.end() - static_cast<std::ptrdiff_t>(kept), sizes.end());
  return out;
}

at::Tensor feedback_rows(const at::Tensor& spk, const at::Tensor& weight, const at::Tensor& bias) {
  return weight.dim() == 2 ? linear(spk, weight, bias) : convolve(spk, weight, bias, false);
}

FeedbackMatrix::FeedbackMatrix(at::IntArrayRef sizes, const at::Tensor& weight, const at::Tensor& bias)
    : weight_(weight.contiguous()), bias_(bias), sizes_(feedback_sizes(sizes, weight)) {}

void FeedbackMatrix::prepare_forward() {
  if (!dense()) return;
  packed_.emplace(weight_, bias_);
  if (!packed_->finite) packed_.reset();
}

void FeedbackMatrix::prepare_backward() {
  if (!dense()) return;
  const auto n = weight_.size(0);
  const auto pack = [&]<class T>(T) {
    const auto& product = products().of<T>();
    panels_ = at::empty({product.packed_size(n, n)}, weight_.options());
    if (n > 0) product.pack(weight_.const_data_ptr<T>(), n, n, n, 1, panels_.mutable_data_ptr<T>());
  };
  weight_.scalar_type() == at::kFloat ? pack(float{}) : pack(double{});
}

std::int64_t FeedbackMatrix::grain(std::int64_t steps) const {
  const auto per_row = steps * width() * (weight_.numel() / std::max<std::int64_t>(1, weight_.size(0)));
  return std::max<std::int64_t>(1, grain_products / std::max<std::int64_t>(1, per_row));
}

at::Tensor FeedbackMatrix::rows_of(const at::Tensor& t) const {
  auto sizes = sizes_;
  sizes[0] = -1;
  return t.view(sizes);
}

template <class T>
void FeedbackMatrix::add_feedback(T* to, const at::Tensor& spk, std::int64_t first,
                                  std::int64_t count) const {
  if (packed_.has_value()) {
    thread_local std::vector<std::int32_t> positions;
    positions.resize(static_cast<std::size_t>(kernels::sparse_workspace(packed_->in)));
    auto call = packed_->call<T>();
    call.x = spk.const_data_ptr<T>();
    call.y = to;
    call.accumulate = true;
    kernels::sparse_product(call, first, first + count, positions.data());
    return;
  }
  const auto sent = feedback_rows(spk.narrow(0, first, count), weight_, bias_).contiguous();
  const T* from = sent.const_data_ptr<T>();
  T* rows = to + first * width();
  for (std::int64_t i = 0; i < count * width(); ++i) rows[i] += from[i];
}
template void FeedbackMatrix::add_feedback(float*, const at::Tensor&, std::int64_t, std::int64_t) const;
template void FeedbackMatrix::add_feedback(double*, const at::Tensor&, std::int64_t, std::int64_t) const;

template <class T>
void FeedbackMatrix::add_adjoint(T* to, const at::Tensor& grad, std::int64_t first,
                                 std::int64_t count) const {
  T* rows = to + first * width();
  if (dense()) {
    const auto n = weight_.size(0);
    products().of<T>().multiply(grad.const_data_ptr<T>() + first * n, n, panels_.const_data_ptr<T>(), count,
                                n, n, true, rows, n);
    return;
  }
  const auto received = convolve(grad.narrow(0, first, count), weight_, {}, true).contiguous();
  const T* from = received.const_data_ptr<T>();
  for (std::int64_t i = 0; i < count * width(); ++i) rows[i] += from[i];
}
template void FeedbackMatrix::add_adjoint(float*, const at::Tensor&, std::int64_t, std::int64_t) const;
template void FeedbackMatrix::add_adjoint(double*, const at::Tensor&, std::int64_t, std::int64_t) const;

void FeedbackMatrix::add_weight_gradient(at::Tensor& to, const at::Tensor& grad,
                                         const at::Tensor& spk) const {
  if (grad.numel() == 0) return;
  const auto g = dense() ? linear(grad.t(), spk.t())
                         : std::get<1>(at::convolution_backward(grad, spk, weight_, std::nullopt, {1, 1},
                                                                padding_of(weight_), {1, 1}, false, {0, 0}, 1,
                                                                {false, true, false}));
  if (to.defined()) {
    to.add_(g);
  } else {
    to = g;
  }
}

at::Tensor FeedbackMatrix::bias_gradient(const at::Tensor& grad) const {
  return dense() ? grad.sum(0) : grad.sum({0, 2, 3});
}

}  // namespace rheo::ops::detail
