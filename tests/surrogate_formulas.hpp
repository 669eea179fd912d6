// The factor of every surrogate as its paper or snnTorch has it, in libtorch operations: for tests only.
//   for (const auto& [surrogate, factor] : rheo::test::surrogate_formulas()) ... factor(u)   // u of any shape, double
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "rheo/nn/surrogate.hpp"

namespace rheo::test {

using Factor = std::function<torch::Tensor(const torch::Tensor& u)>;

/// At least one of every name, but for SSO, whose factor is random.
inline std::vector<std::pair<Surrogate, Factor>> surrogate_formulas() {
  using torch::Tensor;
  const auto where = [](const Tensor& m, double a, double b) { return m.to(torch::kDouble) * (a - b) + b; };
  const auto normal = [](const Tensor& u, double mean, double sigma) {
    return torch::exp(-((u - mean) / sigma).square() / 2) / (sigma * std::sqrt(2 * M_PI));
  };
  return {
      {Surrogate(), [](const Tensor& u) { return 1 / (1 + (M_PI * u).square()); }},
      {surrogate::atan(1.5), [](const Tensor& u) { return 0.75 / (1 + (M_PI / 2 * 1.5 * u).square()); }},
      {surrogate::straight_through_estimator(), [](const Tensor& u) { return torch::ones_like(u); }},
      {surrogate::triangular(0.3), [=](const Tensor& u) { return where(u.lt(0), 0.3, -0.3); }},
      {surrogate::fast_sigmoid(), [](const Tensor& u) { return 1 / (25 * u.abs() + 1).square(); }},
      {surrogate::heaviside(), [=](const Tensor& u) { return where(u.gt(0), 1, 0); }},
      {surrogate::sigmoid(3),
       [](const Tensor& u) { return 3 * torch::sigmoid(3 * u) * torch::sigmoid(-3 * u); }},
      {surrogate::spike_rate_escape(0.5, 2),
       [](const Tensor& u) { return 2 * torch::exp(-0.5 * (u - 1).abs()); }},
      {surrogate::SFS(4, -0.2),
       [=](const Tensor& u) { return where(u.gt(-0.2), 1, 0) / (4 * u.abs() + 1).square(); }},
      {surrogate::LSO(0.2), [=](const Tensor& u) { return where(u.gt(0), 1, 0.2); }},
      {surrogate::super_spike(7), [](const Tensor& u) { return 1 / (7 * u.abs() + 1).square(); }},
      {surrogate::gaussian(0.4), [=](const Tensor& u) { return normal(u, 0, 0.4); }},
      {surrogate::multi_gaussian(0.5, 3, 0.2),
       [=](const Tensor& u) {
         return 1.2 * normal(u, 0, 0.5) - 0.2 * normal(u, 0.5, 1.5) - 0.2 * normal(u, -0.5, 1.5);
       }},
      {surrogate::piecewise_linear(0.3, 2),
       [](const Tensor& u) { return 0.3 * (1 - u.abs() / 2).clamp_min(0); }},
      {surrogate::log_tailed_relu(0.1),
       [=](const Tensor& u) { return torch::where(u.gt(0), 1 / u.clamp_min(1), torch::full_like(u, 0.1)); }},
      {Surrogate::by_name("none"), [](const Tensor& u) { return torch::zeros_like(u); }},
  };
}

}  // namespace rheo::test
