// Named fields: by name and by number, each of its own type; what RHEO_PARAMETERS declares.
#include "rheo/core/fields.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <vector>

namespace {

struct Example {
  RHEO_STATE(mem, syn)
  RHEO_CONSTANTS(decay, gain, floor)
  RHEO_PARAMETERS_AND_MODES((beta, R), (integration, kind))
};
struct Plain {
  RHEO_STATE(mem)
  RHEO_PARAMETERS(beta)
};

TEST(Fields, ByNameAndByNumber) {
  Example::State s{1.5, 2.5F};
  static_assert(std::is_same_v<decltype(s.mem), double> && std::is_same_v<decltype(s.syn), float>);
  EXPECT_EQ(s.get<0>(), 1.5);
  EXPECT_EQ(s.get<1>(), 2.5F);
  s.get<1>() = 7;
  EXPECT_EQ(s.syn, 7);
  const auto& fixed = s;
  static_assert(std::is_const_v<std::remove_reference_t<decltype(fixed.get<0>())>>);
  EXPECT_EQ(&fixed.get<0>(), &s.mem);
  EXPECT_EQ(&fixed.get<1>(), &s.syn);
}

TEST(Fields, NamesAndPositions) {
  static_assert(Example::state_names::count == 2 && Example::constants_names::count == 3);
  static_assert(Example::constants_names::at_floor == 2 && Plain::state_names::count == 1);
  EXPECT_STREQ(Example::state_names::text[1], "syn");
  EXPECT_STREQ(Example::constants_names::text[0], "decay");
}

TEST(Fields, MadeFromNumbersInOrder) {
  const auto c = Example::make_constants([](auto k) { return 10 * decltype(k)::value; });
  EXPECT_EQ(c.decay, 0);
  EXPECT_EQ(c.gain, 10);
  EXPECT_EQ(c.floor, 20);
  std::vector<int> seen;
  rheo::unroll<4>([&](auto k) { seen.push_back(decltype(k)::value); });
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
}

struct Visitor {
  std::vector<std::string> seen;
  void parameter(const char* name, double& value, bool& has) {
    seen.emplace_back(name);
    value = static_cast<double>(seen.size());
    has = seen.size() != 2;
  }
  void mode(const char* name, int& number) {
    seen.emplace_back(name);
    number = 5;
  }
};

TEST(Fields, RawIsVisitedInOrderOfDeclaration) {
  Example::Raw<double> raw{};
  EXPECT_TRUE(raw.has_beta);
  Visitor visitor;
  raw.visit(visitor);
  EXPECT_EQ(visitor.seen, (std::vector<std::string>{"beta", "R", "integration", "kind"}));
  EXPECT_EQ(raw.beta, 1);
  EXPECT_EQ(raw.R, 2);
  EXPECT_TRUE(raw.has_beta);
  EXPECT_FALSE(raw.has_R);
  EXPECT_EQ(raw.kind, 5);
}

struct Traits {
  using Value = double;
  using Surrogate = int;
  using Reset = int;
  using Quantiser = int;
  using Text = std::string;
};
struct OptionVisitor {
  std::vector<std::string> seen;
  void parameter(const char* name, double value, bool learn) {
    seen.push_back(std::string(name) + "=" + std::to_string(static_cast<int>(value)) + (learn ? "!" : ""));
  }
  void mode(const char* name, const std::string& choice) { seen.push_back(std::string(name) + ":" + choice); }
};

TEST(Fields, OptionsAreAFlatAggregate) {
  const Example::Options<Traits> options{
      .beta = 3, .learn_R = true, .kind = "exact", .threshold = 2, .reset_delay = false};
  OptionVisitor visitor;
  options.visit(visitor);
  EXPECT_EQ(visitor.seen, (std::vector<std::string>{"beta=3", "R=0!", "integration:", "kind:exact"}));
  EXPECT_EQ(options.threshold, 2);
  EXPECT_FALSE(options.reset_delay);
  EXPECT_TRUE(options.fused);
  EXPECT_FALSE(options.init_hidden);
}

}  // namespace
