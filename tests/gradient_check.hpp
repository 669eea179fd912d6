// Central differences against our backward, in double.
//   expect_gradients([](const auto& v) { return loss(v[0], y); }, {mem});
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace rheo::test {

/// f maps the tensors, all double, to a number. Every element of every tensor is moved by h both ways. What is allowed:
/// `tolerance` of the largest gradient of the tensor.
inline void expect_gradients(const std::function<torch::Tensor(const std::vector<torch::Tensor>&)>& f,
                             const std::vector<torch::Tensor>& at, double h = 1e-6, double tolerance = 1e-6) {
  std::vector<torch::Tensor> leaves;
  for (const auto& t : at) leaves.push_back(t.detach().clone().requires_grad_());
  f(leaves).backward();
  const torch::NoGradGuard no_grad;
  for (std::size_t k = 0; k < at.size(); ++k) {
    ASSERT_EQ(at[k].scalar_type(), torch::kDouble);
    const auto ours = leaves[k].grad().contiguous();
    auto moved = std::vector<torch::Tensor>(at.begin(), at.end());
    moved[k] = at[k].detach().clone().contiguous();
    auto* x = moved[k].data_ptr<double>();
    const double scale = std::max(1e-3, ours.abs().max().item<double>());
    for (std::int64_t i = 0; i < moved[k].numel(); ++i) {
      const double before = x[i];
      x[i] = before + h;
      const double above = f(moved).item<double>();
      x[i] = before - h;
      const double below = f(moved).item<double>();
      x[i] = before;
      ASSERT_NEAR(ours.data_ptr<double>()[i], (above - below) / (2 * h), tolerance * scale)
          << "element " << i << " of tensor " << k;
    }
  }
}

}  // namespace rheo::test
