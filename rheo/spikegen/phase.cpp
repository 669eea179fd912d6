#include "rheo/spikegen/phase.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/spikegen/detail/rows.hpp"

namespace rheo::spikegen {

using ops::refuse;

at::Tensor phase(const at::Tensor& data, const PhaseOptions& o) {
  constexpr auto op = "phase";
  detail::check_data(op, "data", data);
  detail::check_within_one(op, "data", data);
  if (o.num_steps < 1) refuse(op, "num_steps must be at least 1, got ", o.num_steps);
  if (o.bits < 1 || o.bits > 24) refuse(op, "bits must be from 1 to 24, got ", o.bits);
  const auto x = data.detach().contiguous();
  const auto levels = std::int32_t{1} << o.bits;
  const auto codes = at::empty(x.sizes(), at::kInt);
  auto* code = codes.mutable_data_ptr<std::int32_t>();
  return ops::by_type(x, [&]<class T>(T) {
    const T* from = x.const_data_ptr<T>();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      code[i] = std::min(static_cast<std::int32_t>(from[i] * static_cast<T>(levels)), levels - 1);
    }
    return detail::rows<T>(x, o.num_steps, [&](std::int64_t t, T* to, std::int64_t n) {
      const auto k = static_cast<int>(t % o.bits);
      const auto digit = std::int32_t{1} << (o.bits - 1 - k);
      const T on = o.weighted ? std::ldexp(T(1), -(1 + k)) : T(1);
      for (std::int64_t i = 0; i < n; ++i) to[i] = (code[i] & digit) != 0 ? on : T(0);
    });
  });
}

namespace {

at::Tensor phase_cpu(const at::Tensor& data, std::int64_t num_steps, std::int64_t bits, bool weighted) {
  return phase(data, {.num_steps = num_steps, .bits = bits, .weighted = weighted});
}

at::Tensor phase_meta(const at::Tensor& data, c10::SymInt num_steps, std::int64_t, bool) {
  return at::empty_symint(ops::with_time(data, std::move(num_steps)), data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<phase_cpu, phase_meta>(
      m, "phase(Tensor data, SymInt num_steps, int bits, bool weighted) -> Tensor");
}

}  // namespace rheo::spikegen
