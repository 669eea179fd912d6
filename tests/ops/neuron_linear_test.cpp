// A neuron and the linear layer behind it in one go, against the two one after the other.
#include "rheo/ops/neuron_linear.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

#include "rheo/rheo.hpp"

namespace {

using rheo::ops::NeuronCall;

NeuronCall leaky(const at::Tensor& x, const at::Tensor& beta) {
  NeuronCall call;
  call.kind = "Leaky";
  call.x = x;
  call.steps = x.size(0);
  call.constants = {beta.to(x.scalar_type()), torch::ones({}, x.options()),
                    torch::full({}, 1.5, x.options())};
  return call;
}

void expect_same(const NeuronCall& call, const at::Tensor& weight, const at::Tensor& bias) {
  const torch::NoGradGuard no_grad;
  const auto plain = rheo::ops::neuron(call);
  const auto expected = rheo::ops::linear(plain.spk, weight, bias);
  const auto out = rheo::ops::neuron_linear(call, weight, bias);
  ASSERT_TRUE(out.has_value());
  ASSERT_EQ(out->spk.sizes(), expected.sizes());
  const double room = call.x.scalar_type() == torch::kFloat ? 2e-4 : 1e-12;
  EXPECT_TRUE(out->spk.allclose(expected, room, room)) << call.x.sizes();
  ASSERT_EQ(out->state.size(), plain.state.size());
  for (std::size_t k = 0; k < plain.state.size(); ++k) EXPECT_TRUE(out->state[k].equal(plain.state[k]));
}

TEST(NeuronLinear, EqualsTheTwoCalls) {
  torch::manual_seed(1);
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    // Steps, batch, neurons, outputs; the last two need several pieces of the batch, and of time.
    for (const auto& [T, B, N, out] : {std::tuple{7, 5, 13, 3},
                                       {1, 1, 1, 1},
                                       {0, 3, 5, 2},
                                       {4, 0, 5, 2},
                                       {25, 40, 1000, 10},
                                       {600, 3, 257, 32}}) {
      for (const bool per_neuron : {false, true}) {
        for (const bool given : {false, true}) {
          const auto x = torch::rand({T, B, N}, type) * 0.8;
          auto call = leaky(x, per_neuron ? torch::rand({N}) : torch::tensor(0.9));
          if (given) call.state = {torch::rand({B, N}, type) * 1.3};
          expect_same(call, torch::randn({out, N}, type),
                      per_neuron ? torch::randn({out}, type) : at::Tensor());
        }
      }
    }
  }
}

TEST(NeuronLinear, ConstantInputAndMoreDimensions) {
  torch::manual_seed(2);
  auto call = leaky(torch::rand({1, 9, 70}) * 0.4, torch::tensor(0.95));
  call.steps = 33;
  expect_same(call, torch::randn({10, 70}), torch::randn({10}));
  expect_same(leaky(torch::rand({6, 2, 3, 17}) * 2, torch::tensor(0.5)), torch::randn({4, 17}), {});
}

TEST(NeuronLinear, EveryThreadCountGivesTheSameBits) {
  torch::manual_seed(3);
  const auto call = leaky(torch::rand({25, 60, 500}), torch::tensor(0.9));
  const auto weight = torch::randn({10, 500});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = rheo::ops::neuron_linear(call, weight, {});
  at::set_num_threads(3);
  const auto three = rheo::ops::neuron_linear(call, weight, {});
  at::set_num_threads(threads);
  EXPECT_TRUE(one->spk.equal(three->spk));
}

TEST(NeuronLinear, LeavesToTwoCallsWhatTheyDoBetter) {
  const auto call = leaky(torch::rand({3, 4, 8}), torch::tensor(0.9));
  EXPECT_TRUE(rheo::ops::neuron_linear(call, torch::randn({5, 8}), {}).has_value());
  EXPECT_FALSE(rheo::ops::neuron_linear(call, torch::randn({33, 8}), {}).has_value());
  EXPECT_FALSE(rheo::ops::neuron_linear(call, torch::randn({5, 8}, torch::kDouble), {}).has_value());
  auto weight = torch::randn({5, 8});
  weight[2][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(rheo::ops::neuron_linear(call, weight, {}).has_value());
  auto traced = call;
  traced.traces = true;
  EXPECT_FALSE(rheo::ops::neuron_linear(traced, torch::randn({5, 8}), {}).has_value());
}

TEST(NeuronLinear, SequentialGivesTheSameWithAndWithoutGradients) {
  torch::manual_seed(4);
  using namespace rheo::nn;
  const std::vector<std::function<void(Sequential&)>> neurons = {
      [](Sequential& net) { net->push_back(Leaky({.beta = 0.9})); },
      [](Sequential& net) { net->push_back(Synaptic({.alpha = 0.7, .beta = 0.8, .init_hidden = true})); },
      [](Sequential& net) { net->push_back(Leaky({.beta = 0.9, .inhibition = true})); },
      [](Sequential& net) { net->push_back(Leaky({.beta = 0.9, .fused = false})); },
      [](Sequential& net) { net->push_back(RLeaky({.beta = 0.9, .linear_features = 21})); }};
  for (const auto& add : neurons) {
    Sequential net(torch::nn::Linear(12, 21));
    add(net);
    net->push_back(torch::nn::Linear(21, 4));
    net->push_back(Leaky({.beta = 0.5}));
    net->to(torch::kDouble);
    const auto x = torch::rand({15, 6, 12}, torch::kDouble) * 4;
    const auto with = net->record(x, {}, {"3"});
    rheo::nn::reset(*net);
    const torch::NoGradGuard no_grad;
    const auto without = net->record(x, {}, {"3"});
    EXPECT_TRUE(without.last().mem.allclose(with.last().mem.detach(), 1e-11, 1e-11));
    EXPECT_EQ(without.state.names(), with.state.names());
    rheo::nn::reset(*net);
    EXPECT_TRUE(net->record(x).y.equal(without.y));  // all neurons recorded: the spikes are needed
  }
}

}  // namespace
