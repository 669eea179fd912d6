// What neurons in millivolts ask of the module: a state they rest in, a threshold and a surrogate of their own scale,
// parameters by name of a pattern, steps that are refused.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "rheo/rheo.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::State;
using rheo::test::error_of;
using torch::Tensor;

TEST(Biophysical, AFreshStateIsTheNeuronsRest) {
  rheo::nn::AdEx adex;
  const auto out = adex->record(torch::zeros({20, 2, 3}));
  EXPECT_TRUE(torch::allclose(out.mem, torch::full({20, 2, 3}, -70.6F), 0, 0.01));
  EXPECT_EQ(out.spk.sum().item<double>(), 0);
  const auto values = torch::tensor({-71.0, -70.0, -69.0});
  rheo::nn::AdEx each({.E_L = values});
  EXPECT_TRUE(
      torch::allclose(each->record(torch::zeros({1, 2, 3})).mem[0][1], values.to(torch::kFloat), 0, 0.01));
  rheo::nn::HodgkinHuxley axon;
  EXPECT_TRUE(
      torch::allclose(axon->record(torch::zeros({50, 4})).mem, torch::full({50, 4}, -65.0F), 0, 0.01));
  rheo::nn::Izhikevich chattering({.pattern = "chattering"});
  const auto first = chattering->step(torch::zeros({1}));
  EXPECT_NEAR(first.state.mem().item<double>(), -70, 1e-3);
  EXPECT_NEAR(first.state["u"].item<double>(), -14, 1e-3);
}

// The hidden state starts there too, and is reset to it.
TEST(Biophysical, ResetGoesBackToRest) {
  rheo::nn::ExponentialIF neuron({.init_hidden = true});
  const auto strong = torch::full({30, 2}, 20.0F);
  const auto first = neuron->record(strong).mem;
  EXPECT_FALSE(torch::equal(neuron->record(strong).mem, first));
  rheo::nn::reset(*neuron);
  EXPECT_TRUE(torch::equal(neuron->record(strong).mem, first));
}

// Learned, it reaches the loss through the first state as well.
TEST(Biophysical, TheRestIsLearned) {
  for (const bool fused : {true, false}) {
    rheo::nn::LI li({.tau = 10, .v_leak = 0.5, .time_step = 1, .learn_v_leak = true, .fused = fused});
    li->record(torch::zeros({1, 1})).mem.sum().backward();
    // mem = decay v_leak + (1 - decay) v_leak: all of it, whatever the decay
    EXPECT_NEAR(li->parameter("v_leak").grad().item<double>(), 1, 1e-6) << fused;
  }
}

TEST(Biophysical, TheThresholdIsTheNeuronsOwn) {
  EXPECT_EQ(rheo::nn::AdEx()->parameter("threshold").item<double>(), 20);
  EXPECT_EQ(rheo::nn::Izhikevich()->parameter("threshold").item<double>(), 30);
  EXPECT_EQ(rheo::nn::Leaky({.beta = 0.9})->parameter("threshold").item<double>(), 1);
  EXPECT_EQ(rheo::nn::AdEx({.threshold = 0.0})->parameter("threshold").item<double>(), 0);
  rheo::nn::AdEx adex;
  const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(adex->clone());
  EXPECT_EQ(copy->parameter("threshold").item<double>(), 20);
  EXPECT_EQ(rheo::find_neuron("AdEx").threshold, 20);
}

// atan with alpha = 2 of (U - threshold) / 10: 1 / (1 + (pi z)^2) / 10, times what a unit of input adds to U.
TEST(Biophysical, SurrogatesCountInTheNeuronsScale) {
  for (const bool fused : {true, false}) {
    rheo::nn::QuadraticIF neuron({.fused = fused});
    const auto x = torch::zeros({1, 1}, torch::kDouble).requires_grad_();
    const auto out = neuron->record(x, State{{"mem", torch::full({1}, 15.0, torch::kDouble)}});
    out.spk.sum().backward();
    const double z = (out.mem.item<double>() - 30) / 10;
    const double slope = 1 / (1 + std::pow(std::acos(-1.0) * z, 2)) / 10;
    EXPECT_NEAR(x.grad().item<double>(), slope * 0.1 / 20 * 20, 1e-9) << fused;
  }
}

TEST(Biophysical, NarrowTypesAreComputedInFloat) {
  rheo::nn::Izhikevich neuron;
  const auto x = torch::full({100, 3}, 14.0F);
  const auto half = neuron->forward(x.to(torch::kHalf)).spk;
  EXPECT_EQ(half.scalar_type(), torch::kHalf);
  EXPECT_TRUE(torch::equal(half.to(torch::kFloat), neuron->forward(x).spk));
}

TEST(Biophysical, WhatIsRefused) {
  EXPECT_EQ(error_of<rheo::ValueError>([] { rheo::nn::AdEx({.time_step = 20.0}); }),
            "[AdEx] time_step must be at most C / g_L (9.36667), got 20");
  EXPECT_EQ(error_of<rheo::ValueError>([] { rheo::nn::HodgkinHuxley({.time_step = 0.5}); }),
            "[HodgkinHuxley] time_step must be at most 0.4, got 0.5");
  EXPECT_EQ(error_of<rheo::ValueError>([] { rheo::nn::ParametricLIF({.tau = 1.0}); }),
            "[ParametricLIF] tau must be above 1, got 1");
  EXPECT_EQ(error_of<rheo::TypeError>([] { rheo::nn::ParametricLIF({.learn_tau = true}); }),
            "[ParametricLIF] tau cannot be learned");
  EXPECT_EQ(error_of<rheo::TypeError>([] { rheo::nn::AdEx({.reset_mechanism = rheo::Reset::zero}); }),
            "[AdEx] reset_mechanism must not be given: it would have no effect");
  const auto wrong = error_of<rheo::ValueError>([] { rheo::nn::Izhikevich({.pattern = "chatering"}); });
  EXPECT_TRUE(wrong.starts_with("[Izhikevich] pattern must be one of regular_spiking, ")) << wrong;
  EXPECT_NE(wrong.find("did you mean 'chattering'?"), std::string::npos) << wrong;
}

// Far below its reversal potentials its rates grow with the exponential of the membrane; released, it fires: anodal break.
TEST(Biophysical, TheAxonSurvivesStrongInhibition) {
  for (const bool fused : {true, false}) {
    const std::int64_t inhibited = fused ? 150 : 40, released = fused ? 600 : 10;
    rheo::nn::HodgkinHuxley axon({.learn_gK = true, .fused = fused});
    auto x = torch::zeros({inhibited + released, 4});
    x.slice(0, 0, inhibited) += torch::tensor({-30.0F, -477.0F, -5000.0F, -1e6F});
    x.requires_grad_();
    const auto out = axon->record(x);
    EXPECT_TRUE(out.mem.isfinite().all().item<bool>()) << fused;
    EXPECT_LT(out.mem[inhibited - 1][1].item<double>(), -900) << fused;
    if (fused) {
      EXPECT_EQ(out.spk.sum(0).min().item<double>(), 1) << out.spk.sum(0);
    }
    (out.mem.sum() + out.spk.sum()).backward();
    EXPECT_TRUE(x.grad().isfinite().all().item<bool>()) << fused;
    EXPECT_TRUE(axon->parameter("gK").grad().isfinite().all().item<bool>()) << fused;
  }
}

// A parameter of the pattern can be learned, and so becomes the neuron's own.
TEST(Biophysical, APatternsParameterIsLearned) {
  rheo::nn::Izhikevich neuron({.learn_c = true, .pattern = "chattering"});
  EXPECT_EQ(neuron->parameter("c").item<double>(), -50);
  neuron->record(torch::full({200, 1}, 10.0F)).mem.mean().backward();
  EXPECT_NE(neuron->parameter("c").grad().item<double>(), 0);
  {
    const torch::NoGradGuard no_grad;
    neuron->parameter("c").fill_(-60);
  }
  for (const auto& [name, value] : neuron->constants()) {
    if (name == "c") {
      EXPECT_EQ(value.item<double>(), -60);
    }
  }
}

}  // namespace
