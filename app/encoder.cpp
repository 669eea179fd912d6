#include "app/encoder.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"
#include "rheo/spikegen/burst.hpp"
#include "rheo/spikegen/delta.hpp"
#include "rheo/spikegen/delta_modulation.hpp"
#include "rheo/spikegen/latency.hpp"
#include "rheo/spikegen/phase.hpp"
#include "rheo/spikegen/population.hpp"
#include "rheo/spikegen/rate.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rheo::app {
namespace {

constexpr std::string_view encoders[] = {"rate",       "latency", "phase",           "burst",
                                         "population", "delta",   "delta-modulation"};
constexpr std::string_view of_values = "rate latency phase burst population";  // time is made, not given
constexpr std::string_view every = "rate latency phase burst population delta delta-modulation";
constexpr std::int64_t default_steps = 100;
constexpr std::uint64_t most_values = 1ULL << 26;  // steps x neurons

constexpr EncoderOption options[] = {
    {"steps", of_values, "COUNT", "100 when not given"},
    {"seed", "rate population", "NUMBER", "Of random spikes; 0 when not given"},
    {"rescale", every, "", "Values to 0 ... 1 first, by the smallest and the largest"},
    {"over-time", "rate", "", "Rows of the CSV file are steps, values their probabilities"},
    {"gain", "rate", "NUMBER", "Probability = gain * value + offset; 1"},
    {"offset", "rate", "NUMBER", "0"},
    {"first-spike-time", "rate latency", "STEP", "No spikes before; 0"},
    {"threshold", "latency burst delta delta-modulation", "NUMBER",
     "0.01; burst 0.125; delta and delta-modulation 0.1"},
    {"tau", "latency", "STEPS", "Time constant; 1"},
    {"linear", "latency", "", "tau (1 - value) instead of tau ln(value / (value - threshold))"},
    {"normalize", "latency", "", "The slowest value fires at the last step"},
    {"clip", "latency", "", "No spikes for values below threshold"},
    {"bypass", "latency", "", "Spikes after the last step are dropped"},
    {"bits", "phase", "COUNT", "Steps of a period; 8"},
    {"weighted", "phase burst", "", "Spikes carry their weight instead of 1"},
    {"beta", "burst population", "NUMBER",
     "burst: growth of the threshold, 2; population: narrowness of the curves, 1.5"},
    {"neurons", "population", "COUNT", "For each value; 8"},
    {"low", "population", "NUMBER", "Range of the values; 0"},
    {"high", "population", "NUMBER", "1"},
    {"cutoff", "population", "NUMBER", "Weaker responses make no spike; 0.1"},
    {"code", "population", "NAME", "How neurons tell their response: latency (when not given) or rate"},
    {"padding", "delta", "", "The step before the first is the first again; else it is 0"},
    {"off-spike", "delta", "", "-1 where the input falls"},
};

bool has_word(std::string_view words, std::string_view word) {
  const auto all = split(words, ' ');
  return std::find(all.begin(), all.end(), word) != all.end();
}

std::string joined(std::string_view words) {
  std::string text;
  for (const auto word : split(words, ' ')) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

/// The options of one call, read as what they are.
struct Read {
  const GivenOptions& given;

  [[nodiscard]] bool on(std::string_view name) const { return given.contains(name); }
  [[nodiscard]] double real(std::string_view name, double otherwise) const {
    const auto found = given.find(name);
    return found == given.end() ? otherwise : number("--" + found->first, found->second);
  }
  [[nodiscard]] std::int64_t whole(std::string_view name, std::int64_t otherwise) const {
    const auto found = given.find(name);
    return found == given.end()
               ? otherwise
               : static_cast<std::int64_t>(whole_number("--" + found->first, found->second, most_values));
  }
  [[nodiscard]] std::uint64_t seed() const {
    const auto found = given.find("seed");
    return found == given.end() ? 0 : whole_number("--seed", found->second);
  }
};

at::Tensor population(const at::Tensor& x, std::int64_t steps, const Read& read) {
  const spikegen::PopulationOptions o{.num_neurons = read.whole("neurons", 8),
                                      .low = read.real("low", 0),
                                      .high = read.real("high", 1),
                                      .beta = read.real("beta", 1.5),
                                      .cutoff = read.real("cutoff", 0.1)};
  const auto code = read.given.find("code");
  if (code == read.given.end() || code->second == "latency") {
    if (read.on("seed")) throw UsageError("--seed is for --code rate: latencies are not random");
    return spikegen::population_latency(x, steps, o);
  }
  if (code->second != "rate")
    throw UsageError("--code must be latency or rate, got \"" + code->second + "\"");
  if (read.on("cutoff")) throw UsageError("--cutoff is for --code latency");
  return spikegen::rate(spikegen::population(x, o), {.num_steps = steps, .seed = read.seed()});
}

at::Tensor spikes(const std::string& encoder, const at::Tensor& x, std::int64_t steps, const Read& read) {
  if (encoder == "rate") {
    return spikegen::rate(x, {.num_steps = steps,
                              .gain = read.real("gain", 1),
                              .offset = read.real("offset", 0),
                              .first_spike_time = read.whole("first-spike-time", 0),
                              .seed = read.seed()});
  }
  if (encoder == "latency") {
    return spikegen::latency(x, {.num_steps = steps,
                                 .threshold = read.real("threshold", 0.01),
                                 .tau = read.real("tau", 1),
                                 .first_spike_time = read.whole("first-spike-time", 0),
                                 .clip = read.on("clip"),
                                 .normalize = read.on("normalize"),
                                 .linear = read.on("linear"),
                                 .bypass = read.on("bypass")});
  }
  if (encoder == "phase")
    return spikegen::phase(
        x, {.num_steps = steps, .bits = read.whole("bits", 8), .weighted = read.on("weighted")});
  if (encoder == "burst") {
    return spikegen::burst(x, {.num_steps = steps,
                               .threshold = read.real("threshold", 0.125),
                               .beta = read.real("beta", 2),
                               .weighted = read.on("weighted")});
  }
  return population(x, steps, read);
}

/// Probabilities are clamped, as snnTorch does it; bytes of a picture would all spike at every step.
std::string clamped(const at::Tensor& probability) {
  const auto outside = probability.lt(0).logical_or(probability.gt(1)).sum().item<std::int64_t>();
  if (outside == 0) return {};
  return std::to_string(outside) + " of " + std::to_string(probability.numel()) +
         " probabilities are below 0 or above 1 and count as 0 or 1; --rescale fits the values in";
}

}  // namespace

void check_encoder(const std::string& encoder, const GivenOptions& given) {
  if (std::find(std::begin(encoders), std::end(encoders), encoder) == std::end(encoders)) {
    const std::string_view guess = nearest_name(encoder, encoders);
    throw UsageError(
        "unknown encoder \"" + encoder + "\"; " +
        (guess.empty() ? "known: " + encoder_names() : "did you mean " + std::string(guess) + "?"));
  }
  for (const EncoderOption& option : options) {
    if (given.contains(option.name) && !has_word(option.encoders, encoder)) {
      throw UsageError("--" + std::string(option.name) + " is for " + joined(option.encoders) + ", not for " +
                       encoder);
    }
  }
}

std::span<const EncoderOption> encoder_options() { return options; }

std::string_view all_encoders() { return every; }

std::string encoder_names() {
  std::string text;
  for (const auto name : encoders) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

Encoded encode(const std::string& encoder, const Image& input, const GivenOptions& given) {
  const Read read{given};
  Encoded out{.encoder = encoder, .over_time = !has_word(of_values, encoder) || read.on("over-time")};
  auto x = at::tensor(at::ArrayRef<float>(input.values), at::kFloat);
  if (read.on("rescale")) {
    const auto low = x.min(), range = x.max() - low;
    if (range.item<float>() == 0)
      throw UsageError("--rescale needs two different values, got only " + shortest(low.item<float>()));
    x = (x - low) / range;
  }
  if (out.over_time) {
    x = x.view({static_cast<std::int64_t>(input.height), static_cast<std::int64_t>(input.width)});
    for (const auto* name : {"steps", "gain", "offset"}) {
      if (read.on(name)) throw UsageError("--" + std::string(name) + " is not for --over-time");
    }
  }
  out.input = x;
  if (encoder == "rate") out.note = clamped(x * read.real("gain", 1) + read.real("offset", 0));
  const double threshold = read.real("threshold", 0.1);
  if (encoder == "delta") {
    out.spk = spikegen::delta(
        x, {.threshold = threshold, .padding = read.on("padding"), .off_spike = read.on("off-spike")});
  } else if (encoder == "delta-modulation") {
    const spikegen::DeltaModulationOptions o{.threshold = threshold, .start = x[0]};
    out.spk = spikegen::delta_modulation(x, o);
    out.estimate = spikegen::delta_demodulation(out.spk, o);
  } else if (out.over_time) {
    out.spk = spikegen::rate(
        x,
        {.first_spike_time = read.whole("first-spike-time", 0), .time_var_input = true, .seed = read.seed()});
  } else {
    const auto steps = read.whole("steps", default_steps);
    const auto neurons = input.values.size() *
                         (encoder == "population" ? static_cast<std::uint64_t>(read.whole("neurons", 8)) : 1);
    const auto most = most_values / std::max<std::uint64_t>(1, neurons);
    if (static_cast<std::uint64_t>(steps) > most) {
      throw UsageError(std::to_string(neurons) + " neurons can have at most " + std::to_string(most) +
                       " steps, got " + std::to_string(steps) + "; see --steps");
    }
    if (steps == 0) throw UsageError("--steps must be at least 1, got 0");
    out.spk = spikes(encoder, x, steps, read);
  }
  out.spk = out.spk.reshape({out.spk.size(0), -1}).contiguous();
  return out;
}

}  // namespace rheo::app
