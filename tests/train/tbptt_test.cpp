// BPTT, TBPTT and RTRL against loops written by hand, for networks that mix neurons in nested containers.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "rheo/data/randman.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/functional/regularizer.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/state_leaky.hpp"
#include "rheo/train/tbptt.hpp"
#include "tests/error_of.hpp"

namespace {

namespace F = rheo::functional;
using rheo::State;
using rheo::data::Batch;
using rheo::nn::Leaky;
using rheo::nn::RSynaptic;
using rheo::nn::Sequential;
using rheo::nn::SLSTM;
using rheo::nn::Synaptic;
using rheo::test::error_of;
using rheo::train::BPTT;
using rheo::train::on_membrane;
using rheo::train::on_spikes;
using rheo::train::RTRL;
using rheo::train::TBPTT;
using rheo::train::TbpttOptions;
using torch::Tensor;
using torch::nn::Linear;

constexpr std::int64_t inputs = 6, classes = 4;

/// Leaky, Synaptic, RSynaptic and SLSTM, three containers deep.
struct Mixed {
  Linear fc1{nullptr}, fc2{nullptr}, fc3{nullptr}, fc4{nullptr};
  Leaky leaky{nullptr}, last{nullptr};
  Synaptic synaptic{nullptr};
  RSynaptic recurrent{nullptr};
  SLSTM lstm{nullptr};
  Sequential net{};

  explicit Mixed(bool hidden = false) {
    torch::manual_seed(3);
    fc1 = Linear(inputs, 9);
    leaky = Leaky({.beta = 0.9, .learn_beta = true, .init_hidden = hidden});
    fc2 = Linear(9, 8);
    synaptic = Synaptic({.alpha = 0.7, .beta = 0.8, .learn_alpha = true, .threshold = 0.4});
    fc3 = Linear(8, 8);
    recurrent = RSynaptic({.alpha = 0.6,
                           .beta = 0.8,
                           .linear_features = 8,
                           .learn_beta = true,
                           .threshold = 0.3,
                           .init_hidden = hidden});
    lstm = SLSTM({.input_size = 8, .hidden_size = 7, .threshold = 0.05, .init_hidden = hidden});
    fc4 = Linear(7, classes);
    last = Leaky({.beta = 0.8, .threshold = 0.2});
    net = Sequential(fc1, leaky, Sequential(fc2, synaptic, Sequential(fc3, recurrent), lstm), fc4, last);
    net->to(torch::kDouble);
  }

  struct States {
    State leaky, synaptic, recurrent, lstm, last;
    void cut() {
      for (State* state : {&leaky, &synaptic, &recurrent, &lstm, &last}) *state = state->detach();
    }
  };
  /// One step, layer by layer.
  std::pair<Tensor, Tensor> step(const Tensor& x, States& s) {
    const auto run = [](auto& layer, const Tensor& in, State& state) {
      auto out = layer->step(in, state);
      state = out.state;
      return out.spk;
    };
    auto y = run(leaky, fc1(x), s.leaky);
    y = run(synaptic, fc2(y), s.synaptic);
    y = run(recurrent, fc3(y), s.recurrent);
    y = run(lstm, y, s.lstm);
    y = run(last, fc4(y), s.last);
    return {y, s.last.mem()};
  }
};

std::vector<Batch> batches(std::int64_t count, std::int64_t T, std::int64_t last_size = 5) {
  torch::manual_seed(8);
  std::vector<Batch> out;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t size = i + 1 == count ? last_size : 5;
    out.push_back({torch::randn({T, size, inputs}, torch::kDouble) * 3, torch::randint(classes, {size}), {}});
  }
  return out;
}

torch::optim::SGD sgd(torch::nn::Module& net) {
  return torch::optim::SGD(net.parameters(), torch::optim::SGDOptions(0.2).momentum(0.5));
}

/// The loop a user writes: steps, a loss every K of them, states cut by hand. Mean loss over steps.
double by_hand(Mixed& m, const std::vector<Batch>& data, std::int64_t K, bool membrane) {
  auto optimizer = sgd(*m.net);
  double sum = 0, steps = 0;
  for (const auto& batch : data) {
    Mixed::States states;
    std::vector<Tensor> spk, mem;
    const auto T = batch.x.size(0);
    for (std::int64_t t = 0; t < T; ++t) {
      const auto [s, u] = m.step(batch.x[t], states);
      spk.push_back(s);
      mem.push_back(u);
      if ((t + 1) % K != 0 && t + 1 != T) continue;
      auto loss = membrane ? F::ce_max_membrane_loss(torch::stack(mem), batch.y)
                           : F::ce_rate_loss(torch::stack(spk), batch.y);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      sum += loss.item<double>() * static_cast<double>(spk.size());
      steps += static_cast<double>(spk.size());
      spk.clear();
      mem.clear();
      states.cut();
    }
  }
  return sum / steps;
}

/// The largest difference of any parameter; NaN counts as large.
double apart(torch::nn::Module& a, torch::nn::Module& b) {
  double largest = 0;
  const auto others = b.named_parameters();
  for (const auto& item : a.named_parameters()) {
    const double d = (item.value() - others[item.key()]).abs().max().item<double>();
    largest = d <= largest ? largest : d;
  }
  return largest;
}

TEST(TBPTT, WithKOfAllStepsIsBPTTBitForBit) {
  const auto data = batches(3, 8);
  Mixed whole, cut;
  const Mixed start;
  auto one = sgd(*whole.net), other = sgd(*cut.net);
  const double a = BPTT(whole.net, data, one, on_spikes(F::ce_rate_loss));
  const double b = TBPTT(cut.net, data, other, on_spikes(F::ce_rate_loss), {.K = 8});
  EXPECT_EQ(a, b);
  EXPECT_EQ(apart(*whole.net, *cut.net), 0);
  for (const auto& item : start.net->named_parameters()) {
    EXPECT_FALSE(torch::equal(whole.net->named_parameters()[item.key()], item.value())) << item.key();
  }
}

TEST(TBPTT, IsTheLoopWrittenByHandWhateverK) {
  const auto data = batches(3, 8, 2);
  for (const bool membrane : {false, true}) {
    for (const std::int64_t K : {1, 2, 3, 5, 8}) {
      Mixed ours, theirs;
      auto optimizer = sgd(*ours.net);
      const auto criterion = membrane ? on_membrane(F::ce_max_membrane_loss) : on_spikes(F::ce_rate_loss);
      const double a = TBPTT(ours.net, data, optimizer, criterion, {.K = K});
      const double b = by_hand(theirs, data, K, membrane);
      EXPECT_NEAR(a, b, 1e-12) << K << membrane;
      EXPECT_LE(apart(*ours.net, *theirs.net), 1e-12) << K << membrane;
    }
  }
}

TEST(TBPTT, HiddenStatesAreCutAsWell) {
  const auto data = batches(3, 8, 2);
  Mixed ours(/*hidden=*/true), theirs;
  ours.leaky->forward(torch::ones({1, 5, 9}, torch::kDouble));  // what was before is forgotten
  auto optimizer = sgd(*ours.net);
  const double a = TBPTT(ours.net, data, optimizer, on_spikes(F::ce_rate_loss), {.K = 3});
  EXPECT_NEAR(a, by_hand(theirs, data, 3, false), 1e-12);
  EXPECT_LE(apart(*ours.net, *theirs.net), 1e-12);
  EXPECT_FALSE(ours.leaky->hidden().mem().requires_grad());
}

TEST(TBPTT, CutsTheGradientOfEarlierSteps) {
  const auto data = batches(1, 8);
  Mixed whole, cut;
  auto one = sgd(*whole.net), other = sgd(*cut.net);
  BPTT(whole.net, data, one, on_spikes(F::ce_rate_loss));
  TBPTT(cut.net, data, other, on_spikes(F::ce_rate_loss), {.K = 4});
  EXPECT_GT(apart(*whole.net, *cut.net), 1e-6);
}

/// A user's module that is called step by step, and one that hands out membranes too.
struct StepsImpl : torch::nn::Module {
  StepsImpl() {
    torch::manual_seed(3);
    fc = register_module("fc", Linear(inputs, classes));
    lif = Leaky({.beta = 0.9, .init_hidden = true});
    register_module("lif", lif);
    to(torch::kDouble);
  }
  Tensor forward(const Tensor& x) { return lif->step(fc(x)).spk; }
  Linear fc{nullptr};
  Leaky lif{nullptr};
};
struct StepsWithMembranesImpl : StepsImpl {
  std::pair<Tensor, Tensor> forward(const Tensor& x) {
    auto spk = StepsImpl::forward(x);
    return {spk, lif->hidden().mem()};
  }
};

TEST(TBPTT, TakesAModuleThatIsCalledStepByStep) {
  const auto data = batches(2, 7);
  auto steps = std::make_shared<StepsImpl>();
  auto pairs = std::make_shared<StepsWithMembranesImpl>();
  auto same = std::make_shared<StepsWithMembranesImpl>();
  Sequential net(same->fc, Leaky({.beta = 0.9}));
  net->to(torch::kDouble);
  auto one = sgd(*steps), two = sgd(*pairs), three = sgd(*net);
  const double a = TBPTT(steps, data, one, on_spikes(F::ce_rate_loss), {.K = 3});
  const double b = TBPTT(*pairs, data, two, on_spikes(F::ce_rate_loss), {.K = 3});
  EXPECT_EQ(a, b);
  EXPECT_EQ(apart(*steps, *pairs), 0);
  EXPECT_NEAR(TBPTT(net, data, three, on_spikes(F::ce_rate_loss), {.K = 3}), a, 1e-12);
  EXPECT_LE((steps->fc->weight - same->fc->weight).abs().max().item<double>(), 1e-12);

  auto restart = sgd(*pairs), again = sgd(*net);
  EXPECT_NEAR(TBPTT(pairs, data, restart, on_membrane(F::ce_max_membrane_loss), {.K = 3}),
              TBPTT(net, data, again, on_membrane(F::ce_max_membrane_loss), {.K = 3}), 1e-12);
  EXPECT_EQ(error_of<rheo::TypeError>(
                [&] { TBPTT(steps, data, one, on_membrane(F::ce_max_membrane_loss), {.K = 3}); }),
            "[TBPTT] criterion on membranes must have a network that gives them, got one that does not");
}

TEST(TBPTT, TakesABareLayerAndAFunction) {
  const std::vector<Batch> data{{torch::rand({6, 3, classes}, torch::kDouble), torch::tensor({0, 1, 2}), {}}};
  const auto trained = [&](bool hidden, auto&& pass) {
    Leaky lif({.beta = 0.9, .learn_beta = true, .init_hidden = hidden});
    lif->to(torch::kDouble);
    auto optimizer = sgd(*lif);
    pass(lif, optimizer);
    return lif->parameter("beta").template item<double>();
  };
  const auto criterion = on_membrane(F::mse_membrane_loss, {.on_target = 2});
  const auto bare = [&](Leaky& lif, auto& optimizer) { TBPTT(lif, data, optimizer, criterion, {.K = 2}); };
  const auto function = [&](Leaky& lif, auto& optimizer) {
    const rheo::train::Network net(*lif, [&](const rheo::Input& x, const State& state, bool) {
      auto out = lif->record(x, state);
      return rheo::train::Piece{out.spk, out.mem, out.state};
    });
    TBPTT(net, data, optimizer, criterion, {.K = 2});
  };
  const double beta = trained(false, bare);
  EXPECT_NE(beta, 0.9);
  EXPECT_EQ(trained(true, bare), beta);
  EXPECT_EQ(trained(false, function), beta);
}

TEST(TBPTT, ConstantDataAreTheSameAtEveryStep) {
  auto data = batches(2, 1), repeated = data;
  for (auto& batch : data) batch.x = batch.x[0];
  for (auto& batch : repeated) batch.x = batch.x.expand({7, -1, -1});
  Mixed constant, every;
  auto one = sgd(*constant.net), other = sgd(*every.net);
  const double a = TBPTT(constant.net, data, one, on_spikes(F::ce_count_loss),
                         {.num_steps = 7, .time_var = false, .K = 3});
  const double b = TBPTT(every.net, repeated, other, on_spikes(F::ce_count_loss), {.K = 3});
  EXPECT_NEAR(a, b, 1e-12);
  EXPECT_LE(apart(*constant.net, *every.net), 1e-12);

  auto steps = std::make_shared<StepsImpl>(), unrolled = std::make_shared<StepsImpl>();
  auto three = sgd(*steps), four = sgd(*unrolled);
  EXPECT_EQ(BPTT(steps, data, three, on_spikes(F::ce_count_loss), {.num_steps = 7, .time_var = false}),
            BPTT(unrolled, repeated, four, on_spikes(F::ce_count_loss)));
  EXPECT_EQ(apart(*steps, *unrolled), 0);
}

TEST(TBPTT, TimeMayBeTheSecondDimension) {
  auto data = batches(2, 6), second = data;
  for (auto& batch : second) batch.x = batch.x.transpose(0, 1).contiguous();
  Mixed a, b;
  auto one = sgd(*a.net), other = sgd(*b.net);
  EXPECT_EQ(TBPTT(a.net, data, one, on_spikes(F::ce_rate_loss), {.K = 4}),
            TBPTT(b.net, second, other, on_spikes(F::ce_rate_loss), {.time_first = false, .K = 4}));
  EXPECT_EQ(apart(*a.net, *b.net), 0);
}

TEST(TBPTT, TargetsOverTimeAreCutWithTheData) {
  auto data = batches(1, 6);
  data[0].y = torch::randint(classes, {6, 5});
  std::vector<Tensor> seen;
  const auto criterion = on_membrane([&](const Tensor& mem, const Tensor& y) {
    seen.push_back(y);
    return F::mse_membrane_loss(mem, y, {.time_var_targets = true});
  });
  Mixed m;
  auto optimizer = sgd(*m.net);
  TBPTT(m.net, data, optimizer, criterion, {.K = 4, .time_var_targets = true});
  ASSERT_EQ(seen.size(), 2);
  EXPECT_TRUE(torch::equal(torch::cat(seen), data[0].y));
  EXPECT_EQ(seen[0].size(0), 4);
  data[0].y = data[0].y.narrow(0, 0, 5);
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { TBPTT(m.net, data, optimizer, criterion, {.K = 4, .time_var_targets = true}); }),
            "[TBPTT] targets must have 6 steps in dimension 0 with time_var_targets, got shape [5, 5]");
}

TEST(TBPTT, RegularizationIsOfTheSpikesOfAPiece) {
  const auto data = batches(1, 6);
  std::vector<std::int64_t> steps;
  Mixed with, without;
  auto one = sgd(*with.net), other = sgd(*without.net);
  const auto penalty = [&](const Tensor& spk) {
    steps.push_back(spk.size(0));
    return F::l1_rate_sparsity(spk, 0) + 2.5;
  };
  const double a =
      TBPTT(with.net, data, one, on_membrane(F::ce_max_membrane_loss), {.regularization = penalty, .K = 4});
  const double b = TBPTT(without.net, data, other, on_membrane(F::ce_max_membrane_loss), {.K = 4});
  EXPECT_NEAR(a, b + 2.5, 1e-12);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{4, 2}));
}

TEST(TBPTT, RunsOverALoader) {
  const auto set = std::make_shared<rheo::data::Randman>();
  std::vector<std::int64_t> which(24);
  std::iota(which.begin(), which.end(), 0);
  const rheo::data::Loader loader(set, which, {.batch_size = 10, .seed = 4});
  const auto units = set->sample_shape()[1];
  const auto trained = [&](const auto& data) {
    torch::manual_seed(1);
    Sequential net(Linear(units, set->classes()), Leaky({.beta = 0.9}));
    auto optimizer = sgd(*net);
    const double loss = TBPTT(net, data, optimizer, on_spikes(F::ce_rate_loss), {.K = 20, .epoch = 2});
    return std::make_pair(loss, net);
  };
  const auto [loss, net] = trained(loader);
  std::vector<Batch> all;
  auto epoch = loader.epoch(2);
  for (auto& batch : epoch) all.push_back(batch);
  const auto [same_loss, same] = trained(all);
  EXPECT_EQ(loss, same_loss);
  EXPECT_EQ(apart(*net.ptr(), *same.ptr()), 0);
}

TEST(RTRL, IsTBPTTWithAKOfOne) {
  const auto data = batches(2, 6);
  Mixed a, b;
  auto one = sgd(*a.net), other = sgd(*b.net);
  EXPECT_EQ(RTRL(a.net, data, one, on_spikes(F::ce_rate_loss)),
            TBPTT(b.net, data, other, on_spikes(F::ce_rate_loss)));
  EXPECT_EQ(apart(*a.net, *b.net), 0);
}

TEST(TBPTT, RefusesOptionsThatDoNotFit) {
  const auto data = batches(1, 6);
  Mixed m;
  auto optimizer = sgd(*m.net);
  const auto said = [&](const TbpttOptions& options) {
    return error_of<rheo::ValueError>(
        [&] { TBPTT(m.net, data, optimizer, on_spikes(F::ce_rate_loss), options); });
  };
  EXPECT_EQ(said({.num_steps = 6}),
            "[TBPTT] num_steps must not be given with time_var, the data have it, got 6");
  EXPECT_EQ(said({.time_var = false}), "[TBPTT] num_steps must be at least 1 without time_var, got 0");
  EXPECT_EQ(said({.num_steps = 6, .time_var = false, .time_first = false}),
            "[TBPTT] time_first must be true without time_var, got false");
  EXPECT_EQ(said({.num_steps = 6, .time_var = false, .K = 7}),
            "[TBPTT] K must be at most the number of steps, 6, got 7");
  EXPECT_EQ(said({.K = 7}), "[TBPTT] K must be at most the number of steps, 6, got 7");
  EXPECT_EQ(said({.K = 0}), "[TBPTT] K must be at least 1, got 0");
  EXPECT_EQ(
      error_of<rheo::ValueError>([&] { BPTT(m.net, data, optimizer, on_spikes(F::ce_rate_loss), {.K = 3}); }),
      "[BPTT] K must not be given, TBPTT has one, got 3");
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { RTRL(m.net, std::vector<Batch>{}, optimizer, on_spikes(F::ce_rate_loss)); }),
            "[RTRL] batches must be at least 1, got 0");
}

// The rows of the differences from snnTorch.

TEST(DifferencesBackprop, TimeVaryingDataAreCutEveryKSteps) {
  const auto data = batches(1, 6);
  std::vector<std::int64_t> pieces;
  const auto criterion = on_spikes([&](const Tensor& spk, const Tensor& y) {
    pieces.push_back(spk.size(0));
    return F::ce_rate_loss(spk, y);
  });
  Mixed m;
  auto optimizer = sgd(*m.net);
  TBPTT(m.net, data, optimizer, criterion, {.K = 4});
  RTRL(m.net, data, optimizer, criterion);
  EXPECT_EQ(pieces, (std::vector<std::int64_t>{4, 2, 1, 1, 1, 1, 1, 1}));
}

TEST(DifferencesBackprop, EveryStateOfTheNetworkIsCut) {
  // RSynaptic's spikes among them, and neurons in containers: a second backward would throw.
  for (const bool hidden : {false, true}) {
    const auto data = batches(2, 6);
    Mixed m(hidden);
    auto optimizer = sgd(*m.net);
    EXPECT_NO_THROW(TBPTT(m.net, data, optimizer, on_spikes(F::ce_rate_loss), {.K = 2}));
    EXPECT_NO_THROW(BPTT(m.net, data, optimizer, on_spikes(F::ce_rate_loss)));
    for (const auto& [name, tensor] : m.recurrent->hidden()) EXPECT_FALSE(tensor.requires_grad()) << name;
  }
}

TEST(DifferencesBackprop, ACriterionThatGivesNoNumberIsATypeError) {
  const auto data = batches(1, 6);
  Mixed m;
  auto optimizer = sgd(*m.net);
  const auto said = [&](const rheo::train::Criterion& criterion) {
    return error_of<rheo::TypeError>([&] { TBPTT(m.net, data, optimizer, criterion, {.K = 3}); });
  };
  EXPECT_EQ(said({}), "[TBPTT] criterion must be a function, got none");
  EXPECT_EQ(said(on_spikes([](const Tensor& spk, const Tensor&) { return spk; })),
            "[TBPTT] criterion must give one number with a gradient, got shape [3, 5, 4]");
  EXPECT_EQ(said(on_spikes([](const Tensor& spk, const Tensor&) { return (spk > 0).sum(); })),
            "[TBPTT] criterion must give one number with a gradient, got a constant of type Long");
  EXPECT_EQ(said(on_spikes([](const Tensor&, const Tensor&) { return Tensor(); })),
            "[TBPTT] criterion must give one number with a gradient, got an undefined tensor");
  // One of libtorch's serves where its shapes do.
  const auto ours = on_spikes([](const Tensor& spk, const Tensor& y) {
    return torch::nn::CrossEntropyLoss()->forward(spk.sum(0), y);
  });
  Mixed a, b;
  auto one = sgd(*a.net), other = sgd(*b.net);
  EXPECT_NEAR(TBPTT(a.net, data, one, ours, {.K = 3}),
              TBPTT(b.net, data, other, on_spikes(F::ce_count_loss), {.K = 3}), 1e-12);
}

TEST(DifferencesBackprop, TheMeanLossWeighsPiecesByTheirSteps) {
  // Pieces of 3, 3 and 1 steps, in two batches of other lengths.
  std::vector<Batch> data = batches(1, 7);
  data.push_back(batches(1, 4)[0]);
  Mixed m;
  auto optimizer = torch::optim::SGD(m.net->parameters(), 0.0);
  double call = 0;
  const auto criterion = on_spikes([&](const Tensor& spk, const Tensor&) { return spk.sum() * 0 + ++call; });
  EXPECT_NEAR(TBPTT(m.net, data, optimizer, criterion, {.K = 3}),
              (3 * 1 + 3 * 2 + 1 * 3 + 3 * 4 + 1 * 5) / 11.0, 1e-12);
}

TEST(DifferencesBackprop, AnyLastLayerWillDo) {
  const auto data = batches(1, 6);
  const auto trains = [&](Sequential net) {
    net->to(torch::kDouble);
    auto optimizer = sgd(*net);
    const auto before = net->parameters()[0].detach().clone();
    TBPTT(net, data, optimizer, on_spikes(F::ce_rate_loss), {.K = 2});
    return !torch::equal(before, net->parameters()[0]);
  };
  torch::manual_seed(2);
  EXPECT_TRUE(trains(Sequential(Linear(inputs, 8), Leaky({.beta = 0.9}), Linear(8, classes))));
  EXPECT_TRUE(trains(Sequential(Linear(inputs, classes), Leaky({.beta = 0.9}), torch::nn::Identity())));
  EXPECT_TRUE(trains(Sequential(Linear(inputs, classes),
                                rheo::nn::StateLeaky({.beta = 0.9, .channels = classes, .threshold = 0.1}))));
  EXPECT_TRUE(trains(
      Sequential(Linear(inputs, classes), rheo::nn::DeltaLeaky({.delta_threshold = 0.1, .beta = 0.9}))));
}

}  // namespace
