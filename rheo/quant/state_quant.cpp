#include "rheo/quant/state_quant.hpp"

#include <ATen/ops/bucketize.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "rheo/ops/error.hpp"

namespace rheo::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Value>
[[noreturn]] void refuse(const char* name, const char* rule, const Value& got) {
  throw ValueError(c10::str("[state_quant] ", name, " must be ", rule, ", got ", got));
}

struct Nearest : torch::autograd::Function<Nearest> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& x, const at::Tensor& levels,
                            const at::Tensor& borders) {
    const auto at = at::bucketize(x, borders);
    return at::where(x.isnan(), x, levels.index({at}));
  }
  static variable_list backward(AutogradContext*, variable_list grads) { return {grads[0], {}, {}}; }
};

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
  std::vector<double> borders;
  for (std::size_t i = 1; i < levels.size(); ++i) borders.push_back((levels[i - 1] + levels[i]) / 2);
  levels_ = at::tensor(levels, at::kDouble);
  borders_ = at::tensor(borders, at::kDouble);
}

at::Tensor StateQuant::operator()(const at::Tensor& x) const {
  if (function_) return function_(x);
  if (!levels_.defined()) return x;
  const auto like = x.options().requires_grad(false);
  return Nearest::apply(x, levels_.to(like), borders_.to(like));
}

}  // namespace rheo::quant
