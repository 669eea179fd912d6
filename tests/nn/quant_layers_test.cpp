// Layers with quantised weights: what they compute, what they hand on, and that a network learns through them.
#include "rheo/nn/quant_layers.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>

#include "rheo/functional/loss.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/sequential.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::nn::QuantConv2d;
using rheo::nn::QuantConv2dImpl;
using rheo::nn::QuantLinear;
using rheo::nn::QuantLinearImpl;

TEST(QuantLayers, StartAsLibtorchsDo) {
  torch::manual_seed(5);
  const QuantLinear ours(7, 3);
  torch::manual_seed(5);
  const torch::nn::Linear theirs(7, 3);
  EXPECT_TRUE(ours->weight.equal(theirs->weight) && ours->bias.equal(theirs->bias));
}

TEST(QuantLayers, RunOnTheIntegersTheyGive) {
  QuantLinear fc(7, 3, {.num_bits = 4});
  const auto x = torch::randn({5, 7});
  const auto weight = fc->quantised().dequantised();
  EXPECT_TRUE(fc->forward(x).allclose(torch::linear(x, weight, fc->bias), 1e-5, 1e-6));
  EXPECT_FALSE(weight.equal(fc->weight));

  const auto options =
      torch::nn::Conv2dOptions(2, 4, 3).padding(1).padding_mode(torch::kCircular).groups(2).stride(2);
  QuantConv2d conv(options, {.num_bits = 2});
  torch::nn::Conv2d plain(options);
  plain->weight.set_data(conv->quantised().dequantised());
  plain->bias.set_data(conv->bias.detach());
  const auto image = torch::randn({3, 2, 6, 5});
  EXPECT_TRUE(conv->forward(image).equal(plain->forward(image)));
}

TEST(QuantLayers, BehindANeuronOfASequential) {
  rheo::nn::Sequential net(QuantLinear(4, 6, {.num_bits = 4}),
                           rheo::nn::Leaky({.beta = 0.9, .threshold = 0.2}),
                           QuantLinear(6, 2, {.num_bits = 1}));
  const auto x = torch::rand({5, 3, 4});
  const auto with = net->forward(x).y;
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(net->forward(x).y.equal(with)) << "nothing reads the weight around the quantiser";
  auto& last = net->layer<QuantLinearImpl>(2);
  last.weight.mul_(2);
  EXPECT_EQ(last.quantised().values.abs().sum().item<int>(), 12);
}

TEST(QuantLayers, ACloneIsItsOwn) {
  rheo::nn::Sequential net(QuantConv2d(torch::nn::Conv2dOptions(1, 2, 3), {.num_bits = 2}),
                           torch::nn::Flatten(),
                           QuantLinear(torch::nn::LinearOptions(8, 3).bias(false), {.num_bits = 2}));
  net->eval();
  const auto copy = std::dynamic_pointer_cast<rheo::nn::SequentialImpl>(net->clone());
  const auto x = torch::rand({1, 2, 1, 4, 4});
  EXPECT_TRUE(copy->forward(x).y.equal(net->forward(x).y));
  EXPECT_EQ(copy->layer<QuantLinearImpl>(2).weight_quant().options().num_bits, 2);
  EXPECT_FALSE(copy->layer<QuantLinearImpl>(2).is_training());
  const torch::NoGradGuard no_grad;
  copy->layer<QuantConv2dImpl>(0).weight.zero_();
  EXPECT_GT(net->layer<QuantConv2dImpl>(0).weight.abs().sum().item<float>(), 0);
}

/// The loss after training to tell two kinds of inputs apart, over that before.
double learned(const rheo::quant::WeightQuantOptions& quant) {
  torch::manual_seed(1);
  rheo::nn::Sequential net(QuantLinear(10, 20, quant), rheo::nn::Leaky({.beta = 0.9}),
                           QuantLinear(20, 2, quant), rheo::nn::Leaky({.beta = 0.9}));
  const auto y = torch::arange(32).remainder(2);
  const auto x =
      (torch::rand({20, 32, 10}) < (0.2 + 0.5 * (torch::arange(10).remainder(2) == y.view({-1, 1}))))
          .to(torch::kFloat);
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(5e-3));
  double first = 0, loss = 0;
  for (int step = 0; step < 60; ++step) {
    optimizer.zero_grad();
    const auto now = rheo::functional::ce_rate_loss(net->forward(x).y, y);
    now.backward();
    optimizer.step();
    loss = now.item<double>();
    if (step == 0) first = loss;
  }
  return loss / first;
}

TEST(QuantLayers, LearnWithEveryNumberOfBits) {
  for (const int bits : {8, 4, 2, 1}) EXPECT_LT(learned({.num_bits = bits}), 0.8) << bits << " bits";
}

TEST(QuantLayers, SayWhatTheyAre) {
  std::ostringstream text;
  text << QuantLinear(7, 3, {.num_bits = 1});
  EXPECT_NE(text.str().find("weights of 1 bit"), std::string::npos) << text.str();
  EXPECT_EQ(rheo::test::error_of<rheo::ValueError>([] { QuantLinear fc(7, 3, {.num_bits = 12}); }),
            "[weight_quant] num_bits must be 1 to 8, got 12");
}

}  // namespace
