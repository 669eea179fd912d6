// Synaptic, Alpha, DeltaLeaky and the one-to-one feedback of RLeaky and RSynaptic as modules: their own defaults,
// checks, refusals and limits. Their equations are tested in tests/neurons, every combination in tests/conformance.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "rheo/nn/neurons.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::nn::Alpha;
using rheo::nn::DeltaLeaky;
using rheo::nn::Synaptic;
using rheo::test::error_of;

torch::Tensor input(std::vector<std::int64_t> shape) {
  torch::manual_seed(3);
  return torch::rand(shape, torch::kDouble);
}

torch::Tensor doubles(std::vector<double> values) { return torch::tensor(values, torch::kDouble); }

template <class N>
std::string printed(const N& neuron) {
  std::ostringstream out;
  out << *neuron;
  return out.str();
}

TEST(Synaptic, CurrentAndMembraneAreItsState) {
  Synaptic neuron({.alpha = 0.5, .beta = 0.8});
  const auto x = torch::tensor({0.6, 0.6, 0.6, 0.0, 1.5, 0.2, -0.3, 0.9}).unsqueeze(1);
  const auto rec = neuron->record(x);
  EXPECT_TRUE(rec["syn"].squeeze(1).allclose(
      torch::tensor({0.6, 0.9, 1.05, 0.525, 1.7625, 1.08125, 0.240625, 1.020313}), 0, 1e-6));
  EXPECT_EQ(rec.state.names(), (std::vector<std::string>{"syn", "mem"}));
  EXPECT_EQ(neuron->reset_mechanism(), Reset::subtract);
  // Streaming: the state is all there is.
  auto state = neuron->forward(x.slice(0, 0, 3)).state;
  EXPECT_TRUE(neuron->forward(x.slice(0, 3), state).spk.equal(rec.spk.slice(0, 3)));
  // Only one of the two states given: the other is zero.
  const auto one = neuron->step(torch::zeros({1}), State{{"mem", torch::full({1}, 0.5)}});
  EXPECT_FLOAT_EQ(one.state["syn"].item<float>(), 0);
  EXPECT_FLOAT_EQ(one.state.mem().item<float>(), 0.4F);
}

// ---- Alpha ------------------------------------------------------------------------------------------------

TEST(Alpha, ResetsToZeroUnlessToldOtherwise) {
  EXPECT_EQ(Alpha()->reset_mechanism(), Reset::zero);
  EXPECT_EQ(Alpha({.reset_mechanism = Reset::subtract})->reset_mechanism(), Reset::subtract);
  EXPECT_EQ(rheo::nn::make_neuron("Alpha")->reset_mechanism(), Reset::zero);
  EXPECT_EQ(rheo::find_neuron("Alpha").reset, Reset::zero);
  const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(Alpha().ptr()->clone());
  EXPECT_EQ(copy->reset_mechanism(), Reset::zero);
}

TEST(Alpha, AlphaAtOrBelowBetaIsAnErrorWithBothValues) {
  const auto made = [](rheo::Value alpha, rheo::Value beta) {
    return error_of<rheo::ValueError>([&] { Alpha({.alpha = alpha, .beta = beta}); });
  };
  EXPECT_EQ(made(0.7, 0.9), "[Alpha] alpha must, clamped to [0, 1], be above beta (0.9), got 0.7");
  EXPECT_EQ(made(0.7, 0.7), "[Alpha] alpha must, clamped to [0, 1], be above beta (0.7), got 0.7");
  EXPECT_EQ(made(1.5, 1.0), "[Alpha] alpha must, clamped to [0, 1], be above beta (1), got 1.5");
  EXPECT_EQ(made(0.9, 0.8), "no error");
  // Neuron by neuron.
  EXPECT_EQ(made(torch::tensor({0.9F, 0.5F}), torch::tensor({0.8F, 0.6F})),
            "[Alpha] alpha must, clamped to [0, 1], be above beta (0.6), got 0.5");
  EXPECT_EQ(made(torch::tensor({0.9F, 0.75F}), torch::tensor({0.8F, 0.6F})), "no error");
  // At call time, when learning has moved it.
  Alpha neuron({.alpha = 0.9, .beta = 0.8, .learn_alpha = true});
  const auto x = torch::ones({3, 2});
  neuron->forward(x);
  {
    const torch::NoGradGuard no_grad;
    neuron->parameter("alpha").fill_(0.75);
  }
  EXPECT_EQ(error_of<rheo::ValueError>([&] { neuron->forward(x); }),
            "[Alpha] alpha must, clamped to [0, 1], be above beta (0.8), got 0.75");
}

/// Gradients of alpha and beta from a whole run, fused or not.
std::pair<double, double> decay_gradients(double alpha, double beta, bool fused) {
  Alpha neuron({.alpha = doubles({alpha}),
                .beta = doubles({beta}),
                .learn_alpha = true,
                .learn_beta = true,
                .threshold = 100,
                .fused = fused});
  neuron->record(input({20, 3})).mem.sum().backward();
  return {neuron->parameter("alpha").grad().item<double>(), neuron->parameter("beta").grad().item<double>()};
}

/// The same sum of membranes from a plain loop.
double sum_of_membranes(double alpha, double beta) {
  const double tau = beta > 0 ? std::log(alpha) / (std::log(beta) - std::log(alpha)) + 1 : 1;
  const auto x = input({20, 3});
  double sum = 0;
  for (std::int64_t n = 0; n < 3; ++n) {
    double exc = 0, inh = 0;
    for (std::int64_t t = 0; t < 20; ++t) {
      exc = alpha * exc + x[t][n].item<double>();
      inh = beta * inh - x[t][n].item<double>();
      sum += tau * (exc + inh);
    }
  }
  return sum;
}

TEST(Alpha, DecaysAreLearnedThroughTheTimeConstant) {
  const double h = 1e-6;
  for (const bool fused : {true, false}) {
    for (const auto& [a, b] : {std::pair{0.9, 0.8}, {0.7, 0.2}, {0.95, 0.01}}) {
      const auto [by_alpha, by_beta] = decay_gradients(a, b, fused);
      const double want_alpha = (sum_of_membranes(a + h, b) - sum_of_membranes(a - h, b)) / (2 * h);
      const double want_beta = (sum_of_membranes(a, b + h) - sum_of_membranes(a, b - h)) / (2 * h);
      EXPECT_NEAR(by_alpha, want_alpha, 1e-6 * std::fabs(want_alpha)) << a << ' ' << b;
      EXPECT_NEAR(by_beta, want_beta, 1e-5 * std::fabs(want_beta)) << a << ' ' << b;
    }
  }
}

TEST(Alpha, GradientsAreFiniteAtTheLimits) {
  const double h = 1e-6;
  for (const bool fused : {true, false}) {
    // alpha = 1: no leak of the excitatory current; the left derivative.
    const double at_one = decay_gradients(1, 0.7, fused).first;
    EXPECT_NEAR(at_one, (sum_of_membranes(1, 0.7) - sum_of_membranes(1 - h, 0.7)) / h,
                1e-4 * std::fabs(at_one));
    // Clamped there: constant beyond.
    EXPECT_EQ(decay_gradients(1.25, 0.7, fused).first, 0);
    // beta = 0: tau = 1 is held, the rest is differentiated: sum of E + F with F[t] = beta F[t-1] - X[t].
    const auto [by_alpha, by_beta] = decay_gradients(0.8, 0, fused);
    EXPECT_TRUE(std::isfinite(by_alpha));
    const double without_the_last = input({20, 3}).slice(0, 0, 19).sum().item<double>();
    EXPECT_NEAR(by_beta, -without_the_last, 1e-9);
    EXPECT_EQ(decay_gradients(0.8, -0.5, fused).second, 0);
  }
}

TEST(Alpha, RefusesAResetWithinTheStep) {
  EXPECT_EQ(error_of<rheo::TypeError>([] { Alpha({.reset_delay = false}); }),
            "[Alpha] reset_delay must not be given: it would have no effect");
}

// ---- DeltaLeaky -------------------------------------------------------------------------------------------

TEST(DeltaLeaky, BetaIsNotClamped) {
  DeltaLeaky neuron({.delta_threshold = 0.5, .beta = 1.5});
  const auto out = neuron->record(torch::tensor({1.0F, 0.0F, 0.0F}).unsqueeze(1));
  EXPECT_TRUE(out.mem.squeeze(1).equal(torch::tensor({1.0F, 1.5F, 2.25F})));
  EXPECT_TRUE(out["mem_prev"].squeeze(1).equal(torch::tensor({0.0F, 1.0F, 1.5F})));
  EXPECT_TRUE(out.spk.squeeze(1).equal(torch::tensor({1.0F, 0.0F, 1.0F})));
}

TEST(DeltaLeaky, DeltaThresholdIsLearned) {
  for (const bool fused : {true, false}) {
    DeltaLeaky neuron({.delta_threshold = doubles({0.4}), .learn_delta_threshold = true, .fused = fused});
    neuron->step(doubles({0.5})).spk.backward();
    // -(alpha/2) / (1 + (pi/2 alpha (|0.5 - 0| - 0.4))^2), alpha = 2
    EXPECT_NEAR(neuron->parameter("delta_threshold").grad().item<double>(),
                -1 / (1 + std::pow(M_PI * 0.1, 2)), 1e-12);
  }
}

TEST(DeltaLeaky, PrintsAndCopiesWhatItUses) {
  DeltaLeaky neuron({.delta_threshold = 0.3, .beta = 1.05, .graded_spikes_factor = 2});
  EXPECT_EQ(printed(neuron),
            "DeltaLeaky(delta_threshold=0.3, beta=1.05, graded_spikes_factor=2, surrogate=atan(alpha=2))");
  const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(neuron.ptr()->clone());
  const auto x = input({9, 4});
  EXPECT_TRUE(copy->forward(x).spk.equal(neuron->forward(x).spk));
  EXPECT_GT(neuron->forward(x).spk.sum().item<double>(), 0);
}

// ---- feedback -----------------------------------------------------------------------------------------------

// One step back by hand: the gradient of V sees the spike, and through the spike the step before.
TEST(RLeaky, FeedbackCarriesTheSurrogateGradient) {
  for (const bool fused : {true, false}) {
    rheo::NeuronOptions o;
    const auto value = [](double v) { return rheo::Value(doubles({v}).squeeze()); };
    o.params = {{"beta", value(0.5)}, {"V", value(-0.25)}};
    o.learn = {"V"};
    o.threshold = value(1);
    o.graded_spikes_factor = value(3);
    o.reset_mechanism = Reset::none;
    o.fused = fused;
    auto neuron = rheo::nn::make_neuron("RLeaky", o);
    auto x = doubles({1.5, 0.25}).unsqueeze(1).requires_grad_();
    const auto out = neuron->record(x);
    EXPECT_TRUE(out["spk"].equal(out.spk));
    EXPECT_EQ(out.spk[0].item<double>(), 3);
    EXPECT_DOUBLE_EQ(out.mem[1].item<double>(), 0.5 * 1.5 + 0.25 - 0.25 * 3);
    out.mem[1].sum().backward();
    EXPECT_DOUBLE_EQ(neuron->parameter("V").grad().item<double>(), 3);
    const double slope = 3 / (1 + std::pow(M_PI * 0.5, 2));
    EXPECT_NEAR(x.grad()[0].item<double>(), 0.5 - 0.25 * slope, 1e-12);
    EXPECT_EQ(x.grad()[1].item<double>(), 1);
  }
}

TEST(RSynaptic, OneWeightPerNeuron) {
  rheo::NeuronOptions o;
  o.params = {{"alpha", 0.5}, {"beta", 0.75}, {"V", torch::tensor({0.5F, -0.5F, 0.0F})}};
  const auto x = torch::full({12, 2, 3}, 0.6);
  const auto out = rheo::nn::make_neuron("RSynaptic", o)->record(x);
  for (std::int64_t n = 0; n < 3; ++n) {
    o.params[2].second = rheo::Value(std::vector<double>{0.5, -0.5, 0}[static_cast<std::size_t>(n)]);
    const auto alone = rheo::nn::make_neuron("RSynaptic", o)->record(x.select(2, n));
    EXPECT_TRUE(alone.spk.equal(out.spk.select(2, n)));
    EXPECT_TRUE(alone["syn"].equal(out["syn"].select(2, n)));
  }
  EXPECT_EQ(out.state.names(), (std::vector<std::string>{"spk", "syn", "mem"}));
}

}  // namespace
