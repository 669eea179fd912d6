#include "rheo/quant/state_quant.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "rheo/kernels/levels.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/quant/detail/straight_through.hpp"

namespace rheo::quant {
namespace {

constexpr std::int64_t grain_elements = 16384;

template <class Value>
[[noreturn]] void refuse(const char* name, const char* rule, const Value& got) {
  throw ValueError(c10::str("[state_quant] ", name, " must be ", rule, ", got ", got));
}

/// 1 + m + ... + m^(n-1) for n = 0 ... count
std::vector<double> geometric(double m, int count) {
  std::vector<double> sums{0};
  double power = 1;
  for (int i = 0; i < count; ++i, power *= m) sums.push_back(sums.back() + power);
  return sums;
}

std::vector<double> uneven(const StateQuantOptions& o, int count, double low, double high) {
  constexpr std::array<double, 8> usual = {0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.925, 0.95};
  const double m = o.multiplier.value_or(usual[static_cast<std::size_t>(std::min(o.num_bits, 8) - 1)]);
  if (!(m > 0) || !std::isfinite(m)) refuse("multiplier", "positive and finite", m);
  const double centre = o.thr_centered ? o.threshold : 0;
  const int below = static_cast<int>(std::floor(count * (centre - low) / (high - low)));
  const int above = count - below;
  const auto sums = geometric(m, count);
  const auto at = [&](int n) { return sums[static_cast<std::size_t>(n)]; };
  std::vector<double> levels;
  for (int j = 0; j < below; ++j) levels.push_back(low + (centre - low) * at(j) / at(below));
  // Upwards the gaps grow as they shrank below: the smallest power first.
  for (int j = 0; j < above; ++j) {
    levels.push_back(centre + (high - centre) * (at(above) - at(above - 1 - j)) / at(above));
  }
  return levels;
}

/// The level of every value. levels and edges are of x's type where x is float32 or float64 on the CPU, else of any.
at::Tensor nearest_of(const at::Tensor& x, const at::Tensor& levels, const at::Tensor& edges, double low,
                      double per_step) {
  if (!x.is_cpu() || (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble)) {
    const auto like = x.options().requires_grad(false);
    const auto borders = edges.slice(0, 1, edges.size(0) - 1).to(like);
    return at::where(x.isnan(), x, levels.to(like).index({at::bucketize(x.contiguous(), borders)}));
  }
  const auto c = x.contiguous();
  auto out = ops::recycled_empty(c.sizes(), c.scalar_type());
  ops::by_type(c, [&]<class T>(T) {
    kernels::LevelsCall<T> call;
    call.count = static_cast<std::int32_t>(levels.numel());
    call.levels = levels.const_data_ptr<T>();
    call.edges = edges.const_data_ptr<T>();
    call.even = per_step > 0;
    call.low = static_cast<T>(low);
    call.per_step = static_cast<T>(per_step);
    call.x = c.const_data_ptr<T>();
    call.out = out.mutable_data_ptr<T>();
    const auto kernel = kernels::level_kernels(kernels::chosen_isa());
    at::parallel_for(0, c.numel(), grain_elements,
                     [&](std::int64_t begin, std::int64_t end) { kernel(call, begin, end); });
  });
  return out;
}

}  // namespace

StateQuant::StateQuant(const StateQuantOptions& o) {
  if (o.num_bits < 1 || o.num_bits > 16) refuse("num_bits", "1 to 16", o.num_bits);
  if (!(o.threshold > 0) || !std::isfinite(o.threshold))
    refuse("threshold", "positive and finite", o.threshold);
  const int count = 1 << o.num_bits;
  const double low = -o.threshold * (1 + o.lower_limit);
  const double high = o.threshold * (1 + o.upper_limit);
  if (!std::isfinite(o.lower_limit)) refuse("lower_limit", "finite", o.lower_limit);
  if (!std::isfinite(high) || !(high > low))
    refuse("upper_limit", "finite, and leave a range", o.upper_limit);
  std::vector<double> levels;
  if (o.uniform) {
    for (int i = 0; i < count; ++i) levels.push_back(low + (high - low) * i / (count - 1));
  } else {
    if (!o.thr_centered && !(low < 0))
      refuse("lower_limit", "above -1 where levels centre on 0", o.lower_limit);
    levels = uneven(o, count, low, high);
  }
  std::sort(levels.begin(), levels.end());
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> edges = {none};
  for (std::size_t i = 1; i < levels.size(); ++i) edges.push_back((levels[i - 1] + levels[i]) / 2);
  edges.push_back(none);
  levels_ = at::tensor(levels, at::kDouble);
  edges_ = at::tensor(edges, at::kDouble);
  levels_float_ = levels_.to(at::kFloat);
  edges_float_ = edges_.to(at::kFloat);
  // Borders nearer than rounding moves them are searched for.
  const double step = (high - low) / (count - 1);
  const double rounding = std::numeric_limits<float>::epsilon() * std::max(std::abs(low), std::abs(high));
  low_ = low;
  if (o.uniform && step > 16 * rounding) per_step_ = 1 / step;
}

at::Tensor StateQuant::nearest(const at::Tensor& x) const {
  const bool single = x.is_cpu() && x.scalar_type() == at::kFloat;
  return nearest_of(x, single ? levels_float_ : levels_, single ? edges_float_ : edges_, low_, per_step_);
}

at::Tensor StateQuant::operator()(const at::Tensor& x) const {
  if (function_) return function_(x);
  if (!levels_.defined()) return x;
  return detail::straight_through(x, [this](const at::Tensor& t) { return nearest(t); });
}

// ---- operators: the levels of a quantiser, and the values they give -----------------------------------------------

namespace {

using Levels = std::tuple<at::Tensor, at::Tensor, double, double>;

Levels levels_any(std::int64_t num_bits, bool uniform, bool thr_centered, double threshold,
                  double lower_limit, double upper_limit, std::optional<double> multiplier) {
  if (num_bits < 1 || num_bits > 16) refuse("num_bits", "1 to 16", num_bits);
  return StateQuant({.num_bits = static_cast<int>(num_bits),
                     .uniform = uniform,
                     .thr_centered = thr_centered,
                     .threshold = threshold,
                     .lower_limit = lower_limit,
                     .upper_limit = upper_limit,
                     .multiplier = multiplier})
      .tables();
}

at::Tensor nearest_cpu(const at::Tensor& x, const at::Tensor& levels, const at::Tensor& edges, double low,
                       double per_step) {
  if (!x.is_floating_point())
    throw TypeError(c10::str("[state_quant] x must have a floating-point type, got ", x.scalar_type()));
  const auto count = levels.numel();
  if (levels.dim() != 1 || count < 2 || (count & (count - 1)) != 0)
    refuse("levels", "[2^bits]", levels.sizes());
  if (edges.dim() != 1 || edges.numel() != count + 1) refuse("edges", "[2^bits + 1]", edges.sizes());
  const bool table = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  const auto type = table ? x.scalar_type() : levels.scalar_type();
  const auto l = levels.detach().to(type).contiguous(), e = edges.detach().to(type).contiguous();
  return nearest_of(x.detach(), l, e, low, per_step);
}

at::Tensor nearest_meta(const at::Tensor& x, const at::Tensor&, const at::Tensor&, double, double) {
  return at::empty_symint(x.sym_sizes(), x.options());
}

at::Tensor nearest_op(const at::Tensor& x, const at::Tensor& levels, const at::Tensor& edges, double low,
                      double per_step) {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, double, double);
  static const auto op = ops::find_op<Signature>("rheobase::nearest_level");
  return op.call(x, levels, edges, low, per_step);
}

at::Tensor nearest_autograd(const at::Tensor& x, const at::Tensor& levels, const at::Tensor& edges,
                            double low, double per_step) {
  return detail::straight_through(x, [&](const at::Tensor& t) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return nearest_op(t, levels, edges, low, per_step);
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_eager<levels_any>(
      m,
      "state_quant_levels(int num_bits, bool uniform, bool thr_centered, float threshold, float lower_limit, "
      "float upper_limit, float? multiplier) -> (Tensor levels, Tensor edges, float low, float per_step)");
  ops::define<nearest_cpu, nearest_meta, nearest_autograd>(
      m, "nearest_level(Tensor x, Tensor levels, Tensor edges, float low, float per_step) -> Tensor");
}

}  // namespace rheo::quant
