// What all layers with a state share: inhibition, quantised states, refused options, and a layer of the user's own.
#include "rheo/nn/spiking.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "rheo/rheo.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::Reset;
using rheo::nn::Leaky;
using rheo::test::error_of;

// ---- inhibition -------------------------------------------------------------------------------------------

/// A Leaky layer with inhibition as a loop over numbers: x [T, B, N].
std::pair<torch::Tensor, torch::Tensor> inhibited(const torch::Tensor& x, double beta, double threshold,
                                                  Reset reset, bool delay) {
  auto spk = torch::zeros_like(x), mem = torch::zeros_like(x);
  const auto X = x.accessor<double, 3>();
  auto S = spk.accessor<double, 3>(), U = mem.accessor<double, 3>();
  for (std::int64_t b = 0; b < x.size(1); ++b) {
    std::vector<double> u(static_cast<std::size_t>(x.size(2)), 0.0);
    for (std::int64_t t = 0; t < x.size(0); ++t) {
      std::size_t winner = 0;
      std::vector<bool> above(u.size());
      for (std::size_t n = 0; n < u.size(); ++n) {
        const bool was = u[n] > threshold;
        double kept = u[n];
        if (delay && was && reset == Reset::zero) kept = 0;
        u[n] = beta * kept + X[t][b][static_cast<std::int64_t>(n)];
        if (delay && was && reset == Reset::subtract) u[n] -= threshold;
        above[n] = u[n] > threshold;
        if (u[n] > u[winner]) winner = n;
      }
      if (above[winner]) S[t][b][static_cast<std::int64_t>(winner)] = 1;
      for (std::size_t n = 0; n < u.size(); ++n) {
        if (!delay && above[n] && reset == Reset::subtract) u[n] -= threshold;
        if (!delay && above[n] && reset == Reset::zero) u[n] = 0;
        U[t][b][static_cast<std::int64_t>(n)] = u[n];
      }
    }
  }
  return {spk, mem};
}

TEST(Inhibition, OneSpikePerRowAndTheLosersAreReset) {
  torch::manual_seed(2);
  const auto x = torch::rand({30, 3, 5}, torch::kDouble);
  for (const auto reset : {Reset::subtract, Reset::zero, Reset::none}) {
    for (const bool delay : {true, false}) {
      const Leaky lif({.beta = torch::scalar_tensor(0.8, torch::kDouble),
                       .inhibition = true,
                       .reset_mechanism = reset,
                       .graded_spikes_factor = 3,  // which the winner ignores
                       .reset_delay = delay});
      const auto rec = lif.ptr()->record(x);
      const auto [spk, mem] = inhibited(x, 0.8, 1, reset, delay);
      EXPECT_TRUE(rec.spk.equal(spk));
      EXPECT_TRUE(rec.mem.allclose(mem, 0, 1e-12));
      EXPECT_LE(rec.spk.sum(-1).max().item<double>(), 1);
      EXPECT_GT(rec.spk.sum().item<double>(), 10);
    }
  }
}

TEST(Inhibition, TheWinnersGradientOnly) {
  const Leaky lif({.beta = 0.9, .inhibition = true});
  const auto x = torch::tensor({{{0.2, 1.5, 1.2}}}).requires_grad_();
  lif.ptr()->forward(x).spk.sum().backward();
  EXPECT_EQ(x.grad()[0][0][0].item<double>(), 0);
  EXPECT_GT(x.grad()[0][0][1].item<double>(), 0);
  EXPECT_EQ(x.grad()[0][0][2].item<double>(), 0);
}

TEST(Inhibition, NeedsADenseLayer) {
  const Leaky lif({.beta = 0.9, .inhibition = true});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { lif.ptr()->forward(torch::zeros({2, 3, 4, 5})); }),
            "[Leaky] inhibition needs a dense layer, one step of x [B, N], got [3, 4, 5]");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { lif.ptr()->forward(torch::zeros({2, 3})); }),
            "[Leaky] inhibition needs a dense layer, one step of x [B, N], got [3]");
  EXPECT_EQ(lif.ptr()->forward(torch::zeros({2, 0, 3})).spk.numel(), 0);
  EXPECT_EQ(lif.ptr()->forward(torch::zeros({2, 3, 0})).spk.numel(), 0);
}

TEST(Inhibition, ExplainSaysSo) {
  EXPECT_EQ(rheo::explain(*Leaky({.beta = 0.9, .inhibition = true})),
            "Leaky: not fused: inhibition compares the neurons of a layer\n");
  EXPECT_EQ(rheo::explain(*Leaky({.beta = 0.9, .state_quant = {{.num_bits = 4}}})),
            "Leaky: not fused: states are quantised\n");
}

// ---- quantised states -------------------------------------------------------------------------------------

TEST(QuantisedStates, AfterTheUpdateAndBeforeTheSpike) {
  torch::manual_seed(3);
  const auto x = torch::rand({40, 2, 7}, torch::kDouble);
  const rheo::quant::StateQuant quant({.num_bits = 4});
  const auto beta = torch::scalar_tensor(0.8, torch::kDouble);
  for (const bool delay : {true, false}) {
    const Leaky lif({.beta = beta, .state_quant = quant, .reset_delay = delay});
    const auto rec = lif.ptr()->record(x);
    auto u = torch::zeros_like(x[0]);
    for (std::int64_t t = 0; t < x.size(0); ++t) {
      u = 0.8 * u + x[t] - (delay ? u.gt(1).to(torch::kDouble) : torch::zeros_like(u));
      u = quant(u);
      const auto spk = u.gt(1).to(torch::kDouble);
      if (!delay) u = u - spk;  // not quantised once more
      ASSERT_TRUE(rec.spk[t].equal(spk)) << t;
      ASSERT_TRUE(rec.mem[t].allclose(u, 0, 1e-12)) << t;
    }
    EXPECT_GT(rec.spk.sum().item<double>(), 10);
  }
}

// ---- refused options --------------------------------------------------------------------------------------

TEST(RefusedOptions, EachByItsName) {
  using rheo::nn::CommonOptions;
  const std::vector<std::pair<std::string, std::function<void(CommonOptions&)>>> set = {
      {"threshold", [](auto& o) { o.threshold = 1.0; }},
      {"spike_grad", [](auto& o) { o.spike_grad = rheo::surrogate::fast_sigmoid(); }},
      {"surrogate_disable", [](auto& o) { o.surrogate_disable = true; }},
      {"init_hidden", [](auto& o) { o.init_hidden = true; }},
      {"inhibition", [](auto& o) { o.inhibition = true; }},
      {"learn_threshold", [](auto& o) { o.learn_threshold = true; }},
      {"reset_mechanism", [](auto& o) { o.reset_mechanism = Reset::subtract; }},
      {"state_quant", [](auto& o) { o.state_quant = {{.num_bits = 2}}; }},
      {"graded_spikes_factor", [](auto& o) { o.graded_spikes_factor = 1.0; }},
      {"learn_graded_spikes_factor", [](auto& o) { o.learn_graded_spikes_factor = true; }},
      {"reset_delay", [](auto& o) { o.reset_delay = false; }},
      {"fused", [](auto& o) { o.fused = false; }},
  };
  std::vector<std::string_view> all;
  for (const auto& [name, apply] : set) all.push_back(name);
  rheo::nn::refuse_options("Toy", {}, all);  // nothing is set
  for (const auto& [name, apply] : set) {
    CommonOptions o;
    apply(o);
    EXPECT_EQ(error_of<rheo::TypeError>([&] { rheo::nn::refuse_options("Toy", o, all); }),
              "[Toy] " + name + " must not be given: it would have no effect");
    std::vector<std::string_view> others;
    std::copy_if(all.begin(), all.end(), std::back_inserter(others), [&](auto n) { return n != name; });
    rheo::nn::refuse_options("Toy", o, others);
  }
}

// ---- a layer of the user's own ----------------------------------------------------------------------------

/// Adds up its input and fires beyond the threshold, which resets the sum.
class CounterImpl : public rheo::nn::SpikingImpl {
 public:
  explicit CounterImpl(bool init_hidden = false, double threshold = 1)
      : init_hidden_(init_hidden), firing_(*this, "Counter", options(threshold), Reset::zero) {}

  std::string kind() const override { return "Counter"; }
  bool keeps_state() const override { return init_hidden_; }
  std::string why_not_fused(const torch::Tensor& = {}) const override { return "it is a loop"; }
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& = std::nullopt) const override {
    auto copy = std::make_shared<CounterImpl>(init_hidden_);
    copy->take(*this);
    return copy;
  }
  const rheo::nn::Firing& firing() const { return firing_; }

 protected:
  rheo::nn::Output do_forward(const rheo::Input& x, const rheo::State& state) override {
    auto rec = do_record(x, state);
    return {rec.spk, rec.state};
  }
  rheo::nn::Recording do_record(const rheo::Input& x, const rheo::State& state) override {
    check_input(x);
    const auto row = x.x.sizes().slice(1);
    firing_.check(row);
    const auto first = first_state(state, {"mem"}, {row});
    auto mem = first.empty() || !first[0].defined() ? torch::zeros(row, x.x.options()) : first[0];
    std::vector<torch::Tensor> spk, mems;
    for (std::int64_t t = 0; t < x.steps; ++t) {
      mem = mem * (1 - firing_.reset_flag(mem)) + x.x[x.x.size(0) == 1 ? 0 : t];
      spk.push_back(firing_.fire(mem));
      mems.push_back(mem);
    }
    const rheo::State last{{"mem", mem}};
    keep(last);
    const auto all = torch::stack(mems);
    return {torch::stack(spk), all, {{"mem", all}}, last};
  }

 private:
  static rheo::nn::CommonOptions options(double threshold) {
    rheo::nn::CommonOptions o;
    o.threshold = threshold;
    o.learn_threshold = true;
    return o;
  }
  bool init_hidden_;
  rheo::nn::Firing firing_;
};
TORCH_MODULE(Counter);

TEST(OwnLayer, WorksInSequentialAsANeuronDoes) {
  rheo::nn::Sequential net(Counter(), torch::nn::Linear(3, 2), Counter());
  const auto x = torch::rand({6, 4, 3});
  const auto whole = net->record(x);
  EXPECT_EQ(net->neuron_names(), (std::vector<std::string>{"0", "2"}));
  EXPECT_EQ(whole["2"].mem.sizes(), (std::vector<std::int64_t>{6, 4, 2}));
  const auto first = net->forward(x.slice(0, 0, 2));
  const auto rest = net->forward(x.slice(0, 2), first.state);
  EXPECT_TRUE(torch::cat({first.y, rest.y}).equal(whole.y));
  EXPECT_EQ(rheo::explain(*net),
            "0: Counter: not fused: it is a loop\n2: Counter: not fused: it is a loop\n");
}

TEST(OwnLayer, KeepsHiddenStateUntilReset) {
  rheo::nn::Sequential net{Counter(true)};
  auto& counter = net->layer<CounterImpl>(0);
  const auto x = torch::full({1, 2}, 0.25);
  net->forward(x);
  net->forward(x);
  EXPECT_TRUE(counter.hidden().mem().equal(torch::full({2}, 0.5)));
  EXPECT_EQ(error_of<rheo::TypeError>([&] { counter.forward(x, {{"mem", torch::zeros({2})}}); }),
            "[Counter] state must not be given with init_hidden, which keeps its own");
  net->forward(torch::full({1, 3}, 0.25));  // another shape starts afresh
  EXPECT_TRUE(counter.hidden().mem().equal(torch::full({3}, 0.25)));
  rheo::nn::reset(*net);
  EXPECT_TRUE(counter.hidden().empty());
}

TEST(OwnLayer, CopiesTakeEverythingAndStandAlone) {
  Counter counter(true);
  counter->forward(torch::full({1, 2}, 0.25));
  counter->eval();
  {
    const torch::NoGradGuard no_grad;
    counter->named_parameters()["threshold"].fill_(0.7);
  }
  const auto copy = std::dynamic_pointer_cast<CounterImpl>(counter->clone());
  EXPECT_TRUE(copy->hidden().mem().equal(counter->hidden().mem()));
  EXPECT_FLOAT_EQ(copy->firing().threshold().item<float>(), 0.7F);
  EXPECT_FALSE(copy->is_training());
  copy->forward(torch::full({1, 2}, 0.25));
  EXPECT_TRUE(counter->hidden().mem().equal(torch::full({2}, 0.25)));
  {
    const torch::NoGradGuard no_grad;
    copy->named_parameters()["threshold"].fill_(5);
  }
  EXPECT_FLOAT_EQ(counter->firing().threshold().item<float>(), 0.7F);
}

TEST(OwnLayer, MovesWithItsStateAndKeepsItsReset) {
  Counter counter(true);
  counter->forward(torch::full({1, 2}, 0.25));
  counter->to(torch::kDouble);
  EXPECT_EQ(counter->hidden().mem().scalar_type(), torch::kDouble);
  EXPECT_EQ(counter->firing().threshold().scalar_type(), torch::kDouble);
  EXPECT_EQ(counter->firing().reset_mechanism_val().scalar_type(), torch::kLong);
  EXPECT_EQ(counter->firing().reset_mechanism(), Reset::zero);
}

TEST(OwnLayer, SaysWhatIsWrongWithInputAndState) {
  Counter counter;
  const auto x = torch::zeros({2, 3});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { counter->forward(torch::Tensor()); }),
            "[Counter] x must be a tensor, got an undefined one");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { counter->forward(torch::zeros({2, 3}, torch::kInt)); }),
            "[Counter] x must be a floating-point tensor, got Int");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { counter->forward(x, {{"mem", torch::zeros({4})}}); }),
            "[Counter] state 'mem' must have shape [3], got [4]");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { counter->forward(x, {{"men", torch::zeros({3})}}); }),
            "[Counter] state must hold mem, got 'men'; did you mean 'mem'?");
  EXPECT_EQ(
      error_of<rheo::TypeError>([&] { counter->forward(x, {{"mem", torch::zeros({3}, torch::kInt)}}); }),
      "[Counter] state 'mem' must be floating-point, got Int");
}

// ---- Firing -----------------------------------------------------------------------------------------------

TEST(Firing, SpikesFactorAndGradientsAsANeuronHasThem) {
  torch::manual_seed(4);
  rheo::nn::CommonOptions o;
  o.threshold = torch::tensor({0.2, 0.4, 0.6}, torch::kDouble);
  o.learn_threshold = o.learn_graded_spikes_factor = true;
  o.graded_spikes_factor = torch::scalar_tensor(1.7, torch::kDouble);
  torch::nn::Module owner("owner");
  const rheo::nn::Firing firing(owner, "Toy", o, Reset::none);
  EXPECT_EQ(owner.named_parameters().keys(), (std::vector<std::string>{"threshold", "graded_spikes_factor"}));
  const Leaky lif({.beta = torch::scalar_tensor(0.0, torch::kDouble),
                   .threshold = o.threshold,
                   .learn_threshold = true,
                   .reset_mechanism = Reset::none,
                   .graded_spikes_factor = o.graded_spikes_factor,
                   .learn_graded_spikes_factor = true});
  const auto u = torch::rand({5, 2, 3}, torch::kDouble);
  const auto a = u.clone().requires_grad_(), b = u.clone().requires_grad_();
  const auto w = torch::rand_like(u);
  const auto mine = firing.fire(a);
  const auto theirs = lif.ptr()->forward(b).spk;
  EXPECT_TRUE(mine.equal(theirs));
  mine.backward(w);
  theirs.backward(w);
  EXPECT_TRUE(a.grad().allclose(b.grad(), 1e-12, 0));
  for (const auto& name : {"threshold", "graded_spikes_factor"}) {
    EXPECT_TRUE(owner.named_parameters()[name].grad().allclose(lif.ptr()->parameter(name).grad(), 1e-12, 0));
  }
}

TEST(Firing, ChecksAtEveryCall) {
  torch::nn::Module owner("owner");
  rheo::nn::CommonOptions o;
  o.threshold = torch::ones({3});
  const rheo::nn::Firing firing(owner, "Toy", o);
  firing.check({4, 3});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { firing.check({4, 5}); }),
            "[Toy] threshold must have 1 or 5 elements, got 3");
  firing.threshold().fill_(std::nan(""));
  EXPECT_EQ(error_of<rheo::ValueError>([&] { firing.check({4, 3}); }),
            "[Toy] threshold must be finite, got nan");
  EXPECT_EQ(firing.reset_mechanism(), Reset::none);
}

// ---- parameters a layer around the step has no use for ----------------------------------------------------

TEST(FixedParameters, AreNumbersOfTheEquationsOnly) {
  rheo::NeuronOptions o;
  o.params = {{"R", 2.0}, {"C", 2.0}};
  const auto& entry = rheo::nn::find_entry("Lapicque");
  const auto fixed = std::make_shared<rheo::nn::NeuronImpl>(
      entry, o, std::vector<std::pair<std::string, double>>{{"time_step", 0.5}});
  o.params.emplace_back("time_step", 0.5);
  const rheo::nn::Neuron given(entry, o);
  EXPECT_FALSE(fixed->named_buffers().contains("time_step"));
  EXPECT_TRUE(given.ptr()->named_buffers().contains("time_step"));
  const auto x = torch::rand({5, 3});
  EXPECT_TRUE(fixed->record(x).mem.equal(given.ptr()->record(x).mem));
  const auto copy = std::dynamic_pointer_cast<rheo::nn::NeuronImpl>(fixed->clone());
  EXPECT_FALSE(copy->named_buffers().contains("time_step"));
  EXPECT_TRUE(copy->record(x).mem.equal(fixed->record(x).mem));
}

}  // namespace
