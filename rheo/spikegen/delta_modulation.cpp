#include "rheo/spikegen/delta_modulation.hpp"

#include <ATen/ops/empty.h>

#include <array>
#include <cmath>
#include <optional>

#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/spikegen/detail/rows.hpp"

namespace rheo::spikegen {
namespace {

using ops::refuse;

void check(const char* op, const char* argument, const at::Tensor& data, const DeltaModulationOptions& o) {
  detail::check_data(op, argument, data);
  if (data.dim() < 1) refuse(op, argument, " must be [T, ...], got []");
  if (!(o.threshold > 0) || !std::isfinite(o.threshold))
    refuse(op, "threshold must be above 0 and finite, got ", o.threshold);
  if (!o.start.defined()) return;
  if (o.start.scalar_type() != data.scalar_type()) {
    refuse<TypeError>(op, "start must be ", data.scalar_type(), " as ", argument, " is, got ",
                      o.start.scalar_type());
  }
  if (!o.start.is_cpu()) refuse(op, "start must be on the CPU, got ", o.start.device());
  if (o.start.sizes() != data.sizes().slice(1))
    refuse(op, "start must have shape ", data.sizes().slice(1), ", got ", o.start.sizes());
}

/// Walks every column through time: next(value, estimate) gives what is added to the column's count, and
/// result(step, estimate) what is written, where estimate(count) = start + threshold * count.
template <class Next, class Result>
at::Tensor walk(const at::Tensor& data, const DeltaModulationOptions& o, Next next, Result result) {
  const auto x = data.detach().contiguous();
  const auto start = o.start.defined() ? o.start.detach().contiguous() : o.start;
  auto out = ops::recycled_empty(x.sizes(), x.scalar_type());
  const auto steps = x.size(0);
  if (x.numel() == 0) return out;
  const auto columns = x.numel() / steps;
  ops::by_type(x, [&]<class T>(T) {
    const T* from = x.const_data_ptr<T>();
    const T* first = start.defined() ? start.const_data_ptr<T>() : nullptr;
    T* to = out.mutable_data_ptr<T>();
    const T threshold = static_cast<T>(o.threshold);
    detail::over_columns(columns, steps, [&](std::int64_t begin, std::int64_t end) {
      std::array<T, detail::tile> count{}, base{};
      const auto n = static_cast<std::size_t>(end - begin);
      if (first != nullptr) std::copy_n(first + begin, n, base.begin());
      for (std::int64_t t = 0; t < steps; ++t) {
        const T* value = from + t * columns + begin;
        T* row = to + t * columns + begin;
        for (std::size_t i = 0; i < n; ++i) {
          const T step = next(value[i], base[i] + threshold * count[i], threshold);
          count[i] += step;
          row[i] = result(step, base[i] + threshold * count[i]);
        }
      }
    });
  });
  return out;
}

}  // namespace

at::Tensor delta_modulation(const at::Tensor& data, const DeltaModulationOptions& o) {
  check("delta_modulation", "data", data, o);
  return walk(
      data, o,
      []<class T>(T value, T estimate, T threshold) {
        const T away = value - estimate;
        return away >= threshold ? T(1) : away <= -threshold ? T(-1) : T(0);
      },
      []<class T>(T step, T) { return step; });
}

at::Tensor delta_demodulation(const at::Tensor& spk, const DeltaModulationOptions& o) {
  check("delta_demodulation", "spk", spk, o);
  return walk(
      spk, o, []<class T>(T value, T, T) { return value; }, []<class T>(T, T estimate) { return estimate; });
}

namespace {

DeltaModulationOptions options_of(double threshold, const std::optional<at::Tensor>& start) {
  return {.threshold = threshold, .start = start.value_or(at::Tensor())};
}

at::Tensor modulation_cpu(const at::Tensor& data, double threshold, const std::optional<at::Tensor>& start) {
  return delta_modulation(data, options_of(threshold, start));
}

at::Tensor demodulation_cpu(const at::Tensor& spk, double threshold, const std::optional<at::Tensor>& start) {
  return delta_demodulation(spk, options_of(threshold, start));
}

at::Tensor same_meta(const at::Tensor& data, double, const std::optional<at::Tensor>&) {
  return at::empty_symint(data.sym_sizes(), data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<modulation_cpu, same_meta>(
      m, "delta_modulation(Tensor data, float threshold, Tensor? start) -> Tensor");
  ops::define_plain<demodulation_cpu, same_meta>(
      m, "delta_demodulation(Tensor spk, float threshold, Tensor? start) -> Tensor");
}

}  // namespace rheo::spikegen
