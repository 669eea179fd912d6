// What snnTorch computed for its encoders, replayed, and what it refuses.
#include "tests/recorded.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "rheo/ops/error.hpp"
#include "rheo/spikegen/delta.hpp"
#include "rheo/spikegen/latency.hpp"
#include "rheo/spikegen/one_hot.hpp"
#include "rheo/spikegen/rate.hpp"
#include "rheo/spikegen/rate_conv.hpp"
#include "rheo/spikegen/targets.hpp"

namespace {

using namespace recorded;
namespace s = rheo::spikegen;

s::LatencyOptions latency_options(const json& o) {
  return {.num_steps = o.value("num_steps", 0),
          .threshold = o.value("threshold", 0.01),
          .tau = o.value("tau", 1.0),
          .first_spike_time = o.value("first_spike_time", 0),
          .on_target = o.value("on_target", 1.0),
          .off_target = o.value("off_target", 0.0),
          .clip = o.value("clip", false),
          .normalize = o.value("normalize", false),
          .linear = o.value("linear", false),
          .interpolate = o.value("interpolate", false),
          .bypass = o.value("bypass", false),
          .epsilon = o.value("epsilon", 1e-7)};
}

/// Arguments by name, or by position in the cases that raise.
std::int64_t number(const json& o, const char* name, const char* position) {
  return o.contains(position) ? o.at(position).get<std::int64_t>() : o.at(name).get<std::int64_t>();
}

Tensors call(const std::string& name, const json& o, const Tensors& in) {
  const auto x = in.empty() ? torch::Tensor() : in.begin()->second;
  if (name == "latency") return {{"out", s::latency(x, latency_options(o))}};
  if (name == "latency_code_log") return {{"out", s::latency_code_log(x, latency_options(o))}};
  if (name == "latency_code_linear") return {{"out", s::latency_code_linear(x, latency_options(o))}};
  if (name == "latency_code") {
    const auto [time, below] = s::latency_code(x, latency_options(o));
    return {{"out", time}, {"out1", below.to(torch::kFloat)}};
  }
  if (name == "latency_interpolate") {
    return {{"out", s::latency_interpolate(x, number(o, "num_steps", "arg1"), o.value("on_target", 1.0),
                                           o.value("off_target", 0.0))}};
  }
  if (name == "rate_interpolate") {
    return {{"out", s::rate_interpolate(x, number(o, "num_steps", "arg1"), o.value("on_target", 1.0),
                                        o.value("off_target", 0.0))}};
  }
  if (name == "delta") {
    return {{"out", s::delta(x, {o.value("threshold", 0.1), o.value("padding", false),
                                 o.value("off_spike", false)})}};
  }
  if (name == "to_one_hot") return {{"out", s::to_one_hot(x, number(o, "num_classes", "arg1"))}};
  if (name == "to_one_hot_inverse") return {{"out", s::to_one_hot_inverse(x)}};
  if (name == "from_one_hot") return {{"out", s::from_one_hot(x)}};
  if (name == "rate_conv") return {{"out", s::rate_conv(x)}};
  if (name == "rate") {
    return {{"out", s::rate(x, {.num_steps = o.value("num_steps", 0),
                                .gain = o.value("gain", 1.0),
                                .offset = o.value("offset", 0.0),
                                .first_spike_time = o.value("first_spike_time", 0),
                                .time_var_input = o.value("time_var_input", false)})}};
  }
  if (name == "target_rate_code") {
    const auto [spk, times] = s::target_rate_code(
        number(o, "num_steps", "arg0"),
        {.first_spike_time = o.value("first_spike_time", 0), .rate = o.value("rate", 1.0)});
    // An empty list of times is a float there.
    return {{"out", spk}, {"out1", times.numel() == 0 ? times.to(torch::kFloat) : times}};
  }
  if (name == "targets_latency")
    return {{"out", s::targets_latency(x, number(o, "num_classes", "arg1"), latency_options(o))}};
  if (name == "targets_rate" || name == "targets_convert") {
    const auto l = latency_options(o);
    const s::TargetsConvertOptions t{.code = o.value("code", "rate"),
                                     .num_steps = l.num_steps,
                                     .first_spike_time = l.first_spike_time,
                                     .correct_rate = o.value("correct_rate", 1.0),
                                     .incorrect_rate = o.value("incorrect_rate", 0.0),
                                     .on_target = l.on_target,
                                     .off_target = l.off_target,
                                     .firing_pattern = o.value("firing_pattern", "regular"),
                                     .interpolate = l.interpolate,
                                     .epsilon = l.epsilon,
                                     .threshold = l.threshold,
                                     .tau = l.tau,
                                     .clip = l.clip,
                                     .normalize = l.normalize,
                                     .linear = l.linear,
                                     .bypass = l.bypass};
    return {{"out", s::targets_convert(x, number(o, "num_classes", "arg1"), t)}};
  }
  ADD_FAILURE() << "no encoder " << name;
  return {};
}

std::string encoder(const json& c) {
  const auto target = c.at("target").get<std::string>();
  return target.starts_with("spikegen.") ? target.substr(9) : "";
}

TEST(RecordedSpikegen, Values) {
  std::set<std::string> met;
  int replayed = 0;
  for (const auto& c : of_kind("call")) {
    const auto name = encoder(c);
    if (name.empty()) continue;
    SCOPED_TRACE(c.at("name").get<std::string>());
    met.insert(name);
    ++replayed;
    compare(c, call(name, c.at("options"), arrays(c.at("inputs"))));
  }
  EXPECT_EQ(met.size(), 16U);
  EXPECT_EQ(replayed, 102);
}

TEST(RecordedSpikegen, Errors) {
  int refused = 0;
  for (const auto& c : of_kind("raises")) {
    const auto name = encoder(c);
    if (name.empty()) continue;
    ++refused;
    try {
      call(name, c.at("options"), arrays(c.at("inputs")));
      ADD_FAILURE() << c.at("name") << " was accepted";
    } catch (const rheo::ValueError& error) {
      // "[op] argument rule, got value"
      EXPECT_NE(std::string(error.what()).find(", got "), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(refused, 30);
}

}  // namespace
