// core/nearest.hpp: what counts as a typo.
#include "rheo/core/nearest.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using rheo::edit_distance;
using rheo::nearest_name;

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "beta"), 4U);
  EXPECT_EQ(edit_distance("beta", "beta"), 0U);
  EXPECT_EQ(edit_distance("bta", "beta"), 1U);
  EXPECT_EQ(edit_distance("betaa", "beta"), 1U);
  EXPECT_EQ(edit_distance("bera", "beta"), 1U);
  EXPECT_EQ(edit_distance("btea", "beta"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("LEAKY", "leaky"), 0U);
  static_assert(edit_distance("stpe", "step") == 1);
}

TEST(EditDistance, LongTextsAreCut) {
  EXPECT_EQ(edit_distance(std::string(1000, 'a'), std::string(2000, 'a')), 0U);
  EXPECT_EQ(edit_distance(std::string(1000, 'a'), ""), 63U);
}

TEST(NearestName, FindsTyposAndBeginnings) {
  const std::vector<std::string> names = {"Lapicque", "Leaky", "Synaptic", "RSynaptic"};
  EXPECT_EQ(nearest_name("Lapiqe", names), "Lapicque");
  EXPECT_EQ(nearest_name("leeky", names), "Leaky");
  EXPECT_EQ(nearest_name("Lap", names), "Lapicque");
  EXPECT_EQ(nearest_name("Synaptik", names), "Synaptic");
  EXPECT_EQ(nearest_name("RSynaptik", names), "RSynaptic");
}

TEST(NearestName, SaysNothingWhenNothingIsNear) {
  const std::vector<std::string_view> names = {"R", "C", "beta", "threshold"};
  EXPECT_EQ(nearest_name("xyzzy", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("Q", names), "") << "any letter is one edit from any other";
  EXPECT_EQ(nearest_name("beta", std::vector<std::string_view>{}), "");
}

}  // namespace
