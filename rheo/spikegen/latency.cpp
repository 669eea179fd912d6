#include "rheo/spikegen/latency.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/log.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/round.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/spikegen/detail/rows.hpp"

namespace rheo::spikegen {
namespace {

using detail::check_data;
using detail::rows;
using ops::refuse;

void check_code(const char* op, const at::Tensor& data, const LatencyOptions& o) {
  check_data(op, "data", data);
  if (!(o.threshold > 0) || !(o.threshold < 1))
    refuse(op, "threshold must be within (0, 1), got ", o.threshold);
  if (!(o.tau > 0)) refuse(op, "tau must be above 0, got ", o.tau);
  if (o.num_steps < 0) refuse(op, "num_steps must not be negative, got ", o.num_steps);
  if (o.first_spike_time < 0) refuse(op, "first_spike_time must not be negative, got ", o.first_spike_time);
  if (o.num_steps > 0 && o.first_spike_time > o.num_steps - 1) {
    refuse(op, "first_spike_time must be below num_steps, ", o.num_steps, ", got ", o.first_spike_time);
  }
  if (o.normalize && o.num_steps == 0) refuse(op, "num_steps must be given to normalize, got 0");
  if (o.first_spike_time != 0 && data.numel() > 0) {
    const auto least = data.min().item<double>(), largest = data.max().item<double>();
    if (least < 0 && largest > 1) {
      refuse(op, "data must not reach beyond 0 and 1 with first_spike_time, got ", least, " to ", largest);
    }
  }
}

template <class T>
at::Tensor spikes_at(const at::Tensor& step, const at::Tensor& keep, std::int64_t steps, double on,
                     double off) {
  // The step of every element as a number that may lie beyond the end: then it has no spike.
  const auto at_step = step.contiguous();
  const auto kept = keep.defined() ? keep.contiguous() : keep;
  const auto* s = at_step.const_data_ptr<T>();
  const bool* k = kept.defined() ? kept.const_data_ptr<bool>() : nullptr;
  const T high = static_cast<T>(std::max(on, off)), low = static_cast<T>(off);
  return rows<T>(at_step, steps, [=](std::int64_t t, T* to, std::int64_t n) {
    const T now = static_cast<T>(t);
    if (k == nullptr) {
      for (std::int64_t i = 0; i < n; ++i) to[i] = s[i] == now ? high : low;
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i] = s[i] == now && k[i] ? high : low;
    }
  });
}

at::Tensor linear_times(const at::Tensor& data, const LatencyOptions& o) {
  const auto x = data.detach();
  const auto first = static_cast<double>(o.first_spike_time), last = static_cast<double>(o.num_steps - 1);
  const double tau = o.normalize ? last - first : o.tau;
  auto time = (-tau * (x - 1)).clamp_max(-tau * (o.threshold - 1)) + first;
  if (o.normalize && x.numel() > 0) {
    const auto least = time.min();
    if (least.item<double>() < 0) time = (time - least) * (1 / (time.max() - least)) * last;
  }
  return time;
}

at::Tensor log_times(const at::Tensor& data, const LatencyOptions& o) {
  const auto first = static_cast<double>(o.first_spike_time), last = static_cast<double>(o.num_steps - 1);
  const auto x = data.detach().clamp_min(o.threshold + o.epsilon);
  auto time = o.tau * (x / (x - o.threshold)).log() + first;
  if (o.normalize && x.numel() > 0) time = (time - first) * ((last - first) / (time - first).max()) + first;
  return time;
}

}  // namespace

at::Tensor latency_code_linear(const at::Tensor& data, const LatencyOptions& o) {
  check_code("latency_code_linear", data, o);
  return linear_times(data, o);
}

at::Tensor latency_code_log(const at::Tensor& data, const LatencyOptions& o) {
  check_code("latency_code_log", data, o);
  return log_times(data, o);
}

std::pair<at::Tensor, at::Tensor> latency_code(const at::Tensor& data, const LatencyOptions& o) {
  check_code("latency_code", data, o);
  return {o.linear ? linear_times(data, o) : log_times(data, o), data.detach().lt(o.threshold)};
}

at::Tensor latency(const at::Tensor& data, const LatencyOptions& o) {
  constexpr auto op = "latency";
  check_data(op, "data", data);
  detail::check_within_one(op, "data", data);
  if (o.num_steps == 0 && !o.bypass) refuse(op, "num_steps must be given, got 0");
  check_code(op, data, o);
  const auto time = o.linear ? linear_times(data, o) : log_times(data, o);
  const auto step = time.round();
  const double latest = step.numel() > 0 ? step.max().item<double>() : 0;
  if (o.num_steps == 0 && !(latest < 1e9))
    refuse(op, "num_steps must be given where the latest spike comes at step ", latest, ", got 0");
  const auto steps = o.num_steps > 0 ? o.num_steps : static_cast<std::int64_t>(latest) + 1;
  if (latest > static_cast<double>(steps - 1) && !o.bypass) {
    refuse(op, "num_steps must be above the time of the latest spike, ", latest,
           " (normalize fits them in, bypass drops them), got ", steps);
  }
  if (o.interpolate) return latency_interpolate(time, steps, o.on_target, o.off_target);
  return ops::by_type(step, [&]<class T>(T) {
    return spikes_at<T>(step, o.clip ? data.detach().ge(o.threshold) : at::Tensor(), steps, o.on_target,
                        o.off_target);
  });
}

at::Tensor latency_interpolate(const at::Tensor& spike_time, std::int64_t num_steps, double on_target,
                               double off_target) {
  constexpr auto op = "latency_interpolate";
  check_data(op, "spike_time", spike_time);
  if (num_steps < 0) refuse(op, "num_steps must not be negative, got ", num_steps);
  if (!(on_target >= off_target))
    refuse(op, "on_target must not be below off_target, ", off_target, ", got ", on_target);
  const auto step = spike_time.detach().round().contiguous();
  return ops::by_type(step, [&]<class T>(T) {
    const T* s = step.const_data_ptr<T>();
    const T on = static_cast<T>(on_target), off = static_cast<T>(off_target);
    const T steps = static_cast<T>(num_steps);
    return rows<T>(step, num_steps, [=](std::int64_t t, T* to, std::int64_t n) {
      const T now = static_cast<T>(t);
      for (std::int64_t i = 0; i < n; ++i) {
        const T ramp = s[i] > 0 ? off + (on - off) * (now / s[i]) : on;
        to[i] = now <= s[i] && s[i] <= steps ? ramp : off;
      }
    });
  });
}

namespace {

at::Tensor latency_cpu(const at::Tensor& data, std::int64_t num_steps, double threshold, double tau,
                       std::int64_t first_spike_time, double on_target, double off_target, bool clip,
                       bool normalize, bool linear, bool interpolate, bool bypass, double epsilon) {
  return latency(data, {.num_steps = num_steps,
                        .threshold = threshold,
                        .tau = tau,
                        .first_spike_time = first_spike_time,
                        .on_target = on_target,
                        .off_target = off_target,
                        .clip = clip,
                        .normalize = normalize,
                        .linear = linear,
                        .interpolate = interpolate,
                        .bypass = bypass,
                        .epsilon = epsilon});
}

at::Tensor latency_meta(const at::Tensor& data, c10::SymInt num_steps, double, double, c10::SymInt, double,
                        double, bool, bool, bool, bool, bool, double) {
  // Without it the length follows from the data, which a trace does not see.
  if (num_steps == 0) refuse("latency", "num_steps must be given where a call is traced, got 0");
  return at::empty_symint(ops::with_time(data, std::move(num_steps)), data.options());
}

std::tuple<at::Tensor, at::Tensor> code_cpu(const at::Tensor& data, std::int64_t num_steps, double threshold,
                                            double tau, std::int64_t first_spike_time, bool normalize,
                                            bool linear, double epsilon) {
  return latency_code(data.contiguous(), {.num_steps = num_steps,
                                          .threshold = threshold,
                                          .tau = tau,
                                          .first_spike_time = first_spike_time,
                                          .normalize = normalize,
                                          .linear = linear,
                                          .epsilon = epsilon});
}

std::tuple<at::Tensor, at::Tensor> code_meta(const at::Tensor& data, c10::SymInt, double, double, c10::SymInt,
                                             bool, bool, double) {
  const auto like = data.options();
  return {at::empty_symint(data.sym_sizes(), like),
          at::empty_symint(data.sym_sizes(), like.dtype(at::kBool))};
}

at::Tensor interpolate_meta(const at::Tensor& spike_time, c10::SymInt num_steps, double, double) {
  return at::empty_symint(ops::with_time(spike_time, std::move(num_steps)), spike_time.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<latency_cpu, latency_meta>(m,
                                               "latency(Tensor data, SymInt num_steps, float threshold, "
                                               "float tau, SymInt first_spike_time, float on_target, "
                                               "float off_target, bool clip, bool normalize, bool linear, "
                                               "bool interpolate, bool bypass, float epsilon) -> "
                                               "Tensor");
  ops::define_plain<code_cpu, code_meta>(
      m,
      "latency_code(Tensor data, SymInt num_steps, float threshold, float tau, SymInt first_spike_time, bool "
      "normalize, bool linear, float epsilon) -> (Tensor time, Tensor below)");
  ops::define_plain<latency_interpolate, interpolate_meta>(
      m,
      "latency_interpolate(Tensor spike_time, SymInt num_steps, float on_target, float off_target) -> "
      "Tensor");
}

}  // namespace rheo::spikegen
