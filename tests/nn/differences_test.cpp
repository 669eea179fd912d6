// Where Rheobase differs from snnTorch 1.0.0 on purpose: one test per row of that table which concerns these
// neurons. Each says what snnTorch does.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "rheo/nn/neurons.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::nn::Alpha;
using rheo::nn::DeltaLeaky;
using rheo::nn::Lapicque;
using rheo::nn::Leaky;
using rheo::nn::Synaptic;
using rheo::test::error_of;

torch::Tensor input(std::vector<std::int64_t> shape) {
  torch::manual_seed(5);
  return torch::rand(shape);
}

State mem(double value) { return {{"mem", torch::full({1}, value)}}; }

/// Spike and membrane after one step of x from mem = u.
std::pair<float, float> one_step(Leaky& lif, double u, double x) {
  const auto out = lif->step(torch::full({1}, x), mem(u));
  return {out.spk.item<float>(), out.state.mem().item<float>()};
}

// ---- neurons ----------------------------------------------------------------------------------------------

// There: accepted, then AttributeError in the first call.
TEST(Differences, LapicqueBetaRCTogetherWorks) {
  const double R = 2, C = 3;
  Lapicque all({.beta = std::exp(-1 / (R * C)), .R = R, .C = C, .threshold = 0.3});
  Lapicque rc({.R = R, .C = C, .threshold = 0.3});
  const auto x = input({12, 2, 3});
  EXPECT_TRUE(all->record(x).mem.equal(rc->record(x).mem));
  EXPECT_GT(all->forward(x).spk.sum().item<float>(), 0);
}

// There: RuntimeError, the truth value of a tensor.
TEST(Differences, LapicqueVectorRAndC) {
  const auto R = torch::tensor({1.0F, 2.0F, 3.0F}), C = torch::tensor({3.0F, 2.0F, 4.0F});
  const auto x = input({12, 2, 3});
  const auto together = Lapicque({.R = R, .C = C, .threshold = 0.3})->record(x);
  for (std::int64_t n = 0; n < 3; ++n) {
    Lapicque alone({.R = R[n], .C = C[n], .threshold = 0.3});
    const auto rec = alone->record(x.select(2, n));
    EXPECT_TRUE(rec.spk.equal(together.spk.select(2, n)));
    EXPECT_TRUE(rec.mem.equal(together.mem.select(2, n)));
  }
  const auto beta = Lapicque({.beta = torch::tensor({0.7F, 0.8F, 0.9F})})->record(x);
  EXPECT_TRUE(beta.mem.select(2, 1).allclose(Lapicque({.beta = 0.8})->record(x.select(2, 1)).mem));
}

// There: C keeps its first value and its graph, so the second backward fails; with R or C, KeyError.
TEST(Differences, LapicqueLearnBetaFollowsAtEveryCall) {
  struct Given {
    rheo::Value R, C;
  };
  for (const auto& given : {Given{}, Given{2.0, {}}, Given{{}, 5.0}, Given{2.0, -1 / (2 * std::log(0.8))}}) {
    Lapicque rc({.beta = 0.8, .R = given.R, .C = given.C, .learn_beta = true, .threshold = 0.3});
    const auto x = input({8, 2, 3});
    std::vector<float> grads;
    for (const double beta : {0.8, 0.6}) {
      {
        const torch::NoGradGuard no_grad;
        rc->parameter("beta").fill_(beta);
      }
      auto beta_now = rc->parameter("beta");
      beta_now.mutable_grad() = torch::Tensor();
      const auto rec = rc->record(x);
      rec.mem.sum().backward();
      grads.push_back(beta_now.grad().item<float>());
      // The decay is that of the present beta, whichever of R and C follows.
      EXPECT_NEAR(rc->constants()[0].second.item<double>(), 1 + std::log(beta), 1e-6);
    }
    EXPECT_NE(grads[0], grads[1]);
    EXPECT_EQ(rc->named_parameters().size(), 1U);
  }
  // The state that follows is right when it is saved: C, or R where only C was given.
  Lapicque from_C({.beta = 0.8, .C = 5, .learn_beta = true});
  Lapicque from_R({.beta = 0.8, .R = 5, .learn_beta = true});
  for (auto* rc : {&from_C, &from_R}) {
    {
      const torch::NoGradGuard no_grad;
      (*rc)->parameter("beta").fill_(0.5);
    }
    std::ostringstream out;
    torch::save(*rc, out);
    EXPECT_FLOAT_EQ((*rc)->parameter(rc == &from_C ? "C" : "R").item<float>(), 5);
    const auto tau = (*rc)->parameter("R") * (*rc)->parameter("C");
    EXPECT_NEAR(tau.item<double>(), -1 / std::log(0.5), 1e-5);
  }
}

// There: spike flag and reset flag are subtracted, D = -1, and U = 2 X comes out.
TEST(Differences, LeakyNoDelayZeroResetsTheStepThatFires) {
  for (const bool fused : {true, false}) {
    Leaky lif({.beta = 0.9, .reset_mechanism = Reset::zero, .reset_delay = false, .fused = fused});
    EXPECT_EQ(one_step(lif, 2, 0.3), std::pair(1.0F, 0.0F));
    const auto [spk, u] = one_step(lif, 1.05, 0.01);  // stored above threshold, no new spike: no reset at all
    EXPECT_EQ(spk, 0);
    EXPECT_NEAR(u, 0.955, 1e-6);
  }
}

// There: the threshold is given back, so U stays above it without a spike.
TEST(Differences, LeakyNoDelaySubtractGivesNothingBack) {
  for (const bool fused : {true, false}) {
    Leaky lif({.beta = 0.9, .reset_delay = false, .fused = fused});
    const auto rec =
        lif->record(torch::tensor({0.6F, 0.6F, 0.6F, 0.0F, 1.5F, 0.2F, -0.3F, 0.9F}).unsqueeze(1));
    const auto spk = torch::tensor({0.F, 1.F, 0.F, 0.F, 1.F, 1.F, 0.F, 0.F});
    const auto u = torch::tensor({0.6F, 0.14F, 0.726F, 0.6534F, 1.08806F, 0.179254F, -0.138671F, 0.775196F});
    EXPECT_TRUE(rec.spk.squeeze(1).equal(spk));
    EXPECT_TRUE(rec.mem.squeeze(1).allclose(u, 0, 1e-6));
    const auto [fired, left] = one_step(lif, 2, 0.3);
    EXPECT_EQ(fired, 1);
    EXPECT_NEAR(left, 1.1, 1e-6);
  }
}

// The same there.
TEST(Differences, SynapticNoDelaySubtractGivesNothingBack) {
  for (const bool fused : {true, false}) {
    Synaptic neuron({.alpha = 0.5, .beta = 0.9, .reset_delay = false, .fused = fused});
    // Stored above threshold without a new spike: no reset at all.
    const State above{{"syn", torch::zeros({1})}, {"mem", torch::full({1}, 1.05)}};
    const auto still = neuron->step(torch::full({1}, 0.01), above);
    EXPECT_EQ(still.spk.item<float>(), 0);
    EXPECT_NEAR(still.state.mem().item<float>(), 0.955, 1e-6);
    // And one that fires resets itself, once.
    const auto fired = neuron->step(torch::full({1}, 0.3), State{{"mem", torch::full({1}, 2.0)}});
    EXPECT_EQ(fired.spk.item<float>(), 1);
    EXPECT_NEAR(fired.state.mem().item<float>(), 1.1, 1e-6);
  }
}

// There: TypeError at construction.
TEST(Differences, AlphaLearnAlphaIsAParameterClampedOnUse) {
  Alpha neuron({.alpha = 1.25, .beta = 0.7, .learn_alpha = true});
  EXPECT_TRUE(neuron->named_parameters().contains("alpha"));
  EXPECT_EQ(neuron->parameter("alpha").item<float>(), 1.25F);
  const auto x = input({12, 2, 3});
  EXPECT_TRUE(neuron->record(x).mem.equal(Alpha({.alpha = 1, .beta = 0.7})->record(x).mem));
  Alpha inside({.alpha = 0.9, .beta = 0.7, .learn_alpha = true});
  inside->forward(x).spk.sum().backward();
  EXPECT_GT(inside->parameter("alpha").grad().abs().item<float>(), 0);
}

// There: accepted, and without effect; reset_hidden leaves mem_prev as it is. The graded factor has a meaning here.
TEST(Differences, DeltaLeakyRejectsWhatItWouldIgnore) {
  const auto refusal = [](const DeltaLeaky::Options& options) {
    return error_of<rheo::TypeError>([&] { DeltaLeaky neuron(options); });
  };
  const auto refused = [](const std::string& option) {
    return "[DeltaLeaky] " + option + " must not be given: it would have no effect";
  };
  EXPECT_EQ(refusal({.threshold = 0.5}), refused("threshold"));
  EXPECT_EQ(refusal({.inhibition = true}), refused("inhibition"));
  EXPECT_EQ(refusal({.learn_threshold = true}), refused("learn_threshold"));
  EXPECT_EQ(refusal({.reset_mechanism = Reset::zero}), refused("reset_mechanism"));
  EXPECT_EQ(refusal({.state_quant = rheo::quant::StateQuant({.num_bits = 4})}), refused("state_quant"));
  EXPECT_EQ(refusal({.reset_delay = false}), refused("reset_delay"));
  EXPECT_EQ(error_of<rheo::TypeError>([] { DeltaLeaky()->set_reset_mechanism(Reset::subtract); }),
            refused("reset_mechanism"));
  DeltaLeaky graded({.delta_threshold = 0.3, .init_hidden = true, .graded_spikes_factor = 2});
  const auto x = input({12, 2, 3});
  const auto first = graded->record(x);
  EXPECT_TRUE(first.spk.gt(0).any().item<bool>());
  EXPECT_TRUE((first.spk.eq(0) | first.spk.eq(2)).all().item<bool>());
  rheo::nn::reset(*graded);
  EXPECT_TRUE(graded->record(x)["mem_prev"].equal(first["mem_prev"]));
}

// The spike of a reset without delay is not detached: here as there.
TEST(Differences, NoDelayResetCarriesTheSurrogateGradient) {
  for (const bool fused : {true, false}) {
    Leaky lif({.beta = 0.9, .reset_mechanism = Reset::zero, .reset_delay = false, .fused = fused});
    auto x = torch::full({1, 1}, 1.2).requires_grad_();
    lif->record(x).mem.sum().backward();
    // U = base (1 - S): dU = (1 - S) - base S', S' = 1 / (1 + (pi 0.2)^2)
    EXPECT_NEAR(x.grad().item<double>(), -1.2 / (1 + std::pow(M_PI * 0.2, 2)), 1e-6);
  }
}

// The graded factor scales the spike that leaves, never the reset.
TEST(Differences, GradedFactorScalesTheSpikeNotTheReset) {
  for (const bool delay : {true, false}) {
    const auto x = input({12, 2, 3});
    Leaky one({.beta = 0.9, .reset_delay = delay});
    Leaky graded({.beta = 0.9, .graded_spikes_factor = 3, .reset_delay = delay});
    EXPECT_TRUE(graded->record(x).mem.equal(one->record(x).mem));
    EXPECT_TRUE(graded->record(x).spk.equal(3 * one->record(x).spk));
    EXPECT_GT(one->record(x).spk.sum().item<float>(), 0);
  }
}

// There: neither takes them. Here every neuron has both, and reset_delay.
TEST(Differences, LapicqueHasGradedSpikesAndResetDelay) {
  const auto x = input({12, 2, 3}) * 2;
  Lapicque plain({.R = 2, .C = 2});
  Lapicque graded({.R = 2, .C = 2, .graded_spikes_factor = 2.5});
  EXPECT_TRUE(graded->forward(x).spk.equal(2.5 * plain->forward(x).spk));
  Lapicque now({.R = 2, .C = 2, .reset_delay = false});
  const auto rec = now->record(x);
  EXPECT_GT(rec.spk.sum().item<float>(), 0);
  EXPECT_TRUE(rec.mem.masked_select(rec.spk.gt(0)).lt(0.7).all().item<bool>());  // already reset
}

// There: neither has an effect on the equations, only on the delay branch.
TEST(Differences, AssigningResetMechanismChangesTheDynamics) {
  const auto x = input({12, 2, 3});
  for (const auto reset : {Reset::zero, Reset::none, Reset::subtract}) {
    Leaky changed({.beta = 0.9, .reset_mechanism = Reset::zero});
    changed->forward(x);
    changed->set_reset_mechanism(reset);
    EXPECT_EQ(changed->reset_mechanism(), reset);
    EXPECT_TRUE(changed->record(x).mem.equal(Leaky({.beta = 0.9, .reset_mechanism = reset})->record(x).mem));
  }
}

TEST(Differences, LoadingResetMechanismChangesTheDynamics) {
  const auto x = input({12, 2, 3});
  Leaky none({.beta = 0.9, .reset_mechanism = Reset::none});
  Leaky loaded({.beta = 0.5, .reset_mechanism = Reset::zero});
  const auto before = loaded->record(x).mem;
  std::stringstream file;
  torch::save(none, file);
  torch::load(loaded, file);
  EXPECT_EQ(loaded->reset_mechanism(), Reset::none);
  EXPECT_TRUE(loaded->record(x).mem.equal(none->record(x).mem));
  EXPECT_FALSE(loaded->record(x).mem.equal(before));
}

// There: another shape is silently replaced by zeros.
TEST(Differences, AStateOfAnotherShapeIsAnError) {
  Leaky lif({.beta = 0.9});
  EXPECT_THROW(lif->step(torch::rand({2, 3}), mem(0.5)), rheo::ValueError);
}

// There: spikes are float32 whatever the input is.
TEST(Differences, SpikesHaveTheInputsType) {
  for (const auto dtype : {torch::kDouble, torch::kFloat, torch::kHalf}) {
    EXPECT_EQ(Leaky({.beta = 0.9})->forward(input({3, 2}).to(dtype)).spk.scalar_type(), dtype);
    EXPECT_EQ(Lapicque({.R = 1, .C = 2, .fused = false})->forward(input({3, 2}).to(dtype)).spk.scalar_type(),
              dtype);
  }
}

// There: a layer continues from its last state when none is passed. In C++ that is what init_hidden is for.
TEST(Differences, NoStateMeansFreshZeros) {
  Leaky lif({.beta = 0.9});
  const auto x = input({3, 2});
  const auto first = lif->forward(x).state.mem();
  EXPECT_TRUE(lif->forward(x).state.mem().equal(first));
}

// ---- surrogates -------------------------------------------------------------------------------------------

/// Gradient of the spikes of u, alone and inside a neuron whose membrane is u.
torch::Tensor gradient(const rheo::Surrogate& surrogate, const torch::Tensor& u, bool in_neuron) {
  const auto leaf = u.clone().requires_grad_();
  Leaky lif({.beta = 0, .threshold = 0, .spike_grad = surrogate, .reset_mechanism = Reset::none});
  (in_neuron ? lif->step(leaf).spk : surrogate(leaf)).sum().backward();
  return leaf.grad();
}

// There: always TypeError.
TEST(Differences, LsoIsOneWhereASpikeElseSlope) {
  const auto u = torch::tensor({-2.0F, -0.1F, 0.0F, 0.1F, 3.0F});
  for (const bool in_neuron : {false, true}) {
    EXPECT_TRUE(
        gradient(rheo::surrogate::LSO(), u, in_neuron).equal(torch::tensor({.1F, .1F, .1F, 1.F, 1.F})));
    EXPECT_TRUE(
        gradient(rheo::surrogate::LSO(0.3), u, in_neuron).equal(torch::tensor({.3F, .3F, .3F, 1.F, 1.F})));
  }
}

// There: NaN in float32 below about -88 / slope.
TEST(Differences, SigmoidIsFiniteAndSymmetric) {
  const auto u = torch::cat({torch::linspace(-100, 100, 401), torch::tensor({-1e30F, 1e30F, 3e38F})});
  for (const bool in_neuron : {false, true}) {
    const auto g = gradient(rheo::surrogate::sigmoid(), u, in_neuron);
    EXPECT_TRUE(g.isfinite().all().item<bool>());
    EXPECT_TRUE(g.equal(gradient(rheo::surrogate::sigmoid(), -u, in_neuron)));
    EXPECT_FLOAT_EQ(g[200].item<float>(), 6.25F);
    const auto s = torch::sigmoid(25 * u.to(torch::kDouble));
    const auto expected = 25 * s * torch::sigmoid(-25 * u.to(torch::kDouble));
    EXPECT_TRUE(g.to(torch::kDouble).allclose(expected, 1e-4, 1e-30));
  }
}

// ---- state handling ---------------------------------------------------------------------------------------

struct Block : torch::nn::Module {
  Block() { register_module("lif", lif); }
  Leaky lif{Leaky({.beta = 0.9, .init_hidden = true})};
};

struct Net : torch::nn::Module {
  Net() {
    register_module("block", block);
    register_module("list", list);
    list->push_back(last);
  }
  std::shared_ptr<Block> block = std::make_shared<Block>();
  Lapicque last{Lapicque({.R = 2, .C = 2, .init_hidden = true})};
  torch::nn::ModuleList list;

  void run(const torch::Tensor& x) { last->forward(block->lif->forward(x).spk); }
  bool fresh() { return block->lif->hidden().empty() && last->hidden().empty(); }
};

// There: direct children only, and nothing for a bare neuron.
TEST(Differences, ResetReachesEveryNeuronAtAnyDepth) {
  Net net;
  net.run(input({3, 2}));
  ASSERT_FALSE(net.block->lif->hidden().empty() || net.last->hidden().empty());
  rheo::nn::reset(net);
  EXPECT_TRUE(net.fresh());

  Leaky bare({.beta = 0.9, .init_hidden = true});
  bare->forward(input({3, 2}));
  rheo::nn::reset(*bare);
  EXPECT_TRUE(bare->hidden().empty());
}

TEST(Differences, DetachReachesEveryNeuronAtAnyDepth) {
  Net net;
  net.run(input({3, 2}).requires_grad_());
  ASSERT_TRUE(net.block->lif->hidden().mem().requires_grad() && net.last->hidden().mem().requires_grad());
  const auto before = net.last->hidden().mem().detach().clone();
  rheo::nn::detach(net);
  EXPECT_FALSE(net.block->lif->hidden().mem().requires_grad() || net.last->hidden().mem().requires_grad());
  EXPECT_TRUE(net.last->hidden().mem().equal(before));
}

// There: every instance of the class in the process; deep copies never.
TEST(Differences, ResetTouchesExactlyTheNetworkPassed) {
  Net net, other;
  net.run(input({3, 2}));
  other.run(input({3, 2}));
  const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(net.last->clone());
  rheo::nn::reset(net);
  EXPECT_TRUE(net.fresh());
  EXPECT_FALSE(other.fresh());
  EXPECT_FALSE(copy->hidden().empty());
  rheo::nn::reset(*copy);
  EXPECT_TRUE(copy->hidden().empty());
}

// There: raises while a neuron that was never called exists.
TEST(Differences, ResetAndDetachOfUnusedNeuronsWork) {
  Net net;
  rheo::nn::reset(net);
  rheo::nn::detach(net);
  EXPECT_TRUE(net.fresh());
}

}  // namespace
