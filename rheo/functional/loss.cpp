#include "rheo/functional/loss.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/functional/detail/reduce.hpp"
#include "rheo/kernels/cross_entropy.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

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
  bool of_spikes = false;  // population codes have a meaning
};

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

/// Losses of the samples, [B].
struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& rec, const at::Tensor& targets,
                            const std::optional<at::Tensor>& given, std::int64_t over, double scale) {
    const auto weight = given.value_or(at::Tensor());
    const Call what{"", static_cast<CrossEntropyOver>(over), scale};
    const at::AutoDispatchBelowADInplaceOrView below;
    auto saved = ops::by_type(
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
    out[0] = ops::by_type(s[0], [&](auto zero) {
      return functional::backward<decltype(zero)>(s[0], s[1], s[2], saved, grads[0], what);
    });
    return out;
  }
};

at::Tensor cross_entropy(const at::Tensor& given, const at::Tensor& targets,
                         const CrossEntropyOptions& options, Call what) {
  detail::check_recording(what.name, "rec", given);
  if (options.population_code && !what.of_spikes) {
    ops::refuse(what.name, "population_code must not be given: it is for spikes");
  }
  detail::check_population(what.name, options.population_code, options.num_classes, given.size(2));
  const auto rec = options.population_code ? detail::pooled(given, options.num_classes) : given;
  detail::check_labels(what.name, targets, rec.size(1), rec.size(2));
  detail::check_weight(what.name, options.weight, rec.size(2));
  std::optional<at::Tensor> weight;
  if (options.weight.defined())
    weight = options.weight.detach().to(rec.device(), rec.scalar_type()).contiguous();
  const auto loss = CrossEntropyFunction::apply(rec.contiguous(), targets.contiguous(), weight,
                                                static_cast<std::int64_t>(what.over), what.scale);
  return detail::reduced(loss, options.reduction);
}

}  // namespace

at::Tensor ce_rate_loss(const at::Tensor& rec, const at::Tensor& targets,
                        const CrossEntropyOptions& options) {
  const auto steps = rec.defined() && rec.dim() > 0 ? rec.size(0) : 1;
  return cross_entropy(rec, targets, options,
                       {"ce_rate_loss", CrossEntropyOver::steps, 1.0 / static_cast<double>(steps), true});
}

at::Tensor ce_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                            const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_membrane_loss", CrossEntropyOver::steps, 1});
}

at::Tensor ce_count_loss(const at::Tensor& rec, const at::Tensor& targets,
                         const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_count_loss", CrossEntropyOver::sum, 1, true});
}

at::Tensor ce_max_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                                const CrossEntropyOptions& options) {
  return cross_entropy(rec, targets, options, {"ce_max_membrane_loss", CrossEntropyOver::maximum, 1});
}

}  // namespace rheo::functional
