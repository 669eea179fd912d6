// The packed product against a plain sum in double, on every instruction set this machine has.
#include "rheo/kernels/packed_product.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "rheo/kernels/lstm.hpp"
#include "tests/kernels/instruction_sets.hpp"

namespace {

using namespace rheo::kernels;
using rheo::test::available;

template <class T>
PackedProduct<T> product_of(Isa isa) {
  if constexpr (sizeof(T) == 4) {
    return lstm_loops(isa).f32.product;
  } else {
    return lstm_loops(isa).f64.product;
  }
}

template <class T>
std::vector<T> random_numbers(std::int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> out(static_cast<std::size_t>(n));
  for (T& v : out) v = uniform(random);
  return out;
}

template <class T>
struct Case {
  std::int64_t rows, in, out;
  std::vector<T> x, w, before;  // x [rows, in], w [out, in], y before

  Case(std::int64_t row_count, std::int64_t in_count, std::int64_t out_count)
      : rows(row_count),
        in(in_count),
        out(out_count),
        x(random_numbers<T>(rows * in, 1)),
        w(random_numbers<T>(in * out, 2)),
        before(random_numbers<T>(rows * out, 3)) {}

  std::vector<T> packed(const PackedProduct<T>& product) const {
    std::vector<T> to(static_cast<std::size_t>(product.packed_size(in, out)), T(-77));
    product.pack(w.data(), in, out, 1, in, to.data());
    return to;
  }

  /// x as [in, rows].
  std::vector<T> transposed() const {
    std::vector<T> to(x.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t k = 0; k < in; ++k)
        to[static_cast<std::size_t>(k * rows + r)] = x[static_cast<std::size_t>(r * in + k)];
    }
    return to;
  }

  void check(const PackedProduct<T>& product, bool add) const {
    const auto matrix = packed(product);
    auto y = before;
    product.multiply(x.data(), in, matrix.data(), rows, in, out, add, y.data(), out);
    auto other = before;
    product.multiply_transposed(transposed().data(), rows, matrix.data(), rows, in, out, add, other.data(),
                                out);
    ASSERT_EQ(other, y) << "transposed, " << rows << ' ' << in << ' ' << out;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < out; ++j) {
        const auto at = static_cast<std::size_t>(r * out + j);
        double sum = add ? static_cast<double>(before[at]) : 0, size = std::fabs(sum);
        for (std::int64_t k = 0; k < in; ++k) {
          const double term = static_cast<double>(x[static_cast<std::size_t>(r * in + k)]) *
                              static_cast<double>(w[static_cast<std::size_t>(j * in + k)]);
          sum += term;
          size += std::fabs(term);
        }
        const double room = size * static_cast<double>(in + 2) * std::numeric_limits<T>::epsilon();
        ASSERT_NEAR(y[at], sum, room) << rows << ' ' << in << ' ' << out << " at " << r << ' ' << j;
      }
    }
  }
};

template <class T>
void every_size() {
  for (const auto isa : available()) {
    SCOPED_TRACE(std::string(to_string(isa)));
    const auto product = product_of<T>(isa);
    ASSERT_GT(product.panel, 0);
    for (const std::int64_t rows : {1, 2, 5, 8, 9, 15, 17}) {
      for (const std::int64_t in : {1, 7, 64, 257}) {
        for (const std::int64_t out : {std::int64_t{1}, std::int64_t{13}, product.panel / 2 + 1,
                                       product.panel, product.panel + 1, 4 * product.panel - 1}) {
          const Case<T> c(rows, in, out);
          c.check(product, false);
          c.check(product, true);
        }
      }
    }
  }
}

TEST(PackedProduct, EverySizeFloat) { every_size<float>(); }
TEST(PackedProduct, EverySizeDouble) { every_size<double>(); }

TEST(PackedProduct, NoRowsIsNoWork) {
  for (const auto isa : available()) {
    const auto product = product_of<float>(isa);
    const Case<float> c(0, 5, 3);
    const auto matrix = c.packed(product);
    float y = 42;
    product.multiply(nullptr, 5, matrix.data(), 0, 5, 3, false, &y, 3);
    EXPECT_EQ(y, 42);
  }
}

TEST(PackedProduct, StridesOfBothSides) {
  for (const auto isa : available()) {
    SCOPED_TRACE(std::string(to_string(isa)));
    const auto product = product_of<double>(isa);
    const std::int64_t rows = 11, in = 19, out = 30, x_stride = 23, y_stride = 37;
    const auto x = random_numbers<double>(rows * x_stride, 4);
    const auto w = random_numbers<double>(in * out, 5);  // [in, out] this time
    std::vector<double> matrix(static_cast<std::size_t>(product.packed_size(in, out)));
    product.pack(w.data(), in, out, out, 1, matrix.data());
    std::vector<double> y(static_cast<std::size_t>(rows * y_stride), 42);
    product.multiply(x.data(), x_stride, matrix.data(), rows, in, out, false, y.data(), y_stride);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < y_stride; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < in && j < out; ++k)
          sum += x[static_cast<std::size_t>(r * x_stride + k)] * w[static_cast<std::size_t>(k * out + j)];
        EXPECT_NEAR(y[static_cast<std::size_t>(r * y_stride + j)], j < out ? sum : 42, 1e-13);
      }
    }
  }
}

TEST(PackedProduct, ARowDoesNotDependOnTheRowsBesideIt) {
  for (const auto isa : available()) {
    SCOPED_TRACE(std::string(to_string(isa)));
    const auto product = product_of<float>(isa);
    const Case<float> c(21, 300, 70);
    const auto matrix = c.packed(product);
    std::vector<float> whole(static_cast<std::size_t>(c.rows * c.out)), cut = whole;
    product.multiply(c.x.data(), c.in, matrix.data(), c.rows, c.in, c.out, false, whole.data(), c.out);
    std::int64_t begin = 0;
    for (const std::int64_t rows : {1, 3, 10, 7}) {
      product.multiply(c.x.data() + begin * c.in, c.in, matrix.data(), rows, c.in, c.out, false,
                       cut.data() + begin * c.out, c.out);
      begin += rows;
    }
    ASSERT_EQ(begin, c.rows);
    EXPECT_EQ(whole, cut);
  }
}

TEST(PackedProduct, NaNStaysInItsRow) {
  for (const auto isa : available()) {
    const auto product = product_of<float>(isa);
    Case<float> c(9, 20, 10);
    c.x[3 * 20 + 4] = std::numeric_limits<float>::quiet_NaN();
    const auto matrix = c.packed(product);
    auto y = c.before;
    product.multiply(c.x.data(), c.in, matrix.data(), c.rows, c.in, c.out, false, y.data(), c.out);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 10 == 3);
  }
}

}  // namespace
