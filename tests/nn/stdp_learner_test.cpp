// The learner against the rule's functions; where it differs from snnTorch's.
#include "rheo/nn/stdp_learner.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <filesystem>

#include "rheo/io/state.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/sequential.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::functional::STDPOptions;
using rheo::nn::STDPLearner;
using rheo::test::error_of;
using torch::nn::Linear;

const STDPOptions options{.tau_pre = 4, .tau_post = 3};

torch::Tensor spikes(at::IntArrayRef sizes, std::int64_t seed) {
  torch::manual_seed(seed);
  return torch::rand(sizes).lt(0.4).to(torch::kFloat);
}

TEST(STDPLearner, TakesTheChangeFromTheGradient) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  const auto in = spikes({6, 2, 5}, 1), out = spikes({6, 2, 3}, 2);
  const auto wanted = rheo::functional::stdp_sequence(*fc, in, out, {}, {}, options).delta_w;
  learner.observe(in, out);
  EXPECT_TRUE(learner.step(true, 0.5).allclose(0.5 * wanted));
  EXPECT_TRUE(fc->weight.grad().allclose(-0.5 * wanted));
  learner.observe(torch::zeros({1, 2, 5}), torch::ones({1, 2, 3}));
  const auto before = fc->weight.grad().clone();
  const auto more = learner.step();
  EXPECT_GT(more.abs().max().item<float>(), 0) << "the traces go on";
  EXPECT_TRUE(fc->weight.grad().allclose(before - more));
}

TEST(STDPLearner, WithoutGradientReturnsTheChange) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  learner.observe(spikes({4, 2, 5}, 1), spikes({4, 2, 3}, 2));
  EXPECT_GT(learner.step(false).abs().max().item<float>(), 0);
  EXPECT_FALSE(fc->weight.grad().defined());
}

TEST(STDPLearner, StepsAndSequencesAreTheSame) {
  const torch::nn::Conv2d conv(torch::nn::Conv2dOptions(2, 3, 2).padding(1));
  STDPLearner a(conv, options), b(conv, options);
  const auto in = spikes({4, 2, 2, 3, 4}, 1), out = spikes({4, 2, 3, 4, 5}, 2);
  a.observe(in, out);
  for (std::int64_t t = 0; t < 4; ++t) b.observe(in[t], out[t]);
  EXPECT_EQ(a.pending(), 4);
  EXPECT_EQ(b.pending(), 4);
  EXPECT_TRUE(a.step(false).allclose(b.step(false), 1e-5, 1e-5));
}

TEST(STDPLearner, ASynapseOfANet) {
  rheo::nn::Sequential net(Linear(5, 3), rheo::nn::Leaky({.beta = 0.9, .threshold = 0.1}));
  STDPLearner learner(net->module_at(0), options);
  const auto x = spikes({20, 2, 5}, 3);
  learner.observe(x, net->forward(x).y);
  const auto weight = net->layer<torch::nn::LinearImpl>(0).weight;
  const auto before = weight.detach().clone();
  torch::optim::SGD optimizer({weight}, 0.1);
  const auto delta = learner.step();
  optimizer.step();
  EXPECT_TRUE(weight.allclose(before + 0.1 * delta));
}

// ---- attached ---------------------------------------------------------------------------------------------

using rheo::nn::Leaky;
using rheo::nn::Sequential;

/// What the rule makes of what the layers did, by hand.
torch::Tensor wanted(const Linear& fc, const torch::Tensor& in, const torch::Tensor& out) {
  return rheo::functional::stdp_sequence(*fc, in, out, {}, {}, options).delta_w;
}

TEST(STDPLearner, AttachedSeesSequencesAndStepsInASequential) {
  Linear fc(5, 4), fc2(4, 3);
  Leaky lif({.beta = 0.9, .threshold = 0.1}), lif2({.beta = 0.9, .threshold = 0.1});
  Sequential net(fc, torch::nn::Dropout(0.5), lif, Sequential(fc2, lif2));
  net->eval();
  const auto x = spikes({9, 2, 5}, 3);
  const auto s1 = lif->forward(fc->forward(x)).spk, s2 = lif2->forward(fc2->forward(s1)).spk;
  ASSERT_GT(s2.sum().item<float>(), 0);
  for (const bool gradients : {true, false}) {
    const torch::AutoGradMode mode(
        gradients);  // without them a neuron and the linear layer behind it are one call
    STDPLearner first(fc, lif, options), second(fc2, lif2, options);
    auto state = net->forward(x.slice(0, 0, 4)).state;
    for (std::int64_t t = 4; t < 7; ++t) state = net->step(x[t], state).state;
    net->forward(x.slice(0, 7), state);
    EXPECT_EQ(first.pending(), 9);
    EXPECT_EQ(first.unanswered(), 0);
    EXPECT_TRUE(first.step(false).allclose(wanted(fc, x, s1), 1e-4, 1e-5));
    EXPECT_TRUE(second.step(false).allclose(wanted(fc2, s1, s2), 1e-4, 1e-5));
  }
}

TEST(STDPLearner, AttachedToAConstantInput) {
  Linear fc(5, 4);
  Leaky lif({.beta = 0.9, .threshold = 0.1});
  Sequential net(fc, lif);
  const auto row = spikes({2, 5}, 3);
  STDPLearner learner(fc, lif, options);
  const auto y = net->forward(rheo::TimeConstant{row, 7}).y;
  EXPECT_TRUE(learner.step(false).allclose(wanted(fc, row.expand({7, 2, 5}), y), 1e-5, 1e-6));
}

TEST(STDPLearner, AttachedToAConvolution) {
  const torch::nn::Conv2d conv(torch::nn::Conv2dOptions(2, 3, 3).padding(1).stride(2));
  Leaky lif({.beta = 0.9, .threshold = 0.1});
  Sequential net(conv, lif);
  const auto x = spikes({4, 2, 2, 7, 6}, 3);
  STDPLearner learner(conv, lif, options);
  const auto y = net->forward(x).y;
  const auto by_hand = rheo::functional::stdp_sequence(*conv, x, y, {}, {}, options).delta_w;
  EXPECT_TRUE(learner.step(false).allclose(by_hand, 1e-5, 1e-6));
}

struct Own : torch::nn::Module {
  Own() {
    register_module("fc", fc);
    register_module("lif", lif);
  }
  torch::Tensor step(const torch::Tensor& x) { return lif->step(rheo::nn::call(fc, x)).spk; }
  Linear fc{5, 4};
  Leaky lif{rheo::nn::LeakyOptions{.beta = 0.9, .threshold = 0.1, .init_hidden = true}};
};

TEST(STDPLearner, AttachedInAModuleOfTheUsersOwn) {
  Own own;
  const auto x = spikes({9, 2, 5}, 3);
  STDPLearner learner(own.fc, own.lif, options);
  std::vector<torch::Tensor> out;
  for (std::int64_t t = 0; t < 4; ++t) out.push_back(own.step(x[t]));
  const auto h = rheo::nn::call(own.fc, x.slice(0, 4));  // all inputs first, as one call
  for (std::int64_t t = 4; t < 9; ++t) {
    EXPECT_EQ(learner.unanswered(), 9 - t);
    out.push_back(own.lif->step(h[t - 4]).spk);
  }
  EXPECT_EQ(learner.pending(), 9);
  EXPECT_TRUE(learner.step(false).allclose(wanted(own.fc, x, torch::stack(out)), 1e-4, 1e-5));
}

TEST(STDPLearner, AttachedUntilItsEnd) {
  Linear fc(5, 4);
  Leaky lif({.beta = 0.9, .threshold = 0.1});
  Sequential net(fc, lif);
  const auto x = spikes({4, 2, 5}, 3);
  {
    STDPLearner made(fc, lif, options);
    STDPLearner learner = std::move(made);
    net->forward(x);
    EXPECT_EQ(learner.pending(), 4);
    learner.disable();
    net->forward(x);
    EXPECT_EQ(learner.pending(), 4);
    learner.enable();
    learner.reset();
    EXPECT_TRUE(learner.state().empty());
    net->forward(x);
    EXPECT_EQ(learner.pending(), 4);
    EXPECT_EQ(learner.state().names(), (std::vector<std::string>{"trace_pre", "trace_post"}));
  }
  EXPECT_EQ(rheo::nn::observers_of(*fc), nullptr);
  EXPECT_EQ(rheo::nn::observers_of(*lif), nullptr);
}

TEST(STDPLearner, AttachedSaysWhatDoesNotPair) {
  Own own;
  STDPLearner learner(own.fc, own.lif, options);
  EXPECT_EQ(error_of<rheo::ValueError>([&] { own.lif->step(own.fc->forward(spikes({2, 5}, 1))); }),
            "[STDPLearner] synapse must be called before the neuron, by a Sequential or by rheo::nn::call, "
            "got 1 steps of "
            "the neuron without their input");
  rheo::nn::call(own.fc, spikes({3, 2, 5}, 1));
  EXPECT_EQ(error_of<rheo::ValueError>([&] { learner.step(); }),
            "[STDPLearner] every step of the synapse must have been answered by the neuron, got 3 without an "
            "answer; "
            "reset() forgets them");
  learner.reset();
  EXPECT_EQ(learner.unanswered(), 0);
  EXPECT_TRUE(learner.step().equal(torch::zeros({4, 5})));
  EXPECT_EQ(error_of<rheo::TypeError>([&] { STDPLearner wrong(own.fc, own.fc, options); }),
            "[STDPLearner] neuron must be a layer with a state, got torch::nn::LinearImpl");
}

TEST(Differences, STDPLearnerResetClears) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  const auto in = spikes({4, 2, 5}, 1), out = spikes({4, 2, 3}, 2);
  learner.observe(in, out);
  const auto first = learner.step(false);
  learner.observe(in, out);
  learner.reset();
  EXPECT_EQ(learner.pending(), 0);
  EXPECT_TRUE(learner.state().empty());
  learner.observe(in, out);
  EXPECT_TRUE(learner.step(false).equal(first));
}

TEST(Differences, STDPLearnerStepWithNothingRecordedDoesNothing) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  EXPECT_TRUE(learner.step().equal(torch::zeros({3, 5})));
  EXPECT_FALSE(fc->weight.grad().defined());
  fc->weight.mutable_grad() = torch::ones({3, 5});
  learner.step();
  EXPECT_TRUE(fc->weight.grad().equal(torch::ones({3, 5})));
}

TEST(Differences, STDPLearnerIndicesFollowTheRecords) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  for (int round = 0; round < 3; ++round) {
    learner.observe(spikes({4, 2, 5}, 1), spikes({4, 2, 3}, 2));
    learner.observe(spikes({2, 5}, 1), spikes({2, 3}, 2));
    EXPECT_EQ(learner.pending(), 5);
    learner.step(false);
    EXPECT_EQ(learner.pending(), 0);
  }
}

TEST(STDPLearner, DisabledSeesNothing) {
  const Linear fc(5, 3);
  STDPLearner learner(fc, options);
  learner.disable();
  EXPECT_FALSE(learner.is_enabled());
  learner.observe(spikes({2, 5}, 1), spikes({2, 3}, 2));
  EXPECT_EQ(learner.pending(), 0);
  learner.enable();
  learner.observe(spikes({2, 5}, 1), spikes({2, 3}, 2));
  EXPECT_EQ(learner.pending(), 1);
}

TEST(STDPLearner, TracesAreSavedAndLoaded) {
  const Linear fc(5, 3);
  STDPLearner a(fc, options), b(fc, options);
  const auto in = spikes({8, 2, 5}, 1), out = spikes({8, 2, 3}, 2);
  a.observe(in.slice(0, 0, 4), out.slice(0, 0, 4));
  const auto file = std::filesystem::temp_directory_path() / "rheo_stdp_traces.safetensors";
  rheo::io::save_state(file, a.state());
  b.load_state(rheo::io::load_state(file));
  std::filesystem::remove(file);
  a.step(false);
  for (auto* learner : {&a, &b}) learner->observe(in.slice(0, 4), out.slice(0, 4));
  EXPECT_TRUE(a.step(false).equal(b.step(false)));
  b.load_state({});
  EXPECT_TRUE(b.state().empty());
}

TEST(STDPLearner, RefusesByName) {
  const torch::nn::Embedding embedding(3, 2);
  EXPECT_EQ(error_of<rheo::TypeError>([&] { STDPLearner learner(embedding, options); }),
            "[STDPLearner] synapse must be a Linear, Conv1d or Conv2d, got torch::nn::EmbeddingImpl");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { STDPLearner learner(Linear(2, 2), {.tau_post = 0}); }),
            "[STDPLearner] tau_post must be above 0, got 0");
  STDPLearner learner(Linear(2, 2), options);
  EXPECT_EQ(error_of<rheo::ValueError>([&] { learner.load_state({{"mem", torch::zeros({2})}}); }),
            "[STDPLearner] state must have trace_pre and trace_post, got mem");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { learner.observe(torch::zeros({1, 3}), torch::zeros({1, 2})); }),
            "[stdp_correlation] in must have 3 dimensions, 2 in dimension 2, got [1, 1, 3]");
}

}  // namespace
