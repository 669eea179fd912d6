#include "rheo/functional/loss.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>

#include "rheo/kernels/cross_entropy.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::functional {
namespace {

using kernels::CrossEntropyCall;
using kernels::CrossEntropyOver;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Call {
  const char* name;
  CrossEntropyOver over;
  double scale;
};

template <class Error, class... Args>
[[noreturn]] void refuse(const char* name, const Args&... args) {
  throw Error(c10::str('[', name, "] ", args...));
}

void check(const char* name, const at::Tensor& rec, const at::Tensor& targets, const at::Tensor& weight) {
  if (!rec.defined() || rec.dim() != 3 || rec.size(2) < 1) {
    refuse<ValueError>(name, "rec must be [T, B, C] with C > 0, got ",
                       rec.defined() ? rec.sizes() : at::IntArrayRef());
  }
  if (rec.size(0) < 1) refuse<ValueError>(name, "rec must have a time step, got T = 0");
  if (rec.scalar_type() != at::kFloat && rec.scalar_type() != at::kDouble) {
    refuse<TypeError>(name, "rec must be float32 or float64, got ", rec.scalar_type());
  }
  if (!rec.is_cpu()) refuse<ValueError>(name, "rec must be on the CPU, got ", rec.device());
  if (!targets.defined() || targets.dim() != 1 || targets.size(0) != rec.size(1)) {
    refuse<ValueError>(name, "targets must be [B] = [", rec.size(1), "], got ",
                       targets.defined() ? targets.sizes() : at::IntArrayRef());
  }
  if (targets.scalar_type() != at::kLong || !targets.is_cpu()) {
    refuse<TypeError>(name, "targets must be int64 on the CPU, got ", targets.scalar_type(), " on ",
                      targets.device());
  }
  const auto c = targets.contiguous();
  const auto* y = c.const_data_ptr<std::int64_t>();
  for (std::int64_t b = 0; b < c.numel(); ++b) {
    if (y[b] < 0 || y[b] >= rec.size(2)) {
      refuse<ValueError>(name, "targets must be below the number of classes, ", rec.size(2), ", got ", y[b],
                         " at ", b);
    }
  }
  if (weight.defined() && (weight.dim() != 1 || weight.size(0) != rec.size(2))) {
    refuse<ValueError>(name, "weight must have one element per class, ", rec.size(2), ", got ",
                       weight.sizes());
  }
}

/// Samples a thread takes at a time: some ten thousand exponentials.
std::int64_t grain(const at::Tensor& rec) {
  return std::max<std::int64_t>(1, 8192 / (rec.size(0) * rec.size(2)));
}

template <class T>
CrossEntropyCall<T> call_of(const at::Tensor& rec, const at::Tensor& targets, const at::Tensor& weight,
                            Call what) {
  CrossEntropyCall<T> call;
  call.over = what.over;
  call.steps = rec.size(0);
  call.batch = rec.size(1);
  call.classes = rec.size(2);
  call.rec = rec.const_data_ptr<T>();
  call.targets = targets.const_data_ptr<std::int64_t>();
  call.scale = static_cast<T>(what.scale);
  call.weight = weight.defined() ? weight.const_data_ptr<T>() : nullptr;
  return call;
}

struct Saved {
  at::Tensor loss, log_sum, pooled, winner;
};

template <class T>
Saved forward(const at::Tensor& rec, const at::Tensor& targets, const at::Tensor& weight, Call what) {
  auto call = call_of<T>(rec, targets, weight, what);
  const auto batch = call.batch, classes = call.classes;
  const bool steps = what.over == CrossEntropyOver::steps;
  const auto like = rec.options().requires_grad(false);
  Saved out{at::empty({batch}, like), at::empty({steps ? call.steps * batch : batch}, like),
            at::empty({steps ? 0 : batch * classes}, like),
            at::empty({what.over == CrossEntropyOver::maximum ? batch * classes : 0}, like.dtype(at::kInt))};
  call.loss = out.loss.template mutable_data_ptr<T>();
  call.log_sum = out.log_sum.template mutable_data_ptr<T>();
  call.pooled = out.pooled.template mutable_data_ptr<T>();
  call.winner = out.winner.template mutable_data_ptr<std::int32_t>();
  at::parallel_for(0, batch, grain(rec), [&](std::int64_t begin, std::int64_t end) {
    kernels::cross_entropy_forward(call, begin, end);
  });
  return out;
}

template <class T>
at::Tensor backward(const at::Tensor& rec, const at::Tensor& targets, const at::Tensor& weight,
                    const Saved& saved, const at::Tensor& grad_loss, Call what) {
  auto call = call_of<T>(rec, targets, weight, what);
  call.log_sum = saved.log_sum.template mutable_data_ptr<T>();
  call.pooled = saved.pooled.template mutable_data_ptr<T>();
  call.winner = saved.winner.template mutable_data_ptr<std::int32_t>();
  const auto g = grad_loss.dim() == 0 || grad_loss.stride(0) == 0 ? grad_loss : grad_loss.contiguous();
  call.grad_loss = g.template const_data_ptr<T>();
  call.grad_loss_stride = g.dim() == 0 ? 0 : g.stride(0);
  const bool summed = what.over == CrossEntropyOver::sum;
  auto grad = summed ? at::empty(rec.sizes().slice(1), rec.options().requires_grad(false))
                     : ops::recycled_empty(rec.sizes(), rec.scalar_type());
  call.grad = grad.template mutable_data_ptr<T>();
  at::parallel_for(0, call.batch, grain(rec), [&](std::int64_t begin, std::int64_t end) {
    kernels::cross_entropy_backward(call, begin, end);
  });
  return summed ? grad.unsqueeze(0).expand(rec.sizes()) : grad;
}

template <class F>
auto by_type(const at::Tensor& rec, F f) {
  return rec.scalar_type() == at::kDouble ? f(double{}) : f(float{});
}

/// Losses of the samples, [B].
struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& rec, const at::Tensor& targets,
                            const std::optional<at::Tensor>& given, std::int64_t over, double scale) {
    const auto weight = given.value_or(at::Tensor());
    const Call what{"", static_cast<CrossEntropyOver>(over), scale};
    const at::AutoDispatchBelowADInplaceOrView below;
    auto saved = by_type(
        rec, [&](auto zero) { return functional::forward<decltype(zero)>(rec, targets, weight, what); });
    ctx->save_for_backward({rec, targets, weight, saved.log_sum, saved.pooled, saved.winner});
    ctx->saved_data["over"] = over;
    ctx->saved_data["scale"] = scale;
    return saved.loss;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list out(5);
    if (!grads[0].defined()) return out;
    if (at::GradMode::is_enabled() && grads[0].requires_grad()) {
      throw RuntimeError("[cross_entropy] the fused backward has no derivative of its own");
    }
    const auto s = ctx->get_saved_variables();
    const Call what{"", static_cast<CrossEntropyOver>(ctx->saved_data["over"].toInt()),
                    ctx->saved_data["scale"].toDouble()};
    const Saved saved{{}, s[3], s[4], s[5]};
    const at::AutoDispatchBelowADInplaceOrView below;
    out[0] = by_type(s[0], [&](auto zero) {
      return functional::backward<decltype(zero)>(s[0], s[1], s[2], saved, grads[0], what);
    });
    return out;
  }
};

at::Tensor cross_entropy(const at::Tensor& rec, const at::Tensor& targets, const CrossEntropyOptions& options,
                         Call what) {
  check(what.name, rec, targets, options.weight);
  std::optional<at::Tensor> weight;
  if (options.weight.defined())
    weight = options.weight.detach().to(rec.device(), rec.scalar_type()).contiguous();
  const auto loss = CrossEntropyFunction::apply(rec.contiguous(), targets.contiguous(), weight,
                                                static_cast<std::int64_t>(what.over), what.scale);
  if (options.reduction == Reduction::none) return loss;
  return options.reduction == Reduction::sum ? loss.sum() : loss.mean();
}

}  // namespace

at::Tensor ce_rate_loss(const at::Tensor& rec, const at::Tensor& targets,
                        const CrossEntropyOptions& options) {
  const auto steps = rec.defined() && rec.dim() > 0 ? rec.size(0) : 1;
  return cross_entropy(rec, targets, options,
                       {"ce_rate_loss", CrossEntropyOver::steps, 1.0 / static_cast<double>(steps)});
}

at::Tensor ce_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                            const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_membrane_loss", CrossEntropyOver::steps, 1});
}

at::Tensor ce_count_loss(const at::Tensor& rec, const at::Tensor& targets,
                         const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_count_loss", CrossEntropyOver::sum, 1});
}

at::Tensor ce_max_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                                const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_max_membrane_loss", CrossEntropyOver::maximum, 1});
}

}  // namespace rheo::functional
