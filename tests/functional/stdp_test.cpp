// The rules of plasticity: what snnTorch computed, replayed, and plain loops over every weight, sample and position.
#include "rheo/functional/stdp.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cmath>

#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"
#include "tests/recorded.hpp"

namespace {

using namespace recorded;
using namespace rheo::functional;
using rheo::test::error_of;
using torch::nn::Conv1d;
using torch::nn::Conv1dOptions;
using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::Linear;

torch::Tensor spikes(at::IntArrayRef sizes, std::int64_t seed, at::ScalarType dtype = torch::kDouble) {
  torch::manual_seed(seed);
  return torch::rand(sizes, dtype).lt(0.4).to(dtype);
}

template <std::size_t D>
torch::nn::ConvOptions<D> conv_options(const Tensors& in, const json& o) {
  const auto list = [&](const char* name) {
    std::array<std::int64_t, D> out{};
    for (std::size_t i = 0; i < D; ++i) out[i] = o.at(name).at(i).get<std::int64_t>();
    return torch::ExpandingArray<D>(out);
  };
  const auto& w = in.at("weight");
  torch::nn::ConvOptions<D> out(w.size(1), w.size(0), torch::ExpandingArray<D>(w.sizes().slice(2).vec()));
  out.stride(list("conv_stride")).padding(list("conv_padding")).bias(false);
  if (o.at("conv_padding_mode") == "circular") out.padding_mode(torch::kCircular);
  return out;
}

template <class Layer>
void replay(const json& c, const Layer& layer,
            STDPOutput (*rule)(const typename Layer::ContainedType&, const torch::Tensor&,
                               const torch::Tensor&, const torch::Tensor&, const torch::Tensor&,
                               const STDPOptions&)) {
  const auto in = arrays(c.at("inputs"));
  const auto& o = c.at("options");
  layer->weight.set_data(in.at("weight"));
  STDPOptions options{.tau_pre = o.at("tau_pre"), .tau_post = o.at("tau_post")};
  if (o.contains("f_pre")) {
    ASSERT_EQ(o.at("f_pre"), "0.5*w*w");
    ASSERT_EQ(o.at("f_post"), "1-w");
    options.f_pre = [](const torch::Tensor& w) { return 0.5 * w * w; };
    options.f_post = [](const torch::Tensor& w) { return 1 - w; };
  }
  Tensors ours;
  STDPOutput last;
  for (int t = 0; t < 3; ++t) {
    const auto at = std::to_string(t);
    last = rule(*layer, in.at("in" + at), in.at("out" + at), last.trace_pre, last.trace_post, options);
    ours["trace_pre" + at] = last.trace_pre;
    ours["trace_post" + at] = last.trace_post;
    ours["delta_w" + at] = last.delta_w;
  }
  compare(c, ours);
}

TEST(Recorded, Plasticity) {
  const auto all = of_kind("stdp");
  EXPECT_EQ(all.size(), 15U);
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto in = arrays(c.at("inputs"));
    const auto& weight = in.at("weight");
    const std::string name = c.at("target").get<std::string>().substr(sizeof "functional.stdp_learner");
    if (name == "stdp_conv1d_single_step") {
      replay(c, Conv1d(conv_options<1>(in, c.at("options"))), stdp_conv1d_single_step);
    } else if (name == "stdp_conv2d_single_step") {
      replay(c, Conv2d(conv_options<2>(in, c.at("options"))), stdp_conv2d_single_step);
    } else {
      const Linear fc(weight.size(1), weight.size(0));
      if (name == "stdp_linear_single_step") {
        replay(c, fc, stdp_linear_single_step);
      } else if (name == "mstdp_linear_single_step") {
        replay(c, fc, mstdp_linear_single_step);
      } else {
        ASSERT_EQ(name, "mstdpet_linear_single_step");
        replay(c, fc, mstdpet_linear_single_step);
      }
    }
  }
}

/// f_post = 1 - w, f_pre = w, all loops: in [T, B, C, H, W], weight [O, C / groups, KH, KW], padded with zeros.
torch::Tensor looped(const Conv2d& conv, const torch::Tensor& in, const torch::Tensor& out, double tau_pre,
                     double tau_post) {
  const auto& o = conv->options;
  const auto pad = std::get<torch::ExpandingArray<2>>(o.padding());
  const auto w = conv->weight.detach();
  const auto delta = torch::zeros_like(w);
  const auto per_group = w.size(0) / o.groups();
  auto p = torch::zeros(in.sizes().slice(1), torch::kDouble);
  auto q = torch::zeros(out.sizes().slice(1), torch::kDouble);
  for (std::int64_t t = 0; t < in.size(0); ++t) {
    p = p - p / tau_pre + in[t];
    q = q - q / tau_post + out[t];
    const auto pa = p.accessor<double, 4>(), qa = q.accessor<double, 4>();
    const auto x = in[t], y = out[t];
    const auto xa = x.accessor<double, 4>(), ya = y.accessor<double, 4>();
    const auto wa = w.accessor<double, 4>();
    auto da = delta.accessor<double, 4>();
    for (std::int64_t n = 0; n < w.size(0); ++n) {
      for (std::int64_t c = 0; c < w.size(1); ++c) {
        for (std::int64_t i = 0; i < w.size(2); ++i) {
          for (std::int64_t j = 0; j < w.size(3); ++j) {
            for (std::int64_t b = 0; b < y.size(0); ++b) {
              for (std::int64_t r = 0; r < y.size(2); ++r) {
                for (std::int64_t s = 0; s < y.size(3); ++s) {
                  const auto h = r * (*o.stride())[0] + i * (*o.dilation())[0] - (*pad)[0];
                  const auto v = s * (*o.stride())[1] + j * (*o.dilation())[1] - (*pad)[1];
                  if (h < 0 || v < 0 || h >= x.size(2) || v >= x.size(3)) continue;
                  const auto from = n / per_group * w.size(1) + c;
                  da[n][c][i][j] += (1 - wa[n][c][i][j]) * ya[b][n][r][s] * pa[b][from][h][v] -
                                    wa[n][c][i][j] * qa[b][n][r][s] * xa[b][from][h][v];
                }
              }
            }
          }
        }
      }
    }
  }
  return delta;
}

void expect_as_looped(Conv2dOptions o, std::int64_t height, std::int64_t width) {
  Conv2d conv(o.bias(false));
  conv->to(torch::kDouble);
  const auto in = spikes({3, 2, o.in_channels(), height, width}, 1);
  const auto out = spikes(conv->forward(in.flatten(0, 1)).unflatten(0, {3, 2}).sizes(), 2);
  const STDPOptions options{
      .tau_pre = 3, .tau_post = 5, .f_post = [](const torch::Tensor& w) { return 1 - w; }};
  const auto ours = stdp_sequence(*conv, in, out, {}, {}, options).delta_w;
  EXPECT_TRUE(ours.allclose(looped(conv, in, out, 3, 5), 1e-12, 1e-12)) << o.in_channels();
  EXPECT_FALSE(ours.requires_grad());
}

TEST(STDP, ConvolutionsAsPlainLoops) {
  expect_as_looped(Conv2dOptions(2, 3, {3, 2}), 6, 5);
  expect_as_looped(Conv2dOptions(1, 1, 1), 1, 1);
  expect_as_looped(Conv2dOptions(2, 3, {2, 3}).stride({2, 3}).padding({1, 2}), 7, 8);
}

// snnTorch refuses both.
TEST(STDP, DilationAndGroups) {
  expect_as_looped(Conv2dOptions(2, 3, {3, 2}).dilation({2, 3}), 7, 6);
  expect_as_looped(Conv2dOptions(4, 6, 2).groups(2), 4, 3);
  expect_as_looped(Conv2dOptions(3, 6, 3).groups(3).dilation(2).stride(2).padding({2, 1}), 8, 7);
}

TEST(STDP, OneDimensionIsTwoWithOneRow) {
  const auto o1 = Conv1dOptions(4, 2, 3).stride(2).padding(2).dilation(2).groups(2).bias(false);
  const auto o2 =
      Conv2dOptions(4, 2, {1, 3}).stride({1, 2}).padding({0, 2}).dilation({1, 2}).groups(2).bias(false);
  Conv1d line(o1);
  Conv2d plane(o2);
  line->to(torch::kDouble);
  plane->weight.set_data(line->weight.detach().unsqueeze(2));
  const auto in = spikes({3, 2, 4, 9}, 1), out = spikes({3, 2, 2, 5}, 2);
  const auto a = stdp_sequence(*line, in, out);
  const auto b = stdp_sequence(*plane, in.unsqueeze(3), out.unsqueeze(3));
  EXPECT_TRUE(a.delta_w.allclose(b.delta_w.squeeze(2), 1e-12, 1e-12));
  EXPECT_TRUE(a.trace_pre.equal(b.trace_pre.squeeze(2)));
}

// Padding by "same", and by what else a convolution pads with: the layer does what one without padding does to its padded
// input.
TEST(STDP, EveryPadding) {
  const auto in = spikes({3, 2, 2, 6}, 1);
  const auto check = [&](Conv1dOptions o, std::vector<std::int64_t> pad, const char* mode) {
    Conv1d padded(o.bias(false)), plain(Conv1dOptions(2, 3, 4).bias(false));
    padded->to(torch::kDouble);
    plain->weight.set_data(padded->weight.detach());
    const auto wide = at::pad(in.flatten(0, 1), pad, mode).unflatten(0, {3, 2});
    const auto out = spikes({3, 2, 3, wide.size(3) - 3}, 2);
    const auto a = stdp_sequence(*padded, in, out), b = stdp_sequence(*plain, wide, out);
    EXPECT_TRUE(a.delta_w.equal(b.delta_w)) << mode;
    EXPECT_TRUE(a.trace_pre.equal(b.trace_pre)) << mode;
  };
  check(Conv1dOptions(2, 3, 4).padding(torch::kSame), {1, 2}, "constant");
  check(Conv1dOptions(2, 3, 4).padding(torch::kValid), {0, 0}, "constant");
  check(Conv1dOptions(2, 3, 4).padding(2).padding_mode(torch::kReflect), {2, 2}, "reflect");
  check(Conv1dOptions(2, 3, 4).padding(2).padding_mode(torch::kReplicate), {2, 2}, "replicate");
  check(Conv1dOptions(2, 3, 4).padding(2).padding_mode(torch::kCircular), {2, 2}, "circular");
}

TEST(STDP, ALinearLayerIsAConvolutionOfOnePixel) {
  for (const auto& [inputs, outputs] : {std::pair{1, 1}, {7, 9}, {33, 17}}) {
    Linear fc(inputs, outputs);
    fc->to(torch::kDouble);
    Conv2d conv(Conv2dOptions(inputs, outputs, 1).bias(false));
    conv->weight.set_data(fc->weight.detach().unsqueeze(-1).unsqueeze(-1));
    const auto in = spikes({4, 3, inputs}, 1), out = spikes({4, 3, outputs}, 2);
    const STDPOptions options{
        .tau_pre = 3, .tau_post = 5, .f_post = [](const torch::Tensor& w) { return 1 - w; }};
    const auto delta = stdp_sequence(*fc, in, out, {}, {}, options).delta_w;
    const auto wide = [](const torch::Tensor& x) { return x.unsqueeze(-1).unsqueeze(-1); };
    EXPECT_TRUE(delta.allclose(looped(conv, wide(in), wide(out), 3, 5).flatten(1), 1e-12, 1e-12));
  }
}

// The sequence's product is large enough for every library that may serve it.
TEST(STDP, ASequenceIsItsSteps) {
  const Linear fc(300, 200);
  const STDPOptions options{.tau_pre = 7, .tau_post = 4};
  const auto in = spikes({10, 16, 300}, 1, torch::kFloat), out = spikes({10, 16, 200}, 2, torch::kFloat);
  const auto first = torch::rand({16, 300}), last = torch::rand({16, 200});
  const auto all = stdp_sequence(*fc, in, out, first, last, options);
  STDPOutput step{first, last, {}};
  auto sum = torch::zeros({200, 300});
  for (std::int64_t t = 0; t < 10; ++t) {
    step = stdp_linear_single_step(*fc, in[t], out[t], step.trace_pre, step.trace_post, options);
    sum += step.delta_w;
  }
  EXPECT_TRUE(all.trace_pre.equal(step.trace_pre));
  EXPECT_TRUE(all.trace_post.equal(step.trace_post));
  EXPECT_TRUE(all.delta_w.allclose(sum, 1e-4, 1e-4));
}

// Hand worked: pre before post strengthens, post before pre weakens.
TEST(STDP, TheOrderDecides) {
  Linear fc(1, 1);
  fc->weight.set_data(torch::full({1, 1}, 0.5));
  const auto early = torch::tensor({1.0, 0.0}).view({2, 1, 1}),
             late = torch::tensor({0.0, 1.0}).view({2, 1, 1});
  const STDPOptions options{.tau_pre = 4, .tau_post = 2};
  EXPECT_FLOAT_EQ(stdp_sequence(*fc, early, late, {}, {}, options).delta_w.item<float>(), 0.5F * 0.75F);
  EXPECT_FLOAT_EQ(stdp_sequence(*fc, late, early, {}, {}, options).delta_w.item<float>(), -0.5F * 0.5F);
}

TEST(STDP, NothingIsTouched) {
  Linear fc(3, 2);
  const auto weight = fc->weight.detach().clone();
  const auto in = spikes({4, 2, 3}, 1, torch::kFloat).requires_grad_(),
             out = spikes({4, 2, 2}, 2, torch::kFloat);
  const auto trace = torch::rand({2, 3}), before = trace.clone();
  const auto result = stdp_sequence(*fc, in, out, trace);
  EXPECT_FALSE(result.delta_w.requires_grad() || result.trace_pre.requires_grad());
  EXPECT_TRUE(fc->weight.equal(weight) && trace.equal(before));
  EXPECT_FALSE(fc->weight.grad().defined());
}

TEST(STDP, EmptyBatchAndNoSteps) {
  const Linear fc(3, 2);
  const auto none = stdp_sequence(*fc, torch::zeros({4, 0, 3}), torch::zeros({4, 0, 2}));
  EXPECT_TRUE(none.delta_w.equal(torch::zeros({2, 3})));
  const auto trace = torch::rand({5, 3});
  const auto still = stdp_sequence(*fc, torch::zeros({0, 5, 3}), torch::zeros({0, 5, 2}), trace);
  EXPECT_TRUE(still.delta_w.equal(torch::zeros({2, 3})));
  EXPECT_TRUE(still.trace_pre.equal(trace));
  EXPECT_TRUE(still.trace_post.equal(torch::zeros({5, 2})));
  const Conv1d conv(Conv1dOptions(2, 3, 2));
  EXPECT_TRUE(stdp_sequence(*conv, torch::zeros({4, 0, 2, 5}), torch::zeros({4, 0, 3, 4}))
                  .delta_w.equal(torch::zeros({3, 2, 2})));
}

TEST(STDP, EligibilityDecaysAndGathers) {
  const auto e = torch::rand({2, 3}, torch::kDouble), f = torch::rand({2, 3}, torch::kDouble);
  const auto one = eligibility_trace({}, e, 4);
  EXPECT_TRUE(one.allclose(e / 4, 1e-15));
  EXPECT_TRUE(eligibility_trace(one, f, 4).allclose(e / 4 * std::exp(-0.25) + f / 4, 1e-14));
  EXPECT_EQ(error_of<rheo::ValueError>([&] { eligibility_trace(one, f, 0); }),
            "[eligibility_trace] tau_trace must be above 0, got 0");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { eligibility_trace(one[0], f, 4); }),
            "[eligibility_trace] trace must be [2, 3], got [3]");
}

TEST(STDP, RefusesByName) {
  const Linear fc(3, 2);
  const auto in = torch::zeros({5, 3}), out = torch::zeros({5, 2});
  const auto value = [&](auto... a) {
    return error_of<rheo::ValueError>([&] { stdp_linear_single_step(*fc, a...); });
  };
  const std::string name = "[stdp_linear_single_step] ";
  EXPECT_EQ(value(torch::zeros({5, 4}), out),
            name + "in must have 2 dimensions, 3 in dimension 1, got [5, 4]");
  EXPECT_EQ(value(torch::zeros({3}), out), name + "in must have 2 dimensions, 3 in dimension 1, got [3]");
  EXPECT_EQ(value(in, torch::zeros({4, 2})),
            name + "out must be [5, 2] as the layer makes of `in`, got [4, 2]");
  EXPECT_EQ(value(in, out, torch::zeros({3})), name + "trace_pre must be [5, 3], got [3]");
  EXPECT_EQ(value(in, out, torch::Tensor(), torch::zeros({5, 1})),
            name + "trace_post must be [5, 2], got [5, 1]");
  EXPECT_EQ(value(torch::Tensor(), out), name + "in must be given, got an undefined tensor");
  EXPECT_EQ(value(in, out, torch::Tensor(), torch::Tensor(), STDPOptions{.tau_pre = -1}),
            name + "tau_pre must be above 0, got -1");
  EXPECT_EQ(value(in, out, torch::Tensor(), torch::Tensor(), STDPOptions{.tau_post = std::nan("")}),
            name + "tau_post must be above 0, got nan");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { stdp_linear_single_step(*fc, in.to(torch::kBool), out); }),
            name + "in must be Float as the weight is, got Bool");

  const Conv1d conv(Conv1dOptions(2, 3, 4).dilation(2));
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { stdp_conv1d_single_step(*conv, torch::zeros({1, 2, 6}), torch::zeros({1, 3, 1})); }),
            "[stdp_conv1d_single_step] in must be at least as large as the kernel, got [1, 2, 6]");
  EXPECT_EQ(error_of<rheo::ValueError>(
                [&] { stdp_conv1d_single_step(*conv, torch::zeros({1, 2, 7}), torch::zeros({1, 3, 2})); }),
            "[stdp_conv1d_single_step] out must be [1, 3, 1] as the layer makes of `in`, got [1, 3, 2]");
  const torch::nn::Embedding embedding(3, 2);
  EXPECT_EQ(error_of<rheo::TypeError>([&] { stdp_sequence(*embedding, in, out); }),
            "[stdp_sequence] synapse must be a Linear, Conv1d or Conv2d, got torch::nn::EmbeddingImpl");
}

}  // namespace
