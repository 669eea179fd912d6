// Spikes drawn a register at a time, for every instruction set: word for word the scalar generator, at odd sizes.
#include "rheo/kernels/rate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "rheo/core/random.hpp"
#include "tests/kernels/instruction_sets.hpp"

namespace {

using namespace rheo::kernels;
using rheo::bernoulli;
using rheo::CounterRandom;

/// Probabilities of all kinds: ends, beyond, smallest, and such that decide on the very word drawn.
template <class T>
std::vector<T> probabilities(std::int64_t count, std::uint64_t seed) {
  const T one = 1, low = std::numeric_limits<T>::denorm_min(), infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> special = {0,         one,      -one,   2,         low, std::nextafter(one, T(0)),
                                  -infinity, infinity, T(0.5), T(0x1p-32)};
  std::vector<T> out;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto word = CounterRandom{.seed = seed, .step = 2}.word(static_cast<std::uint64_t>(i));
    const T exact = static_cast<T>(word) * static_cast<T>(0x1p-32);
    if (i % 5 == 0) {
      out.push_back(special[static_cast<std::size_t>(i / 5) % special.size()]);
    } else {
      out.push_back(i % 5 == 1 ? exact : i % 5 == 2 ? std::nextafter(exact, one) : T(i % 97) / 97);
    }
  }
  return out;
}

template <class T>
void expect_bernoulli(Isa isa, std::int64_t columns, std::int64_t silent, bool streaming) {
  constexpr std::int64_t steps = 5;
  const std::uint64_t seed = 0x123456789abcdefULL + static_cast<std::uint64_t>(columns);
  const auto p = probabilities<T>(columns, seed);
  struct alignas(64) Line {
    T values[64 / sizeof(T)];
  };
  std::vector<Line> memory(static_cast<std::size_t>(steps * columns) / (64 / sizeof(T)) + 2);
  T* const out = memory[0].values;
  std::fill(out, out + steps * columns + 1, T(77));
  RateCall<T> call;
  call.seed = seed, call.columns = columns, call.silent = silent, call.p = p.data(), call.out = out;
  call.streaming = streaming;
  const auto run = rate_kernels(isa);
  for (std::int64_t begin = 0; begin < columns; begin += rate_tile) {
    const auto end = std::min(begin + rate_tile, columns);
    EXPECT_FALSE(run(call, 0, 2, begin, end));
    EXPECT_FALSE(run(call, 2, steps, begin, end));
  }
  for (std::int64_t t = 0; t < steps; ++t) {
    const CounterRandom random{.seed = seed, .step = static_cast<std::uint64_t>(t)};
    for (std::int64_t i = 0; i < columns; ++i) {
      const bool fires =
          bernoulli(random.word(static_cast<std::uint64_t>(i)), p[static_cast<std::size_t>(i)]);
      ASSERT_EQ(out[t * columns + i], T(t >= silent && fires))
          << "step " << t << ", " << i << " of " << columns;
    }
  }
  EXPECT_EQ(out[steps * columns], T(77));
}

TEST(Rate, IsTheScalarGeneratorOnEveryInstructionSet) {
  for (const auto isa : rheo::test::available()) {
    SCOPED_TRACE(to_string(isa));
    for (const std::int64_t columns :
         {1, 3, 4, 7, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1023, 1024, 1025, 2600}) {
      for (const std::int64_t silent : {0, 3}) {
        expect_bernoulli<float>(isa, columns, silent, false);
        expect_bernoulli<double>(isa, columns, silent, false);
      }
    }
    for (const std::int64_t columns : {16, 64, 1040, 2048}) {
      expect_bernoulli<float>(isa, columns, 0, true);
      expect_bernoulli<double>(isa, columns, 1, true);
    }
  }
}

TEST(Rate, SaysWhetherAProbabilityIsNotANumber) {
  for (const auto isa : rheo::test::available()) {
    std::vector<float> p(70, 0.5F), out(70);
    RateCall<float> call;
    call.columns = 70, call.p = p.data(), call.out = out.data();
    EXPECT_FALSE(rate_kernels(isa)(call, 0, 1, 0, 70));
    p[69] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(rate_kernels(isa)(call, 0, 1, 0, 70));
    EXPECT_EQ(out[69], 0);
  }
}

TEST(Rate, NoneForAnInstructionSetThatIsNotThere) {
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    EXPECT_EQ(rate_kernels(isa).f32 != nullptr, is_available(isa));
    EXPECT_EQ(rate_kernels(isa).f64 != nullptr, is_available(isa));
  }
}

}  // namespace
