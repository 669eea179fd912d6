// core/random.hpp: the published known answers of Philox4x32-10, and what the spike generators rely on.
#include "rheo/core/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

namespace {

using rheo::bernoulli;
using rheo::CounterRandom;
using rheo::philox4x32;
using rheo::PhiloxBlock;

void expect_words(const PhiloxBlock& block, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                  std::uint32_t d) {
  EXPECT_EQ(block.word[0], a);
  EXPECT_EQ(block.word[1], b);
  EXPECT_EQ(block.word[2], c);
  EXPECT_EQ(block.word[3], d);
}

// Random123, tests/kat_vectors, lines "philox4x32 10".
TEST(Philox, KnownAnswers) {
  expect_words(philox4x32({{0, 0, 0, 0}}, 0, 0), 0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U);
  constexpr std::uint32_t ones = 0xffffffffU;
  expect_words(philox4x32({{ones, ones, ones, ones}}, ones, ones), 0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U,
               0x6d5451fdU);
  expect_words(philox4x32({{0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}}, 0xa4093822U, 0x299f31d0U),
               0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U);
}

TEST(Philox, IsAConstantExpression) {
  constexpr PhiloxBlock block = philox4x32({{0, 0, 0, 0}}, 0, 0);
  static_assert(block.word[0] == 0x6627e8d5U);
  static_assert(CounterRandom{}.word(2) == 0xbc57ac4cU);
}

// The four words of the counter and both of the key carry (index, step, seed), 64 bits each.
TEST(CounterRandom, SeedStepAndIndexUseAll64Bits) {
  const CounterRandom random{.seed = 0x299f31d0a4093822U, .step = 0x0370734413198a2eU};
  const PhiloxBlock block = random.block(0x85a308d3243f6a88U);
  expect_words(block, 0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U);
  std::set<std::uint32_t> seen;
  for (const std::uint64_t high : {0ULL, 1ULL << 32}) {
    seen.insert(CounterRandom{.seed = high, .step = 5}.word(9));
    seen.insert(CounterRandom{.seed = 3, .step = high}.word(9));
    seen.insert(CounterRandom{.seed = 3, .step = 5}.word(4 * high + 9));
  }
  EXPECT_EQ(seen.size(), 6U);
}

TEST(CounterRandom, WordsAreTheBlocksInOrder) {
  const CounterRandom random{.seed = 11, .step = 4};
  for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(random.word(i), random.block(i / 4).word[i % 4]);
}

TEST(Uniform, StaysBelowOne) {
  EXPECT_EQ(rheo::uniform_float(0), 0.0F);
  EXPECT_LT(rheo::uniform_float(0xffffffffU), 1.0F);
  EXPECT_LT(rheo::uniform_double(0xffffffffU), 1.0);
  double sum = 0;
  double squares = 0;
  constexpr int count = 100000;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double u = rheo::uniform_double(CounterRandom{.seed = 1}.word(i));
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(squares / count, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / count));
}

TEST(Bernoulli, EndsAndBoundaries) {
  constexpr std::uint32_t last = 0xffffffffU;
  EXPECT_FALSE(bernoulli(0U, 0.0F));
  EXPECT_FALSE(bernoulli(0U, -1.0));
  EXPECT_FALSE(bernoulli(0U, std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(bernoulli(last, 1.0F));
  EXPECT_TRUE(bernoulli(last, std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(bernoulli(0x7fffffffU, 0.5F));
  EXPECT_FALSE(bernoulli(0x80000000U, 0.5F));
  EXPECT_TRUE(bernoulli(0U, std::numeric_limits<float>::min()));  // p > 0: the smallest word spikes
  EXPECT_FALSE(bernoulli(1U, std::numeric_limits<float>::min()));
  EXPECT_FALSE(bernoulli(last, std::nextafter(1.0F, 0.0F)));
  EXPECT_TRUE(bernoulli(last, std::nextafter(1.0, 0.0)));  // 1 - 2^-53 is nearer to 1 than the last word
}

TEST(Bernoulli, FloatAndDoubleDecideAlike) {
  const CounterRandom random{.seed = 2};
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const float p = rheo::uniform_float(random.word(2 * i));
    const std::uint32_t word =
        i % 2 == 0 ? random.word(2 * i + 1) : static_cast<std::uint32_t>(p * 0x1p32F) + 1;
    ASSERT_EQ(bernoulli(word, p), bernoulli(word, static_cast<double>(p))) << p << ' ' << word;
  }
}

}  // namespace
