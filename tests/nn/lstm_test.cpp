// SLSTM and SConv2dLSTM against libtorch's LSTM cell, and against plain loops over whole tensors that share nothing with the
// library but the spike function. Also with the instruction sets this machine would not choose (CMakeLists.txt).
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "rheo/nn/sconv2dlstm.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/spikegen/constant.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::Reset;
using rheo::State;
using rheo::nn::SConv2dLSTM;
using rheo::nn::SLSTM;
using rheo::test::error_of;
using torch::Tensor;

constexpr Reset resets[] = {Reset::none, Reset::subtract, Reset::zero};

Tensor sequence(std::vector<std::int64_t> shape, torch::Dtype dtype = torch::kDouble) {
  return torch::randn(shape, dtype) * 1.5;
}

/// Rows of a trace, and what the last step left.
struct Plain {
  std::vector<Tensor> spk, syn, mem;
};

/// The reset and the spike that follow a cell, on h before the reset.
void finish(Plain& to, const Tensor& c, Tensor h, const Tensor& stored, Reset reset, const Tensor& threshold,
            const rheo::Surrogate& surrogate, const std::function<Tensor(const Tensor&)>& pool) {
  const auto above = stored.gt(threshold).to(h.scalar_type()).detach();
  if (reset == Reset::subtract) h = h - above * threshold;
  if (reset == Reset::zero) h = h - above * h;
  to.syn.push_back(c);
  to.mem.push_back(h);
  to.spk.push_back(surrogate(pool(h) - threshold));
}

Plain plain_slstm(const SLSTM& layer, const Tensor& x, Tensor c, Tensor h, Reset reset,
                  const Tensor& threshold, const rheo::Surrogate& surrogate = {}) {
  const auto& cell = layer->lstm_cell;
  Plain out;
  for (const auto& row : x.unbind(0)) {
    auto a = torch::matmul(row, cell->weight_ih.t()) + torch::matmul(h, cell->weight_hh.t());
    if (cell->bias_ih.defined()) a = a + cell->bias_ih + cell->bias_hh;
    const auto q = a.chunk(4, 1);
    c = torch::sigmoid(q[1]) * c + torch::sigmoid(q[0]) * torch::tanh(q[2]);
    finish(out, c, torch::sigmoid(q[3]) * torch::tanh(c), h, reset, threshold, surrogate,
           [](const Tensor& t) { return t; });
    h = out.mem.back();
  }
  return out;
}

Plain plain_conv(SConv2dLSTM& layer, const Tensor& x, Tensor c, Tensor h, Reset reset,
                 const Tensor& threshold, const std::function<Tensor(const Tensor&)>& pool) {
  Plain out;
  for (const auto& row : x.unbind(0)) {
    const auto q = layer->conv->forward(torch::cat({row, h}, 1)).chunk(4, 1);
    c = torch::sigmoid(q[1]) * c + torch::sigmoid(q[0]) * torch::tanh(q[3]);
    finish(out, c, torch::sigmoid(q[2]) * torch::tanh(c), h, reset, threshold, {}, pool);
    h = out.mem.back();
  }
  return out;
}

/// |a - b| <= room max|b|.
void near(const Tensor& a, const Tensor& b, double room) {
  ASSERT_TRUE(a.defined());
  ASSERT_TRUE(b.defined());
  ASSERT_EQ(a.sizes(), b.sizes());
  ASSERT_EQ(a.scalar_type(), b.scalar_type());
  if (b.numel() == 0) return;
  EXPECT_LE((a - b).abs().max().item<double>(), room * std::max(1e-30, b.abs().max().item<double>()));
}

/// A scalar that every output enters with weights of its own, so that its gradient exercises all of them.
Tensor mixed(const Tensor& spk, const Tensor& syn, const Tensor& mem, const Tensor& last_syn,
             const Tensor& last_mem) {
  const auto weights = [](const Tensor& t, double phase) {
    return torch::sin(torch::arange(t.numel(), torch::kDouble) * 0.7 + phase)
        .reshape(t.sizes())
        .to(t.scalar_type());
  };
  return (spk * weights(spk, 0)).sum() + (syn * weights(syn, 1)).sum() + (mem * weights(mem, 2)).sum() +
         (last_syn * weights(last_syn, 3)).sum() + (last_mem * weights(last_mem, 4)).sum();
}

/// Gradients of mixed(...) for every parameter, x and the first state.
template <class Layer>
std::map<std::string, Tensor> gradients(const Layer& layer, const Tensor& loss, const Tensor& x,
                                        const Tensor& c, const Tensor& h) {
  std::vector<std::string> names{"x", "syn", "mem"};
  std::vector<Tensor> inputs{x, c, h};
  for (const auto& item : layer->named_parameters()) {
    names.push_back(item.key());
    inputs.push_back(item.value());
  }
  const auto grads = torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true);
  std::map<std::string, Tensor> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(grads[i].defined()) << names[i];
    out[names[i]] = grads[i];
  }
  return out;
}

template <class Layer>
void compare_gradients(const Layer& layer, const rheo::nn::Recording& rec, const Plain& plain,
                       const Tensor& x, const Tensor& c, const Tensor& h) {
  ASSERT_TRUE(rec.spk.equal(torch::stack(plain.spk)));
  near(rec.mem, torch::stack(plain.mem), 1e-13);
  near(rec["syn"], torch::stack(plain.syn), 1e-13);
  near(rec.state.mem(), plain.mem.back(), 1e-13);
  near(rec.state["syn"], plain.syn.back(), 1e-13);
  const auto ours =
      gradients(layer, mixed(rec.spk, rec["syn"], rec.mem, rec.state["syn"], rec.state.mem()), x, c, h);
  const auto theirs = gradients(layer,
                                mixed(torch::stack(plain.spk), torch::stack(plain.syn),
                                      torch::stack(plain.mem), plain.syn.back(), plain.mem.back()),
                                x, c, h);
  for (const auto& [name, grad] : theirs) {
    SCOPED_TRACE(name);
    EXPECT_GT(grad.abs().max().template item<double>(), 0);
    near(ours.at(name), grad, 1e-12);
  }
}

SLSTM slstm(rheo::nn::SLSTMOptions options, torch::Dtype dtype = torch::kDouble) {
  SLSTM layer(options);
  layer->to(dtype);
  return layer;
}

// ---- SLSTM -----------------------------------------------------------------------------------------------------

class SlstmOnInputSize : public testing::TestWithParam<int> {};

TEST_P(SlstmOnInputSize, EqualsLibtorchsCell) {
  torch::manual_seed(1);
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    auto layer = slstm({.input_size = GetParam(), .hidden_size = 5, .threshold = 0.1}, dtype);
    const auto x = sequence({9, 3, GetParam()}, dtype);
    const auto rec = layer->record(x);
    auto h = torch::zeros({3, 5}, dtype), c = h;
    for (std::int64_t t = 0; t < 9; ++t) {
      std::tie(h, c) = layer->lstm_cell->forward(x[t], std::tuple{h, c});
      const double room = dtype == torch::kFloat ? 2e-6 : 1e-14;
      near(rec.mem[t], h, room);
      near(rec["syn"][t], c, room);
      EXPECT_TRUE(rec.spk[t].equal(rec.mem[t].gt(layer->named_buffers()["threshold"].to(dtype)).to(dtype)));
    }
    EXPECT_GT(rec.spk.sum().item<double>(), 0);
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, SlstmOnInputSize, testing::Values(1, 4, 5, 7, 64));

TEST(Slstm, ResetsAndGradientsOfEverythingAgainstAPlainLoop) {
  torch::manual_seed(2);
  for (const std::int64_t hidden : {1, 3, 8, 17, 33}) {
    for (const auto reset : resets) {
      for (const bool bias : {true, false}) {
        SCOPED_TRACE(c10::str(hidden, ' ', rheo::to_string(reset), ' ', bias));
        auto layer = slstm({.input_size = 4,
                            .hidden_size = hidden,
                            .bias = bias,
                            .threshold = 0.11,
                            .learn_threshold = true,
                            .reset_mechanism = reset});
        const auto x = sequence({11, 3, 4}).requires_grad_();
        const auto c = torch::randn({3, hidden}, torch::kDouble).requires_grad_();
        const auto h = torch::randn({3, hidden}, torch::kDouble).requires_grad_();
        const auto threshold = layer->named_parameters()["threshold"];
        const auto plain = plain_slstm(layer, x, c, h, reset, threshold);
        ASSERT_GT(torch::stack(plain.spk).sum().item<double>(), 0);
        ASSERT_LT(torch::stack(plain.spk).mean().item<double>(), 1);
        compare_gradients(layer, layer->record(x, {{"syn", c}, {"mem", h}}), plain, x, c, h);
      }
    }
  }
}

TEST(Slstm, ThresholdPerNeuronAndEverySurrogate) {
  torch::manual_seed(3);
  for (const auto& name : rheo::Surrogate::names()) {
    if (name == "none" || name == "SSO") continue;  // SSO is random: tests/nn/surrogate_test.cpp
    SCOPED_TRACE(name);
    const auto surrogate = rheo::Surrogate::by_name(name);
    auto layer = slstm({.input_size = 3,
                        .hidden_size = 6,
                        .threshold = torch::linspace(-0.1, 0.4, 6, torch::kDouble),
                        .spike_grad = surrogate,
                        .learn_threshold = true,
                        .reset_mechanism = Reset::subtract});
    const auto x = sequence({7, 2, 3}).requires_grad_();
    const auto c = torch::randn({2, 6}, torch::kDouble).requires_grad_();
    const auto h = torch::randn({2, 6}, torch::kDouble).requires_grad_();
    const auto plain =
        plain_slstm(layer, x, c, h, Reset::subtract, layer->named_parameters()["threshold"], surrogate);
    compare_gradients(layer, layer->record(x, {{"syn", c}, {"mem", h}}), plain, x, c, h);
  }
}

TEST(Slstm, GradientsAgainstFiniteDifferences) {
  torch::manual_seed(4);
  auto layer = slstm({.input_size = 3, .hidden_size = 4, .threshold = 0.1, .surrogate_disable = true});
  const auto x = sequence({6, 2, 3}).requires_grad_();
  const auto loss = [&] {
    const auto rec = layer->record(x);
    return mixed(rec.spk, rec["syn"], rec.mem, rec.state["syn"], rec.state.mem());
  };
  auto inputs = layer->parameters();
  inputs.push_back(x);
  const auto grads = torch::autograd::grad({loss()}, inputs);
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto flat = inputs[i].view({-1});
    for (std::int64_t k = 0; k < flat.numel(); k += 5) {
      const double was = flat[k].item<double>(), step = 1e-6;
      flat[k] = was + step;
      const double up = loss().item<double>();
      flat[k] = was - step;
      const double down = loss().item<double>();
      flat[k] = was;
      EXPECT_NEAR(grads[i].reshape({-1})[k].item<double>(), (up - down) / (2 * step), 1e-7);
    }
  }
}

TEST(Slstm, ChunksOfASequenceGiveTheWhole) {
  torch::manual_seed(5);
  for (const auto reset : resets) {
    auto layer =
        slstm({.input_size = 6, .hidden_size = 9, .threshold = 0.1, .reset_mechanism = reset}, torch::kFloat);
    auto kept = slstm(
        {.input_size = 6, .hidden_size = 9, .threshold = 0.1, .init_hidden = true, .reset_mechanism = reset},
        torch::kFloat);
    for (auto& item : kept->named_parameters()) {
      const torch::NoGradGuard no_grad;
      item.value().copy_(layer->named_parameters()[item.key()]);
    }
    const auto x = sequence({13, 4, 6}, torch::kFloat);
    const auto whole = layer->record(x);
    State state;
    std::vector<Tensor> mem, spk, hidden;
    for (const auto& part : x.split_with_sizes({1, 5, 3, 4})) {
      const auto rec = layer->record(part, state);
      state = rec.state;
      mem.push_back(rec.mem);
      spk.push_back(rec.spk);
      hidden.push_back(kept->forward(part).spk);
    }
    EXPECT_TRUE(torch::cat(mem).equal(whole.mem));
    EXPECT_TRUE(torch::cat(spk).equal(whole.spk));
    EXPECT_TRUE(torch::cat(hidden).equal(whole.spk));
    EXPECT_TRUE(state["syn"].equal(whole.state["syn"]));
    // Step by step, and without gradients, where nothing is kept.
    const torch::NoGradGuard no_grad;
    State stepped;
    for (std::int64_t t = 0; t < 13; ++t) {
      const auto out = layer->step(x[t], stepped);
      EXPECT_TRUE(out.spk.equal(whole.spk[t]));
      stepped = out.state;
    }
    EXPECT_TRUE(stepped.mem().equal(whole.state.mem()));
    const auto quiet = layer->forward(x);
    EXPECT_TRUE(quiet.spk.equal(whole.spk));
    EXPECT_TRUE(quiet.state.mem().equal(whole.state.mem()));
    EXPECT_TRUE(quiet.state["syn"].equal(whole.state["syn"]));
  }
}

TEST(Slstm, ReferencePathAgrees) {
  torch::manual_seed(6);
  for (const auto reset : resets) {
    rheo::nn::SLSTMOptions options{.input_size = 4,
                                   .hidden_size = 5,
                                   .threshold = 0.1,
                                   .learn_threshold = true,
                                   .reset_mechanism = reset};
    auto fused = slstm(options);
    options.fused = false;
    auto plain = slstm(options);
    EXPECT_EQ(fused->why_not_fused(), "");
    EXPECT_EQ(plain->why_not_fused(), "fused = false");
    for (auto& item : plain->named_parameters()) {
      const torch::NoGradGuard no_grad;
      item.value().copy_(fused->named_parameters()[item.key()]);
    }
    const auto x = sequence({7, 2, 4});
    for (auto* layer : {&fused, &plain}) (*layer)->forward(x).spk.sum().backward();
    const auto a = fused->record(x), b = plain->record(x);
    EXPECT_TRUE(a.spk.equal(b.spk));
    near(a.mem, b.mem, 1e-13);
    for (const auto& item : fused->named_parameters())
      near(item.value().grad(), plain->named_parameters()[item.key()].grad(), 1e-12);
  }
}

TEST(Slstm, SurrogatesOfTheUsersStayFused) {
  torch::manual_seed(7);
  const auto mine = rheo::surrogate::custom(
      [](const Tensor& u, const Tensor& grad, const Tensor&) { return grad / (1 + u * u); });
  auto layer = slstm({.input_size = 3,
                      .hidden_size = 4,
                      .threshold = 0.1,
                      .spike_grad = mine,
                      .learn_threshold = true,
                      .reset_mechanism = Reset::zero});
  EXPECT_EQ(layer->why_not_fused(), "");
  const auto x = sequence({5, 2, 3}).requires_grad_();
  const auto c = torch::randn({2, 4}, torch::kDouble).requires_grad_();
  const auto h = torch::randn({2, 4}, torch::kDouble).requires_grad_();
  const auto plain = plain_slstm(layer, x, c, h, Reset::zero, layer->named_parameters()["threshold"], mine);
  compare_gradients(layer, layer->record(x, {{"syn", c}, {"mem", h}}), plain, x, c, h);
}

TEST(Slstm, GradedSpikesInhibitionAndDisabledSurrogate) {
  torch::manual_seed(8);
  const auto x = sequence({6, 3, 4});
  auto graded = slstm({.input_size = 4,
                       .hidden_size = 5,
                       .threshold = 0.1,
                       .graded_spikes_factor = 2.5,
                       .learn_graded_spikes_factor = true});
  const auto rec = graded->record(x);
  EXPECT_TRUE(rec.spk.equal(rec.mem.gt(0.1).to(torch::kDouble) * 2.5));
  rec.spk.sum().backward();
  const auto factor = graded->named_parameters()["graded_spikes_factor"];
  EXPECT_NEAR(factor.grad().item<double>(), rec.mem.gt(0.1).sum().item<double>(), 1e-12);

  auto winners = slstm({.input_size = 4, .hidden_size = 5, .threshold = -1.0, .inhibition = true});
  const auto one = winners->record(x);
  EXPECT_TRUE(one.spk.sum(-1).equal(torch::ones({6, 3}, torch::kDouble)));
  EXPECT_TRUE(one.spk.argmax(-1).equal(one.mem.argmax(-1)));

  auto silent = slstm({.input_size = 4, .hidden_size = 5, .threshold = 0.1, .surrogate_disable = true});
  const auto weight = silent->lstm_cell->weight_hh;
  silent->forward(x).spk.sum().backward();
  EXPECT_EQ(weight.grad().abs().max().item<double>(), 0);
}

TEST(Slstm, QuantisedStates) {
  torch::manual_seed(9);
  rheo::quant::StateQuantOptions levels;
  levels.num_bits = 4;
  levels.threshold = 0.3;
  const rheo::quant::StateQuant quant(levels);
  auto layer = slstm({.input_size = 3,
                      .hidden_size = 4,
                      .threshold = 0.1,
                      .reset_mechanism = Reset::subtract,
                      .state_quant = quant});
  EXPECT_EQ(layer->why_not_fused(), "states are quantised");
  const auto rec = layer->record(sequence({6, 2, 3}));
  EXPECT_TRUE(rec.mem.equal(quant(rec.mem)));
  EXPECT_TRUE(rec["syn"].equal(quant(rec["syn"])));
  EXPECT_TRUE(rec.spk.equal(rec.mem.gt(0.1).to(torch::kDouble)));
  rec.spk.sum().backward();
  EXPECT_GT(layer->lstm_cell->weight_hh.grad().abs().max().item<double>(), 0);
}

TEST(Slstm, AConstantInputCostsOneRow) {
  torch::manual_seed(10);
  auto layer =
      slstm({.input_size = 4, .hidden_size = 5, .threshold = 0.1, .reset_mechanism = Reset::subtract});
  const auto row = sequence({3, 4}).requires_grad_();
  const auto once = layer->record(rheo::spikegen::constant(row, 6));
  const auto all = layer->record(row.unsqueeze(0).expand({6, 3, 4}));
  EXPECT_TRUE(once.spk.equal(all.spk));
  near(once.mem, all.mem, 1e-14);
  for (const bool recorded : {true, false}) {
    const at::AutoGradMode mode(recorded);
    EXPECT_TRUE(layer->forward(rheo::spikegen::constant(row, 6)).spk.equal(all.spk));
  }
  const auto inputs = std::vector<Tensor>{row, layer->lstm_cell->weight_ih, layer->lstm_cell->weight_hh};
  const auto a = torch::autograd::grad({once.mem.square().sum()}, inputs);
  const auto b = torch::autograd::grad({all.mem.square().sum()}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) near(a[i], b[i], 1e-12);
}

TEST(Slstm, NothingToDo) {
  auto layer = slstm({.input_size = 4, .hidden_size = 5});
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{0, 3, 4}, {6, 0, 4}, {0, 0, 4}}) {
    SCOPED_TRACE(at::IntArrayRef(shape));
    const auto x = torch::zeros(shape, torch::kDouble).requires_grad_();
    const auto h = torch::randn({shape[1], 5}, torch::kDouble).requires_grad_();
    const auto rec = layer->record(x, {{"syn", h}, {"mem", h}});
    EXPECT_EQ(rec.spk.sizes(), (std::vector<std::int64_t>{shape[0], shape[1], 5}));
    EXPECT_EQ(rec.mem.sizes(), rec.spk.sizes());
    if (shape[0] == 0) {
      EXPECT_TRUE(rec.state.mem().equal(h));
    }
    layer->zero_grad();
    (rec.spk.sum() + rec.state.mem().sum()).backward();
    EXPECT_EQ(layer->lstm_cell->weight_hh.grad().abs().max().item<double>(), 0);
    if (shape[0] == 0) {
      EXPECT_TRUE(h.grad().equal(torch::ones_like(h)));
    }
    const torch::NoGradGuard no_grad;
    EXPECT_EQ(layer->forward(x).spk.sizes(), rec.spk.sizes());
  }
}

TEST(Slstm, TheSameBitsForAnyNumberOfThreads) {
  torch::manual_seed(11);
  auto layer = slstm({.input_size = 20, .hidden_size = 40, .threshold = 0.1, .reset_mechanism = Reset::zero},
                     torch::kFloat);
  const auto x = sequence({20, 23, 20}, torch::kFloat);
  const int before = at::get_num_threads();
  std::vector<Tensor> mem, grad;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const auto h = torch::ones({23, 40}).requires_grad_();
    const auto rec = layer->record(x, {{"mem", h}});
    mem.push_back(rec.mem);
    grad.push_back(torch::autograd::grad({rec.spk.sum() + rec.mem.sum()}, {h})[0]);
  }
  at::set_num_threads(before);
  for (std::size_t i = 1; i < mem.size(); ++i) {
    EXPECT_TRUE(mem[i].equal(mem[0]));
    EXPECT_TRUE(grad[i].equal(grad[0]));
  }
}

TEST(Slstm, HalfPrecisionIsComputedInFloat) {
  torch::manual_seed(12);
  auto layer = slstm({.input_size = 4, .hidden_size = 5, .threshold = 0.1}, torch::kFloat);
  const auto x = sequence({5, 2, 4}, torch::kFloat).to(torch::kBFloat16);
  const auto narrow = layer->record(x), wide = layer->record(x.to(torch::kFloat));
  EXPECT_EQ(narrow.spk.scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(narrow.mem.equal(wide.mem.to(torch::kBFloat16)));
  EXPECT_TRUE(narrow.spk.equal(wide.spk.to(torch::kBFloat16)));
}

TEST(Slstm, InSequentialCloneAndStateDict) {
  torch::manual_seed(13);
  rheo::nn::Sequential net(torch::nn::Linear(7, 4),
                           SLSTM({.input_size = 4, .hidden_size = 5, .threshold = 0.05}),
                           torch::nn::Linear(5, 2));
  const auto x = torch::randn({6, 3, 7});
  const auto rec = net->record(x);
  EXPECT_EQ(rec["1"].mem.sizes(), (std::vector<std::int64_t>{6, 3, 5}));
  EXPECT_TRUE(rec.state.contains("1.syn"));
  auto first = net->forward(x.slice(0, 0, 2));
  const auto rest = net->forward(x.slice(0, 2), first.state);
  EXPECT_TRUE(torch::allclose(torch::cat({first.y, rest.y}), rec.y));

  auto layer = SLSTM({.input_size = 4, .hidden_size = 5, .init_hidden = true, .learn_threshold = true});
  std::vector<std::string> names;
  for (const auto& item : layer->named_parameters()) names.push_back(item.key());
  for (const auto& item : layer->named_buffers()) names.push_back(item.key());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"graded_spikes_factor", "lstm_cell.bias_hh", "lstm_cell.bias_ih",
                                             "lstm_cell.weight_hh", "lstm_cell.weight_ih",
                                             "reset_mechanism_val", "threshold"}));
  layer->forward(torch::randn({3, 2, 4}));
  const auto copy = std::dynamic_pointer_cast<rheo::nn::SLSTMImpl>(layer->clone());
  EXPECT_TRUE(copy->hidden().mem().equal(layer->hidden().mem()));
  EXPECT_TRUE(copy->lstm_cell->weight_hh.equal(layer->lstm_cell->weight_hh));
  EXPECT_NE(copy->lstm_cell->weight_hh.data_ptr(), layer->lstm_cell->weight_hh.data_ptr());
  rheo::nn::reset(*layer);
  EXPECT_TRUE(layer->hidden().empty());
  EXPECT_FALSE(copy->hidden().empty());
  EXPECT_NE(rheo::explain(*net).find("1: SLSTM: fused"), std::string::npos);
}

TEST(Slstm, WhatItRefuses) {
  const auto build = [](rheo::nn::SLSTMOptions o) { return error_of<rheo::Error>([&] { SLSTM layer(o); }); };
  EXPECT_EQ(build({.input_size = 0, .hidden_size = 5}), "[SLSTM] input_size must be positive, got 0");
  EXPECT_EQ(build({.input_size = 3, .hidden_size = -1}), "[SLSTM] hidden_size must be positive, got -1");
  EXPECT_EQ(build({.input_size = 3, .hidden_size = 1, .reset_delay = false}),
            "[SLSTM] reset_delay must not be given: it would have no effect");
  auto layer = SLSTM({.input_size = 4, .hidden_size = 5});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { layer->forward(torch::zeros({3, 2, 5})); }),
            "[SLSTM] x must be [T, B, 4], got [3, 2, 5]");
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { layer->forward(torch::zeros({3, 2, 4}), {{"mem", torch::zeros({3, 5})}}); }),
            "[SLSTM] state 'mem' must have shape [2, 5], got [3, 5]");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { layer->forward(torch::zeros({3, 2, 4}, torch::kLong)); }),
            "[SLSTM] x must be a floating-point tensor, got Long");
  auto wrong = SLSTM({.input_size = 4, .hidden_size = 5, .threshold = torch::ones({4})});
  EXPECT_NE(
      error_of<rheo::ValueError>([&] { wrong->forward(torch::zeros({3, 2, 4})); }).find("[SLSTM] threshold"),
      std::string::npos);
}

TEST(Slstm, SecondDerivativesAreRefusedByName) {
  auto layer = slstm({.input_size = 2, .hidden_size = 3});
  const auto x = sequence({3, 1, 2}).requires_grad_();
  const auto loss = layer->record(x).mem.square().sum();
  EXPECT_EQ(
      error_of<rheo::RuntimeError>([&] { torch::autograd::grad({loss}, {x}, {}, true, true); }),
      "[lstm] the fused backward has no derivative of its own: for second derivatives set fused = false");
}

// ---- where snnTorch differs ------------------------------------------------------------------------------------

// There: states are compared with the input's shape, so both are wiped at every step unless the sizes are equal.
TEST(Differences, SlstmKeepsItsStatesForAnyInputSize) {
  torch::manual_seed(17);
  auto layer = slstm({.input_size = 3, .hidden_size = 5}, torch::kFloat);
  const auto x = sequence({2, 4, 3}, torch::kFloat);
  const auto first = layer->step(x[0]);
  const auto carried = layer->step(x[1], first.state), wiped = layer->step(x[1]);
  auto cell = layer->lstm_cell;
  const auto [h, c] = cell->forward(x[1], std::tuple{first.state.mem(), first.state["syn"]});
  near(carried.state.mem(), h, 1e-6);
  near(carried.state["syn"], c, 1e-6);
  EXPECT_GT((carried.state.mem() - wiped.state.mem()).abs().max().item<double>(), 0.01);
}

// There: fresh states are float32, and the cell refuses the mixture.
TEST(Differences, SlstmStatesTakeTheTypeOfTheInput) {
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    auto layer = slstm({.input_size = 3, .hidden_size = 5}, torch::kFloat);
    const auto out = layer->forward(sequence({2, 4, 3}, dtype));
    EXPECT_EQ(out.spk.scalar_type(), dtype);
    EXPECT_EQ(out.state.mem().scalar_type(), dtype);
    EXPECT_EQ(out.state["syn"].scalar_type(), dtype);
  }
}

// ---- SConv2dLSTM -----------------------------------------------------------------------------------------------

struct Pooling {
  const char* name;
  torch::ExpandingArray<2> max_pool, avg_pool;
  std::function<Tensor(const Tensor&)> pool;
};

const Pooling poolings[] = {
    {"none", 0, 0, [](const Tensor& t) { return t; }},
    {"max 2", 2, 0, [](const Tensor& t) { return torch::max_pool2d(t, {2, 2}); }},
    {"max 2, 1", {2, 1}, 0, [](const Tensor& t) { return torch::max_pool2d(t, {2, 1}); }},
    {"avg 2", 0, 2, [](const Tensor& t) { return torch::avg_pool2d(t, {2, 2}); }},
};

TEST(SConv2dLstm, ResetsPoolingAndGradientsOfEverythingAgainstAPlainLoop) {
  torch::manual_seed(14);
  for (const auto& pooling : poolings) {
    for (const auto reset : resets) {
      for (const bool bias : {true, false}) {
        SCOPED_TRACE(c10::str(pooling.name, ' ', rheo::to_string(reset), ' ', bias));
        SConv2dLSTM layer({.in_channels = 3,
                           .out_channels = 2,
                           .kernel_size = {1, 3},
                           .bias = bias,
                           .max_pool = pooling.max_pool,
                           .avg_pool = pooling.avg_pool,
                           .threshold = 0.07,
                           .learn_threshold = true,
                           .reset_mechanism = reset});
        layer->to(torch::kDouble);
        const auto x = sequence({5, 2, 3, 5, 4}).requires_grad_();
        const auto c = torch::randn({2, 2, 5, 4}, torch::kDouble).requires_grad_();
        const auto h = torch::randn({2, 2, 5, 4}, torch::kDouble).requires_grad_();
        const auto plain =
            plain_conv(layer, x, c, h, reset, layer->named_parameters()["threshold"], pooling.pool);
        compare_gradients(layer, layer->record(x, {{"syn", c}, {"mem", h}}), plain, x, c, h);
      }
    }
  }
}

TEST(SConv2dLstm, ChunksThresholdPerChannelAndConstantInput) {
  torch::manual_seed(15);
  SConv2dLSTM layer({.in_channels = 2,
                     .out_channels = 3,
                     .kernel_size = 3,
                     .max_pool = 2,
                     .threshold = torch::tensor({0.02, 0.05, 0.1}).reshape({3, 1, 1}),
                     .reset_mechanism = Reset::subtract});
  const auto x = sequence({7, 2, 2, 6, 5}, torch::kFloat);
  const auto whole = layer->record(x);
  EXPECT_EQ(whole.spk.sizes(), (std::vector<std::int64_t>{7, 2, 3, 3, 2}));
  EXPECT_EQ(whole.mem.sizes(), (std::vector<std::int64_t>{7, 2, 3, 6, 5}));
  const auto a = layer->forward(x.slice(0, 0, 3));
  const auto b = layer->forward(x.slice(0, 3), a.state);
  EXPECT_TRUE(torch::cat({a.spk, b.spk}).equal(whole.spk));
  EXPECT_TRUE(torch::allclose(b.state.mem(), whole.state.mem()));
  const auto row = x[0];
  const auto once = layer->record(rheo::spikegen::constant(row, 4));
  const auto all = layer->record(row.unsqueeze(0).expand({4, 2, 2, 6, 5}));
  EXPECT_TRUE(once.spk.equal(all.spk));
  EXPECT_TRUE(torch::allclose(once.mem, all.mem));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(layer->forward(rheo::spikegen::constant(row, 4)).spk.equal(all.spk));
  EXPECT_TRUE(layer->forward(x).spk.equal(whole.spk));
}

TEST(SConv2dLstm, ReferencePathAgrees) {
  torch::manual_seed(16);
  rheo::nn::SConv2dLSTMOptions options{.in_channels = 2,
                                       .out_channels = 2,
                                       .kernel_size = 3,
                                       .avg_pool = 2,
                                       .threshold = 0.03,
                                       .reset_mechanism = Reset::zero};
  SConv2dLSTM fused(options);
  options.fused = false;
  SConv2dLSTM plain(options);
  for (auto& item : plain->named_parameters()) {
    const torch::NoGradGuard no_grad;
    item.value().copy_(fused->named_parameters()[item.key()]);
  }
  fused->to(torch::kDouble);
  plain->to(torch::kDouble);
  const auto x = sequence({6, 2, 2, 4, 4});
  for (auto* layer : {&fused, &plain}) (*layer)->forward(x).spk.sum().backward();
  near(fused->record(x).mem, plain->record(x).mem, 1e-13);
  for (const auto& item : fused->named_parameters())
    near(item.value().grad(), plain->named_parameters()[item.key()].grad(), 1e-12);
}

TEST(SConv2dLstm, NothingToDo) {
  SConv2dLSTM layer({.in_channels = 2, .out_channels = 3, .kernel_size = 3, .max_pool = 2});
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{0, 2, 2, 4, 4}, {3, 0, 2, 4, 4}}) {
    const auto x = torch::zeros(shape).requires_grad_();
    const auto rec = layer->record(x);
    EXPECT_EQ(rec.spk.sizes(), (std::vector<std::int64_t>{shape[0], shape[1], 3, 2, 2}));
    EXPECT_EQ(rec.mem.sizes(), (std::vector<std::int64_t>{shape[0], shape[1], 3, 4, 4}));
    layer->zero_grad();
    rec.spk.sum().backward();
    EXPECT_EQ(layer->conv->weight.grad().abs().max().item<double>(), 0);
  }
}

TEST(SConv2dLstm, WhatItRefuses) {
  const auto build = [](rheo::nn::SConv2dLSTMOptions o) {
    return error_of<rheo::Error>([&] { SConv2dLSTM layer(o); });
  };
  EXPECT_EQ(build({.in_channels = 1, .out_channels = 1, .kernel_size = 2}),
            "[SConv2dLSTM] kernel_size must be odd, got [2, 2]");
  EXPECT_EQ(build({.in_channels = 1, .out_channels = 0, .kernel_size = 3}),
            "[SConv2dLSTM] out_channels must be positive, got 0");
  EXPECT_EQ(build({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .max_pool = 2, .avg_pool = 3}),
            "[SConv2dLSTM] max_pool and avg_pool must not both be given, got [2, 2] and [3, 3]");
  EXPECT_EQ(build({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .max_pool = {2, 0}}),
            "[SConv2dLSTM] max_pool must be positive, got [2, 0]");
  EXPECT_EQ(build({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .inhibition = true}),
            "[SConv2dLSTM] inhibition must not be given: it would have no effect");
  SConv2dLSTM layer({.in_channels = 2, .out_channels = 1, .kernel_size = 3});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { layer->forward(torch::zeros({3, 1, 1, 4, 4})); }),
            "[SConv2dLSTM] x must be [T, B, 2, h, w], got [3, 1, 1, 4, 4]");
}

TEST(SConv2dLstm, CloneAndStateDict) {
  SConv2dLSTM layer({.in_channels = 2, .out_channels = 3, .kernel_size = 3});
  std::vector<std::string> names;
  for (const auto& item : layer->named_parameters()) names.push_back(item.key());
  EXPECT_EQ(names, (std::vector<std::string>{"conv.weight", "conv.bias"}));
  EXPECT_EQ(layer->conv->weight.sizes(), (std::vector<std::int64_t>{12, 5, 3, 3}));
  const auto copy = std::dynamic_pointer_cast<rheo::nn::SConv2dLSTMImpl>(layer->clone());
  const auto x = torch::randn({3, 2, 2, 4, 4});
  EXPECT_TRUE(copy->forward(x).spk.equal(layer->forward(x).spk));
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* isa = std::getenv("RHEOBASE_ISA");
  for (const auto known : {rheo::kernels::Isa::avx2, rheo::kernels::Isa::avx512}) {
    if (isa != nullptr && rheo::kernels::to_string(known) == isa && !rheo::kernels::is_available(known)) {
      std::printf("skipped: this machine has no %s\n", isa);
      return 77;
    }
  }
  return RUN_ALL_TESTS();
}
