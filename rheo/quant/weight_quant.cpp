#include "rheo/quant/weight_quant.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "rheo/kernels/weight_quant.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::quant {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto op = "weight_quant";
constexpr std::int64_t grain_elements = 16384;
constexpr int ranges_tried = 100;

int highest(const WeightQuantOptions& o) { return (1 << (o.num_bits - 1)) - 1; }
int lowest(const WeightQuantOptions& o) { return o.symmetric ? -highest(o) : -highest(o) - 1; }
bool is_binary(const WeightQuantOptions& o) { return o.num_bits == 1; }

/// [channels, the rest]; one channel where they share a scale.
at::Tensor rows_of(const WeightQuantOptions& o, const at::Tensor& w) {
  return w.reshape({o.per_channel ? w.size(0) : 1, -1}).contiguous();
}

/// The percentile of each row, between neighbours in proportion.
at::Tensor percentile_of(const at::Tensor& sorted, double percent) {
  const double at = percent / 100 * static_cast<double>(sorted.size(1) - 1);
  const auto below = static_cast<std::int64_t>(std::floor(at));
  const auto above = std::min(below + 1, sorted.size(1) - 1);
  const auto low = sorted.select(1, below);
  return low + (sorted.select(1, above) - low) * (at - static_cast<double>(below));
}

void check(const at::Tensor& w) {
  if (!w.defined() || w.dim() < 1 || w.numel() == 0) {
    ops::refuse(op, "w must be [channels, ...] and not empty, got ",
                w.defined() ? w.sizes() : at::IntArrayRef());
  }
  if (w.scalar_type() != at::kFloat && w.scalar_type() != at::kDouble) {
    ops::refuse<TypeError>(op, "w must be float32 or float64, got ", w.scalar_type());
  }
  if (!w.is_cpu()) ops::refuse(op, "w must be on the CPU, got ", w.device());
}

/// Calls the loop over all of w, cut into rows and, where all share a scale, anywhere.
template <class T, class Loop>
void over_weight(kernels::WeightQuantCall<T>& call, const at::Tensor& w, const at::Tensor& scale, Loop loop) {
  const bool one = scale.numel() == 1;
  call.scale_stride = one ? 0 : 1;
  call.size = one ? 1 : w.numel() / w.size(0);
  if (!one) {
    at::parallel_for(0, w.size(0), std::max<std::int64_t>(1, grain_elements / call.size),
                     [&](std::int64_t begin, std::int64_t end) { loop(call, begin, end); });
    return;
  }
  at::parallel_for(0, w.numel(), grain_elements, [&](std::int64_t begin, std::int64_t end) {
    auto part = call;
    part.size = end - begin;
    const auto move = [&](auto& pointer) {
      if (pointer != nullptr) pointer += begin;
    };
    move(part.w), move(part.out), move(part.values), move(part.grad_out), move(part.grad);
    loop(part, 0, 1);
  });
}

template <class T>
kernels::WeightQuantCall<T> call_of(const WeightQuantOptions& o, const at::Tensor& w, const at::Tensor& scale,
                                    const at::Tensor& zero) {
  kernels::WeightQuantCall<T> call;
  call.binary = is_binary(o);
  call.low = static_cast<T>(lowest(o));
  call.high = static_cast<T>(highest(o));
  call.scale = scale.const_data_ptr<T>();
  call.zero = zero.const_data_ptr<T>();
  call.w = w.const_data_ptr<T>();
  return call;
}

template <class T>
const kernels::WeightQuantLoops<T>& loops() {
  static const auto chosen = kernels::weight_quant_kernels(kernels::chosen_isa());
  return chosen.loops<T>();
}

}  // namespace

struct WeightQuantFunction : torch::autograd::Function<WeightQuantFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& w, const WeightQuant& quant,
                            const WeightQuant::Grid& grid) {
    const auto c = w.contiguous();
    ctx->save_for_backward({c, grid.scale, grid.zero});
    ctx->saved_data["num_bits"] = quant.options_.num_bits;
    ctx->saved_data["symmetric"] = quant.options_.symmetric;
    ctx->saved_data["fixed"] = quant.is_calibrated();
    return quant.out_of(c, grid);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (at::GradMode::is_enabled() && grads[0].requires_grad()) {
      throw RuntimeError("[weight_quant] the backward has no derivative of its own");
    }
    const auto saved = ctx->get_saved_variables();
    const auto &w = saved[0], &scale = saved[1], &zero = saved[2];
    const WeightQuantOptions o{.num_bits = static_cast<int>(ctx->saved_data["num_bits"].toInt()),
                               .symmetric = ctx->saved_data["symmetric"].toBool()};
    const auto grad_out = grads[0].contiguous();
    const auto grad = at::empty(w.sizes(), w.options().requires_grad(false));
    const auto run = [&]<class T>(T) {
      auto call = call_of<T>(o, w, scale, zero);
      call.grad_out = grad_out.const_data_ptr<T>();
      call.grad = grad.mutable_data_ptr<T>();
      if (!ctx->saved_data["fixed"].toBool()) {
        call.mean = static_cast<T>(static_cast<double>(scale.numel()) / static_cast<double>(w.numel()));
      }
      over_weight(call, w, scale, loops<T>().backward);
    };
    ops::by_type(w, run);
    return {grad, {}, {}};
  }
};

WeightQuant::WeightQuant(const WeightQuantOptions& options) : options_(options) {
  const auto& o = options_;
  if (o.num_bits < 1 || o.num_bits > 8) ops::refuse(op, "num_bits must be 1 to 8, got ", o.num_bits);
  if (!(o.percentile > 50 && o.percentile <= 100)) {
    ops::refuse(op, "percentile must be above 50 and at most 100, got ", o.percentile);
  }
  if (is_binary(o) && !o.symmetric) ops::refuse(op, "symmetric must be true where num_bits is 1, got false");
}

WeightQuant::Grid WeightQuant::grid_of(const at::Tensor& w) const {
  const at::NoGradGuard no_grad;
  const auto& o = options_;
  const auto rows = rows_of(o, w.detach());
  if (is_binary(o)) {
    const auto scale = rows.abs().mean(1);
    return {scale, at::zeros_like(scale)};
  }
  at::Tensor low, high;
  if (o.calibration == Calibration::percentile) {
    const auto sorted = std::get<0>((o.symmetric ? rows.abs() : rows).sort(1));
    high = percentile_of(sorted, o.percentile);
    low = percentile_of(sorted, 100 - o.percentile);
  } else {
    std::tie(low, high) = at::aminmax(rows, 1);
  }
  // Zero is always among the values. Where all weights are zero any scale does.
  const auto grid = [&](double share) -> Grid {
    if (o.symmetric) {
      const auto reach = o.calibration == Calibration::percentile ? high : at::maximum(high, -low);
      const auto scale = reach * (share / highest(o));
      return {at::where(scale > 0, scale, at::ones_like(scale)), at::zeros_like(scale)};
    }
    const auto from = low.clamp_max(0) * share, to = high.clamp_min(0) * share;
    auto scale = (to - from) / (highest(o) - lowest(o));
    scale = at::where(scale > 0, scale, at::ones_like(scale));
    return {scale, (lowest(o) - from / scale).round().clamp(lowest(o), highest(o))};
  };
  auto best = grid(1);
  if (o.calibration != Calibration::mean_squared_error) return best;
  const auto error_of = [&](const Grid& g) { return (out_of(rows, g) - rows).square().sum(1); };
  auto least = error_of(best);
  for (int i = ranges_tried - 1; i > 0; --i) {
    const auto next = grid(static_cast<double>(i) / ranges_tried);
    const auto error = error_of(next);
    const auto better = error < least;
    least = at::where(better, error, least);
    best = {at::where(better, next.scale, best.scale), at::where(better, next.zero, best.zero)};
  }
  return best;
}

WeightQuant::Grid WeightQuant::checked_grid(const at::Tensor& w) const {
  check(w);
  // In double a sum of finite weights is finite.
  if (!std::isfinite(w.detach().sum(at::kDouble).item<double>())) {
    ops::refuse(op, "w must be finite, got infinities or NaN");
  }
  if (!is_calibrated()) return grid_of(w);
  if (options_.per_channel && scale_.numel() != w.size(0)) {
    ops::refuse(op, "w must have the ", scale_.numel(), " channels calibrated, got ", w.sizes());
  }
  return {scale_.to(w.scalar_type()), zero_.to(w.scalar_type())};
}

at::Tensor WeightQuant::out_of(const at::Tensor& w, const Grid& grid) const {
  const auto out = at::empty(w.sizes(), w.options().requires_grad(false));
  const auto run = [&]<class T>(T) {
    auto call = call_of<T>(options_, w, grid.scale, grid.zero);
    call.out = out.mutable_data_ptr<T>();
    over_weight(call, w, grid.scale, loops<T>().forward);
  };
  ops::by_type(w, run);
  return out;
}

at::Tensor WeightQuant::operator()(const at::Tensor& w) const {
  const auto grid = checked_grid(w);
  if (!at::GradMode::is_enabled() || !w.requires_grad()) return out_of(w.contiguous(), grid);
  return WeightQuantFunction::apply(w, *this, grid);
}

QuantisedWeight WeightQuant::integers(const at::Tensor& w) const {
  const at::NoGradGuard no_grad;
  const auto grid = checked_grid(w);
  const auto c = w.detach().contiguous();
  const auto values = at::empty(w.sizes(), w.options().dtype(at::kChar).requires_grad(false));
  const auto run = [&]<class T>(T) {
    auto call = call_of<T>(options_, c, grid.scale, grid.zero);
    call.values = values.mutable_data_ptr<std::int8_t>();
    over_weight(call, c, grid.scale, loops<T>().forward);
  };
  ops::by_type(c, run);
  return {values, grid.scale, grid.zero.to(at::kInt)};
}

void WeightQuant::calibrate(const at::Tensor& observed) {
  const auto grid = WeightQuant(options_).checked_grid(observed);
  scale_ = grid.scale.to(at::kDouble);
  zero_ = grid.zero.to(at::kDouble);
}

at::Tensor QuantisedWeight::dequantised() const {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(values.dim()), 1);
  sizes[0] = scale.numel();
  return (values.to(scale.scalar_type()) - zero_point.to(scale.scalar_type()).view(sizes)) *
         scale.view(sizes);
}

}  // namespace rheo::quant
