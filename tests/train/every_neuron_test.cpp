// Every neuron of the registry learns spike times: where the weights of its input are wrong, a few gradient steps bring its
// spikes nearer to those of the right weights, and steps the other way lead away from them. The parallel neurons learn their
// weights over time. A neuron added to the library appears here by itself.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <string>
#include <vector>

#include "rheo/rheo.hpp"

namespace {

using torch::Tensor;

constexpr std::int64_t steps = 50, batch = 64, width = 8;

/// Noise in the range that makes the neuron fire now and then, [T, B, N].
Tensor noise(const rheo::Range& drive, std::uint64_t seed) {
  torch::manual_seed(seed);
  return drive.low + (drive.high - drive.low) * torch::rand({steps, batch, width});
}

/// The loss at first and after every step of Adam down the gradient, or up.
std::vector<double> follow(const std::function<Tensor()>& loss, const std::vector<Tensor>& leaves,
                           double rate, int count, bool down) {
  torch::optim::Adam adam(leaves, torch::optim::AdamOptions(rate));
  std::vector<double> seen;
  for (int k = 0; k <= count; ++k) {
    adam.zero_grad();
    const auto value = loss();
    seen.push_back(value.item<double>());
    (down ? value : -value).backward();
    adam.step();
  }
  return seen;
}

/// How far the first spikes are from where they are wanted, in steps squared; where nothing fires, how far what leaves is. Not
/// whole trains: the reset has no gradient, so that where a spike comes out of a steep upstroke an earlier one only looks like more
/// of the present one, and a distance of trains leads neurons in millivolts the wrong way.
Tensor distance(const Tensor& out, const Tensor& wanted, bool fires) {
  namespace functional = rheo::functional;
  const auto apart = fires ? functional::spike_time(out) - functional::spike_time(wanted) : out - wanted;
  return apart.square().mean();
}

rheo::nn::Neuron make(const rheo::NeuronDescription& about) {
  rheo::NeuronOptions options;
  if (about.name == "Lapicque") options.params = {{"R", 4.0}, {"C", 2.0}};  // it has no defaults
  return rheo::nn::make_neuron(about.name, options);
}

class EveryNeuron : public ::testing::TestWithParam<rheo::NeuronDescription> {};

TEST_P(EveryNeuron, LearnsSpikeTimes) {
  const rheo::NeuronDescription& about = GetParam();
  auto neuron = make(about);
  const auto x = noise(about.drive, 1);
  const auto wanted = neuron->forward(x).spk;
  if (about.fires) {
    EXPECT_GT(wanted.sum(0).gt(0).to(torch::kDouble).mean().item<double>(),
              0.5);  // of the neurons fire at all
  }
  for (const double at : {0.8, 1.25}) {  // of the right weights
    for (const bool down : {true, false}) {
      const auto weight = torch::full({width}, at, torch::requires_grad());
      const auto loss = [&] { return distance(neuron->forward(x * weight).spk, wanted, about.fires); };
      const auto seen = follow(loss, {weight}, 0.02, 8, down);
      std::string text;
      for (const double value : seen) text += " " + std::to_string(value);
      if (down) {
        EXPECT_LT(seen[1], seen[0]) << at << ':' << text;
        EXPECT_LT(seen.back(), 0.6 * seen[0]) << at << ':' << text;
      } else {
        EXPECT_GT(seen.back(), seen[0]) << at << ':' << text;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryNeuron, ::testing::ValuesIn(rheo::list_neurons()),
                         [](const auto& tested) { return tested.param.name; });

/// The layer's own weights, begun elsewhere, against all spikes of the layer as it was.
void expect_learns_its_weights(rheo::nn::ScanImpl& layer) {
  const auto x = noise({-0.4, 1.5}, 2);
  const auto wanted = layer.forward(x).spk.detach();
  EXPECT_GT(wanted.sum(0).gt(0).to(torch::kDouble).mean().item<double>(), 0.5);
  const auto weight = layer.named_parameters()["weight"];
  const auto right = weight.detach().clone();
  for (const bool down : {true, false}) {
    {
      const torch::NoGradGuard no_grad;
      torch::manual_seed(3);
      weight.copy_(right + 0.2 * right.abs().mean() * torch::randn_like(right));
      layer.named_parameters()["bias"].zero_();
    }
    const auto loss = [&] {
      return rheo::functional::van_rossum_distance(layer.forward(x).spk, wanted, {.tau = 5});
    };
    const auto seen = follow(loss, layer.parameters(), 0.01 * right.abs().mean().item<double>(), 20, down);
    if (down) {
      EXPECT_LT(seen[1], seen[0]);
      EXPECT_LT(seen.back(), 0.6 * seen[0]);
    } else {
      EXPECT_GT(seen.back(), seen[0]);
    }
  }
}

TEST(ParallelNeurons, LearnTheirWeights) {
  torch::manual_seed(4);
  expect_learns_its_weights(*rheo::nn::PSN({.steps = steps}));
  expect_learns_its_weights(*rheo::nn::SlidingPSN({.order = 4}));
}

}  // namespace
