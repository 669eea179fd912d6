// The gradient of every layer's membranes, or outputs where it has none, against central differences, in double: input, first
// state and every parameter. Thresholds are out of reach: what spikes pass on is a formula and compared with it elsewhere.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>

#include "rheo/nn/associative_leaky.hpp"
#include "rheo/nn/batch_norm_tt.hpp"
#include "rheo/nn/graded_spikes.hpp"
#include "rheo/nn/leaky_parallel.hpp"
#include "rheo/nn/linear_leaky.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sconv2dlstm.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/state_leaky.hpp"
#include "rheo/ops/product.hpp"

namespace {

using rheo::State;
using torch::Tensor;

constexpr double far = 1e3;  // a threshold that nothing reaches

/// Moves every element of every leaf, in place, by h both ways. Allowed: 1e-6 of the largest gradient of the leaf.
void expect_central_differences(const std::function<Tensor()>& loss, std::vector<Tensor> leaves) {
  for (auto& leaf : leaves) leaf.mutable_grad().reset();
  loss().backward();
  const torch::NoGradGuard no_grad;
  constexpr double h = 1e-6;
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    ASSERT_EQ(leaves[k].scalar_type(), torch::kDouble);
    const auto ours = leaves[k].grad().defined() ? leaves[k].grad().flatten()
                                                 : torch::zeros({leaves[k].numel()}, torch::kDouble);
    const double scale = std::max(1e-2, ours.abs().max().item<double>());
    auto flat = leaves[k].view({-1});
    for (std::int64_t i = 0; i < flat.size(0); ++i) {
      const double before = flat[i].item<double>();
      flat[i] = before + h;
      const double above = loss().item<double>();
      flat[i] = before - h;
      const double below = loss().item<double>();
      flat[i] = before;
      ASSERT_NEAR(ours[i].item<double>(), (above - below) / (2 * h), 1e-6 * scale)
          << "element " << i << " of leaf " << k;
    }
  }
}

Tensor leaf(at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble).requires_grad_(); }

/// A number that weighs every element otherwise.
Tensor mixed(const Tensor& t) {
  const auto weights = torch::linspace(-1, 1.5, t.numel(), torch::kDouble).reshape(t.sizes());
  return (t * weights + t.tanh()).sum();
}

std::vector<Tensor> leaves_of(const torch::nn::Module& layer, std::vector<Tensor> more) {
  for (const auto& p : layer.parameters()) {
    if (p.requires_grad()) more.push_back(p);
  }
  return more;
}

/// x [4, 2, ...], and a first state of that row or of `row`.
void check(const std::shared_ptr<rheo::nn::SpikingImpl>& layer, at::IntArrayRef x_sizes,
           std::vector<std::int64_t> row = {}, const std::vector<std::string>& states = {"mem"}) {
  SCOPED_TRACE(layer->kind());
  torch::manual_seed(11);
  layer->to(torch::kDouble);
  const auto x = leaf(x_sizes);
  if (row.empty()) row = x_sizes.slice(1).vec();
  std::vector<State::Entry> entries;
  std::vector<Tensor> leaves{x};
  for (const auto& name : states) {
    leaves.push_back(leaf(row));
    entries.emplace_back(name, leaves.back());
  }
  const State first(std::move(entries));
  expect_central_differences(
      [&] {
        const auto rec = layer->record(x, first);
        EXPECT_EQ(rec.spk.dim() > 0 ? rec.spk.ne(0).sum().item<std::int64_t>() : 0, 0)
            << "the threshold is not far";
        auto loss = mixed(rec.mem);
        for (const auto& [name, last] : rec.state) loss = loss + mixed(last) * 0.5;
        return loss;
      },
      leaves_of(*layer, leaves));
}

TEST(Gradients, PointwiseNeurons) {
  using namespace rheo::nn;
  const auto beta = torch::tensor({0.5, 0.7, 0.9}, torch::kDouble);
  check(Leaky({.beta = beta, .learn_beta = true, .threshold = far, .learn_threshold = true}).ptr(),
        {4, 2, 3});
  check(Lapicque({.R = 2, .C = 3, .learn_R = true, .learn_C = true, .threshold = far}).ptr(), {4, 2, 3});
  check(
      Synaptic({.alpha = 0.6, .beta = beta, .learn_alpha = true, .learn_beta = true, .threshold = far}).ptr(),
      {4, 2, 3}, {}, {"syn", "mem"});
  check(Alpha({.alpha = 0.8, .beta = 0.6, .learn_alpha = true, .learn_beta = true, .threshold = far}).ptr(),
        {4, 2, 3}, {}, {"syn_exc", "syn_inh", "mem"});
}

TEST(Gradients, RecurrentNeurons) {
  using namespace rheo::nn;
  check(RLeaky({.beta = 0.9, .V = 0.5, .learn_beta = true, .threshold = far}).ptr(), {4, 2, 3}, {},
        {"spk", "mem"});
  check(RLeaky({.beta = 0.9, .linear_features = 3, .learn_beta = true, .threshold = far}).ptr(), {4, 2, 3},
        {}, {"spk", "mem"});
  check(RSynaptic({.alpha = 0.7, .beta = 0.9, .linear_features = 3, .learn_alpha = true, .threshold = far})
            .ptr(),
        {4, 2, 3}, {}, {"spk", "syn", "mem"});
  check(RLeaky({.beta = 0.9, .conv2d_channels = 2, .kernel_size = {3, 3}, .threshold = far}).ptr(),
        {3, 2, 2, 4, 3}, {}, {"spk", "mem"});
}

TEST(Gradients, SpikingLstms) {
  check(rheo::nn::SLSTM({.input_size = 3, .hidden_size = 4, .threshold = far}).ptr(), {4, 2, 3}, {2, 4},
        {"syn", "mem"});
  check(
      rheo::nn::SConv2dLSTM({.in_channels = 1, .out_channels = 2, .kernel_size = 3, .threshold = far}).ptr(),
      {3, 2, 1, 4, 3}, {2, 2, 4, 3}, {"syn", "mem"});
}

TEST(Gradients, LayersWithoutAReset) {
  using namespace rheo::nn;
  check(StateLeaky({.beta = 0.9, .channels = 3, .learn_beta = true, .threshold = far}).ptr(), {5, 2, 3});
  check(StateLeaky(
            {.beta = 0.9, .channels = 3, .learn_beta = true, .kernel_truncation_steps = 3, .threshold = far})
            .ptr(),
        {5, 2, 3}, {2, 2, 3}, {"past"});
  check(LinearLeaky({.beta = 0.9, .in_features = 3, .out_features = 4, .learn_beta = true, .threshold = far})
            .ptr(),
        {5, 2, 3}, {2, 4});
  check(LeakyParallel({.input_size = 3, .hidden_size = 4, .beta = 0.9, .learn_beta = true, .threshold = far})
            .ptr(),
        {5, 2, 3}, {2, 4});
  check(
      LeakyParallel(
          {.input_size = 3, .hidden_size = 4, .learn_beta = true, .weight_hh_enable = true, .threshold = far})
          .ptr(),
      {5, 2, 3}, {2, 4});
}

TEST(Gradients, AssociativeMemory) {
  const rheo::nn::AssociativeLeaky memory(
      {.in_dim = 3, .d_value = 2, .d_key = 3, .use_q_projection = false, .threshold = far});
  check(memory.ptr(), {5, 2, 3}, {2, 6});
}

TEST(Gradients, NormalisationAndGradedSpikes) {
  torch::manual_seed(4);
  const auto x = leaf({3, 4, 2});
  rheo::nn::BatchNormTT1d norm({.input_features = 2, .time_steps = 3});
  norm->to(torch::kDouble);
  for (const bool training : {true, false}) {
    norm->train(training);
    expect_central_differences([&] { return mixed(norm->forward(x).y); }, leaves_of(*norm, {x}));
  }
  rheo::nn::GradedSpikes graded({.size = 2});
  graded->to(torch::kDouble);
  expect_central_differences([&] { return mixed(graded->forward(x)); }, leaves_of(*graded, {x}));
}

TEST(Gradients, Products) {
  torch::manual_seed(4);
  const auto x = leaf({3, 2, 5}), weight = leaf({4, 5}), bias = leaf({4});
  for (const auto holds : {rheo::ops::Operand::dense, rheo::ops::Operand::spikes}) {
    expect_central_differences([&] { return mixed(rheo::ops::linear(x, weight, bias, holds)); },
                               {x, weight, bias});
  }
}

TEST(Gradients, ANetworkOfLayers) {
  torch::manual_seed(4);
  rheo::nn::Sequential net(torch::nn::Linear(3, 4), torch::nn::Tanh(),
                           rheo::nn::Sequential(torch::nn::Linear(4, 2)),
                           rheo::nn::Leaky({.beta = 0.9, .learn_beta = true, .threshold = far}));
  net->to(torch::kDouble);
  const auto x = leaf({4, 2, 3}), row = leaf({2, 3});
  expect_central_differences([&] { return mixed(net->record_last(x).last().mem); }, leaves_of(*net, {x}));
  expect_central_differences([&] { return mixed(net->record_last(rheo::TimeConstant{row, 5}).last().mem); },
                             leaves_of(*net, {row}));
}

}  // namespace
