// The neuron module: the three calls agree, state and hidden state, types and shapes, copies, saving, what is
// kept for the backward, what it prints.
#include "rheo/nn/neuron.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "rheo/nn/neurons.hpp"
#include "tests/nn/plain.hpp"

namespace {

using rheo::State;
using rheo::nn::Lapicque;
using rheo::nn::Leaky;
using rheo::test::plain_leaky;

torch::Tensor input(std::vector<std::int64_t> shape, torch::Dtype dtype = torch::kFloat) {
  torch::manual_seed(7);
  return torch::rand(shape, torch::TensorOptions().dtype(dtype));
}

torch::Tensor full(double value) { return torch::full({}, value, torch::kDouble); }

/// torch::save of a module, as bytes.
template <class M>
std::string saved(const M& module) {
  std::ostringstream out;
  torch::save(module, out);
  return out.str();
}
template <class M>
void load(M& module, const std::string& bytes) {
  std::istringstream in(bytes);
  torch::load(module, in);
}

// ---- the three calls --------------------------------------------------------------------------------------

TEST(Neuron, StepForwardAndRecordAgree) {
  for (const bool fused : {true, false}) {
    Leaky lif({.beta = 0.8, .threshold = 0.9, .fused = fused});
    const auto x = input({9, 3, 5});
    const State start{{"mem", input({3, 5}) * 2}};
    const auto out = lif->forward(x, start);
    const auto rec = lif->record(x, start);
    EXPECT_GT(out.spk.sum().item<double>(), 5);
    EXPECT_TRUE(out.spk.equal(rec.spk));
    EXPECT_TRUE(out.state.mem().equal(rec.state.mem()));
    EXPECT_TRUE(rec.mem.equal(rec["mem"]));
    EXPECT_TRUE(rec.spk.equal(rec["spk"]));
    EXPECT_EQ(rec.traces.names(), (std::vector<std::string>{"mem"}));
    State state = start;
    for (std::int64_t t = 0; t < x.size(0); ++t) {
      auto one = lif->step(x[t], state);
      EXPECT_TRUE(one.spk.equal(rec.spk[t])) << t;
      EXPECT_TRUE(one.state.mem().equal(rec.mem[t])) << t;
      state = one.state;
    }
    EXPECT_TRUE(state.mem().equal(out.state.mem()));
  }
}

TEST(Neuron, EqualsThePlainEquations) {
  const auto x = input({12, 2, 3}, torch::kDouble);
  const auto mem0 = input({2, 3}, torch::kDouble) * 3;
  for (const auto reset : {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {
    for (const bool delay : {true, false}) {
      Leaky lif({.beta = full(0.8), .threshold = full(0.7), .reset_mechanism = reset, .reset_delay = delay});
      const auto rec = lif->record(x, State{{"mem", mem0}});
      const auto p =
          plain_leaky(x, mem0, full(0.8), {.threshold = full(0.7), .reset = reset, .delay = delay});
      EXPECT_TRUE(rec.spk.equal(p.spk));
      EXPECT_TRUE(rec.mem.allclose(p.mem, 1e-14, 1e-14));
    }
  }
}

TEST(Neuron, AnEmptyStateMeansZerosAndNothingIsRemembered) {
  Leaky lif({.beta = 0.9});
  const auto x = input({4, 2, 3});
  const auto first = lif->forward(x).state.mem();
  EXPECT_TRUE(lif->forward(x).state.mem().equal(first));
  EXPECT_TRUE(lif->forward(x, State{{"mem", torch::zeros({2, 3})}}).state.mem().equal(first));
  EXPECT_TRUE(lif->forward(x, State{{"mem", torch::empty({0})}}).state.mem().equal(first));
  EXPECT_TRUE(lif->hidden().empty());
}

TEST(Neuron, AFreshStateIsTheNeuronsRest) {
  rheo::nn::AdEx neuron({.E_L = torch::tensor({-70.0, -60.0})});
  rheo::nn::AdEx hidden({.E_L = torch::tensor({-70.0, -60.0}), .init_hidden = true});
  const auto none = torch::zeros({4, 3, 2});
  const auto step = neuron->step(none[0], {});
  for (const auto& mem : {neuron->record(none).mem[-1], neuron->forward(none, State{}).state.mem(),
                          hidden->forward(none).state.mem(), step.state.mem()}) {
    // Euler's method from E_L: the exponential's foot lifts it by less than 0.02 mV.
    EXPECT_LT((mem - torch::tensor({-70.0, -60.0})).abs().max().item<double>(), 0.05) << mem;
  }
  const auto other = neuron->forward(none, State{{"mem", torch::full({3, 2}, -65.0)}});  // w begins at rest
  EXPECT_LT((other.state.mem() + 65).abs().max().item<double>(), 1) << other.state.mem();
}

TEST(Neuron, ASequenceCanBeContinued) {
  Lapicque lif({.R = 2, .C = 3, .threshold = 0.4});
  const auto x = input({20, 2, 3});
  const auto whole = lif->forward(x);
  const auto head = lif->forward(x.slice(0, 0, 7));
  const auto tail = lif->forward(x.slice(0, 7), head.state);
  EXPECT_GT(whole.spk.sum().item<double>(), 5);
  EXPECT_TRUE(whole.spk.equal(torch::cat({head.spk, tail.spk})));
  EXPECT_TRUE(whole.state.mem().equal(tail.state.mem()));
}

TEST(Neuron, StateIsAValue) {
  const auto mem = torch::ones({2}, torch::requires_grad());
  const State state{{"mem", mem * 2}};
  EXPECT_TRUE(state.contains("mem"));
  EXPECT_FALSE(state.contains("syn"));
  EXPECT_TRUE(state.mem().requires_grad());
  EXPECT_FALSE(state.detach().mem().requires_grad());
  const auto copy = state.detach().clone();
  copy.mem().fill_(5);
  EXPECT_EQ(state.mem()[0].item<double>(), 2);
  EXPECT_EQ(state.to(torch::kDouble).mem().scalar_type(), torch::kDouble);
}

// ---- hidden state -----------------------------------------------------------------------------------------

TEST(HiddenState, ContinuesUntilReset) {
  Leaky keeps({.beta = 0.9, .init_hidden = true});
  Leaky plain({.beta = 0.9});
  const auto x = input({8, 2, 3});
  const auto expected = plain->forward(x);
  const auto head = keeps->forward(x.slice(0, 0, 3));
  EXPECT_TRUE(keeps->hidden().mem().equal(head.state.mem()));
  const auto tail = keeps->forward(x.slice(0, 3));
  EXPECT_TRUE(torch::cat({head.spk, tail.spk}).equal(expected.spk));
  EXPECT_TRUE(tail.state.mem().equal(expected.state.mem()));
  keeps->reset();
  EXPECT_TRUE(keeps->hidden().empty());
  EXPECT_TRUE(keeps->forward(x).state.mem().equal(expected.state.mem()));
}

TEST(HiddenState, DetachCutsTheHistory) {
  Leaky lif({.beta = 0.9, .init_hidden = true});
  auto x = input({3, 2, 2}).requires_grad_();
  lif->forward(x);
  EXPECT_TRUE(lif->hidden().mem().requires_grad());
  const auto before = lif->hidden().mem().clone();
  lif->detach();
  EXPECT_FALSE(lif->hidden().mem().requires_grad());
  EXPECT_TRUE(lif->hidden().mem().equal(before));
  // The second half alone reaches its own input.
  auto y = input({3, 2, 2}).requires_grad_();
  lif->record(y).mem.sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(y.grad().defined());
}

TEST(HiddenState, StartsAfreshWhenTheBatchChanges) {
  Leaky lif({.beta = 0.9, .init_hidden = true});
  lif->forward(input({3, 4, 2}));
  const auto x = input({3, 5, 2});
  EXPECT_TRUE(lif->forward(x).state.mem().equal(Leaky({.beta = 0.9})->forward(x).state.mem()));
}

TEST(HiddenState, CanBeSet) {
  Leaky lif({.beta = 0.5, .init_hidden = true});
  lif->set_hidden({{"mem", torch::full({1}, 0.8)}});
  EXPECT_FLOAT_EQ(lif->step(torch::zeros({1})).state.mem().item<float>(), 0.4F);
}

// ---- shapes and types -------------------------------------------------------------------------------------

TEST(Neuron, TakesAnyShapeBehindTime) {
  Leaky lif({.beta = 0.9});
  for (const auto& shape :
       {std::vector<std::int64_t>{5}, {5, 3}, {5, 2, 3}, {5, 2, 3, 4, 4}, {5, 1, 1}, {5, 1, 17}}) {
    const auto x = input(shape);
    const auto rec = lif->record(x);
    EXPECT_EQ(rec.mem.sizes(), x.sizes());
    EXPECT_EQ(rec.state.mem().sizes(), x.sizes().slice(1));
    const auto p =
        plain_leaky(x.to(torch::kDouble), torch::zeros(x.sizes().slice(1), torch::kDouble), full(0.9));
    EXPECT_TRUE(rec.mem.to(torch::kDouble).allclose(p.mem, 1e-5, 1e-6));
  }
}

TEST(Neuron, NoStepsReturnTheState) {
  for (const bool fused : {true, false}) {
    Leaky lif({.beta = 0.9, .fused = fused});
    const auto mem0 = input({2, 3}).requires_grad_();
    const auto rec = lif->record(torch::empty({0, 2, 3}), State{{"mem", mem0}});
    EXPECT_EQ(rec.spk.sizes(), (std::vector<std::int64_t>{0, 2, 3}));
    EXPECT_EQ(rec.mem.sizes(), (std::vector<std::int64_t>{0, 2, 3}));
    EXPECT_TRUE(rec.state.mem().equal(mem0));
    rec.state.mem().sum().backward();
    EXPECT_TRUE(mem0.grad().equal(torch::ones({2, 3})));
    EXPECT_TRUE(lif->forward(torch::empty({0, 2, 3})).state.mem().equal(torch::zeros({2, 3})));
  }
}

TEST(Neuron, AnEmptyBatchIsNoError) {
  Leaky lif({.beta = torch::full({3}, 0.9), .learn_beta = true});
  auto x = torch::empty({4, 0, 3}).requires_grad_();
  const auto rec = lif->record(x);
  EXPECT_EQ(rec.spk.sizes(), (std::vector<std::int64_t>{4, 0, 3}));
  EXPECT_EQ(rec.state.mem().sizes(), (std::vector<std::int64_t>{0, 3}));
  rec.mem.sum().backward();
  EXPECT_EQ(x.grad().sizes(), x.sizes());
  EXPECT_TRUE(lif->parameter("beta").grad().equal(torch::zeros({3})));
}

TEST(Neuron, BatchMayChangeBetweenCalls) {
  Leaky lif({.beta = torch::full({3}, 0.9)});
  for (const std::int64_t batch : {4, 1, 7}) EXPECT_EQ(lif->forward(input({2, batch, 3})).spk.size(1), batch);
}

TEST(Neuron, NonContiguousInputAndStateGiveTheSame) {
  Leaky lif({.beta = 0.9, .threshold = 0.8});
  const auto x = input({4, 3, 6}).permute({2, 1, 0});  // [6, 3, 4]
  const State state{{"mem", input({4, 3}).t()}};
  const auto a = lif->record(x, state);
  const auto b = lif->record(x.contiguous(), State{{"mem", state.mem().contiguous()}});
  ASSERT_FALSE(x.is_contiguous());
  EXPECT_TRUE(a.spk.equal(b.spk));
  EXPECT_TRUE(a.mem.equal(b.mem));
}

TEST(Neuron, GradientsOfAnyLayoutGiveTheSame) {
  Leaky lif({.beta = 0.9, .threshold = 0.8});
  const auto grad_of = [&](const torch::Tensor& weights) {
    auto x = input({6, 3, 5}).requires_grad_();
    lif->record(x).mem.backward(weights);
    return x.grad();
  };
  const auto w = input({5, 3, 6}).permute({2, 1, 0});
  EXPECT_TRUE(grad_of(w).equal(grad_of(w.contiguous())));
  const auto one = torch::ones({}).expand({6, 3, 5});
  EXPECT_TRUE(grad_of(one).equal(grad_of(one.contiguous())));
  const auto rows = input({6, 1, 1}).expand({6, 3, 5});
  EXPECT_TRUE(grad_of(rows).equal(grad_of(rows.contiguous())));
}

TEST(Neuron, ResultsHaveTheInputsType) {
  for (const auto dtype : {torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16}) {
    Leaky lif({.beta = 0.8, .threshold = 0.9});
    const auto x = input({10, 2, 9}).to(dtype);
    auto leaf = x.clone().requires_grad_();
    const auto rec = lif->record(leaf);
    EXPECT_EQ(rec.spk.scalar_type(), dtype);
    EXPECT_EQ(rec.mem.scalar_type(), dtype);
    EXPECT_EQ(rec.state.mem().scalar_type(), dtype);
    // Narrow types are computed in float32 and rounded once.
    const auto wide = dtype == torch::kDouble ? torch::kDouble : torch::kFloat;
    const auto same = lif->record(x.to(wide));
    EXPECT_TRUE(rec.spk.equal(same.spk.to(dtype)));
    EXPECT_TRUE(rec.mem.equal(same.mem.to(dtype)));
    rec.mem.sum().backward();
    EXPECT_EQ(leaf.grad().scalar_type(), dtype);
    EXPECT_GT(leaf.grad().abs().sum().item<double>(), 0);
  }
}

TEST(Neuron, AConstantInputEqualsTheRepeatedOne) {
  for (const bool fused : {true, false}) {
    for (const std::int64_t steps : {0, 1, 2, 25}) {
      SCOPED_TRACE(testing::Message() << "steps " << steps << ", fused " << fused);
      const auto row = input({2, 5}, torch::kDouble);
      const auto w = input({steps, 2, 5}, torch::kDouble);
      std::vector<std::vector<torch::Tensor>> results;
      for (const bool expanded : {false, true}) {
        Leaky lif({.beta = full(0.8), .learn_beta = true, .fused = fused});
        auto leaf = row.clone().requires_grad_();
        const rheo::TimeConstant x{leaf, steps};
        const auto rec = expanded ? lif->record(x.expand()) : lif->record(x);
        EXPECT_EQ(rec.spk.sizes(), (std::vector<std::int64_t>{steps, 2, 5}));
        if (rec.mem.requires_grad()) {
          (rec.mem * w + rec.spk * w).sum().backward();
        }
        const auto beta = lif->parameter("beta").grad();
        const auto grad = leaf.grad();
        results.push_back({rec.spk.detach(), rec.mem.detach(), grad.defined() ? grad : torch::zeros_like(row),
                           beta.defined() ? beta : full(0)});
      }
      for (std::size_t i = 0; i < results[0].size(); ++i) {
        EXPECT_TRUE(results[0][i].allclose(results[1][i], 1e-12, 1e-13)) << i;
      }
    }
  }
}

// ---- what is kept for the backward ------------------------------------------------------------------------

TEST(Neuron, WithoutGradientsNothingIsSaved) {
  Leaky lif({.beta = 0.9, .learn_beta = true});
  const auto x = input({5, 2, 3});
  const auto check = [](const rheo::nn::Recording& rec) {
    EXPECT_FALSE(rec.spk.requires_grad() || rec.mem.requires_grad() || rec.state.mem().requires_grad());
    EXPECT_EQ(rec.spk.grad_fn(), nullptr);
    EXPECT_EQ(rec.mem.grad_fn(), nullptr);
    EXPECT_EQ(rec.state.mem().grad_fn(), nullptr);
  };
  EXPECT_NE(lif->record(x).mem.grad_fn(), nullptr);
  {
    const torch::NoGradGuard no_grad;
    check(lif->record(x));
  }
  {
    const c10::InferenceMode inference;
    const auto rec = lif->record(x.clone());
    check(rec);
    EXPECT_TRUE(rec.mem.is_inference());
  }
  check(Leaky({.beta = 0.9})->record(x));  // nothing in it is learned
}

TEST(Neuron, WithoutGradientsTheInputIsLetGo) {
  Leaky lif({.beta = 0.9, .learn_beta = true});
  const auto users = [&](bool grad) {
    const torch::AutoGradMode mode(grad);
    const auto x = input({5, 2, 3});
    const auto out = lif->forward(x);
    return x.use_count();
  };
  EXPECT_EQ(users(false), 1U);
  EXPECT_GT(users(true), 1U);
}

TEST(Neuron, SecondDerivatives) {
  const auto second = [](bool fused) {
    Leaky lif({.beta = full(0.9), .reset_mechanism = rheo::Reset::none, .fused = fused});
    auto x = input({4, 3}, torch::kDouble).requires_grad_();
    const auto g = torch::autograd::grad({lif->forward(x).spk.sum()}, {x}, {}, true, true)[0];
    return torch::autograd::grad({g.sum()}, {x})[0];
  };
  try {
    second(true);
    FAIL();
  } catch (const rheo::Error& error) {
    EXPECT_STREQ(
        error.what(),
        "[Leaky] the fused backward has no derivative of its own: for second derivatives set fused = false");
  }
  EXPECT_GT(second(false).abs().sum().item<double>(), 0.01);
}

// ---- the backward -----------------------------------------------------------------------------------------

TEST(Backward, OfAnyOfTheResultsAlone) {
  const auto w = input({300, 2, 5}, torch::kDouble);
  const auto of = [&](bool fused, const std::string& which) {
    Leaky lif({.beta = full(0.9), .learn_beta = true, .threshold = full(0.8), .fused = fused});
    auto x = input({300, 2, 5}, torch::kDouble).requires_grad_();
    auto mem0 = input({2, 5}, torch::kDouble).requires_grad_();
    const auto rec = lif->record(x, State{{"mem", mem0}});
    const auto y = which == "state" ? rec.state.mem() : which == "last" ? rec.mem[299] : rec[which];
    return torch::autograd::grad({(y * (y.dim() == 3 ? w : w[7])).sum()}, {x, mem0, lif->parameter("beta")});
  };
  for (const std::string which : {"spk", "mem", "state", "last"}) {
    const auto fused = of(true, which), reference = of(false, which);
    for (std::size_t i = 0; i < fused.size(); ++i) {
      EXPECT_TRUE(fused[i].allclose(reference[i], 1e-9, 1e-12)) << which << i;
    }
    EXPECT_GT(reference[0].abs().max().item<double>(), 1e-3) << which;
  }
}

TEST(Backward, TwiceOverOneGraphGivesTheSame) {
  Leaky lif({.beta = 0.9, .learn_beta = true});
  const auto x = input({9, 2, 5}).requires_grad_();
  for (const bool traces : {true, false}) {
    const auto y = traces ? lif->record(x).mem : lif->forward(x).spk;
    const auto first = torch::autograd::grad({y.sum()}, {x}, {}, true)[0];
    EXPECT_TRUE(torch::autograd::grad({y.sum()}, {x})[0].equal(first));
  }
}

TEST(Backward, SpikesMayBeChangedInPlace) {
  Leaky lif({.beta = 0.9});
  auto x = input({9, 2, 5}).requires_grad_();
  lif->record(x).spk.mul_(2).sum().backward();
  auto y = input({9, 2, 5}).requires_grad_();
  (lif->record(y).spk * 2).sum().backward();
  EXPECT_TRUE(x.grad().equal(y.grad()));
}

TEST(Backward, TheGraphDiesWithItsResults) {
  Leaky lif({.beta = 0.9, .learn_beta = true});
  const auto x = input({9, 2, 5});
  const auto before = x.use_count();
  std::optional rec(lif->record(x));
  const auto traces = rec->mem.storage().getWeakStorageImpl();
  EXPECT_GT(x.use_count(), before);
  EXPECT_FALSE(traces.expired());
  rec.reset();
  EXPECT_EQ(x.use_count(), before);
  EXPECT_TRUE(traces.expired());
}

TEST(Neuron, ThreadsMayCallOneModule) {
  Leaky lif({.beta = torch::full({64}, 0.9), .learn_beta = true});
  const auto x = input({20, 8, 64});
  const auto expected = lif->record(x).mem;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        auto leaf = x.clone().requires_grad_();
        const auto rec = lif->record(leaf);
        const auto grad = torch::autograd::grad({rec.mem.sum()}, {leaf})[0];
        if (!rec.mem.equal(expected) || !grad.isfinite().all().item<bool>()) ++wrong;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

// ---- copies, conversion, saving ---------------------------------------------------------------------------

TEST(Neuron, ACloneIsIndependent) {
  for (const bool learned : {true, false}) {
    Lapicque a({.beta = 0.9,
                .R = 2,
                .learn_beta = learned,
                .threshold = 0.6,
                .init_hidden = true,
                .reset_mechanism = rheo::Reset::zero,
                .graded_spikes_factor = 1.5,
                .reset_delay = false});
    const auto x = input({5, 2, 3});
    a->forward(x);
    a->set_reset_mechanism(rheo::Reset::none);
    const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(a->clone());
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->named_parameters().size(), learned ? 1U : 0U);
    EXPECT_TRUE(copy->hidden().mem().equal(a->hidden().mem()));
    std::ostringstream one, other;
    one << *a;
    other << *copy;
    EXPECT_EQ(one.str(), other.str());
    const auto ours = a->record(x);
    EXPECT_TRUE(copy->record(x).mem.equal(ours.mem));
    copy->reset();
    EXPECT_FALSE(a->hidden().empty());
    {
      const torch::NoGradGuard no_grad;
      copy->parameter("threshold").fill_(5);
      copy->parameter("beta").fill_(0.5);
    }
    EXPECT_FLOAT_EQ(a->parameter("threshold").item<float>(), 0.6F);
    EXPECT_FLOAT_EQ(a->parameter("beta").item<float>(), 0.9F);
  }
}

TEST(Neuron, ACloneInsideAContainer) {
  torch::nn::Sequential net(torch::nn::Linear(3, 3));
  net->push_back("lif", Leaky({.beta = 0.9, .learn_beta = true}));
  const auto copy = net->clone();
  EXPECT_EQ(copy->named_parameters().size(), 3U);
  // libtorch's Sequential numbers the children of its clones.
  EXPECT_EQ(copy->named_parameters()["1.beta"].item<float>(), 0.9F);
  EXPECT_NE(copy->named_parameters()["1.beta"].data_ptr(), net->named_parameters()["lif.beta"].data_ptr());
}

TEST(Neuron, ToAnotherTypeKeepsTheResetWhole) {
  Leaky lif({.beta = 0.9, .init_hidden = true, .reset_mechanism = rheo::Reset::zero});
  lif->forward(input({3, 2}));
  lif->to(torch::kDouble);
  EXPECT_EQ(lif->parameter("beta").scalar_type(), torch::kDouble);
  EXPECT_EQ(lif->hidden().mem().scalar_type(), torch::kDouble);
  EXPECT_EQ(lif->parameter("reset_mechanism_val").scalar_type(), torch::kLong);
  EXPECT_EQ(lif->reset_mechanism(), rheo::Reset::zero);
  EXPECT_EQ(lif->forward(input({3, 2}, torch::kDouble)).spk.scalar_type(), torch::kDouble);
  lif->to(torch::Device("cpu"));
  lif->to(torch::Device("cpu"), torch::kFloat);
  EXPECT_EQ(lif->parameter("beta").scalar_type(), torch::kFloat);
  EXPECT_EQ(lif->reset_mechanism(), rheo::Reset::zero);
}

TEST(Neuron, AParentConvertsItsNeurons) {
  torch::nn::Sequential net;
  Leaky lif({.beta = 0.9, .init_hidden = true, .reset_mechanism = rheo::Reset::zero});
  net->push_back("lif", lif);
  lif->forward(input({3, 2}));
  net->to(torch::kDouble);
  EXPECT_EQ(lif->hidden().mem().scalar_type(), torch::kDouble);
  EXPECT_EQ(net->named_buffers()["lif.beta"].scalar_type(), torch::kDouble);
  EXPECT_EQ(net->named_buffers()["lif.reset_mechanism_val"].scalar_type(), torch::kLong);
  EXPECT_EQ(lif->forward(input({3, 2}, torch::kDouble)).spk.scalar_type(), torch::kDouble);
}

TEST(Neuron, SavedStateDoesNotDependOnTheBatch) {
  Leaky a(
      {.beta = torch::tensor({0.5, 0.6, 0.7}), .learn_beta = true, .threshold = 0.4, .init_hidden = true});
  const auto fresh = saved(a);
  a->forward(input({4, 5, 3}));
  EXPECT_EQ(saved(a).size(), fresh.size());
  Leaky b({.beta = torch::ones({3}), .learn_beta = true});
  b->forward(input({4, 2, 3}));
  load(b, saved(a));
  EXPECT_TRUE(b->parameter("beta").equal(a->parameter("beta")));
  EXPECT_EQ(b->named_parameters().size(), 1U);
  a->reset();
  const auto x = input({4, 2, 3});
  EXPECT_TRUE(a->record(x).mem.equal(b->record(x).mem));
}

// ---- text -------------------------------------------------------------------------------------------------

template <class M>
std::string printed(const M& module) {
  std::ostringstream out;
  out << module;
  return out.str();
}

TEST(Neuron, Prints) {
  EXPECT_EQ(printed(Leaky({.beta = 0.9})),
            "Leaky(beta=0.9, threshold=1, reset_mechanism=subtract, surrogate=atan(alpha=2))");
  EXPECT_EQ(printed(Leaky({.beta = torch::full({3, 1, 1}, 0.9),
                           .learn_beta = true,
                           .threshold = 0.5,
                           .spike_grad = rheo::surrogate::SFS(5, 0.5),
                           .init_hidden = true,
                           .reset_mechanism = rheo::Reset::zero,
                           .graded_spikes_factor = 2,
                           .reset_delay = false})),
            "Leaky(beta=[3, 1, 1] (learned), threshold=0.5, graded_spikes_factor=2, reset_mechanism=zero, "
            "reset_delay=false, init_hidden=true, surrogate=SFS(slope=5, B=0.5))");
  EXPECT_EQ(
      printed(Lapicque(
          {.R = 5.1, .C = 5e-3, .time_step = 1e-3, .integration = "exact", .surrogate_disable = true})),
      "Lapicque(R=5.1, C=0.005, time_step=0.001, threshold=1, reset_mechanism=subtract, integration=exact, "
      "surrogate=none)");
}

TEST(Neuron, ExplainSaysWhatRunsFused) {
  torch::nn::Sequential net;
  net->push_back("fc", torch::nn::Linear(2, 2));
  net->push_back("lif1", Leaky({.beta = 0.9}));
  net->push_back("lif2", Leaky({.beta = 0.9, .fused = false}));
  net->push_back("lif3",
                 Lapicque({.beta = 0.9, .spike_grad = rheo::surrogate::custom([](auto u, auto g, auto) {
                                          return g / (1 + u.abs());
                                        })}));
  EXPECT_EQ(rheo::explain(*net),
            "lif1: Leaky: fused (" + rheo::instruction_set() +
                ", float32 and float64)\n"
                "lif2: Leaky: not fused: fused = false\n"
                "lif3: Lapicque: not fused: the surrogate is a function of the user's\n");
  EXPECT_EQ(rheo::explain(*Leaky({.beta = 0.9})),
            "Leaky: fused (" + rheo::instruction_set() + ", float32 and float64)\n");
}

}  // namespace
