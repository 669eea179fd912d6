#include "rheo/spikegen/targets.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <string_view>
#include <tuple>

#include "rheo/core/random.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/seed.hpp"
#include "rheo/spikegen/detail/draw.hpp"
#include "rheo/spikegen/one_hot.hpp"

namespace rheo::spikegen {
namespace {

using ops::refuse;

void check_pattern(const char* op, const std::string& pattern) {
  if (pattern != "regular" && pattern != "uniform" && pattern != "poisson")
    refuse(op, "firing_pattern must be regular, uniform or poisson, got '", pattern, "'");
}

void check_rate(const char* op, const char* argument, double rate) {
  if (!(rate >= 0) || !(rate <= 1)) refuse(op, argument, " must be within [0, 1], got ", rate);
}

/// A class pattern [T] for the target, another for the rest -> [T, B, C].
at::Tensor spread(const at::Tensor& one_hot, const at::Tensor& correct, const at::Tensor& incorrect) {
  return at::where(one_hot.to(at::kBool).unsqueeze(0), correct.view({-1, 1, 1}), incorrect.view({-1, 1, 1}));
}

}  // namespace

std::pair<at::Tensor, at::Tensor> target_rate_code(std::int64_t num_steps, const RateCodeOptions& o) {
  constexpr auto op = "target_rate_code";
  if (num_steps < 0) refuse(op, "num_steps must not be negative, got ", num_steps);
  check_rate(op, "rate", o.rate);
  check_pattern(op, o.firing_pattern);
  if (o.first_spike_time < 0 || o.first_spike_time > num_steps) {
    refuse(op, "first_spike_time must be from 0 to num_steps, ", num_steps, ", got ", o.first_spike_time);
  }
  auto spk = at::zeros({num_steps}, at::TensorOptions().dtype(at::kFloat));
  const auto whole = at::TensorOptions().dtype(at::kLong);
  const auto first = o.first_spike_time;
  if (o.rate == 0) return {spk, at::empty({0}, whole)};
  const auto regular = [&] {
    return at::arange(static_cast<double>(first), static_cast<double>(num_steps), 1 / o.rate, spk.options())
        .floor()
        .to(at::kLong);
  };
  if (o.firing_pattern == "regular") {
    const auto times = regular();
    return {spk.index_fill_(0, times, 1), times};
  }
  const CounterRandom random{.seed = o.seed ? *o.seed : ops::draw_seed(), .step = o.stream};
  if (o.firing_pattern == "uniform") {
    auto times = at::empty({regular().numel()}, whole);
    auto* t = times.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < times.numel(); ++i) {
      const double u = uniform_double(random.word(static_cast<std::uint64_t>(i)));
      t[i] = static_cast<std::int64_t>(std::floor(u * static_cast<double>(num_steps - first))) + first;
    }
    times = std::get<0>(times.sort());
    return {spk.index_fill_(0, times, 1), times};
  }
  auto* s = spk.mutable_data_ptr<float>();
  for (auto t = first; t < num_steps; ++t)
    s[t] = bernoulli(random.word(static_cast<std::uint64_t>(t)), o.rate) ? 1 : 0;
  return {spk, spk.nonzero().squeeze(1)};
}

at::Tensor rate_interpolate(const at::Tensor& spike_time, std::int64_t num_steps, double on_target,
                            double off_target) {
  constexpr auto op = "rate_interpolate";
  if (!spike_time.defined() || spike_time.dim() != 1) {
    refuse(op, "spike_time must be [n], got ", spike_time.defined() ? spike_time.sizes() : at::IntArrayRef());
  }
  if (num_steps < 0) refuse(op, "num_steps must not be negative, got ", num_steps);
  auto out = at::full({num_steps}, off_target, at::TensorOptions().dtype(at::kFloat));
  if (spike_time.numel() == 0) return out;
  if (!(on_target > off_target))
    refuse(op, "on_target must be above off_target, ", off_target, ", got ", on_target);
  const auto times = spike_time.detach().to(at::kLong).cpu().contiguous();
  const auto* s = times.const_data_ptr<std::int64_t>();
  auto* to = out.mutable_data_ptr<float>();
  std::int64_t begin = 0;
  for (std::int64_t i = 0; i < times.numel(); ++i) {
    if (s[i] < 0 || s[i] >= num_steps || s[i] < begin - 1) {
      refuse(op, "spike_time must be sorted, from 0 to below num_steps, ", num_steps, ", got ", s[i], " at ",
             i);
    }
    const auto n = s[i] - begin + 1;
    for (std::int64_t k = 0; k < n; ++k) {
      const double part = n == 1 ? 1 : static_cast<double>(k) / static_cast<double>(n - 1);
      to[begin + k] = static_cast<float>(off_target + part * (on_target - off_target));
    }
    begin = s[i] + 1;
  }
  return out;
}

at::Tensor targets_rate(const at::Tensor& targets, std::int64_t num_classes, const TargetsRateOptions& o) {
  constexpr auto op = "targets_rate";
  check_rate(op, "correct_rate", o.correct_rate);
  check_rate(op, "incorrect_rate", o.incorrect_rate);
  check_pattern(op, o.firing_pattern);
  if (o.incorrect_rate > o.correct_rate) {
    refuse(op, "incorrect_rate must not be above correct_rate, ", o.correct_rate, ", got ", o.incorrect_rate);
  }
  if (o.num_steps < 0) refuse(op, "num_steps must not be negative, got ", o.num_steps);
  if (o.first_spike_time < 0) refuse(op, "first_spike_time must not be negative, got ", o.first_spike_time);
  const bool constant = o.correct_rate == 1 && o.incorrect_rate == 0;
  if (o.num_steps == 0 && (!constant || o.first_spike_time > 0)) {
    refuse(op, "num_steps must be given with other rates than 1 and 0, or a first_spike_time, got 0");
  }
  if (o.num_steps > 0 && o.first_spike_time > o.num_steps - 1) {
    refuse(op, "first_spike_time must be below num_steps, ", o.num_steps, ", got ", o.first_spike_time);
  }
  const auto one_hot = to_one_hot(targets, num_classes);
  if (constant) {
    const auto row = one_hot * (o.on_target - o.off_target) + o.off_target;
    if (o.first_spike_time == 0) return row;
    auto out = row.unsqueeze(0).repeat({o.num_steps, 1, 1});
    out.slice(0, 0, o.first_spike_time).fill_(o.off_target);
    return out;
  }
  const auto seed = o.seed ? *o.seed : (o.firing_pattern == "regular" ? 0 : ops::draw_seed());
  const auto code = [&](double rate, std::uint64_t stream) {
    const auto [spk, times] = target_rate_code(o.num_steps, {.first_spike_time = o.first_spike_time,
                                                             .rate = rate,
                                                             .firing_pattern = o.firing_pattern,
                                                             .seed = seed,
                                                             .stream = stream});
    if (o.interpolate) return rate_interpolate(times, o.num_steps, o.on_target, o.off_target);
    return spk * (o.on_target - o.off_target) + o.off_target;
  };
  return spread(one_hot, code(o.correct_rate, 0), code(o.incorrect_rate, 1));
}

at::Tensor targets_latency(const at::Tensor& targets, std::int64_t num_classes,
                           const LatencyOptions& options) {
  return latency(to_one_hot(targets, num_classes), options);
}

at::Tensor targets_convert(const at::Tensor& targets, std::int64_t num_classes,
                           const TargetsConvertOptions& o) {
  if (o.code == "rate") {
    return targets_rate(targets, num_classes,
                        {.num_steps = o.num_steps,
                         .first_spike_time = o.first_spike_time,
                         .correct_rate = o.correct_rate,
                         .incorrect_rate = o.incorrect_rate,
                         .on_target = o.on_target,
                         .off_target = o.off_target,
                         .firing_pattern = o.firing_pattern,
                         .interpolate = o.interpolate,
                         .seed = o.seed});
  }
  if (o.code != "latency") refuse("targets_convert", "code must be rate or latency, got '", o.code, "'");
  return targets_latency(targets, num_classes,
                         {.num_steps = o.num_steps,
                          .threshold = o.threshold,
                          .tau = o.tau,
                          .first_spike_time = o.first_spike_time,
                          .on_target = o.on_target,
                          .off_target = o.off_target,
                          .clip = o.clip,
                          .normalize = o.normalize,
                          .linear = o.linear,
                          .interpolate = o.interpolate,
                          .bypass = o.bypass,
                          .epsilon = o.epsilon});
}

namespace {

at::Tensor targets_rate_cpu(const at::Tensor& targets, std::int64_t num_classes, std::int64_t num_steps,
                            std::int64_t first_spike_time, double correct_rate, double incorrect_rate,
                            double on_target, double off_target, std::string_view firing_pattern,
                            bool interpolate, std::optional<std::int64_t> seed) {
  return targets_rate(targets, num_classes,
                      {.num_steps = num_steps,
                       .first_spike_time = first_spike_time,
                       .correct_rate = correct_rate,
                       .incorrect_rate = incorrect_rate,
                       .on_target = on_target,
                       .off_target = off_target,
                       .firing_pattern = std::string(firing_pattern),
                       .interpolate = interpolate,
                       .seed = detail::seed_of(seed)});
}

at::Tensor targets_rate_meta(const at::Tensor& targets, c10::SymInt num_classes, c10::SymInt num_steps,
                             c10::SymInt first_spike_time, double correct_rate, double incorrect_rate, double,
                             double, std::string_view, bool, std::optional<std::int64_t>) {
  std::vector<c10::SymInt> sizes{targets.sym_size(0), std::move(num_classes)};
  const bool constant = correct_rate == 1 && incorrect_rate == 0 && first_spike_time == 0;
  if (!constant) sizes.insert(sizes.begin(), std::move(num_steps));
  return at::empty_symint(sizes, targets.options().dtype(at::kFloat));
}

std::tuple<at::Tensor, at::Tensor> rate_code_any(std::int64_t num_steps, std::int64_t first_spike_time,
                                                 double rate, std::string_view firing_pattern,
                                                 std::optional<std::int64_t> seed) {
  return target_rate_code(num_steps, {.first_spike_time = first_spike_time,
                                      .rate = rate,
                                      .firing_pattern = std::string(firing_pattern),
                                      .seed = detail::seed_of(seed)});
}

at::Tensor interpolate_meta(const at::Tensor& spike_time, c10::SymInt num_steps, double, double) {
  return at::empty_symint({std::move(num_steps)}, spike_time.options().dtype(at::kFloat));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<targets_rate_cpu, targets_rate_meta>(
      m,
      "targets_rate(Tensor targets, SymInt num_classes, SymInt num_steps, SymInt first_spike_time, float "
      "correct_rate, float incorrect_rate, float on_target, float off_target, str firing_pattern, bool "
      "interpolate, "
      "int? seed=None) -> Tensor",
      {at::Tag::nondeterministic_seeded});
  ops::define_plain<rate_interpolate, interpolate_meta>(
      m,
      "rate_interpolate(Tensor spike_time, SymInt num_steps, float on_target, float off_target) -> Tensor");
  ops::define_eager<rate_code_any>(m,
                                   "target_rate_code(int num_steps, int first_spike_time, float rate, str "
                                   "firing_pattern, int? seed=None) -> "
                                   "(Tensor spk, Tensor times)",
                                   {at::Tag::nondeterministic_seeded});
}

}  // namespace rheo::spikegen
