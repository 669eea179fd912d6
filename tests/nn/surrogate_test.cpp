// Surrogates inside layers: every one in every fused neuron against its formula, learned slopes, stochastic ones.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cfloat>
#include <cmath>

#include <sstream>

#include "rheo/nn/neurons.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/state_leaky.hpp"
#include "tests/error_of.hpp"
#include "tests/nn/refuses.hpp"
#include "tests/surrogate_formulas.hpp"

namespace {

using rheo::NeuronOptions;
using rheo::Surrogate;
using rheo::nn::Leaky;
using rheo::nn::Neuron;
using rheo::test::error_of;
using rheo::test::refuses;
using torch::Tensor;
namespace surrogate = rheo::surrogate;

/// Of any kind; Lapicque has no default.
Neuron make(const rheo::NeuronDescription& neuron, NeuronOptions options) {
  if (neuron.name == "Lapicque") options.params.emplace_back("beta", 0.8);
  return rheo::nn::make_neuron(neuron.name, std::move(options));
}

/// What the neuron's last spikes are fired by, minus the threshold, from what was recorded [T, ...] for x.
Tensor distance(const Neuron& layer, const rheo::nn::Recording& rec, const Tensor& x, double threshold) {
  const auto& mem = rec.mem;
  const auto kind = layer->kind();
  const auto constant = [&](const char* name) {
    for (const auto& [key, value] : layer->constants()) {
      if (key == name) return value.item<double>();
    }
    throw rheo::ValueError(name);
  };
  if (kind == "DeltaLeaky") return (mem[-1] - mem[-2]).abs() - 1;  // its delta_threshold
  if (kind == "AdaptiveLIF") return mem[-1] - constant("beta") * rec["adapt"][-1] - threshold;
  if (kind == "SEAdLIF") {  // what is recorded was reset by the spike
    const double alpha = constant("alpha");
    return alpha * mem[-2] + (1 - alpha) * (x[-1] - rec["adapt"][-2]) - threshold;
  }
  return mem[-1] - threshold;
}

/// Gradients of x for g on the last spikes, and for g times `factor` on what fires them.
void expect_formula(const rheo::NeuronDescription& neuron, const Surrogate& s,
                    const rheo::test::Factor& factor, torch::Dtype dtype) {
  SCOPED_TRACE(neuron.name + " " + s.to_string() + (dtype == torch::kDouble ? " double" : " float"));
  NeuronOptions options;
  options.spike_grad = s;
  if (!refuses(neuron, "threshold")) options.threshold = 0.25;
  if (!refuses(neuron, "reset_mechanism")) options.reset_mechanism = rheo::Reset::none;
  const double threshold = 0.25;
  Neuron layer = make(neuron, options);
  ASSERT_EQ(layer->why_not_fused(), "");

  // u passes through a grid from far below to far above, in the neuron's scale. Before it neurons fire now and then, but not the
  // one that would be deaf then.
  constexpr std::int64_t n = 397;
  torch::manual_seed(11);
  const auto f64 = torch::TensorOptions().dtype(torch::kDouble);
  auto x = torch::rand({3, n}, f64) * (neuron.name == "RefractoryLIF" ? 0.1 : 0.4);
  // An alpha function begins at zero: its membrane sees the step before.
  const int step = neuron.name == "Alpha" ? 1 : 2;
  const auto reached = [&](double input) {
    const torch::NoGradGuard no_grad;
    auto with = x.clone();
    with[step] = input;
    return distance(layer, layer->record(with), with, threshold).mean().item<double>();
  };
  const double without = reached(0), gain = neuron.name == "DeltaLeaky" ? 1 : reached(1e-3) - without;
  const auto grid = torch::linspace(-9, 9, n, f64) * neuron.surrogate_scale;
  if (neuron.surrogate_scale == 1 && gain > 0.9e-3) {
    x[step] += grid;
  } else {
    x[step] += (grid - without) / (gain / 1e-3);
  }
  x = x.to(dtype).requires_grad_();
  const auto g = torch::rand({n}, f64).to(dtype) + 0.5;
  const auto rec = layer->record(x);
  const auto u = distance(layer, rec, x, threshold);
  ASSERT_LT(u.min().item<double>(), -0.2);
  ASSERT_GT(u.max().item<double>(), 0.9);

  rec.spk[-1].backward(g, true);
  const auto by_spike = x.grad().to(torch::kDouble);
  x.mutable_grad().reset();
  const auto f = factor(u.detach().to(torch::kDouble) / neuron.surrogate_scale) / neuron.surrogate_scale;
  u.backward(g * f.to(dtype));
  const auto by_formula = x.grad().to(torch::kDouble);
  const bool single = dtype == torch::kFloat;
  const double rtol = single ? 2e-4 : 1e-11;
  const double scale = by_formula.abs().max().item<double>();
  // Where membranes are several times the surrogate's scale, so are the numbers that u is the difference of: what rounding
  // does to it does not grow smaller with a factor that falls to zero.
  const double rounding =
      neuron.surrogate_scale == 1 ? 1e-6 * rtol : 4 * (single ? FLT_EPSILON : DBL_EPSILON);
  // Where the factor jumps, an ulp decides the side; no such u is on this grid.
  EXPECT_TRUE(by_spike.allclose(by_formula, rtol, rounding * scale)) << (by_spike - by_formula).abs().max();
  const auto last = by_spike[step];
  const auto rectified = neuron.name == "LeakyParallel" ? rec.mem[-1].eq(0) : torch::zeros({n}, torch::kBool);
  // Between the two, products underflow here and not there.
  const auto is_zero = f.eq(0) | rectified;
  const auto is_not = by_formula[step].abs().gt(1e3 * (single ? FLT_MIN : DBL_MIN)) & ~rectified;
  EXPECT_TRUE(last.masked_select(is_zero).eq(0).all().item<bool>()) << "not zero where the formula is";
  EXPECT_TRUE(last.masked_select(is_not).ne(0).all().item<bool>()) << "zero where the formula is not";
}

TEST(EverySurrogate, InEveryFusedNeuronFollowsItsFormula) {
  for (const auto& neuron : rheo::list_neurons()) {
    for (const auto& [s, factor] : rheo::test::surrogate_formulas()) {
      if (refuses(neuron, "spike_grad")) continue;
      expect_formula(neuron, s, factor, torch::kFloat);
      expect_formula(neuron, s, factor, torch::kDouble);
    }
  }
}

// ---- learned slopes -----------------------------------------------------------------------------------------

std::vector<Surrogate> with_slope() {
  std::vector<Surrogate> out;
  for (const auto& name : Surrogate::names_with_slope()) out.push_back(Surrogate::by_name(name));
  return out;
}

/// Gradients of x and of every parameter for a random loss on spikes and membranes, and what the layer returned.
std::vector<Tensor> gradients(rheo::nn::SpikingImpl& layer, const Tensor& input) {
  const auto x = input.detach().clone().requires_grad_();
  layer.zero_grad();
  const auto rec = layer.record(x);
  torch::manual_seed(5);
  auto loss = (rec.spk * torch::rand_like(rec.spk)).sum();
  if (rec.mem.requires_grad()) loss = loss + (rec.mem * torch::rand_like(rec.mem)).sum();
  loss.backward();
  std::vector<Tensor> out{rec.spk.detach(), x.grad()};
  for (const auto& p : layer.parameters()) out.push_back(p.grad());
  return out;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double rtol) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << i;
    if (!a[i].defined()) continue;
    const auto scale = b[i].abs().max().item<double>();
    EXPECT_TRUE(a[i].allclose(b[i], rtol, rtol * scale)) << i << '\n' << a[i] << '\n' << b[i];
  }
}

Tensor sequence(std::vector<std::int64_t> shape, torch::Dtype dtype) {
  torch::manual_seed(3);
  return torch::rand(shape, torch::kDouble).to(dtype) * 0.9;
}

TEST(LearnedSlope, FusedIsAsTheReference) {
  for (const auto& neuron : rheo::list_neurons()) {
    if (refuses(neuron, "spike_grad")) continue;
    for (const auto& s : with_slope()) {
      for (const auto dtype : {torch::kDouble, torch::kFloat}) {
        for (const bool delay : {true, false}) {
          if (!delay && refuses(neuron, "reset_delay")) continue;
          SCOPED_TRACE(neuron.name + " " + s.to_string() + (delay ? "" : " no delay"));
          NeuronOptions options;
          options.spike_grad = s;
          options.learn_slope = true;
          options.reset_delay = delay;
          if (!refuses(neuron, "threshold")) options.learn_threshold = true;
          auto fused = make(neuron, options);
          ASSERT_EQ(fused->why_not_fused(), "");
          options.fused = false;
          auto plain = make(neuron, options);
          fused->to(dtype);
          plain->to(dtype);
          const auto x = sequence({9, 3, 7}, dtype);
          const auto a = gradients(*fused, x), b = gradients(*plain, x);
          expect_same(a, b, dtype == torch::kDouble ? 1e-10 : 2e-3);
          // Of a neuron in millivolts only heavy tails reach this far from the threshold.
          if (neuron.surrogate_scale != 1 && !s.to_string().starts_with("atan")) continue;
          EXPECT_GT(fused->named_parameters()["surrogate_slope"].grad().abs().item<double>(), 0);
        }
      }
    }
  }
}

// One step: u = x - threshold, so the slope's gradient is the sum of g u / (1 + (pi/2 alpha u)^2) / 2.
TEST(LearnedSlope, GradientIsThatOfThePrimitive) {
  const auto x = torch::linspace(-1, 3, 41, torch::kDouble).unsqueeze(0);
  Leaky lif({.spike_grad = surrogate::atan(1.5), .learn_slope = true});
  lif->to(torch::kDouble);
  lif->forward(x).spk.sum().backward();
  const auto u = x - 1;
  const auto expected = (u / 2 / (1 + (M_PI / 2 * 1.5 * u).square())).sum().item<double>();
  const auto slope = lif->named_parameters()["surrogate_slope"];
  EXPECT_NEAR(slope.grad().item<double>(), expected, 1e-12);
  // The present value counts, not the one the layer was made with.
  {
    const torch::NoGradGuard no_grad;
    slope.fill_(3);
  }
  const auto leaf = x.clone().requires_grad_();
  lif->forward(leaf).spk.sum().backward();
  EXPECT_TRUE(leaf.grad().allclose(1.5 / (1 + (M_PI / 2 * 3 * u).square()), 1e-12, 0));
}

TEST(LearnedSlope, LayersThatMakeSpikesFromMembranes) {
  const auto check = [](auto fused, auto plain, const Tensor& x) {
    const auto source = fused->named_parameters();
    const torch::NoGradGuard no_grad;
    for (auto& p : plain->named_parameters()) p.value().copy_(source[p.key()]);
    const at::AutoGradMode grad(true);
    fused->to(torch::kDouble);
    plain->to(torch::kDouble);
    const auto a = gradients(*fused, x), b = gradients(*plain, x);
    expect_same(a, b, 1e-10);
    EXPECT_GT(fused->named_parameters()["surrogate_slope"].grad().abs().template item<double>(), 0);
  };
  const auto x = sequence({6, 4, 5}, torch::kDouble);
  const auto s = surrogate::sigmoid(4);
  check(rheo::nn::SLSTM(
            {.input_size = 5, .hidden_size = 3, .threshold = 0.1, .spike_grad = s, .learn_slope = true}),
        rheo::nn::SLSTM({.input_size = 5,
                         .hidden_size = 3,
                         .threshold = 0.1,
                         .spike_grad = s,
                         .learn_slope = true,
                         .fused = false}),
        x);
  check(rheo::nn::RLeaky({.linear_features = 5, .spike_grad = s, .learn_slope = true}),
        rheo::nn::RLeaky({.linear_features = 5, .spike_grad = s, .learn_slope = true, .fused = false}), x);
  check(rheo::nn::StateLeaky({.beta = 0.5, .channels = 5, .spike_grad = s, .learn_slope = true}),
        rheo::nn::StateLeaky(
            {.beta = 0.5, .channels = 5, .spike_grad = s, .learn_slope = true, .fused = false}),
        x);
}

TEST(LearnedSlope, IsAParameterLikeAnyOther) {
  Leaky lif({.spike_grad = surrogate::fast_sigmoid(10), .learn_slope = true});
  EXPECT_EQ(lif->named_parameters()["surrogate_slope"].item<float>(), 10);
  std::ostringstream text;
  text << lif;
  EXPECT_NE(text.str().find("surrogate_slope=10 (learned)"), std::string::npos) << text.str();
  torch::optim::SGD sgd(lif->parameters(), 1e3);
  lif->forward(torch::rand({20, 4, 30})).spk.sum().backward();
  sgd.step();
  const auto learned = lif->named_parameters()["surrogate_slope"].item<float>();
  EXPECT_NE(learned, 10);
  const auto copy = lif->clone();
  EXPECT_EQ(copy->named_parameters()["surrogate_slope"].item<float>(), learned);
  EXPECT_EQ(Leaky()->named_parameters().find("surrogate_slope"), nullptr);
}

TEST(LearnedSlope, IsRefusedWhereThereIsNone) {
  const std::string have =
      "[Leaky] learn_slope needs a surrogate with a slope that can be learned, one of atan, fast_sigmoid, "
      "sigmoid, "
      "spike_rate_escape, LSO, super_spike, gaussian, multi_gaussian, piecewise_linear, log_tailed_relu, "
      "got ";
  const auto error = [](const Surrogate& s) {
    return error_of<rheo::TypeError>([&] { Leaky({.spike_grad = s, .learn_slope = true}); });
  };
  EXPECT_EQ(error(surrogate::heaviside()), have + "heaviside()");
  EXPECT_EQ(error(surrogate::straight_through_estimator()), have + "straight_through_estimator()");
  EXPECT_EQ(error(surrogate::triangular()), have + "triangular(threshold=1)");
  EXPECT_EQ(error(surrogate::SFS()), have + "SFS(slope=25, B=1)");
  EXPECT_EQ(error(surrogate::custom([](auto, auto g, auto) { return g; })), have + "custom");
  EXPECT_EQ(error_of<rheo::TypeError>([] { Leaky({.surrogate_disable = true, .learn_slope = true}); }),
            have + "none");
}

// ---- stochastic ---------------------------------------------------------------------------------------------

Tensor spike_gradient(const Surrogate& s, const Tensor& x, bool fused = true) {
  Leaky lif({.threshold = 0.5, .spike_grad = s, .fused = fused});
  const auto leaf = x.detach().clone().requires_grad_();
  lif->forward(leaf).spk.backward(torch::ones_like(leaf));
  return leaf.grad();
}

TEST(StochasticSpikeOperator, IsOneWithASpikeAndNoiseWithout) {
  // One step, so that the gradient is the factor.
  const auto x = torch::rand({1, 100, 501});
  const auto g = spike_gradient(surrogate::SSO(0.1, 0.4, 9), x);
  const auto spk = x.gt(0.5);
  EXPECT_TRUE(g.masked_select(spk).eq(1).all().item<bool>());
  const auto noise = g.masked_select(~spk).to(torch::kDouble);
  EXPECT_GE(noise.min().item<double>(), (0.1 - 0.5) * 0.4);
  EXPECT_LT(noise.max().item<double>(), (0.1 + 0.5) * 0.4);
  const double n = static_cast<double>(noise.numel());
  EXPECT_NEAR(noise.mean().item<double>(), 0.04, 5 * 0.4 / std::sqrt(12 * n));
  EXPECT_NEAR(noise.var().item<double>(), 0.16 / 12, 0.16 / 12 * 0.05);
}

TEST(StochasticSpikeOperator, SameNumbersFusedOrNotAndForAnyThreads) {
  const auto x = sequence({12, 5, 77}, torch::kFloat);
  const auto s = surrogate::SSO(0.05, 0.3, 123);
  const auto whole = spike_gradient(s, x);
  EXPECT_TRUE(whole.allclose(spike_gradient(s, x, false), 1e-5, 1e-6));
  const auto threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(whole.equal(spike_gradient(s, x)));
  at::set_num_threads(threads);
  EXPECT_FALSE(whole.equal(spike_gradient(surrogate::SSO(0.05, 0.3, 124), x)));
}

TEST(StochasticSpikeOperator, WithoutASeedLibtorchsGeneratorGovernsIt) {
  const auto x = sequence({4, 3, 20}, torch::kFloat);
  const auto s = surrogate::SSO();
  torch::manual_seed(1);
  const auto a = spike_gradient(s, x), b = spike_gradient(s, x);
  EXPECT_FALSE(a.equal(b));
  torch::manual_seed(1);
  EXPECT_TRUE(a.equal(spike_gradient(s, x)));
  // Without gradients nothing is drawn.
  torch::manual_seed(1);
  {
    const torch::NoGradGuard no_grad;
    Leaky({.spike_grad = s})->forward(x);
  }
  EXPECT_TRUE(a.equal(spike_gradient(s, x)));
}

TEST(StochasticSpikeOperator, EveryLayerTakesIt) {
  const auto x = sequence({5, 2, 6}, torch::kFloat);
  const auto s = surrogate::SSO(0, 0.2, 4);
  rheo::nn::RLeaky recurrent({.linear_features = 6, .spike_grad = s});
  EXPECT_EQ(recurrent->why_not_fused(), "the surrogate is random");
  for (const auto& g : gradients(*recurrent, x)) EXPECT_TRUE(!g.defined() || g.isfinite().all().item<bool>());
  rheo::nn::SLSTM lstm({.input_size = 6, .hidden_size = 4, .spike_grad = s});
  for (const auto& g : gradients(*lstm, x)) EXPECT_TRUE(!g.defined() || g.isfinite().all().item<bool>());
}

}  // namespace
