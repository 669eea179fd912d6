// Where the scans and layers differ from snnTorch 1.0.0 on purpose, a test per row of that table; and BatchNormTT, whose
// elements belong to time steps. Each says what snnTorch does.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <sstream>

#include "rheo/rheo.hpp"
#include "tests/error_of.hpp"

namespace {

using namespace rheo::nn;
using rheo::test::error_of;

// There: S = H(U - threshold) g g.
TEST(Differences, StateLeakyAndLinearLeakyApplyTheGradedFactorOnce) {
  torch::manual_seed(1);
  const auto x = torch::rand({20, 2, 3}) + 0.5;
  StateLeaky state({.beta = 0.9, .graded_spikes_factor = 3});
  LinearLeaky linear(
      {.beta = 0.9, .in_features = 3, .out_features = 4, .threshold = 0.1, .graded_spikes_factor = 3});
  for (const auto& spk : {state->forward(x).spk, linear->forward(x).spk}) {
    EXPECT_GT(spk.count_nonzero().item<std::int64_t>(), 0);
    EXPECT_TRUE(spk.eq(0).logical_or(spk.eq(3)).all().item<bool>());
  }
}

// There: a vector beta is ignored, the random diagonal stays, its length is not looked at; a scalar tensor is a TypeError.
TEST(Differences, LeakyParallelHonoursAVectorAndAScalarTensorBeta) {
  const auto beta = torch::tensor({0.1F, 0.5F, 1.5F});
  LeakyParallel vector({.input_size = 2, .hidden_size = 3, .beta = beta});
  EXPECT_TRUE(vector->named_parameters()["rnn.weight_hh_l0"].equal(torch::diag(beta.clamp(0, 1))));
  LeakyParallel scalar({.input_size = 2, .hidden_size = 3, .beta = torch::scalar_tensor(0.25)});
  EXPECT_TRUE(scalar->named_parameters()["rnn.weight_hh_l0"].equal(torch::eye(3) * 0.25));
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { LeakyParallel wrong({.input_size = 2, .hidden_size = 4, .beta = beta}); }),
            "[LeakyParallel] beta must have 1 or hidden_size = 4 elements, got [3]");
  // Each unit decays by its own beta.
  {
    const torch::NoGradGuard no_grad;
    auto p = vector->named_parameters();
    p["rnn.weight_ih_l0"].fill_(1);
    p["rnn.bias_ih_l0"].zero_();
    p["rnn.bias_hh_l0"].zero_();
  }
  auto x = torch::zeros({3, 1, 2});
  x[0].fill_(1);
  EXPECT_TRUE(vector->record(x).mem[2][0].allclose(torch::tensor({2 * 0.01F, 2 * 0.25F, 2 * 1.0F})));
}

// There: the identity mask is built on the CPU and stays there. Here the diagonal is read from the weight itself, wherever
// and of whatever type it is; what lies beside it has neither effect nor gradient.
TEST(Differences, LeakyParallelMaskIsWhereTheWeightIs) {
  torch::manual_seed(4);
  LeakyParallel layer({.input_size = 2, .hidden_size = 3, .beta = 0.5, .learn_beta = true, .threshold = 0.2});
  layer->to(torch::kDouble);
  const auto x = torch::rand({9, 2, 2}, torch::kDouble);
  const auto before = layer->record(x).mem.detach();
  auto weight = layer->named_parameters()["rnn.weight_hh_l0"];
  {
    const torch::NoGradGuard no_grad;
    weight.add_(1 - torch::eye(3, torch::kDouble));
  }
  const auto rec = layer->record(x);
  EXPECT_TRUE(rec.mem.equal(before));
  (rec.mem.sum() + rec.spk.sum()).backward();
  EXPECT_TRUE(weight.grad().mul(1 - torch::eye(3, torch::kDouble)).eq(0).all().item<bool>());
  EXPECT_GT(weight.grad().diagonal().abs().sum().item<double>(), 0);
}

// There: documented, but a TypeError.
TEST(Differences, AssociativeLeakyNeedsNoNumberOfNeurons) {
  AssociativeLeaky layer({.in_dim = 3, .d_value = 2, .d_key = 5, .use_q_projection = false});
  EXPECT_EQ(layer->forward(torch::rand({4, 1, 3})).spk.sizes(), at::IntArrayRef({4, 1, 10}));
}

// There: S is cumprod(a) cumsum(v k / cumprod(a)), which vanishes once the product of the decays underflows. How far the
// scan is right is in scan_test; here its state is what a constant input must lead to, v k / (1 - a).
TEST(Differences, AssociativeLeakyDoesNotDivideByTheProductOfItsDecays) {
  AssociativeLeaky layer({.in_dim = 1, .d_value = 1, .d_key = 1, .use_q_projection = false});
  {
    const torch::NoGradGuard no_grad;
    for (auto& p : layer->parameters()) p.zero_();
    auto p = layer->named_parameters();
    p["to_v.bias"].fill_(2);
    p["to_k.bias"].fill_(3);
  }
  EXPECT_NEAR(layer->record(torch::zeros({500, 1, 1})).mem[499].item<float>(), 12, 1e-5);
}

// There: an error, or [1, 3] becomes [3, 3].
TEST(Differences, GradedSpikesScalesTheLastDimension) {
  GradedSpikes layer({.size = 3, .constant_factor = 1});
  {
    const torch::NoGradGuard no_grad;
    layer->weights.copy_(torch::tensor({{1.0F}, {2.0F}, {3.0F}}));
  }
  const auto row = torch::tensor({1.0F, 2.0F, 3.0F});
  EXPECT_TRUE(layer->forward(torch::ones({1, 3})).equal(row.unsqueeze(0)));
  EXPECT_TRUE(layer->forward(torch::ones({4, 5, 3})).equal(row.expand({4, 5, 3})));
  EXPECT_TRUE(layer->forward(torch::ones({2, 3, 1})).equal(row.unsqueeze(1).expand({2, 3, 1})));
  EXPECT_EQ(error_of<rheo::ValueError>([&] { layer->forward(torch::ones({2, 4})); }),
            "[GradedSpikes] x must have shape [..., size = 3], got [2, 4]");
  GradedSpikes drawn({.size = 1000});
  EXPECT_GE(drawn->weights.min().item<float>(), 0.5F);
  EXPECT_LT(drawn->weights.max().item<float>(), 1.5F);
  EXPECT_GT(drawn->weights.std().item<float>(), 0.2F);
  EXPECT_TRUE(drawn->weights.requires_grad());
}

// ---- BatchNormTT ---------------------------------------------------------------------------------------------------

TEST(BatchNormTT, ElementTBelongsToStepT) {
  torch::manual_seed(6);
  const auto x = torch::randn({5, 8, 3}) * 3 + 1;
  for (const bool train : {true, false}) {
    BatchNormTT1d norm({.input_features = 3, .time_steps = 5});
    Sequential net(norm, Leaky({.beta = 0.9}));
    const auto part = std::dynamic_pointer_cast<SequentialImpl>(net->clone());
    net->train(train);
    part->train(train);
    const auto whole = net->forward(x);
    const auto a = part->forward(x.narrow(0, 0, 2));
    const auto b = part->forward(x.narrow(0, 2, 3), a.state);
    EXPECT_TRUE(torch::cat({a.y, b.y}).equal(whole.y));
    EXPECT_EQ(whole.state["0.step"].item<std::int64_t>(), 5);
    for (const auto& item : net->named_buffers()) {
      EXPECT_TRUE(item.value().equal(part->named_buffers()[item.key()])) << item.key();
    }
    const auto counted = norm->named_buffers()["4.num_batches_tracked"].item<std::int64_t>();
    EXPECT_EQ(counted, train ? 1 : 0);
    const auto fresh = std::dynamic_pointer_cast<BatchNormTTImpl>(part->module_at(0)->clone());
    EXPECT_TRUE(fresh->step(x[3], 3).equal(norm->step(x[3], 3)));
  }
}

TEST(BatchNormTT, NormalisesEachStepByItself) {
  torch::manual_seed(6);
  BatchNormTT2d norm({.input_features = 2, .time_steps = 3, .affine = false});
  const auto x =
      torch::randn({3, 4, 2, 5, 5}, torch::kFloat) * torch::tensor({1.0F, 10.0F, 0.1F}).view({3, 1, 1, 1, 1});
  const auto y = norm->forward(x).y;
  EXPECT_LT(y.mean({1, 3, 4}).abs().max().item<float>(), 1e-5F);
  EXPECT_TRUE(y.var({1, 3, 4}, false).allclose(torch::ones({3, 2}), 0.01));
  EXPECT_EQ(norm->forward(x.narrow(0, 0, 0)).y.size(0), 0);
  const auto constant = norm->forward(rheo::TimeConstant{x[1], 3});
  EXPECT_TRUE(constant.y[2].allclose(y[1], 1e-4, 1e-5));
}

TEST(BatchNormTT, Errors) {
  using rheo::ValueError;
  EXPECT_EQ(error_of<ValueError>([] { BatchNormTT1d norm({.input_features = 3}); }),
            "[BatchNormTT1d] time_steps must be positive, got 0");
  BatchNormTT1d norm({.input_features = 3, .time_steps = 2});
  EXPECT_EQ(error_of<ValueError>([&] { norm->forward(torch::rand({3, 4, 3})); }),
            "[BatchNormTT1d] step must be below time_steps = 2, got 2");
  EXPECT_EQ(error_of<ValueError>([&] { norm->forward(torch::rand({2, 4, 5})); }),
            "[BatchNormTT1d] one step of x must have shape [B, 3] or with a length behind it, got [4, 5]");
  EXPECT_EQ(error_of<ValueError>([&] {
              BatchNormTT2d({.input_features = 3, .time_steps = 2})->forward(torch::rand({2, 4, 3}));
            }),
            "[BatchNormTT2d] one step of x must have shape [B, 3, H, W], got [4, 3]");
}

}  // namespace
