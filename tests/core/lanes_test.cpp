// Lanes of every instruction set against scalars, bit for bit.
#include "tests/core/lanes.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "tests/core/lanes_operations.hpp"

namespace {

using rheo::kernels::Isa;

#define RHEO_TEST_COUNT(s) +1
constexpr int operations = rheo_test::first_surrogate RHEO_EACH(RHEO_TEST_COUNT, RHEO_SURROGATES);
#undef RHEO_TEST_COUNT

template <class T>
struct alignas(64) Block {
  T values[4096];
};

template <class T>
std::vector<Block<T>> inputs() {
  using L = std::numeric_limits<T>;
  const T special[] = {T{0},           T{-0.0},  T{1},        T{-1},    L::infinity(),   -L::infinity(),
                       L::quiet_NaN(), L::max(), L::lowest(), L::min(), L::denorm_min(), -L::denorm_min(),
                       L::epsilon(),   T(0.5),   T(0.75),     T(-0.75), T(88.5),         T(-88),
                       T(-103.5),      T(-745),  T(709.5),    T(1e-20)};
  std::vector<Block<T>> blocks(4);
  std::uint64_t random = 88172645463325252ULL;
  int at = 0;
  for (auto& block : blocks) {
    for (T& v : block.values) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      const int pick = static_cast<int>(random % 7);
      v = pick == 0   ? special[(random >> 32) % std::size(special)]
          : pick == 1 ? static_cast<T>(std::ldexp(static_cast<double>(random >> 12), -45))
          : pick == 2 ? static_cast<T>(-std::ldexp(static_cast<double>(random >> 12), -44))
                      : static_cast<T>(static_cast<double>(random >> 11) * 0x1p-51 - 2);
      ++at;
    }
  }
  return blocks;
}

template <class T>
void compare(const char* isa, int width, void (*lanes)(int, const T*, const T*, T*, std::int64_t)) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  ASSERT_GT(width, 1);
  const auto blocks = inputs<T>();
  const auto n = static_cast<std::int64_t>(std::size(blocks[0].values));
  auto got = std::make_unique<Block<T>>();
  auto want = std::make_unique<Block<T>>();
  for (int operation = 0; operation < operations; ++operation) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const T* a = blocks[i].values;
      const T* b = blocks[(i + 1) % blocks.size()].values;
      std::memset(got.get(), 0xff, sizeof(Block<T>));
      lanes(operation, a, b, got->values, n);
      rheo::lane_test::apply<T, T>(operation, a, b, want->values, n);
      for (std::int64_t k = 0; k < n; ++k) {
        // Which NaN it is differs between scalar and vector instructions.
        if (std::isnan(want->values[k]) && std::isnan(got->values[k])) continue;
        ASSERT_EQ(std::bit_cast<Bits>(got->values[k]), std::bit_cast<Bits>(want->values[k]))
            << isa << " operation " << operation << " of " << a[k] << ", " << b[k] << ": lanes "
            << got->values[k] << ", scalar " << want->values[k];
      }
    }
  }
}

void compare_isa(Isa isa, rheo_test::LaneFunctions (*lanes)(), int bytes) {
  const std::string name(rheo::kernels::to_string(isa));
  if (lanes == nullptr || !rheo::kernels::is_available(isa))
    GTEST_SKIP() << "this machine or build has no " << name;
  const auto f = lanes();
  EXPECT_EQ(f.width_f32 * 4, bytes) << name;
  EXPECT_EQ(f.width_f64 * 8, bytes) << name;
  compare<float>(name.c_str(), f.width_f32, f.f32);
  compare<double>(name.c_str(), f.width_f64, f.f64);
}

TEST(Lanes, BaselineEqualsScalar) { compare_isa(Isa::baseline, &rheo_test::lanes_baseline, 16); }
#if defined(RHEO_HAVE_X86_KERNELS)
TEST(Lanes, Avx2EqualsScalar) { compare_isa(Isa::avx2, &rheo_test::lanes_avx2, 32); }
TEST(Lanes, Avx512EqualsScalar) { compare_isa(Isa::avx512, &rheo_test::lanes_avx512, 64); }
#endif

}  // namespace
