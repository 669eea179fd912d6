// Expr: a tensor as the number type of a step. The step then is whole-tensor operations that autograd sees:
// the reference path. It shares the step with the kernels, so it checks the plumbing, not the equations.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/log.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/where.h>

#include "rheo/core/neuron.hpp"

namespace rheo {

struct Expr {
  at::Tensor t;
};
struct ExprMask {
  at::Tensor t;
};

#define RHEO_EXPR_OPERATOR_(op)                                                       \
  inline Expr operator op(const Expr& a, const Expr& b) { return {a.t op b.t}; }      \
  inline Expr operator op(const Expr& a, double b) { return {a.t op at::Scalar(b)}; } \
  inline Expr operator op(double a, const Expr& b) { return {at::Scalar(a) op b.t}; }
RHEO_EXPR_OPERATOR_(+)
RHEO_EXPR_OPERATOR_(-)
RHEO_EXPR_OPERATOR_(*)
RHEO_EXPR_OPERATOR_(/)
#undef RHEO_EXPR_OPERATOR_
inline Expr operator-(const Expr& a) { return {a.t.neg()}; }

inline ExprMask operator>(const Expr& a, const Expr& b) { return {at::gt(a.t, b.t)}; }
inline ExprMask operator>(const Expr& a, double b) { return {at::gt(a.t, b)}; }
inline ExprMask operator<(const Expr& a, const Expr& b) { return {at::lt(a.t, b.t)}; }
inline ExprMask operator<(const Expr& a, double b) { return {at::lt(a.t, b)}; }

inline Expr fill(const Expr& like, double x) { return {at::scalar_tensor(x, like.t.options())}; }
inline Expr select(const ExprMask& m, const Expr& a, const Expr& b) { return {at::where(m.t, a.t, b.t)}; }
inline Expr detach(const Expr& a) { return {a.t.detach()}; }
inline Expr abs(const Expr& a) { return {at::abs(a.t)}; }
inline Expr exp(const Expr& a) { return {at::exp(a.t)}; }
inline Expr tanh(const Expr& a) { return {at::tanh(a.t)}; }
inline Expr logistic(const Expr& a) { return {at::sigmoid(a.t)}; }
/// (exp(a) - 1) / a; near 0 the sum of a^k / (k+1)!, which autograd can differentiate.
inline Expr exprel(const Expr& a) {
  const auto near = at::lt(at::abs(a.t), 0.5);
  const at::Tensor small = at::where(near, a.t, at::scalar_tensor(0.0, a.t.options()));
  const at::Tensor large = at::where(near, at::scalar_tensor(1.0, a.t.options()), a.t);
  at::Tensor sum = at::scalar_tensor(1.0, a.t.options());
  for (int k = 15; k >= 2; --k) sum = sum * small / k + 1;
  return {at::where(near, sum, at::expm1(large) / large)};
}

// For derive.
inline Expr clamp01(const Expr& a) { return {at::clamp(a.t, 0, 1)}; }
inline Expr exp_of(const Expr& a) { return {at::exp(a.t)}; }
inline Expr log_of(const Expr& a) { return {at::log(a.t)}; }
inline Expr cos_of(const Expr& a) { return {at::cos(a.t)}; }
inline Expr sin_of(const Expr& a) { return {at::sin(a.t)}; }
inline Expr logistic_of(const Expr& a) { return logistic(a); }
inline Expr exprel_of(const Expr& a) { return exprel(a); }
inline Expr one_element(const Expr& a) { return {a.t.dim() == 0 ? a.t.reshape({1}) : a.t}; }

}  // namespace rheo
