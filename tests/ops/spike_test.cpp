// The spike function on tensors: strictly above zero, the surrogate's factor backward, a user's own gradient.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "rheo/nn/neurons.hpp"
#include "tests/surrogate_formulas.hpp"

namespace {

using rheo::Surrogate;

/// Gradient of sum(w spk) for u.
torch::Tensor gradient(const Surrogate& s, const torch::Tensor& u, const torch::Tensor& w) {
  const auto leaf = u.clone().requires_grad_();
  s(leaf).backward(w);
  return leaf.grad();
}

TEST(Spike, IsStrictlyAboveZero) {
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const auto u = torch::tensor({-1.0F, -1e-30F, -0.0F, 0.0F, 1e-30F, 1.0F, nan});
  const auto expected = torch::tensor({0.F, 0.F, 0.F, 0.F, 1.F, 1.F, 0.F});
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kHalf}) {
    const auto spk = rheo::surrogate::atan()(u.to(type));
    EXPECT_EQ(spk.scalar_type(), type);
    EXPECT_TRUE(type == torch::kHalf || spk.equal(expected.to(type)));  // 1e-30 is 0 in half
  }
}

/// Every surrogate against its formula, in double, at odd places and far out.
TEST(Spike, FactorsFollowTheirFormulas) {
  torch::manual_seed(1);
  const auto f64 = torch::TensorOptions().dtype(torch::kDouble);
  const auto u =
      torch::cat({torch::randn({101}, f64), torch::tensor({0.0, -0.0, 1e-9, 50.0, -50.0, 1e6, -1e6}, f64)});
  const auto w = torch::randn(u.sizes(), f64);
  for (const auto& [s, factor] : rheo::test::surrogate_formulas()) {
    EXPECT_TRUE(gradient(s, u, w).allclose(w * factor(u), 1e-12, 1e-300)) << s.to_string();
  }
}

TEST(Spike, ByNameIsTheSameAsByFunction) {
  const auto u = torch::linspace(-2, 2, 41), w = torch::ones({41});
  const std::vector<std::pair<Surrogate, Surrogate>> pairs = {
      {Surrogate::by_name("atan"), rheo::surrogate::atan()},
      {Surrogate::by_name("triangular"), rheo::surrogate::triangular()},
      {Surrogate::by_name("fast_sigmoid", {{"slope", 10}}), rheo::surrogate::fast_sigmoid(10)},
      {Surrogate::by_name("sigmoid"), rheo::surrogate::sigmoid()},
      {Surrogate::by_name("spike_rate_escape", {{"slope", 2}}), rheo::surrogate::spike_rate_escape(1, 2)},
      {Surrogate::by_name("SFS", {{"B", 0.2}, {"slope", 5}}), rheo::surrogate::SFS(5, 0.2)},
      {Surrogate::by_name("LSO"), rheo::surrogate::LSO()},
  };
  for (const auto& [named, made] : pairs) {
    EXPECT_EQ(named.to_string(), made.to_string());
    EXPECT_TRUE(gradient(named, u, w).equal(gradient(made, u, w))) << named.to_string();
  }
}

TEST(Spike, AUsersGradientGetsPotentialGradientAndSpike) {
  const auto u = torch::tensor({-0.5F, 0.25F, 2.0F}), w = torch::tensor({1.0F, 2.0F, 3.0F});
  const auto mine =
      rheo::surrogate::custom([](const torch::Tensor& potential, const torch::Tensor& grad,
                                 const torch::Tensor& spk) { return 100 * potential + 10 * grad + spk; });
  EXPECT_TRUE(mine.is_custom());
  EXPECT_EQ(mine.to_string(), "custom");
  EXPECT_TRUE(gradient(mine, u, w).equal(100 * u + 10 * w + torch::tensor({0.0F, 1.0F, 1.0F})));
}

// The functor is copied into the graph: it may be gone before the backward, and goes with the graph.
TEST(Spike, AUsersGradientLivesAsLongAsTheGraph) {
  auto count = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = count;
  const auto u = torch::tensor({1.0F}, torch::requires_grad());
  torch::Tensor spk;
  {
    const auto s = rheo::surrogate::custom([count](const auto&, const torch::Tensor& grad, const auto&) {
      ++*count;
      return 2 * grad;
    });
    count.reset();
    spk = s(u);
  }
  ASSERT_FALSE(watch.expired());
  spk.sum().backward();
  EXPECT_EQ(u.grad().item<float>(), 2);
  spk.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(Spike, NothingIsKeptWithoutGradients) {
  const auto u = torch::ones({3}, torch::requires_grad());
  EXPECT_NE(rheo::surrogate::atan()(u).grad_fn(), nullptr);
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(rheo::surrogate::atan()(u).grad_fn(), nullptr);
}

}  // namespace
