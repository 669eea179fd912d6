// The rule every step shares: resets of each kind and time, what is detached and what is not.
#include "rheo/core/rule.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace {

using rheo::Reset;
using rheo::seed;
using rheo::tangent;
using rheo::tangents;

constexpr double alpha = 2;
using Spike = rheo::ArctanSpike<double>;

auto factors(Reset reset, bool delay) {
  return rheo::reset_factors(reset, delay, [](int on) { return static_cast<double>(on); });
}

template <rheo::ResetForm Form = rheo::ResetForm::general, class Threshold, class Graded>
auto rule(Threshold threshold, Graded graded, Reset reset, bool delay) {
  return rheo::Rule<Threshold, Graded, double, Spike, Form>{
      threshold, graded, factors(reset, delay), {{alpha, 0}}};
}

double factor(double u) {
  const double args[] = {alpha, 0};
  return rheo::surrogates::atan::factor(u, args);
}

TEST(Rule, DelayedResetLooksAtTheStoredMembrane) {
  const auto subtract = rule(0.5, 1.0, Reset::subtract, true);
  EXPECT_EQ(subtract.reset(0.75).taken(), 0.5);
  EXPECT_EQ(subtract.reset(0.75).kept(3.0), 3);
  EXPECT_EQ(subtract.reset(0.5).taken(), 0);  // strictly above
  const auto zero = rule(0.5, 1.0, Reset::zero, true);
  EXPECT_EQ(zero.reset(0.75).taken(), 0);
  EXPECT_EQ(zero.reset(0.75).kept(3.0), 0);
  EXPECT_EQ(zero.reset(0.25).kept(3.0), 3);
  const auto none = rule(0.5, 1.0, Reset::none, true);
  EXPECT_EQ(none.reset(0.75).taken(), 0);
  EXPECT_EQ(none.reset(0.75).kept(3.0), 3);
}

// What loses something else than the threshold names it.
TEST(Rule, SubtractionTakesWhatItIsGiven) {
  EXPECT_EQ(rule(0.5, 1.0, Reset::subtract, true).reset(0.75).taken(3.0), 3);
  EXPECT_EQ(rule(0.5, 1.0, Reset::subtract, true).reset(0.25).taken(3.0), 0);
  EXPECT_EQ(rule(0.5, 1.0, Reset::subtract, false).reset(0.75).taken(3.0), 0);
  EXPECT_EQ(rule(0.5, 1.0, Reset::zero, true).reset(0.75).taken(3.0), 0);
  EXPECT_EQ(rule(0.5, 1.0, Reset::none, true).reset(0.75).taken(3.0), 0);
  const auto own = rule<rheo::ResetForm::delayed_subtract>(0.5, 1.0, Reset::subtract, true);
  EXPECT_EQ(own.reset(0.75).taken(3.0), 3);
  EXPECT_EQ(own.reset(0.25).taken(3.0), 0);
  EXPECT_EQ(tangent<0>(own.reset(seed<1>(0.75)).taken(seed<0>(3.0))), 1);
}

TEST(Rule, WithoutDelayNothingIsResetBefore) {
  for (const Reset reset : {Reset::subtract, Reset::zero, Reset::none}) {
    const auto r = rule(0.5, 1.0, reset, false);
    EXPECT_EQ(r.reset(0.75).taken(), 0);
    EXPECT_EQ(r.reset(0.75).kept(3.0), 3);
  }
}

TEST(Rule, FireGradesTheSpikeAndNeverTheReset) {
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, true).fire(0.75).spk, 4);
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, true).fire(0.75).mem, 0.75);
  EXPECT_EQ(rule(0.5, 4.0, Reset::zero, true).fire(0.75).mem, 0.75);
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, false).fire(0.75).mem, 0.25);
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, false).fire(0.75).spk, 4);
  EXPECT_EQ(rule(0.5, 4.0, Reset::zero, false).fire(0.75).mem, 0);
  EXPECT_EQ(rule(0.5, 4.0, Reset::none, false).fire(0.75).mem, 0.75);
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, false).fire(0.5).mem, 0.5);
  EXPECT_EQ(rule(0.5, 4.0, Reset::subtract, false).fire(0.5).spk, 0);
}

TEST(Rule, DelayedResetIsDetachedButTheThresholdTakenIsNot) {
  const auto r = rule(seed<1>(0.5), 1.0, Reset::subtract, true);
  const auto reset = r.reset(seed<0>(0.75));
  // The flag has no derivative: not zero, none.
  static_assert(std::is_same_v<decltype(r.reset_flag(seed<0>(0.75))), double>);
  static_assert(tangents<decltype(reset.taken())> == 2);
  EXPECT_EQ(tangent<1>(reset.taken()), 1);
  EXPECT_EQ(tangent<1>(r.reset(seed<0>(0.25)).taken()), 0);
  const auto zero = rule(seed<1>(0.5), 1.0, Reset::zero, true).reset(seed<0>(0.75));
  static_assert(tangents<decltype(zero.kept(seed<0>(3.0)))> == 1);
  EXPECT_EQ(tangent<0>(zero.kept(seed<0>(3.0))), 0);
}

TEST(Rule, SpikeCarriesThresholdAndGradedFactor) {
  const auto fired = rule(seed<1>(0.5), seed<2>(4.0), Reset::none, true).fire(seed<0>(0.75));
  EXPECT_EQ(fired.spk.v, 4);
  EXPECT_EQ(tangent<0>(fired.spk), 4 * factor(0.25));
  EXPECT_EQ(tangent<1>(fired.spk), -4 * factor(0.25));
  EXPECT_EQ(tangent<2>(fired.spk), 1);
}

TEST(Rule, ImmediateResetIsNotDetached) {
  const double u = 0.75, th = 0.5, f = factor(u - th);
  const auto subtract = rule(seed<1>(th), 4.0, Reset::subtract, false).fire(seed<0>(u));
  EXPECT_EQ(subtract.mem.v, u - th);
  EXPECT_DOUBLE_EQ(tangent<0>(subtract.mem), 1 - f * th);
  EXPECT_DOUBLE_EQ(tangent<1>(subtract.mem), -1 + f * th);
  const auto zero = rule(seed<1>(th), 4.0, Reset::zero, false).fire(seed<0>(u));
  EXPECT_EQ(zero.mem.v, 0);
  EXPECT_DOUBLE_EQ(tangent<0>(zero.mem), -u * f);
  EXPECT_DOUBLE_EQ(tangent<1>(zero.mem), u * f);
}

TEST(Rule, TheDefaultsOwnFormSaysTheSame) {
  const auto a = rule<rheo::ResetForm::delayed_subtract>(seed<1>(0.5), seed<2>(4.0), Reset::subtract, true);
  const auto b = rule(seed<1>(0.5), seed<2>(4.0), Reset::subtract, true);
  for (const double u : {-0.25, 0.5, 0.75}) {
    EXPECT_EQ(a.reset(seed<0>(u)).taken().v, b.reset(seed<0>(u)).taken().v);
    EXPECT_EQ(tangent<1>(a.reset(seed<0>(u)).taken()), tangent<1>(b.reset(seed<0>(u)).taken()));
    EXPECT_EQ(tangent<0>(a.reset(seed<0>(u)).kept(seed<0>(3.0))), 1);
    const auto x = a.fire(seed<0>(u));
    const auto y = b.fire(seed<0>(u));
    static_assert(tangents<decltype(x.mem)> == 1);
    EXPECT_EQ(x.mem.v, y.mem.v);
    EXPECT_EQ(tangent<0>(x.mem), tangent<0>(y.mem));
    EXPECT_EQ(tangent<1>(y.mem), 0);
    EXPECT_EQ(x.spk.v, y.spk.v);
    EXPECT_EQ(tangent<0>(x.spk), tangent<0>(y.spk));
    EXPECT_EQ(tangent<1>(x.spk), tangent<1>(y.spk));
    EXPECT_EQ(tangent<2>(x.spk), tangent<2>(y.spk));
  }
}

}  // namespace
