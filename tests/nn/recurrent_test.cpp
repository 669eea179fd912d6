// Recurrent layers against loops written from the equations: spikes, membranes and every gradient; then what all layers
// promise: sequences cut anywhere, any order of the batch, any number of threads, hidden state, odd and empty sizes.
// Run once for each instruction set (RHEOBASE_ISA).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <iostream>
#include <limits>
#include <sstream>

#include "rheo/kernels/registry.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/spikegen/constant.hpp"
#include "tests/error_of.hpp"
#include "tests/nn/recurrent_oracle.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::Surrogate;
using rheo::nn::Neuron;
using rheo::nn::RecurrentImpl;
using rheo::nn::RLeaky;
using rheo::nn::RSynaptic;
using rheo::test::Before;
using rheo::test::error_of;
using rheo::test::loops_recurrent;
using rheo::test::plain_recurrent;
using rheo::test::Recurrent;

torch::Tensor d(double value) { return torch::tensor(value, torch::kDouble); }

struct Case {
  std::string name;
  bool synaptic, conv;
  Reset reset;
  bool delay;
  bool vectors;  // a value of every parameter per neuron, or per channel
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const bool synaptic : {false, true}) {
    for (const bool conv : {false, true}) {
      for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
        for (const bool delay : {true, false}) {
          const std::string name = std::string(synaptic ? "RSynaptic" : "RLeaky") +
                                   (conv ? "Conv" : "Dense") + rheo::to_string(reset) +
                                   (delay ? "" : "AtOnce");
          // One of the two layouts each, so that each meets every mechanism.
          out.push_back(
              {name, synaptic, conv, reset, delay, (static_cast<int>(reset) + delay + synaptic) % 2 == 0});
        }
      }
    }
  }
  return out;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr std::int64_t features = 7, channels = 3;

torch::Tensor input(const Case& c, std::int64_t steps = 9, std::int64_t batch = 3) {
  return c.conv ? torch::rand({steps, batch, channels, 5, 4}, torch::kDouble)
                : torch::rand({steps, batch, features}, torch::kDouble);
}

/// Random parameters; the surrogate is smooth and wide, so that gradients reach far.
Recurrent random_case(const Case& c) {
  Recurrent r;
  const auto per = [&](double low, double high) {
    const auto shape = !c.vectors ? std::vector<std::int64_t>{}
                       : c.conv   ? std::vector<std::int64_t>{channels, 1, 1}
                                  : std::vector<std::int64_t>{features};
    return torch::rand(shape, torch::kDouble) * (high - low) + low;
  };
  if (c.synaptic) r.alpha = per(0.3, 0.8);
  r.beta = per(0.5, 0.95);
  r.threshold = per(0.7, 1.1);
  r.graded = per(0.6, 1.4);
  r.weight = c.conv ? torch::randn({channels, channels, 3, 1}, torch::kDouble) * 0.4
                    : torch::randn({features, features}, torch::kDouble) * 0.4;
  r.bias = torch::randn({r.weight.size(0)}, torch::kDouble) * 0.1;
  r.reset = c.reset;
  r.delay = c.delay;
  r.surrogate = rheo::surrogate::atan(1.5);
  return r;
}

template <class Options>
Options common(const Case& c, const Recurrent& r, bool fused) {
  Options o;
  o.beta = r.beta;
  if (c.conv) {
    o.conv2d_channels = r.weight.size(0);
    o.kernel_size = {r.weight.size(2), r.weight.size(3)};
  } else {
    o.linear_features = r.weight.size(0);
  }
  o.learn_beta = true;
  o.threshold = r.threshold;
  o.spike_grad = r.surrogate;
  o.learn_threshold = true;
  o.reset_mechanism = r.reset;
  o.graded_spikes_factor = r.graded;
  o.learn_graded_spikes_factor = true;
  o.reset_delay = r.delay;
  o.fused = fused;
  return o;
}

Neuron layer_of(const Case& c, const Recurrent& r, bool fused = true) {
  Neuron layer(nullptr);
  if (c.synaptic) {
    auto options = common<RSynaptic::Options>(c, r, fused);
    options.alpha = r.alpha;
    options.learn_alpha = true;
    layer = RSynaptic(options);
  } else {
    layer = RLeaky(common<RLeaky::Options>(c, r, fused));
  }
  layer->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  auto& recurrent = dynamic_cast<RecurrentImpl&>(*layer);
  recurrent.feedback().weight.copy_(r.weight);
  recurrent.feedback().bias.copy_(r.bias);
  return layer;
}

State state_of(const Case& c, const Before& b) {
  if (c.synaptic) return {{"spk", b.spk}, {"syn", b.syn}, {"mem", b.mem}};
  return {{"spk", b.spk}, {"mem", b.mem}};
}

/// max|a - b| <= limit max|b|
::testing::AssertionResult near(const torch::Tensor& a, const torch::Tensor& b, double limit) {
  if (!a.defined() || !b.defined()) return ::testing::AssertionFailure() << "undefined";
  if (a.sizes() != b.sizes()) return ::testing::AssertionFailure() << a.sizes() << " and " << b.sizes();
  if (a.numel() == 0) return ::testing::AssertionSuccess();
  const auto error = (a - b).abs().max().item<double>(), size = b.abs().max().item<double>();
  if (error <= limit * size) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "error " << error << ", largest value " << size;
}

class Layer : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { torch::manual_seed(11); }
};
INSTANTIATE_TEST_SUITE_P(Recurrent, Layer, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

// ---- against the equations -------------------------------------------------------------------------------------

TEST_P(Layer, SpikesAndMembranesOfPlainLoops) {
  const auto& c = GetParam();
  const auto r = random_case(c);
  const auto x = input(c, 20, 2);
  for (const bool fused : {true, false}) {
    auto layer = layer_of(c, r, fused);
    const auto rec = layer->record(x);
    EXPECT_GT(rec.spk.sum().item<double>(), 0);
    for (std::int64_t b = 0; b < x.size(1); ++b) {
      const auto expected = loops_recurrent(x.select(1, b), r);
      EXPECT_TRUE(near(rec.spk.select(1, b), expected.spk, 1e-15)) << fused;
      EXPECT_TRUE(near(rec.mem.select(1, b), expected.mem, 1e-12)) << fused;
      if (c.synaptic) {
        EXPECT_TRUE(near(rec.traces["syn"].select(1, b), expected.syn, 1e-12)) << fused;
      }
    }
    EXPECT_TRUE(torch::equal(rec.traces["spk"], rec.spk));
    const auto out = layer->forward(x);
    EXPECT_TRUE(torch::equal(out.spk, rec.spk));
    for (const auto& [name, tensor] : out.state)
      EXPECT_TRUE(torch::equal(tensor, rec.traces[name][-1])) << name;
  }
}

/// Gradients of a loss that reads spikes, every trace and the last state, from two runs of the same case.
TEST_P(Layer, EveryGradientOfPlainAutograd) {
  const auto& c = GetParam();
  const auto r = random_case(c);
  const auto x = input(c);
  const auto row = x.sizes().slice(1);
  const auto uniform = [&] { return torch::rand(row, torch::kDouble); };
  const Before first{uniform().gt(0.5).to(torch::kDouble), uniform(), uniform()};
  const auto on_spk = torch::randn(x.sizes(), torch::kDouble),
             on_mem = torch::randn(x.sizes(), torch::kDouble), on_last = torch::randn(row, torch::kDouble);

  const auto leaf = [](const torch::Tensor& t) {
    return t.defined() ? t.detach().clone().requires_grad_() : torch::Tensor();
  };
  auto plain = r;
  for (auto* t : {&plain.alpha, &plain.beta, &plain.threshold, &plain.graded, &plain.weight, &plain.bias})
    *t = leaf(*t);
  const auto plain_x = leaf(x);
  const Before plain_first{leaf(first.spk), leaf(first.syn), leaf(first.mem)};
  const auto expected = plain_recurrent(plain_x, plain_first, plain);
  auto loss = (expected.spk * on_spk).sum() + (expected.mem * on_mem).sum() +
              (expected.last_spk * on_last).sum() + (expected.mem[-1] * on_last * on_last).sum();
  if (c.synaptic) loss = loss + (expected.syn * on_mem * on_spk).sum();
  loss.backward();

  for (const bool fused : {true, false}) {
    auto layer = layer_of(c, r, fused);
    const auto mine_x = leaf(x);
    const Before mine{leaf(first.spk), leaf(first.syn), leaf(first.mem)};
    const auto rec = layer->record(mine_x, state_of(c, mine));
    auto own = (rec.spk * on_spk).sum() + (rec.mem * on_mem).sum() + (rec.state["spk"] * on_last).sum() +
               (rec.state.mem() * on_last * on_last).sum();
    if (c.synaptic) own = own + (rec.traces["syn"] * on_mem * on_spk).sum();
    EXPECT_TRUE(near(own, loss, 1e-12));
    own.backward();
    auto parameters = layer->named_parameters();
    EXPECT_TRUE(near(mine_x.grad(), plain_x.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(mine.spk.grad(), plain_first.spk.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(mine.mem.grad(), plain_first.mem.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(parameters["beta"].grad(), plain.beta.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(parameters["threshold"].grad(), plain.threshold.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(parameters["graded_spikes_factor"].grad(), plain.graded.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(parameters["recurrent.weight"].grad(), plain.weight.grad(), 1e-12)) << fused;
    EXPECT_TRUE(near(parameters["recurrent.bias"].grad(), plain.bias.grad(), 1e-12)) << fused;
    if (c.synaptic) {
      EXPECT_TRUE(near(mine.syn.grad(), plain_first.syn.grad(), 1e-12)) << fused;
      EXPECT_TRUE(near(parameters["alpha"].grad(), plain.alpha.grad(), 1e-12)) << fused;
    }
  }
}

// From zero states and with spikes alone: other branches of the same loops.
TEST_P(Layer, GradientsFromZeroStateAndSpikesAlone) {
  const auto& c = GetParam();
  auto r = random_case(c);
  r.surrogate = rheo::surrogate::fast_sigmoid(4);
  const auto x = input(c);
  auto plain = r;
  for (auto* t : {&plain.beta, &plain.weight, &plain.bias}) *t = t->detach().clone().requires_grad_();
  const auto plain_x = x.clone().requires_grad_();
  plain_recurrent(plain_x, {}, plain).spk.sum().backward();
  auto layer = layer_of(c, r);
  const auto mine_x = x.clone().requires_grad_();
  layer->forward(mine_x).spk.sum().backward();
  auto parameters = layer->named_parameters();
  EXPECT_TRUE(near(mine_x.grad(), plain_x.grad(), 1e-12));
  EXPECT_TRUE(near(parameters["beta"].grad(), plain.beta.grad(), 1e-12));
  EXPECT_TRUE(near(parameters["recurrent.weight"].grad(), plain.weight.grad(), 1e-12));
  EXPECT_TRUE(near(parameters["recurrent.bias"].grad(), plain.bias.grad(), 1e-12));
}

TEST_P(Layer, SinglePrecisionFollows) {
  const auto& c = GetParam();
  const auto r = random_case(c);
  auto layer = layer_of(c, r);
  const auto x = input(c, 6).to(torch::kFloat);
  const auto expected = layer->record(x.to(torch::kDouble));
  layer->to(torch::kFloat);
  const auto mine = layer->record(x);
  EXPECT_EQ(mine.spk.scalar_type(), torch::kFloat);
  EXPECT_TRUE(near(mine.spk.to(torch::kDouble), expected.spk, 1e-6));
  EXPECT_TRUE(near(mine.mem.to(torch::kDouble), expected.mem, 1e-5));
}

// ---- what all layers promise -----------------------------------------------------------------------------------

TEST_P(Layer, ChunkedIsWhole) {
  const auto& c = GetParam();
  auto layer = layer_of(c, random_case(c));
  const auto x = input(c, 11);
  const torch::NoGradGuard no_grad;
  const auto whole = layer->record(x);
  for (const std::int64_t cut : {1, 4, 10}) {
    const auto a = layer->record(x.slice(0, 0, cut));
    const auto b = layer->record(x.slice(0, cut), a.state);
    EXPECT_TRUE(torch::equal(torch::cat({a.spk, b.spk}), whole.spk)) << cut;
    EXPECT_TRUE(torch::equal(torch::cat({a.mem, b.mem}), whole.mem)) << cut;
  }
  State state;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    auto [spk, next] = layer->step(x[t], state);
    EXPECT_TRUE(torch::equal(spk, whole.spk[t])) << t;
    state = next;
  }
}

TEST_P(Layer, OrderOfTheBatchAndThreadsDoNotMatter) {
  const auto& c = GetParam();
  auto layer = layer_of(c, random_case(c));
  const auto x = input(c, 40, 13);
  const auto run = [&](const torch::Tensor& in) {
    layer->zero_grad();
    const auto mine = in.clone().requires_grad_();
    const auto rec = layer->record(mine);
    rec.spk.sum().backward();
    return std::vector<torch::Tensor>{rec.spk.detach(), rec.mem.detach(), mine.grad(),
                                      layer->named_parameters()["recurrent.weight"].grad().clone()};
  };
  const auto order = torch::randperm(13);
  const auto straight = run(x), mixed = run(x.index_select(1, order));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = run(x);
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(near(mixed[i], straight[i].index_select(1, order), 1e-12)) << i;
    EXPECT_TRUE(near(alone[i], straight[i], 1e-12)) << i;
  }
  EXPECT_TRUE(near(mixed[3], straight[3], 1e-12));
  EXPECT_TRUE(near(alone[3], straight[3], 1e-12));
}

TEST_P(Layer, NoStepsAndNoBatch) {
  const auto& c = GetParam();
  auto layer = layer_of(c, random_case(c));
  const auto one = input(c, 1, 3)[0];
  const Before first{torch::ones_like(one), torch::rand_like(one), torch::rand_like(one).requires_grad_()};
  const auto none = layer->record(input(c, 0), state_of(c, first));
  EXPECT_EQ(none.spk.sizes(), input(c, 0).sizes());
  EXPECT_TRUE(torch::equal(none.state.mem(), first.mem));
  EXPECT_TRUE(torch::equal(none.state["spk"], first.spk));
  none.state.mem().sum().backward();
  EXPECT_TRUE(torch::equal(first.mem.grad(), torch::ones_like(one)));

  const auto x = input(c, 4, 0).requires_grad_();
  layer->zero_grad();
  const auto empty = layer->record(x);
  EXPECT_EQ(empty.mem.sizes(), x.sizes());
  empty.spk.sum().backward();
  EXPECT_EQ(x.grad().sizes(), x.sizes());
  EXPECT_EQ(layer->named_parameters()["recurrent.weight"].grad().abs().sum().item<double>(), 0);
}

TEST_P(Layer, AConstantInputIsOneRow) {
  const auto& c = GetParam();
  auto layer = layer_of(c, random_case(c));
  const auto row = input(c, 1)[0].requires_grad_();
  const auto once = layer->forward(rheo::spikegen::constant(row, 8));
  once.spk.sum().backward();
  const auto repeated = row.detach().clone().requires_grad_();
  const auto all = layer->forward(rheo::spikegen::constant(repeated, 8).expand());
  all.spk.sum().backward();
  EXPECT_TRUE(torch::equal(once.spk, all.spk));
  EXPECT_TRUE(near(row.grad(), repeated.grad(), 1e-13));
}

// ---- one size or another ---------------------------------------------------------------------------------------

TEST(RecurrentSizes, OddOnesWithAndWithoutBatch) {
  torch::manual_seed(2);
  for (const std::int64_t n : {1, 2, 15, 16, 17, 31, 67}) {
    RLeaky layer({.beta = 0.8, .linear_features = n, .threshold = 0.4});
    layer->to(torch::kDouble);
    auto& recurrent = dynamic_cast<RecurrentImpl&>(*layer);
    Recurrent r;
    r.beta = d(0.8);
    r.threshold = d(0.4);
    r.weight = recurrent.feedback().weight.detach();
    r.bias = recurrent.feedback().bias.detach();
    const auto x = torch::rand({8, n}, torch::kDouble);
    const auto rec = layer->record(x);
    EXPECT_TRUE(near(rec.mem, loops_recurrent(x, r).mem, 1e-6)) << n;  // 0.8 and 0.4 are floats at first
    const auto batch = layer->record(x.view({8, 1, 1, n}));
    EXPECT_TRUE(torch::equal(batch.mem.view({8, n}), rec.mem)) << n;
  }
}

TEST(RecurrentSizes, ValuesForEveryNeuronOfTheBatch) {
  torch::manual_seed(3);
  const auto beta = torch::rand({4, 5}, torch::kDouble);
  RLeaky layer({.beta = beta, .linear_features = 5});
  layer->to(torch::kDouble);
  Recurrent r;
  r.beta = beta;
  const auto sent = dynamic_cast<RecurrentImpl&>(*layer).feedback();
  r.weight = sent.weight.detach();
  r.bias = sent.bias.detach();
  const auto x = torch::rand({10, 4, 5}, torch::kDouble);
  EXPECT_TRUE(near(layer->record(x).mem, plain_recurrent(x, {}, r).mem, 1e-12));
}

TEST(RecurrentWeights, WhatIsNotFiniteReachesEveryRow) {
  RLeaky layer({.beta = 0.8, .linear_features = 20});
  {
    const torch::NoGradGuard no_grad;
    dynamic_cast<RecurrentImpl&>(*layer).feedback().weight[3][7] = std::numeric_limits<float>::quiet_NaN();
  }
  const auto mem = layer->record(torch::zeros({2, 4, 20})).mem;
  EXPECT_TRUE(mem.select(2, 3).isnan().all().item<bool>());
  EXPECT_FALSE(mem.select(2, 4).isnan().any().item<bool>());
}

}  // namespace

int main(int argc, char** argv) {
  // An instruction set this machine does not have is a reason to skip, not to fail.
  if (const char* forced = std::getenv("RHEOBASE_ISA")) {
    for (int i = 0; i < rheo::kernels::isa_count; ++i) {
      const auto isa = static_cast<rheo::kernels::Isa>(i);
      if (rheo::kernels::to_string(isa) == forced && !rheo::kernels::is_available(isa)) {
        std::cout << "skipped: " << forced << ": not on this machine, or not in this build\n";
        return 77;
      }
    }
  }
  ::testing::InitGoogleTest(&argc, argv);
  torch::set_num_threads(2);
  return RUN_ALL_TESTS();
}
