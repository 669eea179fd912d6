#include "rheo/spikegen/burst.hpp"

#include <ATen/ops/empty.h>

#include <array>
#include <cmath>

#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/spikegen/detail/rows.hpp"

namespace rheo::spikegen {

using ops::refuse;

at::Tensor burst(const at::Tensor& data, const BurstOptions& o) {
  constexpr auto op = "burst";
  detail::check_data(op, "data", data);
  detail::check_within_one(op, "data", data);
  if (o.num_steps < 1) refuse(op, "num_steps must be at least 1, got ", o.num_steps);
  if (!(o.threshold > 0) || !std::isfinite(o.threshold))
    refuse(op, "threshold must be above 0 and finite, got ", o.threshold);
  if (!(o.beta >= 1) || !std::isfinite(o.beta))
    refuse(op, "beta must be at least 1 and finite, got ", o.beta);
  const auto x = data.detach().contiguous();
  auto out = detail::time_first(x, o.num_steps);
  const auto columns = x.numel();
  ops::by_type(x, [&]<class T>(T) {
    const T* from = x.const_data_ptr<T>();
    T* spk = out.mutable_data_ptr<T>();
    const T first = static_cast<T>(o.threshold), beta = static_cast<T>(o.beta);
    detail::over_columns(columns, o.num_steps, [&](std::int64_t begin, std::int64_t end) {
      std::array<T, detail::tile> mem{}, threshold;
      threshold.fill(first);
      const auto n = static_cast<std::size_t>(end - begin);
      const T* value = from + begin;
      for (std::int64_t t = 0; t < o.num_steps; ++t) {
        T* to = spk + t * columns + begin;
        for (std::size_t i = 0; i < n; ++i) {
          const T u = mem[i] + value[i], taken = threshold[i];
          const bool fires = u >= taken;
          mem[i] = fires ? u - taken : u;
          threshold[i] = fires ? taken * beta : first;
          to[i] = fires ? (o.weighted ? taken : T(1)) : T(0);
        }
      }
    });
  });
  return out;
}

namespace {

at::Tensor burst_cpu(const at::Tensor& data, std::int64_t num_steps, double threshold, double beta,
                     bool weighted) {
  return burst(data, {.num_steps = num_steps, .threshold = threshold, .beta = beta, .weighted = weighted});
}

at::Tensor burst_meta(const at::Tensor& data, c10::SymInt num_steps, double, double, bool) {
  return at::empty_symint(ops::with_time(data, std::move(num_steps)), data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<burst_cpu, burst_meta>(
      m, "burst(Tensor data, SymInt num_steps, float threshold, float beta, bool weighted) -> Tensor");
}

}  // namespace rheo::spikegen
