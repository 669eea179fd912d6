// PSN and SlidingPSN against their matrix form, written as loops over single numbers; gradients, cuts, what they refuse.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>

#include "rheo/rheo.hpp"
#include "tests/error_of.hpp"
#include "tests/gradient_check.hpp"

namespace {

using rheo::Input;
using rheo::State;
using rheo::nn::PSN;
using rheo::nn::SlidingPSN;
using rheo::test::error_of;
using torch::Tensor;

Tensor parameter(const torch::nn::Module& m, const char* name) { return *m.named_parameters().find(name); }

Tensor noise(torch::IntArrayRef shape, std::uint64_t seed) {
  torch::manual_seed(seed);
  return torch::randn(shape, torch::kDouble);
}

/// U[t, n] = sum over s of W[t, s] X[s, n] + b[t], one number after the other.
Tensor matrix_form(const Tensor& W, const Tensor& b, const Tensor& x) {
  const auto T = x.size(0);
  const auto flat = x.reshape({T, -1}).contiguous();
  auto out = torch::empty_like(flat);
  const auto w = W.accessor<double, 2>(), in = flat.accessor<double, 2>();
  auto u = out.accessor<double, 2>();
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t n = 0; n < flat.size(1); ++n) {
      double sum = b[t].item<double>();
      for (std::int64_t s = 0; s < T; ++s) sum += w[t][s] * in[s][n];
      u[t][n] = sum;
    }
  }
  return out.view(x.sizes());
}

TEST(PSN, EqualsItsMatrixForm) {
  for (const std::int64_t T : {1, 2, 7, 25}) {
    for (const std::vector<std::int64_t>& row :
         {std::vector<std::int64_t>{1}, {3, 7}, {2, 3, 4, 5}, {0, 4}}) {
      PSN psn({.steps = T, .threshold = 0.3, .graded_spikes_factor = 1.5});
      psn->to(torch::kDouble);
      {
        const torch::NoGradGuard no_grad;
        parameter(*psn, "bias").copy_(noise({T}, 3));
      }
      auto shape = row;
      shape.insert(shape.begin(), T);
      const auto x = noise(shape, 4);
      const auto out = psn->record(x);
      const torch::NoGradGuard no_grad;
      const auto want = matrix_form(parameter(*psn, "weight"), parameter(*psn, "bias"), x);
      EXPECT_TRUE(torch::allclose(out.mem, want, 1e-12, 1e-12)) << T;
      EXPECT_TRUE(torch::equal(out.spk, out.mem.gt(0.3).to(torch::kDouble) * 1.5));
      EXPECT_TRUE(torch::equal(psn->forward(x).spk, out.spk));
      EXPECT_TRUE(out.state.empty());
    }
  }
}

/// The sliding neuron is a parallel one whose matrix is a band.
TEST(SlidingPSN, EqualsABandOfTheMatrixForm) {
  for (const std::int64_t T : {1, 3, 11}) {
    for (const std::int64_t k : {1, 2, 5, 16}) {
      SlidingPSN psn({.order = k, .threshold = 0.3});
      psn->to(torch::kDouble);
      const auto w = noise({k}, 5);
      {
        const torch::NoGradGuard no_grad;
        parameter(*psn, "weight").copy_(w);
        parameter(*psn, "bias").fill_(0.2);
      }
      auto W = torch::zeros({T, T}, torch::kDouble);
      for (std::int64_t t = 0; t < T; ++t) {
        for (std::int64_t i = 0; i < k; ++i) {
          const auto s = t - k + 1 + i;
          if (s >= 0) W[t][s] = w[i];
        }
      }
      const auto x = noise({T, 3, 7}, 6);
      const auto out = psn->record(x);
      EXPECT_TRUE(
          torch::allclose(out.mem, matrix_form(W, torch::full({T}, 0.2, torch::kDouble), x), 1e-12, 1e-12))
          << T << ' ' << k;
      EXPECT_TRUE(torch::equal(out.spk, out.mem.gt(0.3).to(torch::kDouble)));
    }
  }
}

// Fang et al. 2023: the sliding neuron's weights begin as powers of two, the last input's is 1.
TEST(SlidingPSN, FirstWeights) {
  SlidingPSN psn({.order = 4});
  EXPECT_TRUE(torch::equal(parameter(*psn, "weight"), torch::tensor({0.125F, 0.25F, 0.5F, 1.0F})));
  EXPECT_TRUE(torch::equal(parameter(*psn, "bias"), torch::zeros({1})));
}

TEST(SlidingPSN, PiecesEqualTheWhole) {
  SlidingPSN psn({.order = 5});
  psn->to(torch::kDouble);
  const auto x = noise({17, 3, 7}, 7);
  const auto whole = psn->forward(x);
  State state;
  std::vector<Tensor> parts;
  std::int64_t at = 0;
  for (const std::int64_t n : {1, 2, 0, 9, 5}) {
    auto out = psn->forward(x.slice(0, at, at + n), state);
    parts.push_back(out.spk);
    state = out.state;
    at += n;
  }
  EXPECT_TRUE(torch::equal(torch::cat(parts), whole.spk));
  EXPECT_TRUE(torch::equal(state["past"], whole.state["past"]));
  EXPECT_TRUE(torch::equal(state["past"], x.slice(0, 13)));

  SlidingPSN keeps({.order = 5, .init_hidden = true});
  keeps->to(torch::kDouble);
  keeps->forward(x.slice(0, 0, 6));
  EXPECT_TRUE(torch::equal(keeps->forward(x.slice(0, 6)).spk, whole.spk.slice(0, 6)));
}

// Of input, weights and bias, through the membranes, where nothing is a step function.
TEST(PSN, GradientsAgainstCentralDifferences) {
  PSN psn({.steps = 6});
  SlidingPSN sliding({.order = 3});
  psn->to(torch::kDouble);
  sliding->to(torch::kDouble);
  const auto weights = noise({6, 5}, 8);
  for (rheo::nn::SpikingImpl* layer :
       {static_cast<rheo::nn::SpikingImpl*>(psn.get()), static_cast<rheo::nn::SpikingImpl*>(sliding.get())}) {
    const auto loss = [&](const std::vector<Tensor>& v) { return (layer->record(v[0]).mem * weights).sum(); };
    rheo::test::expect_gradients(loss, {noise({6, 5}, 9)});
    for (const char* name : {"weight", "bias"}) {
      const auto p = parameter(*layer, name);
      const auto x = noise({6, 5}, 9);
      p.mutable_grad() = Tensor();
      (layer->record(x).mem * weights).sum().backward();
      const auto grad = p.grad().clone().reshape({-1});
      const torch::NoGradGuard no_grad;
      auto flat = p.view({-1});
      for (std::int64_t i = 0; i < flat.size(0); ++i) {
        const double before = flat[i].item<double>();
        flat[i] = before + 1e-6;
        const double above = (layer->record(x).mem * weights).sum().item<double>();
        flat[i] = before - 1e-6;
        const double below = (layer->record(x).mem * weights).sum().item<double>();
        flat[i] = before;
        EXPECT_NEAR(grad[i].item<double>(), (above - below) / 2e-6, 1e-7) << name << ' ' << i;
      }
    }
  }
}

TEST(PSN, SpikesCarryTheSurrogateGradient) {
  PSN psn({.steps = 4});
  const auto x = torch::randn({4, 3});
  psn->forward(x).spk.sum().backward();
  EXPECT_GT(parameter(*psn, "weight").grad().abs().sum().item<double>(), 0);
  EXPECT_GT(parameter(*psn, "bias").grad().abs().sum().item<double>(), 0);
}

TEST(PSN, ConstantInputsSequentialsAndClones) {
  rheo::nn::Sequential net(torch::nn::Linear(5, 7), PSN({.steps = 6}), torch::nn::Linear(7, 4),
                           SlidingPSN({.order = 3}));
  const auto row = torch::randn({2, 5});
  const auto constant = net->forward(Input(rheo::TimeConstant{row, 6})).y;
  EXPECT_EQ(constant.sizes(), (torch::IntArrayRef{6, 2, 4}));
  EXPECT_TRUE(torch::equal(constant, net->forward(row.expand({6, 2, 5})).y));
  PSN psn({.steps = 6});
  const auto copy = std::dynamic_pointer_cast<rheo::nn::PSNImpl>(psn->clone());
  const auto x = torch::randn({6, 3});
  EXPECT_TRUE(torch::equal(copy->record(x).mem, psn->record(x).mem));
  std::ostringstream text;
  text << *psn << ' ' << *SlidingPSN({.order = 3});
  EXPECT_EQ(text.str(), "PSN(steps=6) SlidingPSN(order=3)");
}

TEST(PSN, WhatTheyRefuse) {
  EXPECT_EQ(error_of<rheo::ValueError>([] { PSN({.steps = 0}); }), "[PSN] steps must be positive, got 0");
  EXPECT_EQ(error_of<rheo::ValueError>([] { SlidingPSN({.order = -1}); }),
            "[SlidingPSN] order must be positive, got -1");
  EXPECT_EQ(error_of<rheo::TypeError>([] { PSN({.steps = 4, .init_hidden = true}); }),
            "[PSN] init_hidden must not be given: it would have no effect");
  EXPECT_EQ(error_of<rheo::TypeError>([] { SlidingPSN({.order = 4, .reset_delay = false}); }),
            "[SlidingPSN] reset_delay must not be given: it would have no effect");
  PSN psn({.steps = 4});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { psn->forward(torch::zeros({5, 2})); }),
            "[PSN] x must have steps = 4 time steps, got shape [5, 2]");
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { psn->forward(torch::zeros({4, 2}), State{{"mem", torch::zeros({2})}}); }),
            "[PSN] state must be empty, for it carries none, got 1 tensors");
  SlidingPSN sliding({.order = 4});
  EXPECT_NE(error_of<rheo::ValueError>(
                [&] { sliding->forward(torch::zeros({4, 2}), State{{"past", torch::zeros({2, 2})}}); }),
            "");
}

}  // namespace
