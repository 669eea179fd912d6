// Our optimisers against the ones they derive from: same numbers, same state, and the fused operators where
// they apply.
#include "rheo/train/optim.hpp"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

using torch::optim::AdamOptions;
using torch::optim::AdamWOptions;
using torch::optim::SGDOptions;
using Params = std::vector<torch::Tensor>;

std::atomic<int> fused_calls{0};

/// Counts the calls of fused operators while it lives.
class FusedCalls {
 public:
  FusedCalls() {
    fused_calls = 0;
    handle_ = at::addGlobalCallback(at::RecordFunctionCallback([](const at::RecordFunction& call) {
                                      if (std::string(call.name()).find("_fused_") != std::string::npos)
                                        ++fused_calls;
                                      return std::unique_ptr<at::ObserverContext>();
                                    }).scopes({at::RecordScope::FUNCTION}));
  }
  ~FusedCalls() { at::removeCallback(handle_); }
  int count() const { return fused_calls; }

 private:
  at::CallbackHandle handle_{};
};

Params make_params(torch::Dtype dtype) {
  torch::manual_seed(3);
  Params params;
  for (const auto& shape : std::vector<std::vector<int64_t>>{{7, 5}, {5}, {1, 33}, {}, {0, 4}}) {
    params.push_back(torch::randn(shape, dtype).requires_grad_());
  }
  return params;
}

Params copies(const Params& params) {
  Params out;
  for (const auto& p : params) out.push_back(p.detach().clone().requires_grad_());
  return out;
}

/// The same gradients for both; one parameter has none now and then.
void set_gradients(Params& a, Params& b, int step) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (step % 5 == 4 && i == 1) {
      a[i].mutable_grad().reset();
      b[i].mutable_grad().reset();
      continue;
    }
    const auto gradient = torch::randn_like(a[i]) * std::pow(10.0, step % 4 - 2);
    a[i].mutable_grad() = gradient.clone();
    b[i].mutable_grad() = gradient.clone();
  }
}

double difference(const Params& a, const Params& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].numel() == 0) continue;
    const double scale = b[i].detach().abs().max().item<double>();
    worst = std::max(worst, (a[i] - b[i]).detach().abs().max().item<double>() / scale);
  }
  return worst;
}

template <class Ours, class Base, class Options>
void expect_equal_steps(const Options& options, int fused_per_step) {
  for (const auto dtype : {torch::kDouble, torch::kFloat}) {
    Params a = make_params(dtype), b = copies(a);
    Ours ours(a, options);
    Base base(b, options);
    const FusedCalls fused;
    for (int step = 0; step < 50; ++step) {
      if (step == 20) {  // as a schedule does
        for (auto& group : ours.param_groups()) group.options().set_lr(options.lr() / 3);
        for (auto& group : base.param_groups()) group.options().set_lr(options.lr() / 3);
      }
      set_gradients(a, b, step);
      ours.step();
      base.step();
    }
    EXPECT_GE(fused.count(), 50 * fused_per_step);
    EXPECT_LT(difference(a, b), dtype == torch::kDouble ? 1e-12 : 2e-5);
    EXPECT_GT(difference(a, make_params(dtype)), 1e-3) << "nothing moved";
    ASSERT_EQ(ours.state().size(), base.state().size());
  }
}

TEST(Optim, AdamEqualsTheBase) {
  using rheo::train::Adam;
  expect_equal_steps<Adam, torch::optim::Adam>(AdamOptions(0.01), 1);
  expect_equal_steps<Adam, torch::optim::Adam>(AdamOptions(0.02).weight_decay(0.1).betas({0.8, 0.95}), 1);
  expect_equal_steps<Adam, torch::optim::Adam>(AdamOptions(0.01).amsgrad(true).eps(1e-5), 1);
}

TEST(Optim, AdamWEqualsTheBase) {
  using rheo::train::AdamW;
  expect_equal_steps<AdamW, torch::optim::AdamW>(AdamWOptions(0.01), 1);
  expect_equal_steps<AdamW, torch::optim::AdamW>(AdamWOptions(0.02).weight_decay(0.3).amsgrad(true), 1);
}

TEST(Optim, SgdEqualsTheBase) {
  using rheo::train::SGD;
  expect_equal_steps<SGD, torch::optim::SGD>(SGDOptions(0.01), 1);
  expect_equal_steps<SGD, torch::optim::SGD>(SGDOptions(0.01).weight_decay(0.1), 1);
  expect_equal_steps<SGD, torch::optim::SGD>(SGDOptions(0.01).momentum(0.9).dampening(0.3), 1);
  expect_equal_steps<SGD, torch::optim::SGD>(SGDOptions(0.01).momentum(0.9).nesterov(true).weight_decay(0.01),
                                             1);
}

// Gradients laid out otherwise, half precision: the base's way, beside a group that is fused.
TEST(Optim, WhatCannotBeFusedGoesTheBasesWay) {
  torch::manual_seed(1);
  const auto groups = [](const Params& p) {
    return std::vector<torch::optim::OptimizerParamGroup>{{{p[0]}}, {{p[1]}}, {{p[2]}}};
  };
  Params a{torch::randn({4, 6}, torch::kDouble), torch::randn({3}, torch::kDouble),
           torch::randn({5}).to(torch::kBFloat16)};
  for (auto& p : a) p.requires_grad_();
  Params b = copies(a);
  rheo::train::Adam ours(groups(a), AdamOptions(0.01));
  torch::optim::Adam base(groups(b), AdamOptions(0.01));
  const FusedCalls fused;
  for (int step = 0; step < 10; ++step) {
    const auto transposed = torch::randn({6, 4}, torch::kDouble).t();
    const auto plain = torch::randn({3}, torch::kDouble);
    const auto half = torch::randn({5}).to(torch::kBFloat16);
    for (Params* p : {&a, &b}) {
      (*p)[0].mutable_grad() = transposed;
      (*p)[1].mutable_grad() = plain.clone();
      (*p)[2].mutable_grad() = half.clone();
    }
    ours.step();
    base.step();
    ASSERT_EQ(ours.param_groups().size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(ours.param_groups()[i].params()[0].is_same(a[i]));
  }
  EXPECT_EQ(fused.count(), 10);  // the second group
  EXPECT_TRUE(torch::equal(a[0], b[0]));
  EXPECT_LT(difference({a[1]}, {b[1]}), 1e-12);
  EXPECT_TRUE(torch::equal(a[2], b[2]));
}

TEST(Optim, AnErrorOfTheBaseLeavesTheGroupsInPlace) {
  torch::nn::Embedding table(torch::nn::EmbeddingOptions(5, 3).sparse(true));
  auto dense = torch::ones({2}, torch::requires_grad());
  rheo::train::Adam optimizer(
      std::vector<torch::optim::OptimizerParamGroup>{{table->parameters()}, {{dense}}}, AdamOptions(0.01));
  (table->forward(torch::tensor({1, 3})).sum() + dense.sum()).backward();
  EXPECT_THROW(optimizer.step(), c10::Error);  // sparse gradients
  ASSERT_EQ(optimizer.param_groups().size(), 2U);
  EXPECT_TRUE(optimizer.param_groups()[0].params()[0].is_same(table->weight));
  EXPECT_TRUE(optimizer.param_groups()[1].params()[0].is_same(dense));
}

// Saved by ours, loaded by the base: both go on alike.
TEST(Optim, StateIsTheBases) {
  Params a = make_params(torch::kDouble), b = copies(a);
  rheo::train::AdamW ours(a, AdamWOptions(0.01).amsgrad(true));
  torch::optim::AdamW base(b, AdamWOptions(0.01).amsgrad(true));
  for (int step = 0; step < 4; ++step) {
    set_gradients(a, b, step);
    ours.step();
  }
  std::stringstream stream;
  torch::save(ours, stream);
  torch::load(base, stream);
  {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < a.size(); ++i) b[i].copy_(a[i]);
  }
  for (int step = 4; step < 8; ++step) {
    set_gradients(a, b, step);
    ours.step();
    base.step();
  }
  EXPECT_LT(difference(a, b), 1e-12);
}

TEST(Optim, ClosureRunsWithGradients) {
  auto w = torch::full({3}, 2.0, torch::requires_grad());
  rheo::train::SGD optimizer({w}, SGDOptions(0.25));
  const auto loss = optimizer.step([&] {
    optimizer.zero_grad();
    auto value = (w * w).sum();
    value.backward();
    return value;
  });
  EXPECT_EQ(loss.item<float>(), 12.0F);
  EXPECT_TRUE(torch::equal(w.detach(), torch::full({3}, 1.0F)));
  EXPECT_TRUE(w.requires_grad());
}

TEST(Optim, GradientsThatAreNotFinitePassThrough) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto w = torch::ones({40}, torch::requires_grad());
    w.mutable_grad() = torch::ones({40});
    w.mutable_grad()[17] = bad;
    rheo::train::Adam optimizer({w}, AdamOptions(0.1));
    optimizer.step();
    EXPECT_TRUE(std::isnan(w[17].item<float>()));
    EXPECT_NEAR(w[16].item<float>(), 0.9F, 1e-6F);
  }
}

}  // namespace
