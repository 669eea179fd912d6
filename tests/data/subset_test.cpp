// data_subset and valid_split: the lists that snnTorch's functions of these names leave in a data set. Numbers drawn with
// numpy 2.4: numpy.random.default_rng(seed).choice(size, size - int(size * split), replace=False).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "rheo/data/split.hpp"
#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"

namespace {

using namespace rheo::data;
using rheo::ValueError;
using rheo::test::error_of;
using List = std::vector<std::int64_t>;

/// Every number at its place, in one.
std::uint64_t digest(const List& list) {
  std::uint64_t sum = 0;
  for (const std::int64_t i : list) sum = sum * 1000003 + static_cast<std::uint64_t>(i);
  return sum;
}

TEST(DataSubset, TakesOnePartOfTheSameSizeAndDropsTheRemainder) {
  EXPECT_EQ(data_subset(10, 3), (List{0, 1, 2}));
  EXPECT_EQ(data_subset(10, 3, 2), (List{6, 7, 8}));
  EXPECT_EQ(data_subset(10, 5, 4), (List{8, 9}));
  EXPECT_EQ(data_subset({7, 5, 3, 1, 9}, 2, 1), (List{3, 1}));
  EXPECT_EQ(data_subset(data_subset(60000, 10, 3), 2, 1).front(), 21000);
}

TEST(DataSubset, PartsBeyondTheEndAreEmptyAndPartOneIsTheWhole) {
  EXPECT_EQ(data_subset(10, 3, 3), (List{9}));  // what is left, as a slice in Python
  EXPECT_EQ(data_subset(10, 3, 4), List{});
  EXPECT_EQ(data_subset(10, 5, 5), List{});
  EXPECT_EQ(data_subset(10, 3, std::numeric_limits<std::int64_t>::max()), List{});
  EXPECT_EQ(data_subset(3, 4), List{});
  EXPECT_EQ(data_subset(0, 4), List{});
  for (const std::int64_t subset : {1, 0, -2}) EXPECT_EQ(data_subset(3, subset, 5), (List{0, 1, 2}));
}

TEST(ValidSplit, DrawsNumpysNumbers) {
  struct Case {
    std::int64_t size;
    double split;
    std::uint64_t seed;
    List train, validation;
  };
  for (const Case& c : {
           Case{10, 0.3, 0, {9, 0, 1, 5, 2, 4, 3}, {6, 7, 8}},
           Case{10, 0.3, 1, {4, 1, 0, 6, 8, 2, 9}, {3, 5, 7}},
           Case{1, 0.5, 7, {0}, {}},
           Case{7, 0.9, 123456789012345, {5}, {0, 1, 2, 3, 4, 6}},
           Case{23,
                0.25,
                UINT64_MAX,
                {7, 17, 14, 3, 20, 9, 21, 11, 0, 1, 19, 5, 18, 8, 15, 22, 13, 4},
                {2, 6, 10, 12, 16}},
       }) {
    const Split split = valid_split(c.size, c.split, c.seed);
    EXPECT_EQ(split.train, c.train) << c.size << " seed " << c.seed;
    EXPECT_EQ(split.validation, c.validation) << c.size << " seed " << c.seed;
    EXPECT_EQ(split.test, List{});
  }
}

TEST(ValidSplit, LargeSetsEitherSideOfNumpysChangeOfAlgorithm) {
  struct Case {
    std::int64_t size;
    double split;
    std::uint64_t seed, train;
  };
  for (const Case& c : {Case{1000, 0.1, 4, 0x7a67e25d7de692fd}, Case{10000, 0.5, 3, 0xc40e293791f7dbff},
                        Case{10001, 0.5, 3, 0x972d1718d3079fff}, Case{60000, 0.1, 0, 0xddf6adce01fe10d2},
                        Case{60000, 0.99, 5, 0x182c23d0b1a0dbb7}, Case{60000, 0.98, 5, 0xb3eee0f221a2f9c5},
                        Case{60000, 0.9999, 6, 0x5123a694782dec9b}, Case{20000, 0, 1, 0xd764620c331968b4}}) {
    const Split split = valid_split(c.size, c.split, c.seed);
    EXPECT_EQ(digest(split.train), c.train) << c.size << ", " << c.split;
    EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
    List all = split.train;
    all.insert(all.end(), split.validation.begin(), split.validation.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, data_subset(c.size, 1));
  }
  EXPECT_EQ(valid_split(20000, 1, 1).train, List{});
  EXPECT_EQ(valid_split(20000, 1, 1).validation.size(), 20000U);
  EXPECT_EQ(valid_split(0, 0.5).train, List{});
}

TEST(ValidSplit, ErrorsNameArgumentAndValue) {
  EXPECT_EQ(error_of<ValueError>([] { (void)data_subset(10, 2, -1); }),
            "[data_subset] idx must not be negative, got -1");
  EXPECT_EQ(error_of<ValueError>([] { (void)data_subset(-3, 2); }),
            "[data_subset] size must not be negative, got -3");
  EXPECT_EQ(error_of<ValueError>([] { (void)valid_split(-1, 0.5); }),
            "[valid_split] size must be from 0 to 4294967295, got -1");
  EXPECT_EQ(error_of<ValueError>([] { (void)valid_split(10, 1.25); }),
            "[valid_split] split must be within [0, 1], got 1.25");
  EXPECT_EQ(error_of<ValueError>([] { (void)valid_split(10, -0.01); }),
            "[valid_split] split must be within [0, 1], got -0.01");
  EXPECT_EQ(error_of<ValueError>([] { (void)valid_split(10, std::nan("")); }),
            "[valid_split] split must be within [0, 1], got nan");
}

}  // namespace
