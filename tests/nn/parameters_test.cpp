// Parameters: scalars, one per neuron, broadcast; learned ones and their gradients; how Lapicque's follow
// from each other. Gradients are compared with those of plain loops, in double.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "rheo/nn/neurons.hpp"
#include "tests/nn/plain.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::nn::Lapicque;
using rheo::nn::Leaky;
using rheo::test::plain_lapicque;
using rheo::test::plain_leaky;
using rheo::test::PlainRule;

const auto f64 = torch::TensorOptions().dtype(torch::kDouble);

torch::Tensor full(double value) { return torch::full({}, value, f64); }

torch::Tensor uniform(std::vector<std::int64_t> shape, double from, double to) {
  return torch::rand(shape, f64) * (to - from) + from;
}

/// Gradients of a weighted sum of spikes and membranes for `leaves`.
std::vector<torch::Tensor> gradients(const torch::Tensor& spk, const torch::Tensor& mem,
                                     const std::vector<torch::Tensor>& leaves) {
  torch::manual_seed(11);
  const auto w = torch::randn({2, spk.numel()}, f64);
  const auto sum = (spk.flatten() * w[0] + mem.flatten() * w[1]).sum();
  return torch::autograd::grad({sum}, leaves);
}

void expect_close(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].sizes(), b[i].sizes()) << i;
    EXPECT_TRUE(a[i].allclose(b[i], 1e-9, 1e-11)) << i << "\n" << a[i] << "\n" << b[i];
    EXPECT_GT(b[i].abs().max().item<double>(), 1e-6) << i;
  }
}

/// Shapes of parameters for x [T, 4, 3, 2, 5]: one value, per neuron, per channel, per position.
const std::vector<std::vector<std::int64_t>> shapes = {{}, {1}, {5}, {3, 1, 1}, {2, 5}, {3, 2, 5}, {1, 1, 1}};

TEST(Parameters, LeakyLearnsParametersOfAnyShape) {
  torch::manual_seed(3);
  const auto x = uniform({6, 4, 3, 2, 5}, 0, 1).requires_grad_();
  const auto mem0 = uniform({4, 3, 2, 5}, 0, 2).requires_grad_();
  int combination = 0;
  for (const auto& shape : shapes) {
    for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
      for (const bool fused : {true, false}) {
        // Every combination of two shapes comes by in turn.
        const auto& other = shapes[static_cast<std::size_t>(++combination) % shapes.size()];
        SCOPED_TRACE(testing::Message() << "shape " << shape << ", other " << other << ", "
                                        << to_string(reset) << ", fused " << fused);
        const auto beta = uniform(shape, 0.5, 0.95), threshold = uniform(other, 0.6, 0.9),
                   graded = uniform(shape, 1, 2);
        Leaky lif({.beta = beta,
                   .learn_beta = true,
                   .threshold = threshold,
                   .learn_threshold = true,
                   .reset_mechanism = reset,
                   .graded_spikes_factor = graded,
                   .learn_graded_spikes_factor = true,
                   .reset_delay = combination % 5 != 0,
                   .fused = fused});
        const auto rec = lif->record(x, State{{"mem", mem0}});
        const auto ours = gradients(rec.spk, rec.mem,
                                    {x, mem0, lif->parameter("beta"), lif->parameter("threshold"),
                                     lif->parameter("graded_spikes_factor")});
        const std::vector<torch::Tensor> leaves = {beta.clone().requires_grad_(),
                                                   threshold.clone().requires_grad_(),
                                                   graded.clone().requires_grad_()};
        const auto p = plain_leaky(
            x, mem0, leaves[0],
            {.threshold = leaves[1], .graded = leaves[2], .reset = reset, .delay = combination % 5 != 0});
        EXPECT_TRUE(rec.spk.allclose(p.spk, 1e-12));
        EXPECT_TRUE(rec.mem.allclose(p.mem, 1e-12));
        expect_close(ours, gradients(p.spk, p.mem, {x, mem0, leaves[0], leaves[1], leaves[2]}));
      }
    }
  }
}

TEST(Parameters, LapicqueLearnsRAndC) {
  torch::manual_seed(4);
  const auto x = uniform({8, 4, 5}, 0, 1.5).requires_grad_();
  const auto mem0 = uniform({4, 5}, 0, 1).requires_grad_();
  for (const auto& shape : {std::vector<std::int64_t>{}, {5}, {4, 1}}) {
    for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
      for (const bool fused : {true, false}) {
        SCOPED_TRACE(testing::Message()
                     << "shape " << shape << ", " << to_string(reset) << ", fused " << fused);
        const auto R = uniform(shape, 1.5, 3), C = uniform({5}, 1, 3);
        Lapicque rc({.R = R,
                     .C = C,
                     .time_step = full(0.7),
                     .learn_R = true,
                     .learn_C = true,
                     .threshold = full(0.6),
                     .learn_threshold = true,
                     .reset_mechanism = reset,
                     .fused = fused});
        EXPECT_EQ(rc->named_parameters().size(), 3U);
        const auto rec = rc->record(x, State{{"mem", mem0}});
        EXPECT_GT(rec.spk.sum().item<double>(), 10);
        const auto ours = gradients(
            rec.spk, rec.mem, {x, mem0, rc->parameter("R"), rc->parameter("C"), rc->parameter("threshold")});
        const auto r = R.clone().requires_grad_(), c = C.clone().requires_grad_(),
                   th = full(0.6).requires_grad_();
        const auto p = plain_lapicque(x, mem0, r, c, 0.7, {.threshold = th, .reset = reset});
        EXPECT_TRUE(rec.mem.allclose(p.mem, 1e-11));
        expect_close(ours, gradients(p.spk, p.mem, {x, mem0, r, c, th}));
      }
    }
  }
}

/// beta alone: R = 1, C = dt / ln(1/beta).
TEST(Parameters, LapicqueLearnsBeta) {
  torch::manual_seed(5);
  const auto x = uniform({8, 4, 5}, 0, 3).requires_grad_();
  const auto mem0 = uniform({4, 5}, 0, 1).requires_grad_();
  Lapicque rc({.beta = full(0.8), .learn_beta = true, .threshold = full(0.6)});
  const auto rec = rc->record(x, State{{"mem", mem0}});
  const auto ours = gradients(rec.spk, rec.mem, {x, mem0, rc->parameter("beta")});
  const auto beta = full(0.8).requires_grad_();
  const auto p = plain_lapicque(x, mem0, full(1), -1 / beta.log(), 1, {.threshold = full(0.6)});
  EXPECT_TRUE(rec.mem.allclose(p.mem, 1e-11));
  expect_close(ours, gradients(p.spk, p.mem, {x, mem0, beta}));
}

TEST(Parameters, AreClampedOrConvertedOnUse) {
  const auto x = uniform({5, 3}, 0, 1);
  const auto mem = [&](double beta) { return Leaky({.beta = beta})->record(x).mem; };
  EXPECT_TRUE(mem(1.7).equal(mem(1)));
  EXPECT_TRUE(mem(-0.3).equal(mem(0)));
  // A learned beta outside [0, 1] gets no gradient.
  Leaky high({.beta = 1.2, .learn_beta = true});
  high->record(x).mem.sum().backward();
  EXPECT_EQ(high->parameter("beta").grad().item<double>(), 0);
  // float parameters on a double input
  EXPECT_EQ(mem(0.5).scalar_type(), torch::kDouble);
}

TEST(Parameters, AChangedParameterCountsFromTheNextCall) {
  Leaky lif({.beta = torch::full({3}, 0.9, f64), .threshold = full(0.7)});
  const auto x = uniform({6, 2, 3}, 0, 1);
  const torch::NoGradGuard no_grad;
  lif->forward(x);
  lif->parameter("beta").fill_(0.3);
  lif->parameter("threshold").fill_(0.5);
  const auto p = plain_leaky(x, torch::zeros({2, 3}, f64), full(0.3), {.threshold = full(0.5)});
  EXPECT_TRUE(lif->record(x).mem.allclose(p.mem, 1e-12));
}

TEST(Parameters, AnOptimizerTrainsThem) {
  torch::manual_seed(6);
  const auto x = uniform({20, 4, 3}, 0, 0.4);
  const auto target = plain_leaky(x, torch::zeros({4, 3}, f64), full(0.6), {.reset = Reset::none}).mem;
  Leaky lif({.beta = full(0.9), .learn_beta = true, .reset_mechanism = Reset::none});
  torch::optim::Adam adam(lif->parameters(), torch::optim::AdamOptions(0.02));
  for (int i = 0; i < 150; ++i) {
    adam.zero_grad();
    (lif->record(x).mem - target).square().mean().backward();
    adam.step();
  }
  EXPECT_NEAR(lif->parameter("beta").item<double>(), 0.6, 0.01);
}

TEST(Parameters, TheCallersTensorIsNotTouched) {
  const auto beta = torch::full({3}, 0.9, f64);
  Leaky lif({.beta = beta, .learn_beta = true});
  EXPECT_FALSE(beta.requires_grad());
  const torch::NoGradGuard no_grad;
  lif->parameter("beta").fill_(0.1);
  EXPECT_TRUE(beta.equal(torch::full({3}, 0.9, f64)));
}

// ---- Lapicque: what follows from what ---------------------------------------------------------------------

double value(const Lapicque& rc, const char* name) { return rc.ptr()->parameter(name).item<double>(); }

TEST(LapicqueParameters, TheTable) {
  const double L = std::log(1 / 0.8);
  const Lapicque rc({.R = full(2), .C = full(3)});
  EXPECT_NEAR(value(rc, "beta"), std::exp(-1.0 / 6), 1e-12);
  EXPECT_EQ(rc.ptr()->parameter("beta").sizes(), (std::vector<std::int64_t>{1}));

  const Lapicque beta({.beta = full(0.8)});
  EXPECT_NEAR(value(beta, "R"), 1, 1e-12);
  EXPECT_NEAR(value(beta, "C"), 1 / L, 1e-12);

  const Lapicque beta_R({.beta = full(0.8), .R = full(2), .time_step = full(0.5)});
  EXPECT_NEAR(value(beta_R, "C"), 0.5 / (2 * L), 1e-12);

  const Lapicque beta_C({.beta = full(0.8), .C = full(4), .time_step = full(0.5)});
  EXPECT_NEAR(value(beta_C, "R"), 0.5 / (4 * L), 1e-12);

  for (const auto& each : {beta, beta_R, beta_C}) {
    const auto constants = each.ptr()->constants();
    EXPECT_EQ(constants[0].first, "decay");
    EXPECT_NEAR(constants[0].second.item<double>(), 1 + std::log(0.8), 1e-12);
    EXPECT_EQ(constants[1].first, "gain");
    const double dt = each.ptr()->parameter("time_step").item<double>();
    EXPECT_NEAR(constants[1].second.item<double>(), dt / value(each, "C"), 1e-12);
  }
}

TEST(LapicqueParameters, EulerAndExactIntegration) {
  const double dt = 0.3, R = 2, C = 1.5;
  const auto x = uniform({40, 2}, 0, 1);
  const auto mem_of = [&](const std::string& integration) {
    Lapicque rc({.R = full(R),
                 .C = full(C),
                 .time_step = full(dt),
                 .integration = integration,
                 .reset_mechanism = Reset::none});
    return rc->record(x).mem;
  };
  EXPECT_TRUE(mem_of("").equal(mem_of("euler")));
  EXPECT_TRUE(mem_of("euler").allclose(
      plain_lapicque(x, torch::zeros({2}, f64), full(R), full(C), dt, {.reset = Reset::none}).mem, 1e-12));
  const double decay = std::exp(-dt / (R * C));
  auto u = torch::zeros({2}, f64);
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    u = decay * u + R * (1 - decay) * x[t];
    EXPECT_TRUE(mem_of("exact")[t].allclose(u, 1e-12)) << t;
  }
  // Exact means: two half steps of a constant input are one step.
  const auto after = [&](double step, std::int64_t steps) {
    Lapicque rc({.R = full(R),
                 .C = full(C),
                 .time_step = full(step),
                 .integration = "exact",
                 .threshold = full(1e9)});
    return rc->forward(torch::ones({steps, 1}, f64)).state.mem().item<double>();
  };
  EXPECT_NEAR(after(0.3, 10), after(0.15, 20), 1e-12);
  EXPECT_NEAR(after(0.3, 10), R * (1 - std::exp(-3.0 / (R * C))), 1e-12);
}

TEST(LapicqueParameters, SavingStoresBetaOfThePresentRAndC) {
  Lapicque a({.R = 2, .C = 3, .learn_R = true, .learn_C = true});
  {
    const torch::NoGradGuard no_grad;
    a->parameter("R").fill_(4);
  }
  std::stringstream file;
  torch::save(a, file);
  EXPECT_FLOAT_EQ(a->parameter("beta").item<float>(), std::exp(-1.0F / 12));
  // On load R and C count, whatever beta says.
  {
    const torch::NoGradGuard no_grad;
    a->parameter("beta").fill_(0.5);
  }
  Lapicque b({.R = 1, .C = 1, .learn_R = true, .learn_C = true});
  torch::load(b, file);
  const auto x = torch::rand({5, 3});
  EXPECT_TRUE(b->record(x).mem.equal(a->record(x).mem));
}

TEST(LapicqueParameters, BetaOneIgnoresTheInput) {
  for (const char* integration : {"euler", "exact"}) {
    for (const bool fused : {true, false}) {
      Lapicque rc({.beta = 1.0, .integration = integration, .fused = fused});
      const auto mem0 = torch::full({3}, 0.4);
      const auto rec = rc->record(torch::rand({5, 3}), State{{"mem", mem0}});
      EXPECT_TRUE(rec.mem.equal(mem0.expand({5, 3}))) << integration << rec.mem;
    }
  }
}
// C is infinite there: its gradient must not be.
TEST(LapicqueParameters, BetaOneCanBeLearned) {
  for (const char* integration : {"euler", "exact"}) {
    Lapicque rc({.beta = 1.0, .learn_beta = true, .integration = integration});
    const auto x = torch::rand({5, 3});
    rc->record(x).mem.sum().backward();
    // dU[t] = -(x[0] + ... + x[t]) per unit of beta: the gain falls from 0 as beta leaves 1.
    const auto expected = -x.cumsum(0).sum().item<double>();
    EXPECT_NEAR(rc->parameter("beta").grad().item<double>(), expected, 1e-4);
  }
}

}  // namespace
