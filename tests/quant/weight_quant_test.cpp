// The weight quantisers against their equations written out, their gradients against the papers' formulas.
#include "rheo/quant/weight_quant.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::quant::Calibration;
using rheo::quant::QuantisedWeight;
using rheo::quant::WeightQuant;
using rheo::quant::WeightQuantOptions;
using rheo::test::error_of;

torch::Tensor weights(at::IntArrayRef sizes, at::ScalarType dtype = torch::kFloat) {
  torch::manual_seed(3);
  const auto w = torch::randn(sizes, dtype);
  return w * (1 + torch::arange(sizes[0], dtype).view({-1, 1}));  // channels of different reach
}

torch::Tensor column(const torch::Tensor& per_channel) { return per_channel.view({-1, 1}); }

TEST(WeightQuant, SymmetricIsTheRoundedShareOfTheLargest) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const auto dtype : {torch::kFloat, torch::kDouble}) {
      for (const auto& sizes : {std::vector<std::int64_t>{1, 1}, {3, 7}, {5, 17}, {4, 33}}) {
        const auto w = weights(sizes, dtype);
        const WeightQuant quantise({.num_bits = bits});
        const double top = (1 << (bits - 1)) - 1;
        const auto scale = column(w.abs().amax(1)) * (1 / top);
        const auto q = (w / scale).round().clamp(-top, top);
        const auto got = quantise.integers(w);
        EXPECT_TRUE(got.values.equal(q.to(torch::kChar)));
        EXPECT_EQ(got.values.abs().max().item<int>(), static_cast<int>(top));
        EXPECT_TRUE(got.scale.allclose(scale.view({-1}), 1e-6));
        EXPECT_TRUE(got.zero_point.equal(torch::zeros({sizes[0]}, torch::kInt)));
        EXPECT_TRUE(quantise(w).allclose(q * scale, 1e-6));
        EXPECT_TRUE(quantise(w).equal(got.dequantised()));
        EXPECT_EQ(quantise(w).scalar_type(), dtype);
      }
    }
  }
}

TEST(WeightQuant, AffineReachesFromSmallestToLargestAndHasAZero) {
  for (const int bits : {2, 4, 8}) {
    const auto w = weights({4, 50}) + 1.5;
    const WeightQuant quantise({.num_bits = bits, .symmetric = false});
    const auto got = quantise.integers(w);
    const double lowest = -(1 << (bits - 1)), count = (1 << bits) - 1;
    const auto from = w.amin(1).clamp_max(0), to = w.amax(1).clamp_min(0);
    EXPECT_TRUE(got.scale.allclose((to - from) / count));
    EXPECT_TRUE(got.zero_point.equal((lowest - from / got.scale).round().to(torch::kInt)));
    EXPECT_GT(got.zero_point.ne(0).sum().item<int>(), 0);
    const auto error = (quantise(w) - w).abs().amax(1);
    EXPECT_TRUE(error.le(got.scale * 1.0001).all().item<bool>());
    EXPECT_TRUE(quantise(w).equal(got.dequantised()));
    EXPECT_TRUE(WeightQuant(quantise)(torch::cat({w, torch::zeros({4, 1})}, 1))
                    .select(1, 50)
                    .equal(torch::zeros({4})));
  }
}

TEST(WeightQuant, OneScalePerTensor) {
  const auto w = weights({3, 7});
  const WeightQuant quantise({.num_bits = 4, .per_channel = false});
  const auto got = quantise.integers(w);
  EXPECT_EQ(got.scale.sizes(), (std::vector<std::int64_t>{1}));
  EXPECT_FLOAT_EQ(got.scale.item<float>(), w.abs().max().item<float>() / 7);
  EXPECT_TRUE(quantise(w).equal(got.dequantised()));
  EXPECT_TRUE(quantise(w.t().contiguous()).equal(quantise(w).t()));
}

TEST(WeightQuant, AViewIsItsCopy) {
  const auto w = weights({6, 24});
  for (const auto calibration :
       {Calibration::min_max, Calibration::percentile, Calibration::mean_squared_error}) {
    const WeightQuant quantise({.num_bits = 4, .calibration = calibration});
    EXPECT_TRUE(quantise(w.t()).equal(quantise(w.t().contiguous())));
    EXPECT_TRUE(quantise.integers(w.t()).values.equal(quantise.integers(w.t().contiguous()).values));
  }
}

TEST(WeightQuant, LargeWeightsOnAnyNumberOfThreads) {
  const auto w = weights({33, 4001});
  const int before = at::get_num_threads();
  for (const bool per_channel : {true, false}) {
    const WeightQuant quantise({.num_bits = 4, .per_channel = per_channel});
    at::set_num_threads(1);
    const auto one = quantise(w);
    at::set_num_threads(3);
    EXPECT_TRUE(quantise(w).equal(one));
    EXPECT_TRUE(quantise.integers(w).dequantised().equal(one));
  }
  at::set_num_threads(before);
}

TEST(WeightQuant, BinaryIsTheSignTimesTheMean) {
  auto w = weights({3, 9});
  w[0][0] = 0;
  const WeightQuant quantise({.num_bits = 1});
  const auto scale = column(w.abs().mean(1));
  const auto sign = torch::where(w >= 0, 1.0F, -1.0F);
  EXPECT_TRUE(quantise(w).allclose(sign * scale));
  const auto got = quantise.integers(w);
  EXPECT_TRUE(got.values.equal(sign.to(torch::kChar)));
  EXPECT_TRUE(got.dequantised().equal(quantise(w)));
}

TEST(WeightQuant, ScalesOfEqualWeights) {
  const auto w = torch::zeros({2, 5});
  for (const bool symmetric : {true, false}) {
    const auto got = WeightQuant({.num_bits = 4, .symmetric = symmetric}).integers(w);
    EXPECT_TRUE(got.dequantised().equal(w));
    EXPECT_TRUE(got.scale.equal(torch::ones({2})));
  }
  EXPECT_TRUE(WeightQuant({.num_bits = 1})(w).equal(w));
}

double squared_error(const WeightQuantOptions& o, const torch::Tensor& w) {
  return (WeightQuant(o)(w) - w).square().sum().item<double>();
}

TEST(Calibration, PercentileLeavesTheOutliersOut) {
  auto w = torch::linspace(-1, 1, 1001).view({1, 1001}).clone();
  w[0][0] = -50;
  const auto p99 = WeightQuant({.num_bits = 4, .calibration = Calibration::percentile, .percentile = 99});
  const auto sorted = std::get<0>(w.abs().view({-1}).sort());
  EXPECT_NEAR(p99.integers(w).scale.item<double>() * 7, sorted[990].item<double>(), 1e-6);
  EXPECT_NEAR(p99(w)[0][0].item<double>(), -sorted[990].item<double>(), 1e-6);
  const auto affine = WeightQuant(
      {.num_bits = 4, .symmetric = false, .calibration = Calibration::percentile, .percentile = 99});
  const auto values = std::get<0>(w.view({-1}).sort());
  EXPECT_NEAR(affine.integers(w).scale.item<double>() * 15, (values[990] - values[10]).item<double>(), 1e-6);
  // 100: all of them.
  EXPECT_TRUE(
      WeightQuant({.calibration = Calibration::percentile, .percentile = 100})(w).equal(WeightQuant()(w)));
}

TEST(Calibration, TheLeastSquaredErrorOfTheRangesThereAre) {
  const auto w = weights({1, 4000});
  for (const bool symmetric : {true, false}) {
    for (const int bits : {2, 4}) {
      const double best = squared_error(
          {.num_bits = bits, .symmetric = symmetric, .calibration = Calibration::mean_squared_error}, w);
      EXPECT_LT(best, 0.9 * squared_error({.num_bits = bits, .symmetric = symmetric}, w));
      if (!symmetric) continue;
      // Every range by hand.
      double least = std::numeric_limits<double>::infinity();
      const double top = (1 << (bits - 1)) - 1, reach = w.abs().max().item<double>();
      for (int percent = 1; percent <= 100; ++percent) {
        const double scale = reach * percent / 100 / top;
        const auto q = (w / scale).round().clamp(-top, top) * scale;
        least = std::min(least, (q - w).square().sum().item<double>());
      }
      EXPECT_NEAR(best, least, 1e-4 * least);
    }
  }
}

TEST(Calibration, FixesTheScales) {
  const auto w = weights({3, 20});
  WeightQuant quantise({.num_bits = 4});
  EXPECT_FALSE(quantise.is_calibrated());
  quantise.calibrate(w);
  EXPECT_TRUE(quantise.is_calibrated());
  EXPECT_TRUE(quantise(w).equal(WeightQuant({.num_bits = 4})(w)));
  EXPECT_TRUE(quantise(10 * w).abs().amax(1).allclose(w.abs().amax(1))) << "clipped at the range calibrated";
  EXPECT_EQ(error_of<rheo::ValueError>([&] { quantise(w.slice(0, 0, 2)); }),
            "[weight_quant] w must have the 3 channels calibrated, got [2, 20]");
  quantise.calibrate(w.slice(0, 0, 2));
  EXPECT_EQ(quantise(w.slice(0, 0, 2)).size(0), 2);
}

torch::Tensor gradient(const WeightQuant& quantise, const torch::Tensor& at, const torch::Tensor& g) {
  const auto w = at.clone().requires_grad_();
  quantise(w).backward(g);
  return w.grad();
}

TEST(WeightQuantGradient, JacobPassesAllWithinTheRange) {
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    const auto w = weights({5, 40}, dtype), g = torch::randn({5, 40}, dtype);
    for (const int bits : {2, 4, 8}) {
      EXPECT_TRUE(gradient(WeightQuant({.num_bits = bits}), w, g).equal(g));
      EXPECT_TRUE(gradient(WeightQuant({.num_bits = bits, .per_channel = false}), w, g).equal(g));
    }
  }
}

TEST(WeightQuantGradient, JacobIsZeroOutsideTheRange) {
  const auto g = torch::randn({1, 9});
  WeightQuant symmetric({.num_bits = 4}), affine({.num_bits = 4, .symmetric = false});
  symmetric.calibrate(torch::tensor({{-7.0, 7.0}}));  // scale 1, -7 to 7
  affine.calibrate(torch::tensor({{-3.0, 12.0}}));    // scale 1, -3 to 12
  const auto w = torch::tensor({{-8.0, -7.4, -3.6, -3.4, 0.0, 7.4, 7.6, 12.4, 13.0}});
  EXPECT_TRUE(gradient(symmetric, w, g).equal(g * torch::tensor({{0, 1, 1, 1, 1, 1, 0, 0, 0}})));
  EXPECT_TRUE(gradient(affine, w, g).equal(g * torch::tensor({{0, 0, 0, 1, 1, 1, 1, 1, 0}})));
  EXPECT_TRUE(affine(w).equal(torch::tensor({{-3.0, -3.0, -3.0, -3.0, 0.0, 7.0, 8.0, 12.0, 12.0}})));
}

TEST(WeightQuantGradient, XnorNetsFormula) {
  const auto w = weights({3, 11}, torch::kDouble), g = torch::randn({3, 11}, torch::kDouble);
  const auto within = (w.abs() <= 1).to(torch::kDouble);
  EXPECT_GT(within.sum().item<double>(), 0);
  EXPECT_LT(within.sum().item<double>(), 33);
  const auto scale = column(w.abs().mean(1));
  EXPECT_TRUE(gradient(WeightQuant({.num_bits = 1}), w, g).allclose(g * (1 / 11.0 + scale * within), 1e-12));
  const auto all = w.abs().mean();
  EXPECT_TRUE(gradient(WeightQuant({.num_bits = 1, .per_channel = false}), w, g)
                  .allclose(g * (1 / 33.0 + all * within), 1e-12));
  // A scale that is fixed has no part in it.
  WeightQuant fixed({.num_bits = 1});
  fixed.calibrate(w);
  EXPECT_TRUE(gradient(fixed, w, g).allclose(g * scale * within, 1e-12));
}

TEST(WeightQuantGradient, NoSecondDerivative) {
  const auto w = weights({2, 3}).requires_grad_();
  const auto y = WeightQuant()(w).square().sum();
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { torch::autograd::grad({y}, {w}, {}, true, true); }),
            "[weight_quant] the backward has no derivative of its own");
}

TEST(WeightQuant, RefusesByName) {
  const auto options = [](const WeightQuantOptions& o) {
    return error_of<rheo::ValueError>([&] { WeightQuant quantise(o); });
  };
  EXPECT_EQ(options({.num_bits = 0}), "[weight_quant] num_bits must be 1 to 8, got 0");
  EXPECT_EQ(options({.num_bits = 9}), "[weight_quant] num_bits must be 1 to 8, got 9");
  EXPECT_EQ(options({.percentile = 50}),
            "[weight_quant] percentile must be above 50 and at most 100, got 50");
  EXPECT_EQ(options({.num_bits = 1, .symmetric = false}),
            "[weight_quant] symmetric must be true where num_bits is 1, got false");
  const WeightQuant quantise;
  const auto value = [&](const torch::Tensor& w) { return error_of<rheo::ValueError>([&] { quantise(w); }); };
  EXPECT_EQ(value(torch::zeros({0, 3})),
            "[weight_quant] w must be [channels, ...] and not empty, got [0, 3]");
  EXPECT_EQ(value(torch::zeros({})), "[weight_quant] w must be [channels, ...] and not empty, got []");
  EXPECT_EQ(value(torch::tensor({1.0F, std::nanf("")})),
            "[weight_quant] w must be finite, got infinities or NaN");
  EXPECT_EQ(value(torch::tensor({INFINITY, -INFINITY})),
            "[weight_quant] w must be finite, got infinities or NaN");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { quantise(torch::zeros({2}, torch::kLong)); }),
            "[weight_quant] w must be float32 or float64, got Long");
}

}  // namespace
