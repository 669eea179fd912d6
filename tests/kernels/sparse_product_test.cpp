// The product that skips zeros against a plain sum in double, on every instruction set this machine has.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "rheo/kernels/sparse_product.hpp"
#include "tests/kernels/instruction_sets.hpp"

namespace {

using namespace rheo::kernels;
using rheo::test::available;

template <class T>
void run(Isa isa, const SparseProductCall<T>& call, std::int64_t begin, std::int64_t end) {
  std::vector<std::int32_t> positions(static_cast<std::size_t>(sparse_workspace(call.in)), -7);
  const auto loops = sparse_product_loops(isa);
  if constexpr (sizeof(T) == 4) {
    loops.f32(call, begin, end, positions.data());
  } else {
    loops.f64(call, begin, end, positions.data());
  }
}

template <class T>
struct Case {
  std::int64_t rows, in, out, padded;
  std::vector<T> x, weight, bias;

  Case(std::int64_t row_count, std::int64_t in_count, std::int64_t out_count, double density)
      : rows(row_count),
        in(in_count),
        out(out_count),
        padded((out + sparse_padding - 1) / sparse_padding * sparse_padding) {
    std::mt19937 random(static_cast<unsigned>(rows * 31 + in * 7 + out));
    std::uniform_real_distribution<T> uniform(-1, 1);
    std::bernoulli_distribution is_kept(density);
    for (std::int64_t i = 0; i < rows * in; ++i) x.push_back(is_kept(random) ? uniform(random) : T(0));
    for (std::int64_t i = 0; i < in * padded; ++i)
      weight.push_back(i % padded < out ? uniform(random) : T(0));
    for (std::int64_t i = 0; i < padded; ++i) bias.push_back(i < out ? uniform(random) : T(0));
  }

  SparseProductCall<T> call(std::vector<T>& y, bool biased = true) const {
    return {in, out, padded, x.data(), weight.data(), biased ? bias.data() : nullptr, y.data(), false};
  }
  std::vector<T> empty() const { return std::vector<T>(static_cast<std::size_t>(rows * out), T(-99)); }

  /// The sum in double, and the sum of the terms' sizes, which rounding is relative to.
  std::pair<double, double> expected(std::int64_t r, std::int64_t o, bool biased) const {
    double sum = biased ? bias[static_cast<std::size_t>(o)] : 0, size = std::abs(sum);
    for (std::int64_t i = 0; i < in; ++i) {
      const double term = static_cast<double>(x[static_cast<std::size_t>(r * in + i)]) *
                          static_cast<double>(weight[static_cast<std::size_t>(i * padded + o)]);
      sum += term;
      size += std::abs(term);
    }
    return {sum, size};
  }
};

class Sizes : public testing::TestWithParam<std::tuple<int, int, int, double>> {
 protected:
  template <class T>
  void check() {
    const auto [rows, in, out, density] = GetParam();
    const Case<T> c(rows, in, out, density);
    for (const bool biased : {true, false}) {
      std::vector<T> first;
      for (const auto isa : available()) {
        auto y = c.empty();
        run(isa, c.call(y, biased), 0, rows);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t o = 0; o < out; ++o) {
            const auto [sum, size] = c.expected(r, o, biased);
            ASSERT_NEAR(
                y[static_cast<std::size_t>(r * out + o)], sum,
                static_cast<double>(in + 8) * static_cast<double>(std::numeric_limits<T>::epsilon()) * size +
                    1e-30)
                << to_string(isa) << " row " << r << " column " << o;
          }
        }
        if (first.empty()) first = y;
        EXPECT_EQ(y, first) << to_string(isa) << " differs from the first instruction set";
      }
    }
  }
};

TEST_P(Sizes, FloatEqualsAPlainSum) { check<float>(); }
TEST_P(Sizes, DoubleEqualsAPlainSum) { check<double>(); }

INSTANTIATE_TEST_SUITE_P(SparseProduct, Sizes,
                         testing::Combine(testing::Values(0, 1, 5), testing::Values(0, 1, 17, 131),
                                          testing::Values(1, 10, 16, 33, 131),
                                          testing::Values(0.0, 0.1, 0.5, 1.0)));

TEST(SparseProduct, RowsAreIndependentOfTheSplit) {
  const Case<float> c(13, 67, 10, 0.3);
  for (const auto isa : available()) {
    auto whole = c.empty(), parts = c.empty();
    run(isa, c.call(whole), 0, 13);
    run(isa, c.call(parts), 7, 13);
    EXPECT_EQ(parts[0], -99) << "a row outside the range was written";
    run(isa, c.call(parts), 0, 7);
    EXPECT_EQ(whole, parts);
  }
}

TEST(SparseProduct, AccumulateAddsToWhatIsThere) {
  const Case<double> c(3, 19, 21, 0.4);
  for (const auto isa : available()) {
    auto once = c.empty(), twice = c.empty();
    run(isa, c.call(once), 0, 3);
    twice = once;
    auto call = c.call(twice);
    call.accumulate = true;
    run(isa, call, 0, 3);
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_DOUBLE_EQ(twice[i], 2 * once[i]);
  }
}

TEST(SparseProduct, NaNAndNegativeZero) {
  for (const auto isa : available()) {
    Case<float> c(2, 40, 5, 0);
    c.x[17] = std::numeric_limits<float>::quiet_NaN();
    c.x[40 + 3] = -0.0f;
    auto y = c.empty();
    run(isa, c.call(y), 0, 2);
    for (std::size_t o = 0; o < 5; ++o) {
      EXPECT_TRUE(std::isnan(y[o])) << to_string(isa);
      EXPECT_EQ(y[5 + o], c.bias[o]);
    }
  }
}

}  // namespace
