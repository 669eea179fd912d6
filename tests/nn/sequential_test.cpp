// Sequential against loops written by hand, and its kinds of layers.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>

#include "rheo/nn/neurons.hpp"
#include "rheo/nn/sequential.hpp"
#include "tests/error_of.hpp"
#include "tests/nn/plain.hpp"

namespace {

using rheo::State;
using rheo::TimeConstant;
using rheo::nn::Leaky;
using rheo::nn::Sequential;
using rheo::test::error_of;
using torch::Tensor;
using torch::nn::Linear;

struct TwoLayers {  // the two-layer network with its handles
  Linear fc1{nullptr}, fc2{nullptr};
  Leaky lif1{nullptr}, lif2{nullptr};
  Sequential net{};

  explicit TwoLayers(torch::Dtype dtype = torch::kDouble, std::int64_t in = 13, std::int64_t hidden = 21) {
    torch::manual_seed(5);
    fc1 = Linear(in, hidden);
    fc2 = Linear(hidden, 7);
    lif1 = Leaky({.beta = 0.9, .learn_beta = true, .learn_threshold = true});
    lif2 = Leaky({.beta = 0.8});
    net = Sequential(fc1, lif1, fc2, lif2);
    net->to(dtype);
  }
};

Tensor input(std::vector<std::int64_t> shape, torch::Dtype dtype = torch::kDouble) {
  torch::manual_seed(7);
  return torch::randn(shape, dtype) * 2;
}

double relative(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>() / b.abs().max().item<double>();
}

/// The network as a libtorch time loop that shares nothing with it but weights and spike function.
struct Looped {
  Tensor spk, mem;
};
Looped looped(TwoLayers& n, const std::vector<Tensor>& steps) {
  const auto beta1 = n.lif1->parameter("beta"), threshold1 = n.lif1->parameter("threshold");
  const auto beta2 = n.lif2->parameter("beta"), threshold2 = n.lif2->parameter("threshold");
  const rheo::Surrogate fire;
  std::vector<Tensor> spikes, membranes;
  Tensor u1, u2;
  const auto lif = [&](Tensor& u, const Tensor& current, const Tensor& beta, const Tensor& threshold) {
    if (!u.defined()) u = torch::zeros_like(current);
    const auto reset = (u > threshold).to(u.scalar_type()).detach();
    u = beta.clamp(0, 1) * u + current - reset * threshold;
    return fire(u - threshold);
  };
  for (const auto& x : steps) {
    const auto s1 = lif(u1, torch::addmm(n.fc1->bias, x, n.fc1->weight.t()), beta1, threshold1);
    spikes.push_back(lif(u2, torch::addmm(n.fc2->bias, s1, n.fc2->weight.t()), beta2, threshold2));
    membranes.push_back(u2);
  }
  return {torch::stack(spikes), torch::stack(membranes)};
}

std::vector<Tensor> gradients(TwoLayers& n, const Tensor& loss, const Tensor& x) {
  std::vector<Tensor> wanted = n.net->parameters();
  wanted.push_back(x);
  return torch::autograd::grad({loss}, wanted);
}

TEST(Sequential, GradientsEqualThoseOfATimeLoopInDouble) {
  for (const bool constant : {false, true}) {
    TwoLayers n;
    const std::int64_t T = 19;
    auto x = (constant ? input({5, 13}) : input({T, 5, 13})).requires_grad_();
    std::vector<Tensor> steps;
    for (std::int64_t t = 0; t < T; ++t) steps.push_back(constant ? x : x[t]);
    const auto loop = looped(n, steps);
    const auto rec = constant ? n.net->record_last(TimeConstant{x, T}) : n.net->record_last(x);
    ASSERT_TRUE(torch::equal(rec.y, loop.spk));
    ASSERT_GT(rec.y.sum().item<double>(), 10) << "the network must spike for this to mean anything";
    EXPECT_LE(relative(rec.last().mem, loop.mem), 1e-12);
    const auto weights = torch::randn_like(loop.spk);
    const auto loss = [&](const Tensor& spk, const Tensor& mem) {
      return (spk * weights + mem.tanh()).sum();
    };
    const auto ours = gradients(n, loss(rec.y, rec.last().mem), x);
    const auto theirs = gradients(n, loss(loop.spk, loop.mem), x);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT_LE(relative(ours[i], theirs[i]), 1e-12) << "constant " << constant << ", gradient " << i;
    }
  }
}

TEST(Sequential, AStepLoopGivesTheSame) {
  TwoLayers n;
  const auto x = input({11, 4, 13});
  const auto whole = n.net->forward(x);
  State state;
  std::vector<Tensor> spikes;
  for (std::int64_t t = 0; t < 11; ++t) {
    auto out = n.net->step(x[t], state);
    state = out.state;
    spikes.push_back(out.y);
  }
  EXPECT_TRUE(torch::equal(whole.y, torch::stack(spikes)));
  EXPECT_EQ(state.names(), (std::vector<std::string>{"1.mem", "3.mem"}));
  for (const auto& [name, tensor] : whole.state) EXPECT_LE(relative(state[name], tensor), 1e-14) << name;
}

TEST(Sequential, CutAnywhereGivesTheSame) {
  TwoLayers n;
  const auto x = input({9, 4, 13});
  const auto whole = n.net->forward(x);
  for (std::int64_t cut = 1; cut < 9; ++cut) {
    const auto first = n.net->forward(x.narrow(0, 0, cut));
    const auto second = n.net->forward(x.narrow(0, cut, 9 - cut), first.state);
    EXPECT_TRUE(torch::equal(torch::cat({first.y, second.y}), whole.y)) << cut;
  }
}

TEST(Sequential, AConstantInputGoesThroughStatelessLayersOnce) {
  struct CountedImpl : torch::nn::Module {
    std::vector<std::vector<std::int64_t>> seen;
    Tensor forward(const Tensor& x) {
      seen.push_back(x.sizes().vec());
      return x * 1.5;
    }
  };
  auto before = std::make_shared<CountedImpl>(), after = std::make_shared<CountedImpl>();
  Sequential net(before, Leaky({.beta = 0.9}), after, Leaky({.beta = 0.9}));
  const auto row = input({3, 4}, torch::kFloat);
  const auto out = net->forward(TimeConstant{row, 8});
  EXPECT_EQ(before->seen, (std::vector<std::vector<std::int64_t>>{{3, 4}}));
  EXPECT_EQ(after->seen, (std::vector<std::vector<std::int64_t>>{{24, 4}}));
  EXPECT_TRUE(torch::equal(out.y, net->forward(TimeConstant{row, 8}.expand()).y));
  EXPECT_EQ(before->seen.back(), (std::vector<std::int64_t>{24, 4}));
}

TEST(Sequential, WithoutNeuronsAConstantInputStillHasAllSteps) {
  Sequential net(Linear(4, 2));
  EXPECT_EQ(net->forward(TimeConstant{torch::randn({3, 4}), 6}).y.sizes(), torch::IntArrayRef({6, 3, 2}));
}

TEST(Sequential, DropoutDrawsAnewAtEveryStepOfAConstantInput) {
  Sequential net(torch::nn::Dropout(0.5), Leaky({.beta = 0.0}));
  torch::manual_seed(1);
  const auto y = net->forward(TimeConstant{torch::ones({2, 100}), 5}).y;
  EXPECT_FALSE(torch::equal(y[0], y[1]));
  net->eval();
  const auto quiet = net->forward(TimeConstant{torch::full({2, 100}, 1.5), 5}).y;
  EXPECT_TRUE(torch::equal(quiet[0], torch::ones({2, 100})));
}

TEST(Sequential, ConvolutionsSeeTimeAndBatchAsOne) {
  Sequential net(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 3, 3)), Leaky({.beta = 0.5}),
                 torch::nn::MaxPool2d(2), torch::nn::Flatten(), Linear(3 * 3 * 3, 4), Leaky({.beta = 0.5}));
  const auto x = input({6, 2, 1, 8, 8}, torch::kFloat);
  const auto rec = net->record(x);
  EXPECT_EQ(rec.y.sizes(), torch::IntArrayRef({6, 2, 4}));
  EXPECT_EQ(rec["1"].mem.sizes(), torch::IntArrayRef({6, 2, 3, 6, 6}));
  auto& conv = net->layer<torch::nn::Conv2dImpl>(0);
  EXPECT_TRUE(torch::allclose(rec["1"].mem[0], conv.forward(x[0])));
}

TEST(Sequential, NestsAndNamesItsNeurons) {
  Sequential inner(Linear(5, 6), Leaky({.beta = 0.9}));
  Sequential net(inner, torch::nn::Sequential(Linear(6, 4), torch::nn::ReLU()), Leaky({.beta = 0.7}));
  EXPECT_EQ(net->neuron_names(), (std::vector<std::string>{"0.1", "2"}));
  const auto x = input({7, 3, 5}, torch::kFloat);
  const auto rec = net->record(x);
  EXPECT_EQ(rec.state.names(), (std::vector<std::string>{"0.1.mem", "2.mem"}));
  EXPECT_EQ(rec["0.1"].spk.sizes(), torch::IntArrayRef({7, 3, 6}));
  EXPECT_EQ(&rec.last(), &rec["2"]);
  const auto flat = inner->forward(x);
  EXPECT_TRUE(torch::equal(flat.y, rec["0.1"].spk));
  const auto second = net->forward(x, rec.state);
  EXPECT_FALSE(torch::equal(second.state["2.mem"], rec.state["2.mem"]));
  std::vector<std::string> names;
  for (const auto& p : net->named_parameters()) names.push_back(p.key());
  EXPECT_EQ(names, (std::vector<std::string>{"0.0.weight", "0.0.bias", "1.0.weight", "1.0.bias"}));
}

/// A block of a user's own with explicit state: the residual of a neuron.
struct ResidualImpl : torch::nn::Module {
  Leaky lif{rheo::nn::LeakyOptions{.beta = 0.9}};
  ResidualImpl() { register_module("lif", lif); }
  rheo::nn::Output forward(const rheo::Input& x, const State& state) {
    auto out = lif->forward(x, state);
    return {out.spk + x.x, out.state};
  }
};
TORCH_MODULE(Residual);

/// A block written for one step, as a loop by hand has it.
struct SteppedImpl : torch::nn::Module {
  Linear fc{4, 4};
  Leaky lif{rheo::nn::LeakyOptions{.beta = 0.9, .init_hidden = true}};
  int calls = 0;
  SteppedImpl() {
    register_module("fc", fc);
    register_module("lif", lif);
  }
  Tensor forward(const Tensor& x) {
    ++calls;
    return lif->step(fc->forward(x)).spk + x;
  }
};
TORCH_MODULE(Stepped);

TEST(Sequential, TakesModulesOfTheUsersOwn) {
  Residual residual;
  Stepped stepped;
  Sequential net(residual, stepped, Leaky({.beta = 0.5}));
  const auto x = input({6, 3, 4}, torch::kFloat);
  const auto out = net->forward(x);
  EXPECT_EQ(stepped->calls, 6);
  EXPECT_EQ(out.state.names(), (std::vector<std::string>{"0.mem", "2.mem"}));

  rheo::nn::reset(*net);
  State first, last;
  std::vector<Tensor> spikes;
  auto& third = net->layer<rheo::nn::NeuronImpl>(2);
  for (std::int64_t t = 0; t < 6; ++t) {
    auto one = residual->lif->step(x[t], first);
    first = one.state;
    const auto two = stepped->forward(one.spk + x[t]);
    auto three = third.step(two, last);
    last = three.state;
    spikes.push_back(three.spk);
  }
  EXPECT_TRUE(torch::equal(out.y, torch::stack(spikes)));
}

TEST(Sequential, HiddenStateStaysWithItsLayer) {
  Sequential net(Leaky({.beta = 0.9, .init_hidden = true}), Leaky({.beta = 0.9}));
  const auto x = torch::full({3, 2, 4}, 0.45);
  const auto out = net->forward(x);
  EXPECT_EQ(out.state.names(), (std::vector<std::string>{"1.mem"}));
  const auto more = net->forward(x, out.state);
  rheo::nn::reset(*net);
  EXPECT_TRUE(torch::equal(net->forward(x).y, out.y));
  EXPECT_FALSE(torch::equal(more.y, out.y));
}

TEST(Sequential, ClonesAreIndependent) {
  Residual residual;
  Sequential net(Linear(4, 4), residual, Leaky({.beta = 0.9, .learn_beta = true}));
  const auto x = input({5, 2, 4}, torch::kFloat);
  auto out = net->forward(x);
  // A user's module that cannot be cloned says so itself; the layers of the library can.
  EXPECT_THROW(net->clone(), c10::Error);
  Sequential plain(Linear(4, 4), torch::nn::Dropout(0.1), Sequential(Leaky({.beta = 0.9}), Linear(4, 3)));
  plain->eval();
  auto copy = std::dynamic_pointer_cast<rheo::nn::SequentialImpl>(plain->clone());
  ASSERT_TRUE(copy);
  EXPECT_FALSE(copy->is_training());
  EXPECT_TRUE(torch::equal(copy->forward(x).y, plain->forward(x).y));
  {
    const torch::NoGradGuard no_grad;
    copy->parameters()[0].fill_(0);
  }
  EXPECT_FALSE(torch::equal(copy->forward(x).y, plain->forward(x).y));
}

TEST(Sequential, SavesAndLoads) {
  TwoLayers a, b;
  {
    const torch::NoGradGuard no_grad;
    for (auto& p : b.net->parameters()) p.mul_(0.5);
  }
  std::stringstream file;
  torch::save(a.net, file);
  torch::load(b.net, file);
  const auto x = input({4, 2, 13});
  EXPECT_TRUE(torch::equal(a.net->forward(x).y, b.net->forward(x).y));
}

TEST(Sequential, RunsOnNothing) {
  TwoLayers n;
  EXPECT_EQ(n.net->forward(torch::zeros({0, 3, 13}, torch::kDouble)).y.sizes(),
            torch::IntArrayRef({0, 3, 7}));
  EXPECT_EQ(n.net->forward(torch::zeros({4, 0, 13}, torch::kDouble)).y.sizes(),
            torch::IntArrayRef({4, 0, 7}));
  const auto x = torch::randn({2, 3});
  EXPECT_TRUE(torch::equal(Sequential()->forward(x).y, x));
}

TEST(Sequential, SaysWhatIsWrong) {
  TwoLayers n(torch::kFloat);
  auto& net = n.net;
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->forward(torch::Tensor()); }),
            "[sequential] x must be a tensor, got an undefined one");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->forward(torch::zeros({3, 2, 5})); }),
            "[linear] x must have 13 features in its last dimension, got [3, 2, 5]");
  const auto x = torch::zeros({3, 2, 13});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->forward(x, {{"0.mem", torch::zeros({2, 21})}}); }),
            "[sequential] state must belong to a layer that has one, 1, 3, got '0.mem'");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->forward(x, {{"1.mom", torch::zeros({2, 21})}}); }),
            "[Leaky] state must hold mem, got 'mom'; did you mean 'mem'?");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->record(x, {}, {"2"}); }),
            "[sequential] names must be of neurons, 1, 3, got '2'");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->record(x, {}, {"1"})["3"]; }),
            "[sequential] name must be a recorded neuron's, one of 1, got '3'");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->layer<torch::nn::LinearImpl>(1); }),
            "[sequential] layer 1 must be of the type asked for, got Leaky");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { net->module_at(4); }),
            "[sequential] index must be below 4, got 4");
  EXPECT_EQ(error_of<rheo::ValueError>([&] {
              Sequential(torch::nn::Flatten(torch::nn::FlattenOptions().start_dim(0)))->forward(x);
            }),
            "[sequential] layer '0' must keep the rows, time steps times batch = 6, got [78]");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { Sequential(Linear(13, 2))->record_last(x); }),
            "[sequential] there must be a neuron to record, got a network without one");
}

}  // namespace
