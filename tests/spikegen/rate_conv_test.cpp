// spikegen::rate_conv: what a user can rely on - the rate, the seed, and nothing else deciding the spikes.
#include "rheo/spikegen/rate_conv.hpp"

#include "rheo/core/random.hpp"
#include "rheo/ops/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <string>

namespace {

using rheo::spikegen::rate_conv;

TEST(RateConv, SpikesAreZeroOrOneAtTheGivenRate) {
  constexpr int count = 1000000;
  for (const double p : {0.01, 0.4, 0.9}) {
    const auto spk = rate_conv(torch::full({count}, p, torch::kDouble), 3);
    EXPECT_TRUE(((spk == 0) | (spk == 1)).all().item<bool>());
    EXPECT_NEAR(spk.mean().item<double>(), p, 5 * std::sqrt(p * (1 - p) / count)) << p;
    const auto off = spk - p;
    for (const int lag : {1, 2, 3, 4, 64}) {
      const double correlation =
          (off.slice(0, lag) * off.slice(0, 0, count - lag)).mean().item<double>() / (p * (1 - p));
      EXPECT_LT(std::fabs(correlation), 5 / std::sqrt(count)) << p << ", neighbours " << lag;
    }
  }
}

TEST(RateConv, ClampsToProbabilities) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto spk = rate_conv(torch::tensor({-1.0F, 0.0F, 1.0F, 7.0F, -infinity, infinity}), 1);
  EXPECT_TRUE(spk.equal(torch::tensor({0.0F, 0.0F, 1.0F, 1.0F, 0.0F, 1.0F})));
}

TEST(RateConv, IsTheCounterBasedGeneratorElementByElement) {
  const auto x = torch::rand({5, 7, 11});
  const auto spk = rate_conv(x, 99).flatten();
  const auto flat = x.flatten();
  const rheo::CounterRandom random{.seed = 99};
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    ASSERT_EQ(spk[i].item<float>() == 1.0F,
              rheo::bernoulli(random.word(static_cast<std::uint64_t>(i)), flat[i].item<float>()));
  }
}

TEST(RateConv, KeepsShapeAndType) {
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16}) {
    const auto spk = rate_conv(torch::full({2, 3, 4}, 0.5, type), 5);
    EXPECT_EQ(spk.scalar_type(), type);
    EXPECT_EQ(spk.sizes(), (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_TRUE(spk.to(torch::kFloat).equal(rate_conv(torch::full({2, 3, 4}, 0.5), 5)));
  }
  EXPECT_EQ(rate_conv(torch::tensor(1.0F), 1).dim(), 0);
}

TEST(RateConv, EmptyInput) {
  EXPECT_EQ(rate_conv(torch::empty({0, 3}), 1).sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(rate_conv(torch::empty({4, 0})).numel(), 0);
}

TEST(RateConv, FloatAndDoubleGiveTheSameSpikes) {
  const auto x = torch::rand({1000});
  EXPECT_TRUE(rate_conv(x, 5).to(torch::kDouble).equal(rate_conv(x.to(torch::kDouble), 5)));
}

TEST(RateConv, MemoryLayoutDoesNotMatter) {
  const auto x = torch::rand({30, 40});
  EXPECT_TRUE(rate_conv(x.t().contiguous().t(), 8).equal(rate_conv(x, 8)));
  EXPECT_TRUE(rate_conv(x.slice(1, 0, 40, 3), 8).equal(rate_conv(x.slice(1, 0, 40, 3).contiguous(), 8)));
}

TEST(RateConv, NumberOfThreadsDoesNotMatter) {
  const auto x = torch::rand({300007});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = rate_conv(x, 21);
  for (const int count : {2, 3, 7}) {
    at::set_num_threads(count);
    EXPECT_TRUE(rate_conv(x, 21).equal(one)) << count << " threads";
  }
  at::set_num_threads(threads);
}

TEST(RateConv, TheSeedDecides) {
  const auto x = torch::full({200}, 0.4);
  EXPECT_TRUE(rate_conv(x, 7).equal(rate_conv(x, 7)));
  EXPECT_FALSE(rate_conv(x, 7).equal(rate_conv(x, 8)));
  EXPECT_FALSE(rate_conv(x, 7).equal(rate_conv(x, 7 + (1ULL << 32))));
}

TEST(RateConv, WithoutASeedTorchsGeneratorGoverns) {
  const auto x = torch::full({200}, 0.4);
  torch::manual_seed(0);
  const auto first = rate_conv(x);
  const auto second = rate_conv(x);
  EXPECT_FALSE(first.equal(second));
  torch::manual_seed(0);
  EXPECT_TRUE(rate_conv(x).equal(first));
  EXPECT_TRUE(rate_conv(x).equal(second));
}

TEST(RateConv, AnExplicitSeedLeavesTorchsGeneratorAlone) {
  torch::manual_seed(0);
  const auto expected = torch::rand({3});
  torch::manual_seed(0);
  (void)rate_conv(torch::full({200}, 0.4), 7);
  EXPECT_TRUE(torch::rand({3}).equal(expected));
}

TEST(RateConv, CarriesNoGradient) {
  const auto x = torch::full({10}, 0.5, torch::requires_grad());
  EXPECT_FALSE(rate_conv(x, 1).requires_grad());
}

// A seed written down today must give the same spikes in every later version.
TEST(RateConv, SeedsAreForEver) {
  const auto times = rate_conv(torch::full({40}, 0.4), 0).nonzero().flatten();
  EXPECT_TRUE(times.equal(torch::tensor({0, 5, 7, 8, 9, 10, 11, 21, 23, 27, 29, 32, 37, 39}))) << times;
}

template <class Error>
void expect_error(const at::Tensor& x, const std::string& expected) {
  try {
    (void)rate_conv(x, 1);
    FAIL() << "no error, expected: " << expected;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), expected);
  }
}

TEST(RateConv, ErrorsNameArgumentAndValue) {
  expect_error<rheo::TypeError>(torch::ones({3}, torch::kLong),
                                "[rate_conv] x must have a floating-point type, got Long");
  expect_error<rheo::TypeError>(torch::ones({3}, torch::kBool),
                                "[rate_conv] x must have a floating-point type, got Bool");
  expect_error<rheo::TypeError>(torch::ones({3}, torch::kComplexFloat),
                                "[rate_conv] x must have a floating-point type, got ComplexFloat");
  expect_error<rheo::ValueError>(at::Tensor(), "[rate_conv] x must be a tensor, got an undefined one");
  auto x = torch::full({100000}, 0.5);
  x[70000] = NAN;
  x[12345] = NAN;
  expect_error<rheo::ValueError>(x, "[rate_conv] x must be probabilities, got NaN at element 12345");
}

}  // namespace
