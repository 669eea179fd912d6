#include "rheo/functional/loss.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/functional/detail/reduce.hpp"
#include "rheo/kernels/cross_entropy.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

using kernels::CrossEntropyCall;
using kernels::CrossEntropyOver;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// ---- the operator ------------------------------------------------------------------------------------------------
// loss [B], and what its backward reads: log_sum [T B] or [B], pooled [B C] or [0], winner [B C] or [0].

using Optional = std::optional<at::Tensor>;
using Outputs = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using Signature = Outputs(std::string_view, const at::Tensor&, const at::Tensor&, const Optional&,
                          std::string_view);
using BackwardSignature = at::Tensor(std::string_view, const at::Tensor&, const at::Tensor&,
                                     const at::Tensor&, const Optional&, const at::Tensor&, const at::Tensor&,
                                     const at::Tensor&, std::string_view);

/// What the softmax sees: the losses of all steps, added up or their mean, or the sum or maximum over time.
CrossEntropyOver over_of(const char* name, std::string_view over) {
  if (over == "mean" || over == "steps") return CrossEntropyOver::steps;
  if (over == "sum") return CrossEntropyOver::sum;
  if (over == "maximum") return CrossEntropyOver::maximum;
  ops::refuse(name, "over must be mean, steps, sum or maximum, got '", over, "'");
}

/// Samples a thread takes at a time: some ten thousand exponentials.
std::int64_t grain(const at::Tensor& rec) {
  return std::max<std::int64_t>(1, 8192 / (rec.size(0) * rec.size(2)));
}

/// Arguments as the kernels read them.
struct Arguments {
  at::Tensor rec, targets, weight;
  CrossEntropyOver over;
  double scale;

  Arguments(std::string_view given_name, const at::Tensor& given, const at::Tensor& labels,
            const Optional& weights, std::string_view how) {
    const std::string text(given_name);
    const auto* name = text.c_str();
    detail::check_recording(name, "rec", given);
    detail::check_labels(name, labels, given.size(1), given.size(2));
    over = over_of(name, how);
    scale = how == "mean" ? 1.0 / static_cast<double>(given.size(0)) : 1.0;
    rec = given.contiguous();
    targets = labels.contiguous();
    if (!weights || !weights->defined()) return;
    detail::check_weight(name, *weights, given.size(2));
    weight = weights->detach().to(rec.device(), rec.scalar_type()).contiguous();
  }

  template <class T>
  CrossEntropyCall<T> call() const {
    CrossEntropyCall<T> c;
    c.over = over;
    c.steps = rec.size(0);
    c.batch = rec.size(1);
    c.classes = rec.size(2);
    c.rec = rec.const_data_ptr<T>();
    c.targets = targets.const_data_ptr<std::int64_t>();
    c.scale = static_cast<T>(scale);
    c.weight = weight.defined() ? weight.const_data_ptr<T>() : nullptr;
    return c;
  }
};

/// Sizes of log_sum, pooled and winner.
template <class Int>
std::array<Int, 3> saved_sizes(CrossEntropyOver over, Int steps, const Int& batch, const Int& classes) {
  const bool each = over == CrossEntropyOver::steps;
  return {each ? steps * batch : batch, each ? Int(0) : batch * classes,
          over == CrossEntropyOver::maximum ? batch * classes : Int(0)};
}

Outputs cross_entropy_cpu(std::string_view name, const at::Tensor& rec, const at::Tensor& targets,
                          const Optional& weight, std::string_view over) {
  const Arguments a(name, rec, targets, weight, over);
  const auto batch = rec.size(1);
  const auto sizes = saved_sizes<std::int64_t>(a.over, rec.size(0), batch, rec.size(2));
  const auto like = rec.options();
  Outputs out{at::empty({batch}, like), at::empty({sizes[0]}, like), at::empty({sizes[1]}, like),
              at::empty({sizes[2]}, like.dtype(at::kInt))};
  ops::by_type(rec, [&]<class T>(T) {
    auto call = a.call<T>();
    call.loss = std::get<0>(out).mutable_data_ptr<T>();
    call.log_sum = std::get<1>(out).mutable_data_ptr<T>();
    call.pooled = std::get<2>(out).mutable_data_ptr<T>();
    call.winner = std::get<3>(out).mutable_data_ptr<std::int32_t>();
    at::parallel_for(0, batch, grain(rec), [&](std::int64_t begin, std::int64_t end) {
      kernels::cross_entropy_forward(call, begin, end);
    });
  });
  return out;
}

void check_saved(const char* name, const char* argument, const at::Tensor& saved, std::int64_t elements,
                 at::ScalarType type) {
  if (saved.numel() != elements || saved.scalar_type() != type || !saved.is_contiguous()) {
    ops::refuse(name, argument, " must be what the forward gave, ", elements, " of ", type, ", got ",
                saved.sizes(), " of ", saved.scalar_type());
  }
}

/// The gradient of rec, [T, B, C]; over the sum, where it is the same at every step, [B, C].
at::Tensor backward_cpu(std::string_view given_name, const at::Tensor& grad_loss, const at::Tensor& rec,
                        const at::Tensor& targets, const Optional& weight, const at::Tensor& log_sum,
                        const at::Tensor& pooled, const at::Tensor& winner, std::string_view over) {
  const Arguments a(given_name, rec, targets, weight, over);
  const std::string text(given_name);
  const auto* name = text.c_str();
  const auto type = rec.scalar_type();
  const auto sizes = saved_sizes<std::int64_t>(a.over, rec.size(0), rec.size(1), rec.size(2));
  check_saved(name, "log_sum", log_sum, sizes[0], type);
  check_saved(name, "pooled", pooled, sizes[1], type);
  check_saved(name, "winner", winner, sizes[2], at::kInt);
  if (grad_loss.dim() != 1 || grad_loss.size(0) != rec.size(1) || grad_loss.scalar_type() != type) {
    ops::refuse(name, "grad_loss must be [B] = [", rec.size(1), "] of ", type, ", got ", grad_loss.sizes(),
                " of ", grad_loss.scalar_type());
  }
  const auto g = grad_loss.stride(0) == 0 ? grad_loss : grad_loss.contiguous();
  const bool summed = a.over == CrossEntropyOver::sum;
  const auto grad =
      summed ? at::empty(rec.sizes().slice(1), rec.options()) : ops::recycled_empty(rec.sizes(), type);
  ops::by_type(rec, [&]<class T>(T) {
    auto call = a.call<T>();
    call.log_sum = log_sum.mutable_data_ptr<T>();
    call.pooled = pooled.mutable_data_ptr<T>();
    call.winner = winner.mutable_data_ptr<std::int32_t>();
    call.grad_loss = g.const_data_ptr<T>();
    call.grad_loss_stride = g.stride(0);
    call.grad = grad.mutable_data_ptr<T>();
    at::parallel_for(0, call.batch, grain(rec), [&](std::int64_t begin, std::int64_t end) {
      kernels::cross_entropy_backward(call, begin, end);
    });
  });
  return grad;
}

Outputs cross_entropy_meta(std::string_view name, const at::Tensor& rec, const at::Tensor&, const Optional&,
                           std::string_view over) {
  const auto batch = rec.sym_size(1);
  const auto sizes = saved_sizes<c10::SymInt>(over_of(std::string(name).c_str(), over), rec.sym_size(0),
                                              batch, rec.sym_size(2));
  const auto like = rec.options();
  return {at::empty_symint({batch}, like), at::empty_symint({sizes[0]}, like),
          at::empty_symint({sizes[1]}, like), at::empty_symint({sizes[2]}, like.dtype(at::kInt))};
}

at::Tensor backward_meta(std::string_view, const at::Tensor&, const at::Tensor& rec, const at::Tensor&,
                         const Optional&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                         std::string_view over) {
  return at::empty_symint(over == "sum" ? rec.sym_sizes().slice(1) : rec.sym_sizes(), rec.options());
}

Outputs cross_entropy_op(std::string_view name, const at::Tensor& rec, const at::Tensor& targets,
                         const Optional& weight, std::string_view over) {
  static const auto op = ops::find_op<Signature>("rheobase::cross_entropy");
  return op.call(name, rec, targets, weight, over);
}

at::Tensor backward_op(std::string_view name, const at::Tensor& grad_loss, const at::Tensor& rec,
                       const at::Tensor& targets, const Optional& weight, const at::Tensor& log_sum,
                       const at::Tensor& pooled, const at::Tensor& winner, std::string_view over) {
  static const auto op = ops::find_op<BackwardSignature>("rheobase::cross_entropy_backward");
  return op.call(name, grad_loss, rec, targets, weight, log_sum, pooled, winner, over);
}

struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
  static variable_list forward(AutogradContext* ctx, std::string_view name, const at::Tensor& rec,
                               const at::Tensor& targets, const Optional& weight, std::string_view over) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [loss, log_sum, pooled, winner] = cross_entropy_op(name, rec, targets, weight, over);
    ctx->mark_non_differentiable({log_sum, pooled, winner});
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({rec, targets, weight.value_or(at::Tensor()), log_sum, pooled, winner});
    ctx->saved_data["name"] = std::string(name);
    ctx->saved_data["over"] = std::string(over);
    return {loss, log_sum, pooled, winner};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list out(5);
    if (!grads[0].defined()) return out;
    const auto s = ctx->get_saved_variables();
    const auto weight = s[2].defined() ? Optional(s[2]) : std::nullopt;
    const auto over = ctx->saved_data["over"].toStringRef();
    const auto grad = backward_op(ctx->saved_data["name"].toStringRef(), grads[0], s[0], s[1], weight, s[3],
                                  s[4], s[5], over);
    // Over the sum every step has the same gradient, and no memory of its own.
    out[1] = over == "sum" ? grad.unsqueeze(0).expand_symint(s[0].sym_sizes()) : grad;
    return out;
  }
};

Outputs cross_entropy_autograd(std::string_view name, const at::Tensor& rec, const at::Tensor& targets,
                               const Optional& weight, std::string_view over) {
  if (at::GradMode::is_enabled() && rec.requires_grad()) {
    auto out = CrossEntropyFunction::apply(name, rec, targets, weight, over);
    return {out[0], out[1], out[2], out[3]};
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return cross_entropy_op(name, rec, targets, weight, over);
}

at::Tensor backward_autograd(std::string_view name, const at::Tensor& grad_loss, const at::Tensor& rec,
                             const at::Tensor& targets, const Optional& weight, const at::Tensor& log_sum,
                             const at::Tensor& pooled, const at::Tensor& winner, std::string_view over) {
  ops::refuse_second_derivative(std::string(name).c_str(), grad_loss, rec);
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_op(name, grad_loss, rec, targets, weight, log_sum, pooled, winner, over);
}

at::Tensor cross_entropy(const char* name, const at::Tensor& given, const at::Tensor& targets,
                         const CrossEntropyOptions& options, const char* over, bool of_spikes) {
  detail::check_recording(name, "rec", given);
  if (options.population_code && !of_spikes) {
    ops::refuse(name, "population_code must not be given: it is for spikes");
  }
  detail::check_population(name, options.population_code, options.num_classes, given.size(2));
  const auto rec = options.population_code ? detail::pooled(given, options.num_classes) : given;
  detail::check_labels(name, targets, rec.size(1), rec.size(2));
  detail::check_weight(name, options.weight, rec.size(2));
  const auto weight = options.weight.defined() ? Optional(options.weight.detach()) : std::nullopt;
  const auto loss = std::get<0>(cross_entropy_op(name, rec, targets, weight, over));
  return detail::reduced(loss, options.reduction);
}

}  // namespace

at::Tensor ce_rate_loss(const at::Tensor& rec, const at::Tensor& targets,
                        const CrossEntropyOptions& options) {
  return cross_entropy("ce_rate_loss", rec, targets, options, "mean", true);
}

at::Tensor ce_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                            const CrossEntropyOptions& options) {
  return cross_entropy("ce_membrane_loss", rec, targets, options, "steps", false);
}

at::Tensor ce_count_loss(const at::Tensor& rec, const at::Tensor& targets,
                         const CrossEntropyOptions& options) {
  return cross_entropy("ce_count_loss", rec, targets, options, "sum", true);
}

at::Tensor ce_max_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                                const CrossEntropyOptions& options) {
  return cross_entropy("ce_max_membrane_loss", rec, targets, options, "maximum", false);
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define<cross_entropy_cpu, cross_entropy_meta, cross_entropy_autograd>(
      m,
      "cross_entropy(str name, Tensor rec, Tensor targets, Tensor? weight, str over) -> (Tensor loss, "
      "Tensor log_sum, Tensor pooled, Tensor winner)");
  ops::define<backward_cpu, backward_meta, backward_autograd>(
      m,
      "cross_entropy_backward(str name, Tensor grad_loss, Tensor rec, Tensor targets, Tensor? weight, "
      "Tensor log_sum, Tensor pooled, Tensor winner, str over) -> Tensor");
}

}  // namespace rheo::functional
