// Recurrent layers as modules: options, names, copies, hidden state, the reference path; and where they differ from
// snnTorch's on purpose, one test per row of that table, named after it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>

#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sequential.hpp"
#include "tests/error_of.hpp"
#include "tests/nn/recurrent_oracle.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::TypeError;
using rheo::ValueError;
using rheo::nn::Neuron;
using rheo::nn::RecurrentImpl;
using rheo::nn::RLeaky;
using rheo::nn::RSynaptic;
using rheo::test::error_of;

std::vector<std::string> parameter_names(const torch::nn::Module& module) {
  return module.named_parameters().keys();
}

State one(std::vector<std::pair<std::string, double>> values) {
  std::vector<State::Entry> entries;
  for (const auto& [name, value] : values) entries.emplace_back(name, torch::full({1}, value));
  return State(std::move(entries));
}

// ---- options -----------------------------------------------------------------------------------------------

TEST(RecurrentOptions, FeedbackIsOneThing) {
  EXPECT_EQ(error_of<TypeError>([] { RLeaky({.beta = 0.9, .V = 0.5, .linear_features = 3}); }),
            "[RLeaky] V must not be given with linear_features: it is for feedback one to one");
  EXPECT_EQ(
      error_of<TypeError>([] { RSynaptic({.V = 0.5, .conv2d_channels = 3, .kernel_size = {3}}); }),
      "[RSynaptic] V must not be given with conv2d_channels or kernel_size: it is for feedback one to one");
  EXPECT_EQ(error_of<TypeError>([] { RLeaky({.linear_features = 3, .conv2d_channels = 2}); }),
            "[RLeaky] linear_features must not be given with conv2d_channels or kernel_size");
  EXPECT_EQ(error_of<TypeError>([] { RLeaky({.conv2d_channels = 2}); }),
            "[RLeaky] kernel_size must be given with conv2d_channels");
  EXPECT_EQ(error_of<TypeError>([] { RLeaky({.kernel_size = {3, 3}}); }),
            "[RLeaky] conv2d_channels must be given with kernel_size");
}

TEST(RecurrentOptions, Sizes) {
  EXPECT_EQ(error_of<ValueError>([] { RLeaky({.linear_features = -3}); }),
            "[RLeaky] linear_features must be positive, got -3");
  EXPECT_EQ(error_of<ValueError>([] { RLeaky({.conv2d_channels = 2, .kernel_size = {3, 4}}); }),
            "[RLeaky] kernel_size must be one or two odd numbers, got [3, 4]");
  EXPECT_EQ(error_of<ValueError>([] { RLeaky({.linear_features = 3})->forward(torch::rand({5, 2, 4})); }),
            "[RLeaky] x must have 3 features in its last dimension, got [5, 2, 4]");
  EXPECT_EQ(error_of<ValueError>([] {
              RSynaptic({.conv2d_channels = 3, .kernel_size = {3}})->forward(torch::rand({5, 2, 4, 4}));
            }),
            "[RSynaptic] x must be [T, B, C, H, W] with C = 3, got [5, 2, 4, 4]");
}

TEST(RecurrentOptions, NamesOfParametersAndStates) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(parameter_names(*RLeaky({.beta = 0.9})), (Names{"V"}));
  EXPECT_EQ(parameter_names(*RLeaky({.learn_beta = true, .learn_recurrent = false})), (Names{"beta"}));
  RSynaptic dense({.linear_features = 2});
  EXPECT_EQ(parameter_names(*dense), (Names{"recurrent.weight", "recurrent.bias"}));
  EXPECT_EQ(dense->named_buffers().keys(),
            (Names{"threshold", "graded_spikes_factor", "reset_mechanism_val", "alpha", "beta"}));
  EXPECT_EQ(dense->forward(torch::rand({3, 2})).state.names(), (Names{"spk", "syn", "mem"}));
  RLeaky fixed({.linear_features = 2, .learn_recurrent = false});
  for (const auto& p : fixed->parameters()) EXPECT_FALSE(p.requires_grad());
}

// ---- module ------------------------------------------------------------------------------------------------

TEST(RecurrentModule, ACopyIsIndependent) {
  torch::manual_seed(1);
  RLeaky layer({.beta = 0.9, .linear_features = 4, .threshold = 0.3, .init_hidden = true});
  const auto x = torch::rand({6, 2, 4});
  layer->forward(x);
  const auto copied = std::dynamic_pointer_cast<RecurrentImpl>(layer->clone());
  ASSERT_NE(copied, nullptr);
  EXPECT_TRUE(torch::equal(copied->hidden()["spk"], layer->hidden()["spk"]));
  const auto expected = layer->forward(x).spk;
  EXPECT_TRUE(torch::equal(copied->forward(x).spk, expected));
  {
    const torch::NoGradGuard no_grad;
    layer->named_parameters()["recurrent.weight"].fill_(2);
  }
  copied->reset();
  layer->reset();
  EXPECT_FALSE(torch::equal(copied->forward(x).spk, layer->forward(x).spk));
}

TEST(RecurrentModule, SavedAndLoaded) {
  torch::manual_seed(2);
  RSynaptic from({.alpha = 0.7, .beta = 0.8, .conv2d_channels = 2, .kernel_size = {3, 1}, .threshold = 0.4});
  RSynaptic to({.conv2d_channels = 2, .kernel_size = {3, 1}});
  std::stringstream file;
  torch::save(from, file);
  torch::load(to, file);
  const auto x = torch::rand({5, 2, 2, 4, 3});
  EXPECT_TRUE(torch::equal(from->record(x).mem, to->record(x).mem));
}

TEST(RecurrentModule, HiddenStateStreams) {
  torch::manual_seed(3);
  RLeaky layer({.beta = 0.9, .linear_features = 4, .threshold = 0.3, .init_hidden = true});
  const auto x = torch::rand({8, 2, 4});
  const auto whole = layer->forward(x).spk.detach();
  rheo::nn::reset(*layer);
  EXPECT_TRUE(layer->hidden().empty());
  const auto first = layer->forward(x.slice(0, 0, 3)).spk;
  rheo::nn::detach(*layer);
  for (const auto& [name, tensor] : layer->hidden()) EXPECT_FALSE(tensor.requires_grad()) << name;
  const auto rest = layer->forward(x.slice(0, 3)).spk;
  EXPECT_TRUE(torch::equal(torch::cat({first, rest}), whole));
}

TEST(RecurrentModule, InsideSequentialAsInALoop) {
  torch::manual_seed(4);
  torch::nn::Linear fc(3, 5);
  RLeaky layer({.beta = 0.9, .linear_features = 5, .threshold = 0.3});
  rheo::nn::Sequential net(fc, layer);
  const auto x = torch::rand({7, 2, 3});
  const auto out = net->forward(x);
  State state;
  for (std::int64_t t = 0; t < 7; ++t) {
    auto [spk, next] = layer->step(fc->forward(x[t]), state);
    EXPECT_TRUE(torch::equal(spk, out.y[t])) << t;
    state = next;
  }
}

TEST(RecurrentModule, TypesAreThoseOfTheInput) {
  RLeaky layer({.beta = 0.9, .linear_features = 3});
  EXPECT_EQ(layer->forward(torch::rand({4, 3}, torch::kDouble)).spk.scalar_type(), torch::kDouble);
  EXPECT_EQ(layer->forward(torch::rand({4, 3}, torch::kHalf)).state.mem().scalar_type(), torch::kHalf);
}

TEST(RecurrentModule, SecondDerivativesNeedTheReferencePath) {
  RLeaky layer({.beta = 0.9, .linear_features = 3});
  const auto x = torch::rand({4, 3}).requires_grad_();
  const auto loss = layer->forward(x).spk.sum();
  EXPECT_EQ(
      error_of<rheo::RuntimeError>([&] { torch::autograd::grad({loss}, {x}, {}, true, true); }),
      "[RLeaky] the fused backward has no derivative of its own: for second derivatives set fused = false");
}

// ---- reference path ----------------------------------------------------------------------------------------

TEST(RecurrentReference, ASurrogateOfTheUsers) {
  torch::manual_seed(5);
  const auto mine = rheo::surrogate::custom([](const auto& u, const auto& grad, const auto&) {
    return grad / (1 + (M_PI * u).square());  // atan(2)
  });
  RLeaky named({.beta = 0.9, .linear_features = 4, .threshold = 0.3});
  RLeaky custom({.beta = 0.9, .linear_features = 4, .threshold = 0.3, .spike_grad = mine});
  EXPECT_NE(rheo::explain(*custom).find("not fused"), std::string::npos);
  EXPECT_EQ(rheo::explain(*named).find("not fused"), std::string::npos);
  {
    const torch::NoGradGuard no_grad;
    for (const char* p : {"recurrent.weight", "recurrent.bias"})
      custom->named_parameters()[p].copy_(named->named_parameters()[p]);
  }
  const auto x = torch::rand({6, 2, 4});
  named->forward(x).spk.sum().backward();
  custom->forward(x).spk.sum().backward();
  const auto a = named->named_parameters()["recurrent.weight"].grad();
  const auto b = custom->named_parameters()["recurrent.weight"].grad();
  EXPECT_GT(a.abs().max().item<float>(), 0);
  EXPECT_TRUE(torch::allclose(a, b, 1e-4, 1e-5));
}

TEST(RecurrentReference, OfEachRowOneNeuronFiresUnderInhibition) {
  torch::manual_seed(6);
  RLeaky layer({.beta = 0.9, .linear_features = 6, .threshold = 0.3, .inhibition = true});
  const auto spk = layer->forward(torch::rand({9, 4, 6})).spk;
  EXPECT_LE(spk.sum(2).max().item<float>(), 1);
  EXPECT_GT(spk.sum().item<float>(), 9);
}

// ---- differences -------------------------------------------------------------------------------------------

// There: the stored membrane stays above the threshold without a spike, because the reset of the step before is given
// back. Here a step that does not fire does not reset either: U = 0.9 * 1.08806 + 0.2 fires.
TEST(Differences, RLeakyNoDelayGivesNoThresholdBack) {
  for (const double V : {0.0, 0.5}) {
    RLeaky layer({.beta = 0.9, .V = V, .reset_delay = false});
    const auto out = layer->step(torch::full({1}, 0.2), one({{"spk", 0}, {"mem", 1.08806}}));
    EXPECT_EQ(out.spk.item<float>(), 1);
    EXPECT_NEAR(out.state.mem().item<float>(), 0.179254, 1e-6);
  }
}

// There: TypeError with init_hidden; with explicit states no effect. Here as in RLeaky.
TEST(Differences, RSynapticResetsWithoutDelay) {
  for (const bool dense : {false, true}) {
    for (const auto reset : {Reset::subtract, Reset::zero}) {
      RSynaptic::Options options{
          .alpha = 0.5, .beta = 0.8, .init_hidden = true, .reset_mechanism = reset, .reset_delay = false};
      if (dense) options.linear_features = 1;
      RSynaptic layer(options);
      const torch::NoGradGuard no_grad;
      for (auto& p : layer->parameters()) p.fill_(0);
      const auto out = layer->step(torch::full({1}, 1.5));
      EXPECT_EQ(out.spk.item<float>(), 1);
      EXPECT_FLOAT_EQ(layer->hidden()["syn"].item<float>(), 1.5);
      EXPECT_FLOAT_EQ(layer->hidden().mem().item<float>(), reset == Reset::zero ? 0 : 0.5);
    }
  }
}

// There: reset_hidden and detach_hidden leave spk as it was.
TEST(Differences, RSynapticResetAndDetachTakeSpkToo) {
  for (const bool dense : {false, true}) {
    RSynaptic::Options options{.alpha = 0.5, .beta = 0.8, .init_hidden = true};
    if (dense) options.linear_features = 2;
    RSynaptic layer(options);
    const auto x = torch::full({3, 2}, 2.0).requires_grad_();
    const auto first = layer->forward(x).spk.detach();
    EXPECT_GT(layer->hidden()["spk"].sum().item<float>(), 0);
    EXPECT_TRUE(layer->hidden()["spk"].requires_grad());
    rheo::nn::detach(*layer);
    EXPECT_FALSE(layer->hidden()["spk"].requires_grad());
    rheo::nn::reset(*layer);
    EXPECT_TRUE(torch::equal(layer->forward(x).spk, first));
  }
}

// There: the recurrence keeps a V of its own, which neither an assignment nor .to() reaches.
TEST(Differences, RLeakyAndRSynapticHaveOneV) {
  RLeaky leaky({.beta = 0.9, .V = 0.5, .learn_recurrent = false});
  RSynaptic synaptic({.alpha = 0.5, .beta = 0.8, .V = 0.5, .learn_recurrent = false});
  for (Neuron layer : {Neuron(leaky), Neuron(synaptic)}) {
    const auto state =
        layer->kind() == "RLeaky" ? one({{"spk", 1}, {"mem", 0}}) : one({{"spk", 1}, {"syn", 0}, {"mem", 0}});
    const auto mem = [&](const torch::Tensor& x, const State& s) {
      return layer->step(x, s).state.mem().item<double>();
    };
    EXPECT_NEAR(mem(torch::zeros({1}), state), 0.5, 1e-6);
    layer->parameter("V").fill_(0.25);
    EXPECT_NEAR(mem(torch::zeros({1}), state), 0.25, 1e-6);
    layer->to(torch::kDouble);
    EXPECT_EQ(layer->parameter("V").scalar_type(), torch::kDouble);
    layer->parameter("V").fill_(0.1);
    EXPECT_NEAR(mem(torch::zeros({1}, torch::kDouble), state.to(torch::kDouble)), 0.1, 1e-15);
  }
}

// There: the equations stay those of construction.
TEST(Differences, RLeakyChangedResetMechanismTakesEffect) {
  torch::manual_seed(7);
  RLeaky changed({.beta = 0.9, .linear_features = 4, .threshold = 0.3});
  const auto x = torch::rand({6, 4});
  const auto before = changed->record(x).mem;
  const auto same = std::dynamic_pointer_cast<RecurrentImpl>(changed->clone());
  changed->set_reset_mechanism(Reset::zero);
  EXPECT_FALSE(torch::equal(changed->record(x).mem, before));
  EXPECT_TRUE(torch::equal(same->record(x).mem, before));
}

}  // namespace
