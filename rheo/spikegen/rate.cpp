#include "rheo/spikegen/rate.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "rheo/ops/define.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/seed.hpp"
#include "rheo/spikegen/detail/draw.hpp"
#include "rheo/spikegen/rate_conv.hpp"

namespace rheo::spikegen {
namespace {

using ops::refuse;

void check(const at::Tensor& data, const RateOptions& o) {
  if (!data.defined()) refuse("rate", "data must be a tensor, got an undefined one");
  if (!data.is_floating_point()) {
    refuse<TypeError>("rate", "data must have a floating-point type, got ", data.scalar_type());
  }
  if (!data.is_cpu()) refuse("rate", "data must be on the CPU, got ", data.device());
  if (o.first_spike_time < 0)
    refuse("rate", "first_spike_time must not be negative, got ", o.first_spike_time);
  if (o.num_steps < 0) refuse("rate", "num_steps must not be negative, got ", o.num_steps);
  if (o.time_var_input) {
    if (o.num_steps != 0)
      refuse("rate", "num_steps must not be given with time_var_input, got ", o.num_steps);
    if (data.dim() < 1) refuse("rate", "data must be [T, ...] with time_var_input, got []");
    return;
  }
  if (o.num_steps == 0) refuse("rate", "num_steps must be given, or time_var_input be true, got 0");
  if (o.first_spike_time > o.num_steps - 1) {
    refuse("rate", "first_spike_time must be below num_steps, ", o.num_steps, ", got ", o.first_spike_time);
  }
}

}  // namespace

at::Tensor rate(const at::Tensor& data, const RateOptions& o) {
  check(data, o);
  const auto x = data.detach();
  if (o.time_var_input) {
    const auto spk = rate_conv(x, o.seed);
    if (o.first_spike_time == 0) return spk;
    auto sizes = x.sizes().vec();
    sizes[0] = o.first_spike_time;
    return at::cat({at::zeros(sizes, spk.options()), spk});
  }
  const bool narrow = x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble;
  auto p = narrow ? x.to(at::kFloat) : x;
  if (o.gain != 1 || o.offset != 0) p = p * o.gain + o.offset;
  auto sizes = p.sizes().vec();
  sizes.insert(sizes.begin(), o.num_steps);
  const auto spk = detail::draw_spikes(p, sizes, o.seed ? *o.seed : ops::draw_seed(), o.first_spike_time);
  if (!spk.defined()) refuse("rate", "data must be probabilities after gain and offset, got NaN");
  return narrow ? spk.to(x.scalar_type()) : spk;
}

namespace {

at::Tensor rate_cpu(const at::Tensor& data, std::int64_t num_steps, double gain, double offset,
                    std::int64_t first_spike_time, bool time_var_input, std::optional<std::int64_t> seed) {
  return rate(data, {.num_steps = num_steps,
                     .gain = gain,
                     .offset = offset,
                     .first_spike_time = first_spike_time,
                     .time_var_input = time_var_input,
                     .seed = detail::seed_of(seed)});
}

at::Tensor rate_meta(const at::Tensor& data, c10::SymInt num_steps, double, double,
                     c10::SymInt first_spike_time, bool time_var_input, std::optional<std::int64_t>) {
  if (!time_var_input) return at::empty_symint(ops::with_time(data, std::move(num_steps)), data.options());
  auto sizes = data.sym_sizes().vec();
  sizes[0] += first_spike_time;
  return at::empty_symint(sizes, data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<rate_cpu, rate_meta>(
      m,
      "rate(Tensor data, SymInt num_steps=0, float gain=1, float offset=0, SymInt "
      "first_spike_time=0, bool time_var_input=False, int? seed=None) -> Tensor",
      {at::Tag::nondeterministic_seeded});
}

}  // namespace rheo::spikegen
