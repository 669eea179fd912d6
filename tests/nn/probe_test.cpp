// Probes against what the layers say themselves: calls by hand, record(), autograd::grad.
#include "rheo/nn/probe.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "rheo/nn/batch_norm_tt.hpp"
#include "rheo/nn/linear_leaky.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::State;
using rheo::TimeConstant;
using rheo::nn::AttributeMonitor;
using rheo::nn::GradInputMonitor;
using rheo::nn::GradOutputMonitor;
using rheo::nn::InputMonitor;
using rheo::nn::Keep;
using rheo::nn::Layers;
using rheo::nn::Leaky;
using rheo::nn::OutputMonitor;
using rheo::nn::Sequential;
using rheo::test::error_of;
using torch::Tensor;
using torch::nn::Linear;
using Names = std::vector<std::string>;
using Places = std::vector<std::size_t>;

Tensor input(std::vector<std::int64_t> shape) {
  torch::manual_seed(7);
  return torch::randn(shape) * 2;
}

/// fc1, lif1, block (fc, lif), norm, fc2, lif2.
struct Nested {
  Linear fc1{13, 21}, fc{21, 21}, fc2{21, 7};
  Leaky lif1{{.beta = 0.9}}, lif{{.beta = 0.7, .threshold = 0.2}}, lif2{{.beta = 0.8, .threshold = 0.1}};
  Sequential net{};

  Nested() {
    torch::manual_seed(5);
    for (auto* l : {&fc1, &fc, &fc2}) (*l)->reset_parameters();
    net->push_back("fc1", fc1);
    net->push_back("lif1", lif1);
    Sequential block;
    block->push_back("fc", fc);
    block->push_back("lif", lif);
    net->push_back("block", block);
    net->push_back("norm", rheo::nn::BatchNormTT1d({.input_features = 21, .time_steps = 6}));
    net->push_back("fc2", fc2);
    net->push_back("lif2", lif2);
    net->eval();
  }
};

// ---- what is seen -----------------------------------------------------------------------------------------

TEST(OutputMonitor, SeesEveryLayerAtAnyDepthInTheOrderOfTheCalls) {
  Nested n;
  const auto x = input({6, 3, 13});
  const auto h1 = n.fc1->forward(x), s1 = n.lif1->forward(h1).spk, h = n.fc->forward(s1),
             s = n.lif->forward(h).spk;
  OutputMonitor all(n.net,
                    Layers::where([](const std::string& name, torch::nn::Module&) { return !name.empty(); }));
  const auto y = n.net->forward(x).y;
  Names order;
  for (const auto& record : all.records()) order.push_back(record.layer);
  EXPECT_EQ(order, (Names{"fc1", "lif1", "block.fc", "block.lif", "block", "norm", "fc2", "lif2"}));
  EXPECT_TRUE(all["fc1"][0].allclose(h1));
  EXPECT_TRUE(all["lif1"][0].equal(s1));
  EXPECT_TRUE(all["block.fc"][0].allclose(h));
  EXPECT_TRUE(all["block.lif"][0].equal(s));
  EXPECT_TRUE(all["block"][0].equal(s));
  EXPECT_TRUE(all["fc2"][0].allclose(n.fc2->forward(all["norm"][0]), 1e-4, 1e-5));
  EXPECT_TRUE(all["lif2"][0].equal(y));
  ASSERT_GT(y.sum().item<float>(), 10) << "the network must spike for this to mean anything";
}

TEST(InputMonitor, SeesWhatLayersRead) {
  Nested n;
  const auto x = input({6, 3, 13});
  OutputMonitor out(n.net, {"fc1", "lif1", "block.fc", "norm"});
  InputMonitor in(n.net, {"fc1", "lif1", "block.fc", "block.lif", "fc2", "block"});
  n.net->forward(x);
  EXPECT_TRUE(in["fc1"][0].equal(x));
  EXPECT_TRUE(in["lif1"][0].equal(out["fc1"][0]));
  EXPECT_TRUE(in["block.fc"][0].equal(out["lif1"][0]));
  EXPECT_TRUE(in["block"][0].equal(out["lif1"][0]));
  EXPECT_TRUE(in["block.lif"][0].equal(out["block.fc"][0]));
  EXPECT_TRUE(in["fc2"][0].equal(out["norm"][0]));
}

// Without gradients Sequential hands spikes to a narrow linear layer without a tensor of them; an observed layer is seen all
// the same.
TEST(OutputMonitor, ANeuronFusedWithTheLinearLayerBehindItIsSeen) {
  const torch::NoGradGuard no_grad;
  Nested n;
  Sequential net(n.fc1, n.lif1, n.fc2, n.lif2);
  const auto x = input({6, 3, 13});
  const auto y = net->forward(x).y;
  const auto spikes = n.lif1->forward(n.fc1->forward(x)).spk, current = n.fc2->forward(spikes);
  ASSERT_GT(spikes.sum().item<float>(), 10);
  for (const Names& names : {Names{"1"}, Names{"2"}, Names{"1", "2"}}) {  // one of the pair, or both
    OutputMonitor out(net, Layers::named(names));
    InputMonitor in(net, Layers::named(names));
    EXPECT_TRUE(net->forward(x).y.equal(y));
    ASSERT_EQ(out.size(), names.size());
    if (names[0] == "1") {
      EXPECT_TRUE(out["1"][0].equal(spikes));
      EXPECT_TRUE(in["1"][0].allclose(n.fc1->forward(x), 1e-5, 1e-5));
    }
    if (names.back() == "2") {
      EXPECT_TRUE(in["2"][0].equal(spikes));
      EXPECT_TRUE(out["2"][0].allclose(current, 1e-5, 1e-5));
    }
  }
}

TEST(OutputMonitor, AConstantInputIsARowForEveryStep) {
  Nested n;
  const auto row = input({3, 13});
  InputMonitor in(n.net, {"fc1"});
  OutputMonitor out(n.net, {"fc1"});
  n.net->forward(TimeConstant{row, 6});
  EXPECT_TRUE(in[0].equal(row.expand({6, 3, 13})));
  EXPECT_EQ(in[0].stride(0), 0) << "a view";
  EXPECT_TRUE(out[0].allclose(n.fc1->forward(row).expand({6, 3, 21})));
}

TEST(OutputMonitor, AStepHasNoTimeDimension) {
  Nested n;
  const auto x = input({2, 3, 13});
  OutputMonitor out(n.net, {"fc1", "lif1", "block", "block.lif"});
  AttributeMonitor mem("mem", false, n.net, {"lif1"});
  State state;
  for (int t = 0; t < 2; ++t) state = n.net->step(x[t], state).state;
  EXPECT_EQ(out.size(), 8U);
  for (const auto& record : out.records())
    EXPECT_EQ(record.value.sizes(), (torch::IntArrayRef{3, 21})) << record.layer;
  const auto spikes = torch::stack(out["lif1"]), membranes = torch::stack(mem["lif1"]);
  const auto rec = n.lif1->record(n.fc1->forward(x));  // seen too
  EXPECT_TRUE(spikes.equal(rec.spk));
  EXPECT_TRUE(membranes.allclose(rec.mem));
}

/// A module of a user's own, step by step, with the linear layer called so that it is seen.
struct OwnImpl : torch::nn::Module {
  Linear fc{13, 5};
  Leaky lif{rheo::nn::LeakyOptions{.beta = 0.9, .init_hidden = true}};
  OwnImpl() {
    register_module("fc", fc);
    register_module("lif", lif);
  }
  Tensor forward(const Tensor& x) { return lif->step(rheo::nn::call(fc, x)).spk; }
};
TORCH_MODULE(Own);

TEST(OutputMonitor, SeesLayersOfAModuleOfTheUsersOwn) {
  Own own;
  const auto x = input({4, 3, 13});
  OutputMonitor out(own, {"fc", "lif"});
  std::vector<Tensor> spikes;
  for (int t = 0; t < 4; ++t) spikes.push_back(own->forward(x[t]));
  EXPECT_TRUE(torch::stack(out["lif"]).equal(torch::stack(spikes)));
  EXPECT_TRUE(torch::stack(out["fc"]).allclose(own->fc->forward(x)));
  Names order;
  for (const auto& record : out.records()) order.push_back(record.layer);
  EXPECT_EQ(order, (Names{"fc", "lif", "fc", "lif", "fc", "lif", "fc", "lif"}));

  rheo::nn::reset(*own);
  Sequential net(own);  // the same module as a layer: called once per step
  OutputMonitor inside(net, {"0", "0.lif"});
  net->forward(x);
  EXPECT_EQ(inside["0.lif"].size(), 4U);
  ASSERT_EQ(inside["0"].size(), 1U);
  EXPECT_TRUE(inside["0"][0].equal(torch::stack(spikes)));
}

TEST(OutputMonitor, RecordForwardAndRecordLastAreCalls) {
  Nested n;
  const auto x = input({6, 3, 13});
  OutputMonitor out(n.net, {"lif1", "lif2"});
  const auto rec = n.net->record(x);
  EXPECT_TRUE(out["lif1"][0].equal(rec["lif1"].spk));
  EXPECT_EQ(n.net->record_last(x).layers.size(), 1U);
  n.lif1->forward(n.fc1->forward(x));
  n.lif1->record(n.fc1->forward(x));
  EXPECT_EQ(out["lif1"].size(), 4U);
  EXPECT_EQ(out["lif2"].size(), 2U);
}

TEST(OutputMonitor, ByDefaultTheNetworkItself) {
  Nested n;
  OutputMonitor out(n.net);
  EXPECT_EQ(out.monitored_layers(), (Names{"", "block"})) << "both are Sequential";
  const auto y = n.net->forward(input({6, 3, 13})).y;
  EXPECT_TRUE(out[""][0].equal(y));
  OutputMonitor one(n.lif1);
  const auto spk = n.lif1->forward(input({4, 3, 21})).spk;
  EXPECT_TRUE(one[0].equal(spk));
}

// ---- which layers -----------------------------------------------------------------------------------------

TEST(Layers, ByTypeOfHolderOrModule) {
  Sequential net(Linear(4, 4), Leaky({.beta = 0.9}), rheo::nn::Synaptic({.alpha = 0.5, .beta = 0.9}),
                 Linear(4, 4), rheo::nn::RLeaky({.beta = 0.9, .linear_features = 4}), torch::nn::Dropout());
  const auto names = [&](const Layers& layers) {
    Names out;
    for (const auto& found : layers.in("test", net)) out.push_back(found.name);
    return out;
  };
  EXPECT_EQ(names(Layers::of<Linear>()), (Names{"0", "3"})) << "the feedback of RLeaky is a part of it";
  EXPECT_EQ(names(Layers::of<torch::nn::LinearImpl>()), (Names{"0", "3"}));
  EXPECT_EQ(names(Layers::of<Leaky>()), (Names{"1"}));
  EXPECT_EQ(names(Layers::of<rheo::nn::RLeaky>()), (Names{"4"}));
  EXPECT_EQ(names(Layers::of<rheo::nn::Neuron>()), (Names{"1", "2", "4"}));
  EXPECT_EQ(names((Layers::of<Leaky, torch::nn::Dropout>())), (Names{"1", "5"}));
  EXPECT_EQ(names({"3", "1"}), (Names{"3", "1"}));
  EXPECT_EQ(names({}), (Names{""}));
}

TEST(Layers, AModuleUnderTwoNamesIsOneLayer) {
  const Leaky lif({.beta = 0.9});
  Sequential net(lif, Linear(4, 4), lif);
  OutputMonitor out(net, Layers::of<Leaky>());
  EXPECT_EQ(out.monitored_layers(), (Names{"0"}));
  net->forward(input({3, 2, 4}));
  EXPECT_EQ(out["0"].size(), 2U);
}

// ---- records ----------------------------------------------------------------------------------------------

TEST(Monitor, RecordsAreReadByPlaceAndByName) {
  Nested n;
  OutputMonitor out(n.net, {"lif1", "lif2"});
  const auto x = input({6, 3, 13});
  n.net->forward(x);
  n.net->forward(x * 2);
  EXPECT_EQ(out.size(), 4U);
  EXPECT_EQ(out.name_records_index("lif1"), (Places{0, 2}));
  EXPECT_EQ(out.name_records_index("lif2"), (Places{1, 3}));
  EXPECT_TRUE(out[2].equal(out["lif1"][1]));
  EXPECT_EQ(out.monitored_layers(), (Names{"lif1", "lif2"}));
  out.clear();
  EXPECT_EQ(out.size(), 0U);
  EXPECT_TRUE(out.name_records_index("lif1").empty());
}

TEST(Monitor, DisabledItSeesNothing) {
  Nested n;
  OutputMonitor out(n.net, {"lif1"});
  GradOutputMonitor grads(n.net, {"lif1"});
  const auto x = input({6, 3, 13});
  out.disable();
  grads.disable();
  EXPECT_FALSE(out.is_enabled());
  n.net->forward(x).y.sum().backward();
  EXPECT_EQ(out.size(), 0U);
  EXPECT_EQ(grads.size(), 0U);
  out.enable();
  grads.enable();
  EXPECT_TRUE(out.is_enabled());
  n.net->forward(x).y.sum().backward();
  EXPECT_EQ(out.size(), 1U);
  EXPECT_EQ(grads.size(), 1U);
}

TEST(Monitor, AFunctionOfWhatIsRecorded) {
  Nested n;
  const auto x = input({6, 3, 13});
  OutputMonitor whole(n.net, {"lif1"});
  OutputMonitor counts(n.net, {"lif1"}, {.function = [](const Tensor& t) { return t.sum(0); }});
  n.net->forward(x);
  EXPECT_TRUE(counts[0].equal(whole[0].sum(0)));
}

TEST(Monitor, RecordsKeepTheirHistoryUnlessDetached) {
  Nested n;
  OutputMonitor with(n.net, {"lif1"}), without(n.net, {"lif1"}, {.detach = true});
  n.net->forward(input({6, 3, 13}));
  EXPECT_FALSE(without[0].requires_grad());
  with[0].sum().backward();  // a penalty on hidden spikes
  EXPECT_GT(n.fc1->weight.grad().abs().sum().item<float>(), 0);
  EXPECT_FALSE(n.fc2->weight.grad().defined());
}

TEST(Monitor, EveryKthStepCountsFromCallToCall) {
  Nested n;
  const auto x = input({11, 3, 13}).slice(2, 0, 13);
  OutputMonitor all(n.lif1), some(n.lif1, {}, {.every = 3});
  const auto h = n.fc1->forward(x);
  State state;
  state = n.lif1->forward(h.slice(0, 0, 4), state).state;   // steps 0 - 3: 0, 3
  state = n.lif1->forward(h.slice(0, 4, 6), state).state;   // 4, 5: none
  state = n.lif1->step(h[6], state).state;                  // 6
  state = n.lif1->step(h[7], state).state;                  // none
  state = n.lif1->forward(h.slice(0, 8, 11), state).state;  // 9
  const auto spk = n.lif1->forward(h).spk;
  ASSERT_EQ(some.size(), 4U);  // the whole of the last call: steps 11 - 21, of which 12, 15, 18, 21
  EXPECT_TRUE(some[0].equal(spk.slice(0, 0, 4, 3)));
  EXPECT_TRUE(some[1].equal(spk[6]));
  EXPECT_TRUE(some[2].equal(spk.slice(0, 9, 10)));
  EXPECT_TRUE(some[3].equal(spk.slice(0, 1, 11, 3)));
  EXPECT_EQ(some[0].storage().nbytes(), static_cast<std::size_t>(some[0].numel()) * 4) << "a copy of its own";
  some.clear();
  n.lif1->step(h[0]);
  EXPECT_EQ(some.size(), 1U) << "from 0 again";
}

TEST(Monitor, AMeanThatKeepsNoRecords) {
  Nested n;
  OutputMonitor rate(n.net, {"fc1", "lif1"}, {.keep = Keep::mean});
  OutputMonitor all(n.net, {"fc1", "lif1"});
  EXPECT_FALSE(rate.mean("lif1").defined());
  n.net->forward(input({6, 3, 13}));
  n.net->forward(input({4, 5, 13}));
  n.net->step(input({2, 13}));
  EXPECT_EQ(rate.size(), 0U);
  EXPECT_EQ(rate.rows("lif1"), 18 + 20 + 2);
  for (const char* name : {"fc1", "lif1"}) {
    std::vector<Tensor> rows;
    for (const auto& record : all[name]) rows.push_back(record.reshape({-1, 21}));
    EXPECT_TRUE(rate.mean(name).allclose(torch::cat(rows).mean(0, false, torch::kDouble), 1e-9, 1e-9))
        << name;
  }
  EXPECT_FALSE(rate.mean("lif1").requires_grad());

  OutputMonitor fraction(n.net, {"lif1"},
                         {.function = [](const Tensor& t) { return t.mean(); }, .keep = Keep::mean});
  all.clear();
  n.net->forward(input({6, 3, 13}));
  n.net->forward(input({2, 1, 13}));
  const auto a = all["lif1"][0].mean().item<double>(), b = all["lif1"][1].mean().item<double>();
  EXPECT_NEAR(fraction.mean("lif1").item<double>(), (18 * a + 2 * b) / 20, 1e-7);
}

TEST(Monitor, AMeanOfGradientsAndOfStates) {
  Nested n;
  GradOutputMonitor mean(n.net, {"fc1"}, {.keep = Keep::mean}), all(n.net, {"fc1"});
  AttributeMonitor mem("mem", false, n.net, {"lif1"}, {.keep = Keep::mean});
  const auto x = input({6, 3, 13});
  n.net->forward(x).y.sum().backward();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(mean.mean("fc1").allclose(all[0].mean({0, 1}, false, torch::kDouble)));
  EXPECT_TRUE(mem.mean("lif1").allclose(
      n.lif1->record(n.fc1->forward(x)).mem.mean({0, 1}, false, torch::kDouble), 1e-5, 1e-6));
}

// ---- attributes -------------------------------------------------------------------------------------------

TEST(AttributeMonitor, StatesOfEveryStepWithoutRecord) {
  rheo::nn::SLSTM lstm({.input_size = 13, .hidden_size = 5, .threshold = 0.1});
  const auto x = input({6, 3, 13});
  AttributeMonitor mem("mem", false, lstm, Layers::of<rheo::nn::SLSTM>()), syn("syn", false, lstm, {""});
  const auto spk = lstm->forward(x).spk;
  const auto rec = lstm->record(x);
  EXPECT_TRUE(rec.spk.equal(spk));
  EXPECT_EQ(mem.size(), 2U);
  for (int call = 0; call < 2; ++call) {
    EXPECT_TRUE(mem[static_cast<std::size_t>(call)].equal(rec.mem));
    EXPECT_TRUE(syn[static_cast<std::size_t>(call)].equal(rec["syn"]));
  }
}

TEST(AttributeMonitor, ParametersAndBuffers) {
  Nested n;
  AttributeMonitor weight("weight", false, n.net, {"fc1"}), beta("beta", true, n.net, {"lif1"});
  n.net->forward(input({6, 3, 13}));
  EXPECT_TRUE(weight[0].is_same(n.fc1->weight));
  EXPECT_FLOAT_EQ(beta[0].item<float>(), 0.9F);
  EXPECT_EQ(
      error_of<rheo::ValueError>([&] {
        AttributeMonitor typo("men", false, n.net, {"lif1"});
        n.net->forward(input({6, 3, 13}));
      }),
      "[AttributeMonitor] attribute_name must be of layer 'lif1', mem, spk, threshold, graded_spikes_factor, "
      "reset_mechanism_val, beta, got 'men'; did you mean 'mem'?");
}

// There: TypeError on forward, the hook has another signature.
TEST(Differences, AttributeMonitorPreForwardRecordsTheValueBefore) {
  Leaky lif({.beta = 0.9, .init_hidden = true});
  AttributeMonitor before("mem", true, lif, {""}), after("mem", false, lif, {""});
  const auto x = input({4, 3, 13});
  for (int t = 0; t < 4; ++t) lif->step(x[t]);
  ASSERT_EQ(before.size(), 4U);
  EXPECT_EQ(before[0].numel(), 0) << "fresh zeros";
  for (std::size_t t = 1; t < 4; ++t) EXPECT_TRUE(before[t].equal(after[t - 1])) << t;

  Leaky given({.beta = 0.9});  // with explicit state: the one handed in
  AttributeMonitor start("mem", true, given, {""});
  const State state{{"mem", torch::full({3, 13}, 0.25)}};
  given->forward(x, state);
  EXPECT_TRUE(start[0].equal(state.mem()));
  EXPECT_THROW(
      {
        AttributeMonitor typo("men", true, given, {""});
        given->forward(x);
      },
      rheo::ValueError);
}

// There: only parameters, buffers and submodules; `spk` of SLSTM and `mem` of LinearLeaky are an AttributeError.
TEST(Differences, AttributeMonitorFindsAnyAttribute) {
  rheo::nn::SLSTM lstm({.input_size = 13, .hidden_size = 5, .threshold = 0.1});
  AttributeMonitor spk("spk", false, lstm, {""});
  const auto out = lstm->forward(input({4, 3, 13})).spk;
  EXPECT_TRUE(spk[0].equal(out));

  rheo::nn::LinearLeaky leaky({.beta = 0.9, .in_features = 13, .out_features = 5});
  AttributeMonitor mem("mem", false, leaky, {""});
  leaky->forward(input({4, 3, 13}));
  const auto wanted = leaky->record(input({4, 3, 13})).mem;
  EXPECT_TRUE(mem[0].equal(wanted));

  rheo::nn::RLeaky own({.beta = 0.9, .V = 0.5});
  AttributeMonitor sent("spk", false, own, {""});
  const auto spikes = own->forward(input({4, 3, 13})).spk;
  EXPECT_TRUE(sent[0].equal(spikes));
}

// ---- gradients --------------------------------------------------------------------------------------------

TEST(GradOutputMonitor, EqualsAutograd) {
  Nested n;
  const auto x = input({6, 3, 13}).requires_grad_();
  const auto h1 = n.fc1->forward(x), s1 = n.lif1->forward(h1).spk, s = n.lif->forward(n.fc->forward(s1)).spk;
  const auto tail = [&](const Tensor& spikes) {
    const auto norm = n.net->layer<rheo::nn::BatchNormTTImpl>(3).forward(spikes).y;
    return (n.lif2->forward(n.fc2->forward(norm)).spk * torch::arange(7)).sum();
  };
  const auto wanted = torch::autograd::grad({tail(s)}, {s, s1, h1, x});
  GradOutputMonitor out(n.net, {"fc1", "lif1", "block.lif"});
  GradInputMonitor in(n.net, {"fc1", "lif1", "block", "norm"});
  (n.net->forward(x).y * torch::arange(7)).sum().backward();
  Names order;
  for (const auto& record : out.records()) order.push_back(record.layer);
  EXPECT_EQ(order, (Names{"block.lif", "lif1", "fc1"})) << "from the last layer to the first";
  const auto same = [](const Tensor& a, const Tensor& b) {
    return a.allclose(b, 1e-4, 1e-6) && b.abs().max().item<float>() > 0;
  };
  EXPECT_TRUE(same(out["block.lif"][0], wanted[0]));
  EXPECT_TRUE(same(out["lif1"][0], wanted[1]));
  EXPECT_TRUE(same(out["fc1"][0], wanted[2]));
  EXPECT_TRUE(same(in["norm"][0], wanted[0]));
  EXPECT_TRUE(same(in["block"][0], wanted[1]));
  EXPECT_TRUE(same(in["lif1"][0], wanted[2]));
  EXPECT_TRUE(same(in["fc1"][0], wanted[3]));
  EXPECT_TRUE(same(x.grad(), wanted[3])) << "the gradient itself is as without probes";
}

TEST(GradInputMonitor, ThroughThisLayerAlone) {
  Linear a(4, 4), b(4, 4);
  GradInputMonitor grad(a, {""});
  const auto x = input({3, 4}).requires_grad_();
  (rheo::nn::call(a, x).sum() + 10 * rheo::nn::call(b, x).sum() + x.sum()).backward();
  EXPECT_TRUE(grad[0].allclose(a->weight.sum(0).expand({3, 4})));
}

TEST(GradInputMonitor, StepsComeInReverseOrderAndConstantsAsARow) {
  Nested n;
  const auto x = input({3, 3, 13}).requires_grad_();
  GradOutputMonitor out(n.net, {"fc1"});
  State state;
  Tensor loss = torch::zeros({});
  for (int t = 0; t < 3; ++t) {
    auto step = n.net->step(x[t], state);
    loss = loss + (t + 1) * step.y.sum();
    state = step.state;
  }
  loss.backward();
  ASSERT_EQ(out.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {  // fc1 at step t: its gradient times the weight is x's
    EXPECT_TRUE(out[i].matmul(n.fc1->weight).allclose(x.grad()[2 - static_cast<std::int64_t>(i)], 1e-4, 1e-5))
        << i;
  }
  const auto row = input({3, 13}).requires_grad_();
  GradInputMonitor in(n.net, {"fc1"});
  n.net->forward(TimeConstant{row, 6}).y.sum().backward();
  EXPECT_TRUE(in[0].allclose(row.grad()));
}

TEST(GradInputMonitor, NothingWhereNoGradientArrives) {
  Nested n;
  GradInputMonitor in(n.net, {"fc1", "lif1"});
  n.net->forward(input({6, 3, 13})).y.sum().backward();
  EXPECT_EQ(in["fc1"].size(), 0U) << "x asks for none";
  EXPECT_EQ(in["lif1"].size(), 1U);
  const auto x = input({6, 3, 13}).requires_grad_();
  {
    const torch::NoGradGuard no_grad;
    n.net->forward(x);
  }
  x.sum().backward();
  EXPECT_EQ(in.size(), 1U);
}

TEST(GradOutputMonitor, EveryKthStep) {
  Nested n;
  GradOutputMonitor all(n.net, {"fc1"}), some(n.net, {"fc1"}, {.every = 4});
  n.net->forward(input({6, 3, 13})).y.sum().backward();
  EXPECT_TRUE(some[0].equal(all[0].slice(0, 0, 6, 4)));
}

// ---- coming and going -------------------------------------------------------------------------------------

TEST(Monitor, SeveralAtOnceAndOneGoes) {
  Nested n;
  const auto x = input({6, 3, 13});
  OutputMonitor first(n.net, {"lif1"});
  {
    OutputMonitor second(n.net, {"lif1"});
    n.net->forward(x);
    EXPECT_EQ(second.size(), 1U);
  }
  n.net->forward(x);
  EXPECT_EQ(first.size(), 2U);
  OutputMonitor third(n.net, {"lif1"});
  first.remove();
  n.net->forward(x);
  EXPECT_EQ(first.size(), 2U) << "records stay";
  EXPECT_EQ(third.size(), 1U);
  third.remove();
  third.remove();
}

TEST(Monitor, RemovedItLeavesNothingBehind) {
  Nested n;
  const auto before = rheo::nn::detail::watched_layers.load();
  const auto x = input({6, 3, 13});
  Tensor y;
  {
    OutputMonitor out(n.net, Layers::of<Linear, rheo::nn::Neuron>());
    AttributeMonitor mem("mem", false, n.net, {"lif1"});
    GradInputMonitor grads(n.net, {"lif1"});
    EXPECT_GT(rheo::nn::detail::watched_layers.load(), before);
    y = n.net->forward(x).y;
  }
  EXPECT_EQ(rheo::nn::detail::watched_layers.load(), before);
  for (const auto& layer : rheo::nn::layers_of(n.net))
    EXPECT_EQ(rheo::nn::observers_of(*layer.layer), nullptr);
  y.sum().backward();  // hooks in the graph of a call that was seen: nobody is told
  EXPECT_EQ(n.lif1.ptr().use_count(), Nested().lif1.ptr().use_count());
}

TEST(Monitor, GradientsAfterItsEndAreNotRecorded) {
  Nested n;
  GradOutputMonitor grads(n.net, {"fc1"});
  const auto y = n.net->forward(input({6, 3, 13})).y;
  grads.remove();
  y.sum().backward();
  EXPECT_EQ(grads.size(), 0U);
}

TEST(Monitor, ACopyOfANetworkIsNotWatched) {
  Sequential net(Linear(4, 4), Leaky({.beta = 0.9}),
                 Sequential(rheo::nn::SLSTM({.input_size = 4, .hidden_size = 4})));
  OutputMonitor out(net, Layers::where([](const std::string&, torch::nn::Module&) { return true; }));
  const auto copy = std::dynamic_pointer_cast<rheo::nn::SequentialImpl>(net->clone());
  copy->forward(input({3, 2, 4}));
  EXPECT_EQ(out.size(), 0U);
  for (const auto& layer : rheo::nn::layers_of(copy))
    EXPECT_EQ(rheo::nn::observers_of(*layer.layer), nullptr);
  net->forward(input({3, 2, 4}));
  EXPECT_EQ(out.size(), 5U);
}

TEST(Monitor, MovesAndOutlivesTheNetwork) {
  auto n = std::make_unique<Nested>();
  std::vector<OutputMonitor> probes;
  probes.emplace_back(n->net, Layers{"lif1"});
  probes.emplace_back(n->net, Layers{"lif2"});
  n->net->forward(input({6, 3, 13}));
  EXPECT_EQ(probes[0]["lif1"].size(), 1U);
  probes[0] = std::move(probes[1]);
  n->net->forward(input({6, 3, 13}));
  EXPECT_EQ(probes[0]["lif2"].size(), 2U);
  EXPECT_EQ(rheo::nn::observers_of(*n->lif1), nullptr);
  n.reset();
  EXPECT_EQ(probes[0].size(), 2U);
}

TEST(Monitor, ALayerThatThrowsIsNotRecorded) {
  Nested n;
  OutputMonitor out(n.net, {"fc1", "lif1", "block.fc"});
  EXPECT_THROW(n.net->forward(input({6, 3, 5})), rheo::ValueError);
  EXPECT_EQ(out.size(), 0U);
  EXPECT_THROW(n.net->forward(Tensor()), rheo::ValueError);
  EXPECT_THROW(n.lif1->forward(Tensor()), rheo::ValueError);
  EXPECT_THROW(n.lif1->step(Tensor()), rheo::ValueError);
  EXPECT_EQ(out.size(), 0U);
}

TEST(Monitor, SaysWhatIsWrong) {
  Nested n;
  EXPECT_EQ(error_of<rheo::ValueError>([&] { OutputMonitor out(n.net, {"lif3"}); }),
            "[OutputMonitor] layers must be of the network, fc1, lif1, block, block.fc, block.lif, norm, "
            "norm.0, norm.1, "
            "norm.2, norm.3, norm.4, norm.5, fc2, lif2, got 'lif3'; did you mean 'lif1'?");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { InputMonitor in(n.net, Layers::of<rheo::nn::SLSTM>()); }),
            "[InputMonitor] layers must match one of the network's, got a choice that matches none");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { GradInputMonitor in(n.net, {"fc1"}, {.every = 0}); }),
            "[GradInputMonitor] every must be at least 1, got 0");
  EXPECT_EQ(
      error_of<rheo::ValueError>([] { OutputMonitor out(std::shared_ptr<torch::nn::Module>(), {"a"}); }),
      "[OutputMonitor] net must be a module, got none");
  OutputMonitor out(n.net, {"lif1", "lif2"});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { out["lif"]; }),
            "[OutputMonitor] layer must be monitored, one of lif1, lif2, got 'lif'; did you mean 'lif1'?");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { out[0]; }), "[OutputMonitor] index must be below 0, got 0");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { out.mean("lif1"); }),
            "[OutputMonitor] keep must be mean to ask for one, got records");
  OutputMonitor mean(n.net, {"lif1"},
                     {.function = [](const Tensor& t) { return t.sum(0); }, .keep = Keep::mean});
  n.net->forward(input({6, 3, 13}));
  EXPECT_EQ(error_of<rheo::ValueError>([&] { n.net->forward(input({6, 2, 13})); }),
            "[OutputMonitor] a mean must be of tensors of one shape, [3, 21], got [2, 21]");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { (void)rheo::nn::observe(n.net, nullptr); }),
            "[observe] observer must be one, got none");
}

}  // namespace
