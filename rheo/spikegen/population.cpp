#include "rheo/spikegen/population.hpp"

#include <ATen/ops/empty.h>

#include <cmath>
#include <vector>

#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/spikegen/detail/rows.hpp"
#include "rheo/spikegen/latency.hpp"

namespace rheo::spikegen {
namespace {

using ops::refuse;

void check(const char* op, const at::Tensor& data, const PopulationOptions& o) {
  detail::check_data(op, "data", data);
  if (data.numel() > 0 && std::isnan(data.min().item<double>())) refuse(op, "data must be numbers, got NaN");
  if (o.num_neurons < 3) refuse(op, "num_neurons must be at least 3, got ", o.num_neurons);
  if (!std::isfinite(o.low)) refuse(op, "low must be finite, got ", o.low);
  if (!(o.high > o.low) || !std::isfinite(o.high))
    refuse(op, "high must be above low, ", o.low, ", and finite, got ", o.high);
  if (!(o.beta > 0) || !std::isfinite(o.beta)) refuse(op, "beta must be above 0 and finite, got ", o.beta);
}

at::Tensor responses(const at::Tensor& data, const PopulationOptions& o) {
  const auto x = data.detach().contiguous();
  auto sizes = x.sizes().vec();
  sizes.push_back(o.num_neurons);
  auto out = ops::recycled_empty(sizes, x.scalar_type());
  ops::by_type(x, [&]<class T>(T) {
    const auto n = static_cast<std::size_t>(o.num_neurons);
    const double distance = (o.high - o.low) / static_cast<double>(o.num_neurons - 2);
    const T per_width = static_cast<T>(o.beta / distance);
    std::vector<T> centre(n);
    for (std::size_t i = 0; i < n; ++i) {
      centre[i] = static_cast<T>(o.low + (static_cast<double>(i) - 0.5) * distance);
    }
    const T* from = x.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    for (std::int64_t k = 0; k < x.numel(); ++k, to += n) {
      for (std::size_t i = 0; i < n; ++i) {
        const T d = (from[k] - centre[i]) * per_width;
        to[i] = T(-0.5) * d * d;
      }
    }
  });
  return out.exp_();
}

}  // namespace

at::Tensor population(const at::Tensor& data, const PopulationOptions& o) {
  check("population", data, o);
  return responses(data, o);
}

at::Tensor population_latency(const at::Tensor& data, std::int64_t num_steps, const PopulationOptions& o) {
  constexpr auto op = "population_latency";
  check(op, data, o);
  if (num_steps < 1) refuse(op, "num_steps must be at least 1, got ", num_steps);
  if (!(o.cutoff > 0) || !(o.cutoff < 1)) refuse(op, "cutoff must be within (0, 1), got ", o.cutoff);
  return latency(
      responses(data, o),
      {.num_steps = num_steps, .threshold = o.cutoff, .clip = true, .normalize = true, .linear = true});
}

namespace {

at::Tensor population_cpu(const at::Tensor& data, std::int64_t num_neurons, double low, double high,
                          double beta) {
  return population(data, {.num_neurons = num_neurons, .low = low, .high = high, .beta = beta});
}

at::Tensor population_meta(const at::Tensor& data, std::int64_t num_neurons, double, double, double) {
  auto sizes = data.sym_sizes().vec();
  sizes.emplace_back(num_neurons);
  return at::empty_symint(sizes, data.options());
}

at::Tensor latency_cpu(const at::Tensor& data, std::int64_t num_steps, std::int64_t num_neurons, double low,
                       double high, double beta, double cutoff) {
  return population_latency(
      data, num_steps,
      {.num_neurons = num_neurons, .low = low, .high = high, .beta = beta, .cutoff = cutoff});
}

at::Tensor latency_meta(const at::Tensor& data, c10::SymInt num_steps, std::int64_t num_neurons, double,
                        double, double, double) {
  auto sizes = ops::with_time(data, std::move(num_steps));
  sizes.emplace_back(num_neurons);
  return at::empty_symint(sizes, data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<population_cpu, population_meta>(
      m, "population(Tensor data, int num_neurons, float low, float high, float beta) -> Tensor");
  ops::define_plain<latency_cpu, latency_meta>(
      m,
      "population_latency(Tensor data, SymInt num_steps, int num_neurons, float low, float high, "
      "float beta, float cutoff) -> Tensor");
}

}  // namespace rheo::spikegen
