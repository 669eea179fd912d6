// The matrix or convolution that spikes go through on their way back, and its products: see ops/recurrent.hpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "rheo/ops/detail/sparse_weight.hpp"

namespace rheo::ops::detail {

/// Sizes of spikes [...] as weight takes them: [rows, N] or [rows, C, H, W].
std::vector<std::int64_t> feedback_sizes(at::IntArrayRef sizes, const at::Tensor& weight);

/// rho(spk), spk [rows, N] or [rows, C, H, W]. Differentiable.
at::Tensor feedback_rows(const at::Tensor& spk, const at::Tensor& weight, const at::Tensor& bias);

/// Ready for use by several threads. Rows are those of feedback_sizes.
class FeedbackMatrix {
 public:
  /// `sizes`: of one time step, [...].
  FeedbackMatrix(at::IntArrayRef sizes, const at::Tensor& weight, const at::Tensor& bias);

  /// Before add_feedback, before adjoint.
  void prepare_forward();
  void prepare_backward();

  bool dense() const { return weight_.dim() == 2; }
  std::int64_t rows() const { return sizes_[0]; }
  /// Values of a row.
  std::int64_t width() const { return c10::multiply_integers(at::IntArrayRef(sizes_).slice(1)); }
  /// Rows that one thread should have at least, for so many steps.
  std::int64_t grain(std::int64_t steps) const;
  /// A contiguous tensor as its rows.
  at::Tensor rows_of(const at::Tensor& t) const;

  /// to += rho(spk) for `count` rows from `first` on; both of `rows()` rows.
  template <class T>
  void add_feedback(T* to, const at::Tensor& spk, std::int64_t first, std::int64_t count) const;
  /// The adjoint of spikes from that of what they sent: to += for `count` rows from `first` on; both of `rows()` rows.
  template <class T>
  void add_adjoint(T* to, const at::Tensor& grad, std::int64_t first, std::int64_t count) const;

  /// Adds to the gradient of the weight, undefined at first, what pairs of rows contribute.
  void add_weight_gradient(at::Tensor& to, const at::Tensor& grad, const at::Tensor& spk) const;
  /// The gradient of the bias, from all rows of all steps.
  at::Tensor bias_gradient(const at::Tensor& grad) const;

 private:
  at::Tensor weight_, bias_;
  at::Tensor panels_;                   // the weight as the backward's product wants it
  std::optional<SparseWeight> packed_;  // for the product that skips zeros
  std::vector<std::int64_t> sizes_;     // [rows, N] or [rows, C, H, W]
};

}  // namespace rheo::ops::detail
