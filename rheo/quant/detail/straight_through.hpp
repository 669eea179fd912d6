// A step function whose gradient is that of the identity.
//   auto q = straight_through(x, [&](const at::Tensor& t) { return nearest(t); });   // [...] -> [...]
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>

namespace rheo::quant::detail {

struct StraightThrough : torch::autograd::Function<StraightThrough> {
  template <class F>
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x, const F& f) {
    return f(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    return {grads[0], {}};
  }
};

/// f must return a tensor of its own.
template <class F>
at::Tensor straight_through(const at::Tensor& x, const F& f) {
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return f(x);
  return StraightThrough::apply(x, f);
}

}  // namespace rheo::quant::detail
