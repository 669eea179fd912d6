// Operation counts against loops that visit every connection, and firing figures against counts by hand.
#include "rheo/nn/summary.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <sstream>

#include "rheo/nn/associative_leaky.hpp"
#include "rheo/nn/batch_norm_tt.hpp"
#include "rheo/nn/graded_spikes.hpp"
#include "rheo/nn/leaky_parallel.hpp"
#include "rheo/nn/linear_leaky.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/probe.hpp"
#include "rheo/nn/quant_layers.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sconv2dlstm.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/state_leaky.hpp"
#include "rheo/nn/summary.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::TimeConstant;
using rheo::nn::Leaky;
using rheo::nn::Sequential;
using rheo::nn::summary;
using rheo::test::error_of;
using torch::Tensor;
using torch::nn::Conv1d;
using torch::nn::Conv1dOptions;
using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::Linear;

Tensor spikes(at::IntArrayRef sizes, double part = 0.3) {
  torch::manual_seed(static_cast<std::uint64_t>(sizes.size()) + 11);
  return torch::rand(sizes).lt(part).to(torch::kFloat);
}

/// Not spikes.
Tensor current(at::IntArrayRef sizes) {
  torch::manual_seed(3);
  return torch::rand(sizes) + 0.5;
}

/// A convolution as its definition has it.
struct Shape {
  std::int64_t groups = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
};

/// Connections of x [rows, C, H, W] that carry a number other than zero, one by one; weight [out, C / groups, kh, kw].
double loop_conv(const Tensor& x, at::IntArrayRef weight, const Shape& s) {
  const auto rows = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  const auto out = weight[0], in = weight[1], kh = weight[2], kw = weight[3];
  EXPECT_EQ(C, in * s.groups);
  const auto oh = (H + 2 * s.pad_h - s.dilation_h * (kh - 1) - 1) / s.stride_h + 1;
  const auto ow = (W + 2 * s.pad_w - s.dilation_w * (kw - 1) - 1) / s.stride_w + 1;
  const auto read = x.accessor<float, 4>();
  double count = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t i = 0; i < oh; ++i)
        for (std::int64_t j = 0; j < ow; ++j)
          for (std::int64_t c = 0; c < in; ++c)
            for (std::int64_t a = 0; a < kh; ++a)
              for (std::int64_t b = 0; b < kw; ++b) {
                const auto h = i * s.stride_h - s.pad_h + a * s.dilation_h;
                const auto w = j * s.stride_w - s.pad_w + b * s.dilation_w;
                if (h < 0 || h >= H || w < 0 || w >= W) continue;
                const auto channel = o / (out / s.groups) * in + c;
                if (read[r][channel][h][w] != 0) ++count;
              }
  return count;
}

double loop_linear(const Tensor& x, std::int64_t outputs) {
  const auto flat = x.contiguous().flatten();
  const auto read = flat.accessor<float, 1>();
  double count = 0;
  for (std::int64_t i = 0; i < flat.size(0); ++i)
    for (std::int64_t o = 0; o < outputs; ++o)
      if (read[i] != 0) ++count;
  return count;
}

constexpr std::int64_t T = 5, B = 3;

// ---- layers that read -------------------------------------------------------------------------------------

TEST(Summary, LinearCountsSpikesTimesOutputs) {
  Sequential net(Linear(13, 7));
  const auto x = spikes({T, B, 13});
  const auto s = summary(net, x);
  EXPECT_EQ(s["0"].synops, loop_linear(x, 7) / B);
  EXPECT_EQ(s["0"].macs, 0);
  EXPECT_EQ(s.samples, B);
  const auto dense = summary(net, current({T, B, 13}));
  EXPECT_EQ(dense["0"].synops, 0);
  EXPECT_EQ(dense["0"].macs, T * 13 * 7);
}

TEST(Summary, ConvolutionsCountEveryConnectionAtBordersToo) {
  const std::vector<Shape> shapes{
      {},
      {.pad_h = 1, .pad_w = 1},
      {.stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 2},
      {.groups = 2, .pad_h = 2, .pad_w = 0},
      {.pad_h = 2, .pad_w = 1, .dilation_h = 2, .dilation_w = 3},
      {.groups = 4, .stride_h = 3, .stride_w = 2, .pad_h = 3, .pad_w = 1, .dilation_h = 3, .dilation_w = 2}};
  for (const auto& s : shapes) {
    for (const auto& [h, w] : {std::pair(11, 8), std::pair(9, 13)}) {
      const Conv2d conv(Conv2dOptions(4, 8, {3, 2})
                            .groups(s.groups)
                            .stride({s.stride_h, s.stride_w})
                            .padding({s.pad_h, s.pad_w})
                            .dilation({s.dilation_h, s.dilation_w}));
      Sequential net(conv);
      const auto x = spikes({T, B, 4, h, w});
      const auto wanted = loop_conv(x.flatten(0, 1), conv->weight.sizes(), s);
      EXPECT_EQ(summary(net, x)["0"].synops, wanted / B) << s.stride_h << s.groups << s.dilation_h;
      const auto dense = current({T, B, 4, h, w});
      EXPECT_EQ(summary(net, dense)["0"].macs, loop_conv(dense.flatten(0, 1), conv->weight.sizes(), s) / B);
    }
  }
}

TEST(Summary, Conv1dCountsEveryConnection) {
  for (const auto& s : std::vector<Shape>{{}, {.groups = 2, .stride_w = 3, .pad_w = 2, .dilation_w = 2}}) {
    const Conv1d conv(
        Conv1dOptions(4, 6, 3).groups(s.groups).stride(s.stride_w).padding(s.pad_w).dilation(s.dilation_w));
    const auto x = spikes({T, B, 4, 17});
    const auto weight = conv->weight.unsqueeze(2);
    EXPECT_EQ(summary(Sequential(conv), x)["0"].synops,
              loop_conv(x.flatten(0, 1).unsqueeze(2), weight.sizes(), s) / B);
  }
}

TEST(Summary, PaddingThatRepeatsIsReadAsOftenAsItRepeats) {
  const Conv1d around(Conv1dOptions(1, 1, 3).padding(1).padding_mode(torch::kCircular));
  EXPECT_EQ(summary(Sequential(around), spikes({2, 1, 1, 5}, 2))["0"].synops, 2 * 15);
  const Conv1d same(Conv1dOptions(1, 1, 3).padding(torch::kSame));
  EXPECT_EQ(summary(Sequential(same), spikes({2, 1, 1, 5}, 2))["0"].synops, 2 * 13);
}

TEST(Summary, TransposedConvolutionsAreConvolutionsBackwards) {
  // Each input reaches the kernel's outputs, less those that padding cuts off: of a 3-kernel with padding 1, 2 at the ends.
  const torch::nn::ConvTranspose1d conv(torch::nn::ConvTranspose1dOptions(2, 4, 3).padding(1).groups(2));
  EXPECT_EQ(summary(Sequential(conv), spikes({1, 1, 2, 5}, 2))["0"].synops, 2 * 2 * (2 + 3 * 3 + 2));
}

TEST(Summary, QuantisedLayersCountAsTheLayersTheyAre) {
  const Shape s{.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
  const rheo::nn::QuantConv2d conv(Conv2dOptions(2, 3, 3).stride(2).padding(1), {.num_bits = 4});
  const auto x = spikes({T, B, 2, 7, 6});
  EXPECT_EQ(summary(Sequential(conv), x)["0"].synops,
            loop_conv(x.flatten(0, 1), conv->weight.sizes(), s) / B);
  const auto y = spikes({T, B, 13});
  EXPECT_EQ(summary(Sequential(rheo::nn::QuantLinear(13, 7, {.num_bits = 2})), y)["0"].synops,
            loop_linear(y, 7) / B);
}

// ---- what is a spike --------------------------------------------------------------------------------------

TEST(Summary, GradedSpikesAreSpikesOtherNumbersAreNot) {
  Sequential net(Leaky({.beta = 0.9, .threshold = 0.1, .graded_spikes_factor = 0.25}), Linear(13, 7),
                 Leaky({.beta = 0.9, .threshold = 0.1}), rheo::nn::GradedSpikes({.size = 7}), Linear(7, 4));
  const auto x = current({T, B, 13});
  rheo::nn::InputMonitor in(net, {"1", "4"});
  const auto s = summary(net, x);
  ASSERT_GT(in["4"][0].sum().item<float>(), 0);
  EXPECT_EQ(s["1"].synops, loop_linear(in["1"][0], 7) / B);
  EXPECT_EQ(s["4"].synops, loop_linear(in["4"][0], 4) / B);
  EXPECT_EQ(s.macs(), 0);
  EXPECT_EQ(summary(Sequential(Linear(13, 7)), x.ge(1).to(torch::kFloat) * 0.25)["0"].macs, T * 13 * 7)
      << "no neuron of this network gives 0.25";
}

TEST(Summary, MaximumPoolingKeepsSpikesAveragePoolingDoesNot) {
  const auto x = spikes({T, B, 2, 6, 6});
  const auto max = summary(Sequential(torch::nn::MaxPool2d(2), Conv2d(2, 3, 3)), x);
  const auto pooled = torch::max_pool2d(x.flatten(0, 1), 2);
  EXPECT_EQ(max["1"].synops, loop_conv(pooled, {3, 2, 3, 3}, {}) / B);
  EXPECT_EQ(max["0"].synops + max["0"].macs + max["1"].macs, 0);
  const auto average = summary(Sequential(torch::nn::AvgPool2d(2), Conv2d(2, 3, 3)), x);
  EXPECT_EQ(average["1"].macs, T * 3 * 2 * 9);
  const auto normed = summary(Sequential(torch::nn::BatchNorm2d(2), torch::nn::Flatten(), Linear(72, 5)), x);
  EXPECT_EQ(normed["2"].macs, T * 72 * 5);
  EXPECT_EQ(normed["0"].macs + normed["1"].macs + normed.synops(), 0);
}

TEST(Summary, AConstantInputIsCountedOnce) {
  Sequential net(Linear(13, 7), Leaky({.beta = 0.9}), Linear(7, 4));
  const auto row = current({B, 13});
  rheo::nn::InputMonitor in(net, {"2"});
  const auto s = summary(net, TimeConstant{row, T});
  EXPECT_EQ(s["0"].macs, 13 * 7);
  EXPECT_EQ(s["2"].synops, loop_linear(in["2"][0], 4) / B);
}

// ---- layers with weights inside ---------------------------------------------------------------------------

/// The spikes that come back: those of all steps but the last, behind the first state.
Tensor returned(const Tensor& spk, const Tensor& first) {
  return torch::cat({first.unsqueeze(0), spk.slice(0, 0, spk.size(0) - 1)});
}

TEST(Summary, RecurrentLayersCountTheSpikesThatComeBack) {
  const auto x = current({T, B, 6});
  for (const bool synaptic : {false, true}) {
    rheo::nn::Neuron dense =
        synaptic ? rheo::nn::Neuron(rheo::nn::RSynaptic({.alpha = 0.5, .beta = 0.9, .linear_features = 6}))
                 : rheo::nn::Neuron(rheo::nn::RLeaky({.beta = 0.9, .linear_features = 6}));
    const auto spk = dense->forward(x).spk;
    ASSERT_GT(spk.sum().item<float>(), 0);
    EXPECT_EQ(summary(Sequential(dense), x)["0"].synops,
              loop_linear(returned(spk, torch::zeros({B, 6})), 6) / B);

    rheo::nn::Neuron own = synaptic
                               ? rheo::nn::Neuron(rheo::nn::RSynaptic({.alpha = 0.5, .beta = 0.9, .V = -0.2}))
                               : rheo::nn::Neuron(rheo::nn::RLeaky({.beta = 0.9, .V = -0.2}));
    const auto fired = own->forward(x).spk;
    EXPECT_EQ(summary(own, x)[""].synops, returned(fired, torch::zeros({B, 6})).sum().item<double>() / B);

    const auto images = current({T, B, 2, 5, 4});
    rheo::nn::Neuron near =
        synaptic
            ? rheo::nn::Neuron(rheo::nn::RSynaptic(
                  {.alpha = 0.5, .beta = 0.9, .conv2d_channels = 2, .kernel_size = {3, 5}}))
            : rheo::nn::Neuron(rheo::nn::RLeaky({.beta = 0.9, .conv2d_channels = 2, .kernel_size = {3, 5}}));
    const auto sent = returned(near->forward(images).spk, torch::zeros({B, 2, 5, 4}));
    EXPECT_EQ(summary(near, images)[""].synops,
              loop_conv(sent.flatten(0, 1), {2, 2, 3, 5}, {.pad_h = 1, .pad_w = 2}) / B);
  }
}

// Steps by hand count what one call counts: the state that is handed in was sent too.
TEST(Summary, RecurrentLayersInStepsCountTheSame) {
  rheo::nn::RLeaky dense({.beta = 0.9, .linear_features = 6});
  const auto x = current({T, B, 6});
  const auto steps = summary(
      dense,
      [&] {
        rheo::State state;
        for (std::int64_t t = 0; t < T; ++t) state = dense->step(x[t], state).state;
      },
      B);
  const auto whole = summary(dense, x);
  EXPECT_EQ(steps[""].synops, whole[""].synops);
  EXPECT_EQ(steps[""].rate, whole[""].rate);
  EXPECT_EQ(steps[""].silent, whole[""].silent);
  EXPECT_EQ(steps[""].saturated, whole[""].saturated);
}

TEST(Summary, LstmsCountTheInputByWhatItIsAndTheHiddenPartDense) {
  rheo::nn::SLSTM lstm({.input_size = 13, .hidden_size = 5, .threshold = 0.1});
  const auto x = spikes({T, B, 13});
  const auto s = summary(lstm, x)[""];
  EXPECT_EQ(s.synops, loop_linear(x, 4 * 5) / B);
  EXPECT_EQ(s.macs, T * 4 * 5 * 5);
  EXPECT_EQ(summary(lstm, current({T, B, 13}))[""].macs, T * 4 * 5 * (13 + 5));

  rheo::nn::SConv2dLSTM conv(
      {.in_channels = 2, .out_channels = 3, .kernel_size = {3, 5}, .max_pool = 2, .threshold = 0.1});
  const auto images = spikes({T, B, 2, 6, 4});
  const auto c = summary(conv, images)[""];
  const Shape padded{.pad_h = 1, .pad_w = 2};
  EXPECT_EQ(c.synops, loop_conv(images.flatten(0, 1), {12, 2, 3, 5}, padded) / B);
  EXPECT_EQ(c.macs, loop_conv(torch::ones({T, 3, 6, 4}), {12, 3, 3, 5}, padded));
  EXPECT_EQ(c.neurons, 3 * 3 * 2);
}

TEST(Summary, ProjectionsOfLayersWithoutAReset) {
  const auto x = spikes({T, B, 13});
  const auto in = loop_linear(x, 1) / B;
  rheo::nn::LinearLeaky linear({.beta = 0.9, .in_features = 13, .out_features = 7});
  EXPECT_DOUBLE_EQ(summary(linear, x)[""].synops, in * 7);
  rheo::nn::LeakyParallel diagonal({.input_size = 13, .hidden_size = 7, .beta = 0.9});
  EXPECT_DOUBLE_EQ(summary(diagonal, x)[""].synops, in * 7);
  EXPECT_EQ(summary(diagonal, x)[""].macs, 0);
  rheo::nn::LeakyParallel dense({.input_size = 13, .hidden_size = 7, .weight_hh_enable = true});
  EXPECT_EQ(summary(dense, x)[""].macs, T * 7 * 7);
  rheo::nn::AssociativeLeaky memory({.in_dim = 13, .d_value = 3, .d_key = 4});
  EXPECT_DOUBLE_EQ(summary(memory, x)[""].synops, in * (3 + 4 + 4 + 12));
  EXPECT_EQ(summary(memory, x)[""].macs, T * 3 * 4 * 3);
  EXPECT_EQ(summary(memory, current({T, B, 13}))[""].macs, T * (13 * (3 + 4 + 4 + 12) + 3 * 4 * 3));
  rheo::nn::StateLeaky none({.beta = 0.9, .channels = 13});
  EXPECT_EQ(summary(none, x).synops() + summary(none, x).macs(), 0);
}

// ---- firing -----------------------------------------------------------------------------------------------

TEST(Summary, RatesSilentAndSaturatedNeurons) {
  Leaky lif(
      {.beta = 0, .threshold = 0.5, .reset_mechanism = rheo::Reset::none});  // fires where x is above a half
  auto x = torch::zeros({T, B, 4});
  x.select(2, 1).fill_(1);                 // saturated
  x.select(2, 2).slice(0, 0, 2).fill_(1);  // two steps
  x[0][0][3] = 1;                          // one spike of one sample
  const auto s = summary(lif, x)[""];
  EXPECT_EQ(s.neurons, 4);
  EXPECT_EQ(s.silent, 1);
  EXPECT_EQ(s.saturated, 1);
  EXPECT_DOUBLE_EQ(s.rate, (T * B + 2 * B + 1) / static_cast<double>(T * B * 4));
  const auto one = summary(lif, x.select(1, 0));  // one sample, no batch
  EXPECT_EQ(one.samples, 1);
  EXPECT_DOUBLE_EQ(one[""].rate, (T + 2 + 1) / static_cast<double>(T * 4));
}

TEST(Summary, WhatGivesNoSpikesHasNoRate) {
  rheo::nn::StateLeaky membranes({.beta = 0.9, .channels = 13, .output = false});
  EXPECT_EQ(summary(membranes, current({T, B, 13}))[""].neurons, 0);
}

// ---- the run ----------------------------------------------------------------------------------------------

TEST(Summary, LeavesTheNetworkAsItWas) {
  Sequential net(torch::nn::BatchNorm1d(13), Linear(13, 13),
                 Leaky({.beta = 0.9, .threshold = 0.1, .init_hidden = true}), torch::nn::Dropout(0.5));
  net->train();
  net->module_at(0)->eval();
  const auto x = current({T, B, 13});
  net->forward(x);
  const auto hidden = net->layer<rheo::nn::NeuronImpl>(2).hidden().mem();
  torch::manual_seed(5);
  const auto before = torch::rand({1});
  torch::manual_seed(5);
  const auto first = summary(net, x);
  EXPECT_TRUE(torch::rand({1}).equal(before)) << "no random number was drawn";
  EXPECT_TRUE(net->layer<rheo::nn::NeuronImpl>(2).hidden().mem().is_same(hidden));
  EXPECT_TRUE(net->is_training());
  EXPECT_FALSE(net->module_at(0)->is_training());
  EXPECT_TRUE(net->module_at(3)->is_training());
  EXPECT_EQ(rheo::nn::observers_of(*net->module_at(1)), nullptr);
  EXPECT_EQ(to_string(summary(net, x)), to_string(first)) << "from fresh hidden states each time";
}

struct OwnImpl : torch::nn::Module {
  OwnImpl() {
    register_module("fc", fc);
    register_module("unseen", unseen);
    register_module("lif", lif);
    register_module("rnn", rnn);
  }
  Tensor step(const Tensor& x) { return lif->step(unseen->forward(rheo::nn::call(fc, x))).spk; }
  Linear fc{13, 7}, unseen{7, 7};
  Leaky lif{rheo::nn::LeakyOptions{.beta = 0.9, .init_hidden = true}};
  torch::nn::Embedding rnn{3, 2};
};
TORCH_MODULE(Own);

TEST(Summary, AModuleOfTheUsersOwnAndWhatIsNotCounted) {
  Own own;
  const auto x = spikes({T, B, 13});
  const auto s = summary(
      own,
      [&] {
        for (std::int64_t t = 0; t < T; ++t) own->step(x[t]);
      },
      B);
  EXPECT_EQ(s["fc"].synops, loop_linear(x, 7) / B);
  EXPECT_EQ(s["lif"].neurons, 7);
  EXPECT_EQ(s.uncounted,
            (std::vector<std::string>{
                "unseen: Linear, whose calls are not seen (rheo::nn::call in a module of your own)",
                "rnn: Embedding, whose calls are not seen (rheo::nn::call in a module of your own)"}));
  struct Scaled : torch::nn::Module {
    Scaled() : weight(register_parameter("weight", torch::ones({13, 13}))) {}
    Tensor forward(const Tensor& a) { return a.matmul(weight); }
    Tensor weight;
  };
  EXPECT_EQ(summary(Sequential(std::make_shared<Scaled>()), x).uncounted.size(), 1U);
}

TEST(Summary, PrintsATable) {
  Sequential net;
  net->push_back("fc1", Linear(13, 7));
  net->push_back("lif1", Leaky({.beta = 0, .threshold = 0.5, .reset_mechanism = rheo::Reset::none}));
  const torch::NoGradGuard no_grad;
  net->layer<torch::nn::LinearImpl>(0).weight.fill_(0);
  net->layer<torch::nn::LinearImpl>(0).bias.fill_(1);
  std::ostringstream out;
  out << summary(net, spikes({T, B, 13}, 2));
  EXPECT_EQ(out.str(),
            "layer  kind    parameters  neurons  spikes/neuron/step  silent  saturated  SynOps  MACs\n"
            "fc1    Linear          98                                                     455      \n"
            "lif1   Leaky                     7                   1       0          7              \n"
            "all                                                                           455     0\n"
            "per sample, the mean of 3\n");
}

TEST(Summary, RunsOnNothing) {
  Sequential net(Linear(13, 7), Leaky({.beta = 0.9}));
  const auto none = summary(net, torch::zeros({0, 3, 13}));
  EXPECT_EQ(none.synops() + none.macs(), 0);
  EXPECT_EQ(error_of<rheo::ValueError>([&] { summary(net, torch::zeros({T, 0, 13})); }),
            "[summary] samples must be at least 1, got 0");
}

TEST(Summary, SaysWhatIsWrong) {
  Sequential net(Linear(13, 7), Leaky({.beta = 0.9}));
  EXPECT_EQ(error_of<rheo::TypeError>([&] { summary(Linear(2, 2), torch::zeros({2, 2})); }),
            "[summary] net must be a Sequential or a layer with a state; of another module say how it runs, "
            "got Linear");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { summary(net, Tensor()); }),
            "[summary] x must be a tensor, got an undefined one");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { summary(net, spikes({T, B, 13}))["2"]; }),
            "[summary] name must be of a layer that was called, 0, 1, got '2'");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { summary(net, spikes({T, B, 5})); }),
            "[linear] x must have 13 features in its last dimension, got [5, 3, 5]");
  EXPECT_EQ(rheo::nn::observers_of(*net->module_at(0)), nullptr) << "an error leaves nothing behind";
}

}  // namespace
