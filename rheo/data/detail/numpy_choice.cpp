#include "rheo/data/detail/numpy_choice.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <numeric>
#include <utility>

namespace rheo::data::detail {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr Wide wide(std::uint64_t high, std::uint64_t low) { return Wide{high} << 64 | low; }

/// numpy's SeedSequence: 256 bits that differ in many places for seeds that differ in one.
/// O'Neill, "Developing a seed_seq alternative", 2015.
std::array<std::uint64_t, 4> seed_words(std::uint64_t seed) {
  const auto mixed = [](std::uint32_t value, std::uint32_t& constant, std::uint32_t factor) {
    value ^= constant;
    constant *= factor;
    value *= constant;
    return value ^ value >> 16;
  };
  std::array<std::uint32_t, 4> pool{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  std::uint32_t constant = 0x43b0d7e5;
  for (std::uint32_t& word : pool) word = mixed(word, constant, 0x931e8875);
  for (std::size_t from = 0; from < pool.size(); ++from) {
    for (std::size_t to = 0; to < pool.size(); ++to) {
      if (from == to) continue;
      const std::uint32_t both = 0xca01f9dd * pool[to] - 0x4973f715 * mixed(pool[from], constant, 0x931e8875);
      pool[to] = both ^ both >> 16;
    }
  }
  std::array<std::uint64_t, 4> words{};
  constant = 0x8b51f9dd;
  for (std::size_t i = 0; i < 2 * words.size(); ++i) {
    const std::uint64_t half = mixed(pool[i % pool.size()], constant, 0x58f38ded);
    words[i / 2] |= half << 32 * (i % 2);
  }
  return words;
}

/// PCG64, of 128 bits. O'Neill, "PCG: A family of simple fast space-efficient statistically good algorithms for random
/// number generation", 2014.
class Pcg64 {
 public:
  explicit Pcg64(std::uint64_t seed) {
    const auto words = seed_words(seed);
    increment_ = wide(words[2], words[3]) << 1 | 1;
    state_ = increment_ + wide(words[0], words[1]);
    advance();
  }

  /// 0 .. last, each as likely; last < 2^32 - 1. Lemire, "Fast random integer generation in an interval", 2019.
  std::uint32_t up_to(std::uint32_t last) {
    if (last == 0) return 0;
    const std::uint32_t count = last + 1;
    std::uint64_t product = std::uint64_t{next()} * count;
    if (static_cast<std::uint32_t>(product) < count) {
      const std::uint32_t uneven = (UINT32_MAX - last) % count;
      while (static_cast<std::uint32_t>(product) < uneven) product = std::uint64_t{next()} * count;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  void advance() { state_ = state_ * wide(0x2360ed051fc65da4, 0x4385df649fccf645) + increment_; }

  /// The low half of 64 bits, then the high one.
  std::uint32_t next() {
    has_high_ = !has_high_;
    if (!has_high_) return high_;
    advance();
    const auto folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
    const std::uint64_t word = std::rotr(folded, static_cast<int>(state_ >> 122));
    high_ = static_cast<std::uint32_t>(word >> 32);
    return static_cast<std::uint32_t>(word);
  }

  Wide state_ = 0, increment_ = 0;
  std::uint32_t high_ = 0;
  bool has_high_ = false;
};

/// Fisher and Yates' shuffle from the last place down to `first`.
void shuffle(std::vector<std::int64_t>& list, std::size_t first, Pcg64& random) {
  for (std::size_t i = list.size(); i-- > first;)
    std::swap(list[i], list[random.up_to(static_cast<std::uint32_t>(i))]);
}

}  // namespace

std::vector<std::int64_t> numpy_choice(std::int64_t size, std::int64_t count, std::uint64_t seed) {
  Pcg64 random(seed);
  if (size > 10000 && count > size / 50) {
    std::vector<std::int64_t> list(static_cast<std::size_t>(size));
    std::iota(list.begin(), list.end(), std::int64_t{0});
    shuffle(list, static_cast<std::size_t>(std::max<std::int64_t>(size - count, 1)), random);
    return {list.end() - count, list.end()};
  }
  // Floyd's algorithm: a number drawn before gives way to the largest one possible.
  std::vector<std::int64_t> list;
  std::vector<bool> taken(static_cast<std::size_t>(size));
  for (std::int64_t last = size - count; last < size; ++last) {
    const std::int64_t drawn = random.up_to(static_cast<std::uint32_t>(last));
    list.push_back(taken[static_cast<std::size_t>(drawn)] ? last : drawn);
    taken[static_cast<std::size_t>(list.back())] = true;
  }
  shuffle(list, 1, random);
  return list;
}

}  // namespace rheo::data::detail
