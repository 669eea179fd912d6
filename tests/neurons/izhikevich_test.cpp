// Izhikevich against his program's loop, the published patterns by what they do, central differences.
#include "rheo/neurons/izhikevich.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>

#include "tests/neurons/trajectories.hpp"

namespace oracle {
namespace {

struct Simple {
  double a, b, c, d;
  double slope = 5, offset = 140;
  bool accommodates = false;  // du/dt = a b (v + 65)
  double dt = 0.25;
};
/// The loop of Izhikevich's program for figure 1 of his 2004 paper; v not below the vertex of what an Euler step makes of it.
Run izhikevich(const Simple& p, const Numbers& x, double u, double v, const Common& c) {
  Run run;
  for (const double I : x) {
    if (v > c.threshold) {
      v = p.c;
      u = u + p.d;
    }
    v = std::max(v, -(p.slope + 1 / p.dt) / 0.08);
    v = v + p.dt * (0.04 * v * v + p.slope * v + p.offset - u + I);
    u = u + p.dt * (p.accommodates ? p.a * (p.b * (v + 65)) : p.a * (p.b * v - u));
    keep(run, v, c);
    run.adapt.push_back(u);
  }
  return run;
}

const Registration kernels{{
    .neuron = "Izhikevich",
    .loops = {{{-112.5, 2.25, 35, 0.25, 0.005, 0.2, 0, 1, -65, 8},
               [](const Numbers& x, const Numbers& s, const Common& c) {
                 const auto run = izhikevich({0.02, 0.2, -65, 8}, x, s[0], s[1], c);
                 return Traces{run.spk, {run.adapt, run.mem}};
               }}},
}};

}  // namespace
}  // namespace oracle

namespace {

using rheo::neurons::Izhikevich;
using trajectory::first_relative_difference;
using trajectory::Setting;
using trajectory::spike_steps;
using trajectory::walk;
using Raw = Izhikevich::Raw<double>;

int number_of(std::string_view pattern) {
  for (int k = 0; k < 28; ++k) {
    if (Izhikevich::info.modes[0].choices[k] == pattern) return k;
  }
  ADD_FAILURE() << "no pattern " << pattern;
  return 0;
}

Raw named(std::string_view pattern, double dt = 0.25) {
  return {.a = 0,
          .b = 0,
          .c = 0,
          .d = 0,
          .time_step = dt,
          .has_a = false,
          .has_b = false,
          .has_c = false,
          .has_d = false,
          .pattern = number_of(pattern)};
}

/// As published: sets and starts of 2004's program; the first seven are figure 2 of 2003, which names no start.
struct Published {
  const char* name;
  oracle::Simple set;
  double start;
};
const Published published[] = {
    {"regular_spiking", {0.02, 0.2, -65, 8}, -70},
    {"intrinsically_bursting", {0.02, 0.2, -55, 4}, -70},
    {"chattering", {0.02, 0.2, -50, 2}, -70},
    {"fast_spiking", {0.1, 0.2, -65, 2}, -70},
    {"thalamo_cortical", {0.02, 0.25, -65, 0.05}, -64},
    {"resonating", {0.1, 0.26, -65, 2}, -62},
    {"low_threshold_spiking", {0.02, 0.25, -65, 2}, -64},
    {"tonic_spiking", {0.02, 0.2, -65, 6}, -70},
    {"phasic_spiking", {0.02, 0.25, -65, 6}, -64},
    {"tonic_bursting", {0.02, 0.2, -50, 2}, -70},
    {"phasic_bursting", {0.02, 0.25, -55, 0.05}, -64},
    {"mixed_mode", {0.02, 0.2, -55, 4}, -70},
    {"spike_frequency_adaptation", {0.01, 0.2, -65, 8}, -70},
    {"class_1", {0.02, -0.1, -55, 6, 4.1, 108}, -60},
    {"class_2", {0.2, 0.26, -65, 0}, -64},
    {"spike_latency", {0.02, 0.2, -65, 6}, -70},
    {"subthreshold_oscillations", {0.05, 0.26, -60, 0}, -62},
    {"resonator", {0.1, 0.26, -60, -1}, -62},
    {"integrator", {0.02, -0.1, -55, 6, 4.1, 108}, -60},
    {"rebound_spike", {0.03, 0.25, -60, 4}, -64},
    {"rebound_burst", {0.03, 0.25, -52, 0}, -64},
    {"threshold_variability", {0.03, 0.25, -60, 4}, -64},
    {"bistability", {0.1, 0.26, -60, 0}, -61},
    {"depolarizing_after_potential", {1, 0.2, -60, -21}, -70},
    {"accommodation", {0.02, 1, -55, 4, 5, 140, true}, -65},
    {"inhibition_induced_spiking", {-0.02, -1, -60, 8}, -63.8},
    {"inhibition_induced_bursting", {-0.026, -1, -45, -2}, -63.8},
};

TEST(Izhikevich, EqualsHisProgramForEveryPattern) {
  EXPECT_EQ(std::size(published), std::size(Izhikevich::sets));
  for (const auto& [name, set, start] : published) {
    std::size_t spikes = 0;
    for (const double dt : {0.25, 0.5}) {
      oracle::Simple p = set;
      p.dt = dt;
      for (const double mem : {start, 42.0, -130.0}) {
        // The last is thrown up and down, so that rounding grows sooner.
        const auto x = trajectory::noisy_input(mem < -100 ? 100 : 600, -20, 60);
        const double u = p.accommodates ? -16 : p.b * start;
        const auto want = oracle::izhikevich(p, x, u, mem, {30, 2.5});
        const auto got = walk<Izhikevich>(Izhikevich::derive(named(name, dt)), x, {u, mem}, 30, 2.5, {});
        ASSERT_EQ(got.spk, want.spk) << name;
        ASSERT_EQ(first_relative_difference(got.state[0], want.adapt, 1e-9), -1) << name;
        ASSERT_EQ(first_relative_difference(got.state[1], want.mem, 1e-9), -1) << name;
        spikes += spike_steps(got.spk).size();
      }
    }
    EXPECT_GT(spikes, 2U) << name;
  }
}

TEST(Izhikevich, ResetIsItsOwn) {
  const auto c = Izhikevich::derive(named("regular_spiking"));
  const auto x = trajectory::noisy_input(300, 0, 40);
  const auto want = walk<Izhikevich>(c, x, {-14, -70}, 30, 1, {});
  EXPECT_GT(spike_steps(want.spk).size(), 2U);
  for (const Setting& setting : trajectory::all_settings()) {
    const auto got = walk<Izhikevich>(c, x, {-14, -70}, 30, 1, setting);
    EXPECT_EQ(got.spk, want.spk);
    EXPECT_EQ(got.state[1], want.state[1]);
  }
}

TEST(Izhikevich, WhatIsGivenReplacesThePatterns) {
  Raw p = named("chattering");
  p.b = 0.3;
  p.has_b = true;
  const Raw q = Izhikevich::resolve(p);
  EXPECT_EQ(q.a, 0.02);
  EXPECT_EQ(q.b, 0.3);
  EXPECT_EQ(q.c, -50);
  EXPECT_EQ(q.d, 2);
  p.a = 0.1;
  p.c = -61;
  p.d = 5;
  p.has_a = p.has_c = p.has_d = true;
  const Raw r = Izhikevich::resolve(p);
  EXPECT_EQ(r.a, 0.1);
  EXPECT_EQ(r.c, -61);
  EXPECT_EQ(r.d, 5);
  bool given[] = {false, true, false, false, true};
  const bool learned[] = {true, false, false, false, false};
  Izhikevich::settle(given, learned, [](auto...) { FAIL(); });
  EXPECT_TRUE(given[0] && given[1] && given[4]);
  EXPECT_FALSE(given[2] || given[3]);
}

TEST(Izhikevich, StartsWhereThePublishedProgramDoesOrNearRest) {
  for (const auto& [name, set, start] : published) {
    const auto rest = Izhikevich::rest(named(name));
    EXPECT_EQ(rest.mem, start) << name;
    EXPECT_NEAR(rest.u, set.accommodates ? -16 : set.b * start, 1e-14) << name;
  }
  for (const auto& [name, set, start] : std::span(published).first(7)) {
    EXPECT_NEAR(0.04 * start * start + 5 * start + 140 - set.b * start, 0, 0.2) << name;
  }
}

TEST(Izhikevich, LongStepsAreRefused) {
  int refused = 0;
  const auto refuse = [&](const char* name, const char*, double value) {
    EXPECT_STREQ(name, "time_step");
    EXPECT_EQ(value, 0.51);
    ++refused;
  };
  Izhikevich::check(named("chattering", 0.5), refuse);
  EXPECT_EQ(refused, 0);
  Izhikevich::check(named("chattering", 0.51), refuse);
  EXPECT_EQ(refused, 1);
}

// However strong a pulse of inhibition, the membrane stays finite and does not fire while it lasts.
TEST(Izhikevich, InhibitionDoesNotFire) {
  for (const double dt : {0.01, 0.25, 0.5}) {
    for (const double current : {-100.0, -900.0, -14600.0, -1e6}) {
      const auto rest = Izhikevich::rest(named("regular_spiking", dt));
      const auto out = walk<Izhikevich>(Izhikevich::derive(named("regular_spiking", dt)),
                                        std::vector<double>(300, current), {rest.u, rest.mem}, 30, 1, {});
      EXPECT_EQ(spike_steps(out.spk).size(), 0U) << dt << ' ' << current;
      EXPECT_TRUE(std::isfinite(out.state[1].back()));
      // One step of it, in which u has no time to follow, is forgotten.
      std::vector<double> pulse(2000, 0);
      pulse[5] = -100;
      const auto after = walk<Izhikevich>(Izhikevich::derive(named("regular_spiking", dt)), pulse,
                                          {rest.u, rest.mem}, 30, 1, {});
      EXPECT_EQ(spike_steps(after.spk).size(), 0U) << dt;
    }
  }
}

// ---- figure 1 of 2004, and figure 2 of 2003 --------------------------------------------------------------------------

/// Spike times in ms of a pattern under the current of the published program, from its first state.
std::vector<double> spikes_of(std::string_view pattern, double ms,
                              const std::function<double(double)>& current, double dt = 0.25) {
  const Raw p = named(pattern, dt);
  const auto rest = Izhikevich::rest(p);
  std::vector<double> x;
  for (int k = 0; k * dt <= ms; ++k) x.push_back(current(k * dt));
  std::vector<double> out;
  for (const int step :
       spike_steps(walk<Izhikevich>(Izhikevich::derive(p), x, {rest.u, rest.mem}, 30, 1, {}).spk))
    out.push_back(step * dt);
  return out;
}
auto from(double when, double level) {
  return [=](double t) { return t > when ? level : 0.0; };
}
std::vector<double> intervals(const std::vector<double>& times) {
  std::vector<double> out;
  for (std::size_t k = 1; k < times.size(); ++k) out.push_back(times[k] - times[k - 1]);
  return out;
}

TEST(Izhikevich, TonicSpiking) {
  const auto gaps = intervals(spikes_of("tonic_spiking", 300, from(10, 14)));
  ASSERT_GT(gaps.size(), 6U);
  for (std::size_t k = 3; k < gaps.size(); ++k) EXPECT_NEAR(gaps[k], gaps.back(), 1.0);
}

TEST(Izhikevich, PhasicSpikingIsOneSpike) {
  const auto times = spikes_of("phasic_spiking", 200, from(20, 0.5));
  ASSERT_EQ(times.size(), 1U);
  EXPECT_LT(times[0], 100);
}

TEST(Izhikevich, TonicBursting) {
  const auto gaps = intervals(spikes_of("tonic_bursting", 220, from(22, 15)));
  const auto pauses = std::count_if(gaps.begin(), gaps.end(), [](double g) { return g > 15; });
  const auto within = std::count_if(gaps.begin(), gaps.end(), [](double g) { return g < 8; });
  EXPECT_GE(pauses, 2);
  EXPECT_GE(within, 2 * pauses);
}

TEST(Izhikevich, PhasicBurstingIsOneBurst) {
  const auto times = spikes_of("phasic_bursting", 200, from(20, 0.6), 0.2);
  ASSERT_GE(times.size(), 3U);
  EXPECT_LT(times.back(), 120);
}

TEST(Izhikevich, MixedModeBeginsWithABurst) {
  const auto gaps = intervals(spikes_of("mixed_mode", 300, from(16, 10)));
  ASSERT_GT(gaps.size(), 4U);
  EXPECT_LT(gaps[0], 10);
  EXPECT_GT(gaps.back(), 3 * gaps[0]);
}

TEST(Izhikevich, SpikeFrequencyAdaptation) {
  const auto gaps = intervals(spikes_of("spike_frequency_adaptation", 200, from(8.5, 30)));
  ASSERT_GT(gaps.size(), 5U);
  EXPECT_GT(gaps.back(), 2 * gaps[0]);
}

// Class 1 begins to fire arbitrarily slowly under a current that rises, class 2 at a frequency of its own.
TEST(Izhikevich, ExcitabilityOfBothClasses) {
  const auto slow =
      intervals(spikes_of("class_1", 300, [](double t) { return t > 30 ? 0.075 * (t - 30) : 0.0; }));
  ASSERT_GT(slow.size(), 5U);
  EXPECT_GT(slow[0], 2 * slow.back());
  const auto own =
      intervals(spikes_of("class_2", 300, [](double t) { return t > 30 ? -0.5 + 0.015 * (t - 30) : -0.5; }));
  ASSERT_GT(own.size(), 5U);
  EXPECT_LT(own[0], 2 * own.back());
}

TEST(Izhikevich, SpikeLatency) {
  const auto times =
      spikes_of("spike_latency", 100, [](double t) { return t > 10 && t < 13 ? 7.04 : 0.0; }, 0.2);
  ASSERT_EQ(times.size(), 1U);
  EXPECT_GT(times[0], 20);  // long after the pulse
}

TEST(Izhikevich, ReboundSpikeAndBurst) {
  const auto pulse = [](double t) { return t > 20 && t < 25 ? -15.0 : 0.0; };
  const auto spike = spikes_of("rebound_spike", 200, pulse, 0.2);
  ASSERT_EQ(spike.size(), 1U);
  EXPECT_GT(spike[0], 25);
  const auto burst = spikes_of("rebound_burst", 200, pulse, 0.2);
  ASSERT_GE(burst.size(), 3U);
  EXPECT_GT(burst[0], 25);
}

// A pulse switches firing on, another at the right moment off.
TEST(Izhikevich, Bistability) {
  const auto with = [](double second) {
    return spikes_of("bistability", 300, [=](double t) {
      return (t > 37.5 && t < 42.5) || (t > second && t < second + 5) ? 1.24 : 0.24;
    });
  };
  EXPECT_GT(with(1e9).back(), 270);
  EXPECT_LT(with(216).back(), 230);
}

// A weak pulse after a brief inhibition fires, alone it does not.
TEST(Izhikevich, ThresholdVariability) {
  const auto times = spikes_of("threshold_variability", 100, [](double t) {
    return (t > 10 && t < 15) || (t > 80 && t < 85) ? 1.0 : t > 70 && t < 75 ? -6.0 : 0.0;
  });
  ASSERT_EQ(times.size(), 1U);
  EXPECT_GT(times[0], 80);
}

// It fires at a quick ramp, not at a slow one that goes as high.
TEST(Izhikevich, Accommodation) {
  const auto times = spikes_of(
      "accommodation", 400,
      [](double t) {
        return t < 200 ? t / 25 : t < 300 ? 0.0 : t < 312.5 ? (t - 300) / 12.5 * 4 : 0.0;
      },
      0.5);
  ASSERT_EQ(times.size(), 1U);
  EXPECT_GT(times[0], 300);
}

TEST(Izhikevich, InhibitionInducedSpikingAndBursting) {
  const auto inhibited = [](double t) { return t < 50 || t > 250 ? 80.0 : 75.0; };
  for (const char* pattern : {"inhibition_induced_spiking", "inhibition_induced_bursting"}) {
    const auto times = spikes_of(pattern, 350, inhibited, 0.5);
    ASSERT_GE(times.size(), 3U) << pattern;
    EXPECT_GT(times.front(), 50) << pattern;
    EXPECT_LT(times.back(), 270) << pattern;
  }
}

// 2003: the fast spiking cell does not adapt, the chattering one fires bursts of spikes some 2 to 6 ms apart.
TEST(Izhikevich, FastSpikingAndChattering) {
  const auto fast = intervals(spikes_of("fast_spiking", 300, from(10, 10)));
  ASSERT_GT(fast.size(), 8U);
  EXPECT_NEAR(fast[2], fast.back(), 2);
  const auto regular = intervals(spikes_of("regular_spiking", 300, from(10, 14)));
  EXPECT_GT(regular.back(), 2 * fast.back());
  const auto bursts = intervals(spikes_of("chattering", 300, from(10, 10)));
  std::vector<double> within, between;
  for (const double gap : bursts) (gap < 10 ? within : between).push_back(gap);
  ASSERT_GE(between.size(), 2U);
  ASSERT_GE(within.size(), 3 * between.size());
  EXPECT_GE(*std::min_element(within.begin(), within.end()), 1.5);
  EXPECT_LE(*std::max_element(within.begin(), within.end()), 6);
}

TEST(Izhikevich, DerivativesAgainstCentralDifferences) {
  for (const double mem : {-58.0, 38.0, -120.0}) {  // below, just after a spike, too low
    trajectory::Point<Izhikevich> p;
    p.x = trajectory::noisy_input(8, -4, 10);
    p.state = {-12, mem};
    p.constants = {-112.5, 2.25, 35, 0.25, 0.005, 0.2, 20, 1, -65, 8};
    p.threshold = 30;
    EXPECT_LE(trajectory::worst_difference(p, {}), 1e-6) << mem;
  }
}

}  // namespace
