// The state quantiser against a search through all levels, and the levels against numbers worked out by hand.
#include "rheo/quant/state_quant.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "rheo/nn/neurons.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::quant::StateQuant;
using rheo::quant::StateQuantOptions;
using rheo::test::error_of;

std::vector<double> levels(const StateQuantOptions& o) {
  const auto t = StateQuant(o).levels();
  return {t.const_data_ptr<double>(), t.const_data_ptr<double>() + t.numel()};
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double room = 1e-6) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], room) << i;
}

TEST(StateQuant, UniformLevels) {
  expect_near(levels({.num_bits = 2}), {-1, -1 + 2.2 / 3, -1 + 4.4 / 3, 1.2}, 1e-15);
  expect_near(levels({.num_bits = 1, .threshold = 2, .lower_limit = 0.5, .upper_limit = 0}), {-3, 2}, 1e-15);
  // Evenly spaced levels have no centre.
  EXPECT_EQ(levels({.num_bits = 3, .thr_centered = false}), levels({.num_bits = 3}));
}

TEST(StateQuant, UnevenLevelsCrowdAroundTheThreshold) {
  expect_near(levels({.num_bits = 2, .uniform = false}), {-1, 0.801802, 0.981982, 1.2});
  // Equal gaps up to the threshold, itself no level; the highest is the end of the range.
  expect_near(levels({.num_bits = 2, .uniform = false, .multiplier = 1}),
              {-1, -1 + 2.0 / 3, -1 + 4.0 / 3, 1.2});
}

TEST(StateQuant, UnevenLevelsCrowdAroundZero) {
  const auto all = levels({.num_bits = 4, .uniform = false, .thr_centered = false});
  ASSERT_EQ(all.size(), 16U);
  expect_near({all[0], all[1], all[6], all[7], all[15]}, {-1, -0.496063, -0.007874, 0.002348, 1.2});
}

TEST(StateQuant, LevelsRiseForAnyNumberOfBits) {
  for (int bits = 1; bits <= 16; ++bits) {
    for (const bool uniform : {true, false}) {
      const auto all = levels({.num_bits = bits, .uniform = uniform});
      EXPECT_EQ(all.size(), std::size_t{1} << bits);
      for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1], all[i]);
    }
  }
}

TEST(StateQuant, EveryValueBecomesTheNearestLevel) {
  torch::manual_seed(1);
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    for (const bool uniform : {true, false}) {
      const StateQuant quant({.num_bits = 5, .uniform = uniform});
      const auto x = torch::randn({7, 13}, dtype) * 2;
      const auto distance = (x.to(torch::kDouble).unsqueeze(-1) - quant.levels()).abs();
      const auto nearest = quant.levels().index({distance.argmin(-1)}).to(dtype);
      EXPECT_TRUE(quant(x).equal(nearest));
      EXPECT_EQ(quant(x).scalar_type(), dtype);
    }
  }
}

// Levels nearer than float32 tells apart, odd sizes, slices, other types.
TEST(StateQuant, EveryWayToTheNearestLevelIsTheSame) {
  torch::manual_seed(2);
  for (const auto& o : {StateQuantOptions{}, StateQuantOptions{.num_bits = 3, .uniform = false},
                        StateQuantOptions{.num_bits = 12, .threshold = 100, .lower_limit = -1.9999}}) {
    const StateQuant quant(o);
    const auto borders = (quant.levels().slice(0, 1) + quant.levels().slice(0, 0, -1)) / 2;
    for (const auto dtype : {torch::kFloat, torch::kDouble, torch::kBFloat16}) {
      for (const auto n : {1, 7, 17, 40001}) {
        const auto middle = (quant.levels().min() + quant.levels().max()) / 2;
        const auto width = quant.levels().max() - quant.levels().min();
        const auto x = (middle + width * (torch::rand({2, n}, torch::kDouble) - 0.5) * 1.2).to(dtype);
        const auto wanted = quant.levels().to(dtype).index({torch::bucketize(x, borders.to(dtype))});
        EXPECT_TRUE(quant(x).equal(wanted)) << dtype << ' ' << n;
        EXPECT_TRUE(quant(x.t()).equal(wanted.t()));
      }
    }
  }
}

TEST(StateQuant, TheLowerOfTwoAsNear) {
  const StateQuant quant({.num_bits = 1, .threshold = 2, .upper_limit = 0});  // -2, 2
  EXPECT_TRUE(quant(torch::tensor({-0.5, 0.0, 0.5})).equal(torch::tensor({-2.0, -2.0, 2.0})));
}

TEST(StateQuant, WhatIsOutsideGoesToTheEnds) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto q = StateQuant(StateQuantOptions{})(torch::tensor({-inf, -9.0, 9.0, inf, std::nan("")}));
  EXPECT_TRUE(q.slice(0, 0, 4).allclose(torch::tensor({-1.0, -1.0, 1.2, 1.2})));
  EXPECT_TRUE(std::isnan(q[4].item<double>()));
}

TEST(StateQuant, TheGradientPasses) {
  const auto x = torch::tensor({-5.0, 0.3, 5.0}).requires_grad_();
  const auto w = torch::tensor({1.0, 2.0, 3.0});
  StateQuant({.num_bits = 2})(x).backward(w);
  EXPECT_TRUE(x.grad().equal(w));
}

// A table of distances would be 2^16 times the state, 52 GB.
TEST(StateQuant, TakesNoTableOfDistances) {
  const StateQuant quant({.num_bits = 16});
  const auto x = torch::linspace(-1, 1.2, 100000, torch::kDouble);
  EXPECT_LE((quant(x) - x).abs().max().item<double>(), 2.2 / 65535 / 2 * 1.0001);
}

TEST(StateQuant, EmptyAndNotGiven) {
  EXPECT_EQ(StateQuant(StateQuantOptions{})(torch::zeros({0, 3})).sizes(), (std::vector<std::int64_t>{0, 3}));
  const auto x = torch::rand({3});
  EXPECT_FALSE(StateQuant().given());
  EXPECT_TRUE(StateQuant()(x).is_same(x));
}

TEST(StateQuant, AFunctionOfTheUsers) {
  const StateQuant halves([](const torch::Tensor& t) { return (2 * t).round() / 2; });
  const rheo::nn::Leaky lif({.beta = 0.9, .state_quant = halves});
  const auto mem = lif.ptr()->record(torch::rand({5, 3})).mem;
  EXPECT_TRUE((2 * mem).equal((2 * mem).round()));
}

TEST(StateQuant, RefusesByName) {
  const auto error = [](const StateQuantOptions& o) {
    return error_of<rheo::ValueError>([&] { StateQuant quant(o); });
  };
  EXPECT_EQ(error({.num_bits = 0}), "[state_quant] num_bits must be 1 to 16, got 0");
  EXPECT_EQ(error({.num_bits = 17}), "[state_quant] num_bits must be 1 to 16, got 17");
  EXPECT_EQ(error({.threshold = 0}), "[state_quant] threshold must be positive and finite, got 0");
  EXPECT_EQ(error({.lower_limit = std::nan("")}), "[state_quant] lower_limit must be finite, got nan");
  EXPECT_EQ(error({.upper_limit = -2}),
            "[state_quant] upper_limit must be finite, and leave a range, got -2");
  EXPECT_EQ(error({.uniform = false, .multiplier = 0}),
            "[state_quant] multiplier must be positive and finite, got 0");
  EXPECT_EQ(error({.uniform = false, .thr_centered = false, .lower_limit = -1.5}),
            "[state_quant] lower_limit must be above -1 where levels centre on 0, got -1.5");
}

}  // namespace
