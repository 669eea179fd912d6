// The loops of the quantiser alone, for every instruction set there is: against counting the borders below a value.
#include "rheo/kernels/levels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "tests/kernels/instruction_sets.hpp"

namespace {

using namespace rheo::kernels;

template <class T>
struct Levels {
  std::vector<T> levels, edges;

  Levels(std::int32_t count, T low, T step, bool even) {
    for (std::int32_t k = 0; k < count; ++k) {
      const T at = static_cast<T>(k);
      levels.push_back(even ? low + step * at : low + step * at * at / static_cast<T>(count));
    }
    edges.push_back(std::numeric_limits<T>::quiet_NaN());
    for (std::size_t k = 1; k < levels.size(); ++k) edges.push_back((levels[k - 1] + levels[k]) / 2);
    edges.push_back(std::numeric_limits<T>::quiet_NaN());
  }

  T nearest(T x) const {
    if (x != x) return x;
    std::size_t below = 0;
    while (below + 1 < levels.size() && edges[below + 1] < x) ++below;
    return levels[below];
  }

  /// On and around every border, outside the range, and what is no number.
  std::vector<T> values() const {
    constexpr T inf = std::numeric_limits<T>::infinity();
    std::vector<T> out = {-inf,
                          inf,
                          std::numeric_limits<T>::quiet_NaN(),
                          std::numeric_limits<T>::max(),
                          std::numeric_limits<T>::lowest(),
                          T(-0.0)};
    for (std::size_t k = 0; k < levels.size(); ++k) {
      for (const T v : {levels[k], edges[k]}) {
        if (v == v) out.insert(out.end(), {v, std::nextafter(v, inf), std::nextafter(v, -inf)});
      }
    }
    return out;
  }
};

template <class T>
void expect_nearest(Isa isa, std::int32_t count, T low, T step, bool even) {
  const Levels<T> all(count, low, step, even);
  const auto values = all.values();
  LevelsCall<T> call;
  call.count = count, call.levels = all.levels.data(), call.edges = all.edges.data();
  call.even = even, call.low = low, call.per_step = 1 / step;
  for (const std::size_t n :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{17}, values.size()}) {
    if (n > values.size()) continue;
    std::vector<T> out(n + 1, T(77));
    call.x = values.data(), call.out = out.data();
    const auto middle = static_cast<std::int64_t>(n / 2);
    level_kernels(isa)(call, 0, middle);
    level_kernels(isa)(call, middle, static_cast<std::int64_t>(n));
    for (std::size_t i = 0; i < n; ++i) {
      const T wanted = all.nearest(values[i]);
      ASSERT_TRUE(out[i] == wanted || (std::isnan(out[i]) && std::isnan(wanted)))
          << values[i] << " became " << out[i] << ", not " << wanted << ": " << count << " levels";
    }
    EXPECT_EQ(out[n], T(77));
  }
}

TEST(Levels, TheNearestOnEveryInstructionSet) {
  for (const auto isa : rheo::test::available()) {
    SCOPED_TRACE(to_string(isa));
    for (const bool even : {false, true}) {
      for (const std::int32_t count : {2, 4, 32, 256, 2048}) {
        expect_nearest<float>(isa, count, -1, 2.2F / static_cast<float>(count - 1), even);
        expect_nearest<double>(isa, count, -1, 2.2 / (count - 1), even);
        expect_nearest<float>(isa, count, 30, 0.01F, even);
      }
    }
  }
}

TEST(Levels, NoneForAnInstructionSetThatIsNotThere) {
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    EXPECT_EQ(level_kernels(isa).f32 != nullptr, is_available(isa));
    EXPECT_EQ(level_kernels(isa).f64 != nullptr, is_available(isa));
  }
}

}  // namespace
