// Losses on the times of first spikes.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include "rheo/functional/detail/by_class.hpp"
#include "rheo/functional/detail/checks.hpp"
#include "rheo/functional/detail/reduce.hpp"
#include "rheo/functional/spike_time.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

/// Wanted times, [B, C] or [F, B, C], none below zero.
at::Tensor wanted_times(const char* name, const at::Tensor& spk, const at::Tensor& targets,
                        const MseTemporalOptions& o) {
  const auto batch = spk.size(1), classes = spk.size(2);
  const auto steps = static_cast<double>(spk.size(0));
  at::Tensor wanted;
  if (o.target_is_time) {
    if (o.weight.defined()) ops::refuse(name, "weight must not be given with target_is_time");
    const bool fits = targets.defined() && targets.dim() == (o.multi_spike ? 3 : 2) &&
                      targets.size(-1) == classes && targets.size(-2) == batch &&
                      (!o.multi_spike || targets.size(0) > 0);
    if (!fits) {
      ops::refuse(name, "targets must be times, ", o.multi_spike ? "[F, B, C]" : "[B, C]",
                  " with B = ", batch, " and C = ", classes, ", got ",
                  targets.defined() ? targets.sizes() : at::IntArrayRef());
    }
    wanted = targets.to(spk.options());
  } else {
    detail::check_labels(name, targets, batch, classes);
    detail::check_weight(name, o.weight, classes);
    if (o.on_target.size() != o.off_target.size() || o.on_target.empty()) {
      ops::refuse(name, "off_target must have as many times as on_target, ", o.on_target.size(), ", got ",
                  o.off_target.size());
    }
    if (!o.multi_spike && o.on_target.size() != 1) {
      ops::refuse(name, "on_target must be one time without multi_spike, got ", o.on_target.size());
    }
    std::vector<at::Tensor> each;
    for (std::size_t f = 0; f < o.on_target.size(); ++f) {
      each.push_back(detail::by_class(name, targets, batch, classes, o.on_target[f], o.off_target[f],
                                      spk.scalar_type()));
    }
    wanted = o.multi_spike ? at::stack(each) : each[0];
  }
  return at::where(wanted.lt(0), wanted + steps, wanted);
}

}  // namespace

at::Tensor mse_temporal_loss(const at::Tensor& spk, const at::Tensor& targets,
                             const MseTemporalOptions& options) {
  constexpr auto name = "mse_temporal_loss";
  detail::check_recording(name, "spk", spk);
  if (!(options.tolerance >= 0)) {
    ops::refuse(name, "tolerance must not be negative, got ", options.tolerance);
  }
  const auto wanted = wanted_times(name, spk, targets, options);
  auto time = spike_time(spk, options.multi_spike ? wanted.size(0) : 1);
  if (time.dim() < wanted.dim()) time = time.unsqueeze(0);
  auto off = time - wanted;
  if (options.tolerance > 0) off = at::where(off.abs().lt(options.tolerance), off.detach() * 0, off);
  const auto loss = (off / static_cast<double>(spk.size(0))).square();
  return detail::reduced(detail::weighted(loss, options.weight, targets), options.reduction);
}

at::Tensor ce_temporal_loss(const at::Tensor& spk, const at::Tensor& targets,
                            const CeTemporalOptions& options) {
  constexpr auto name = "ce_temporal_loss";
  detail::check_recording(name, "spk", spk);
  detail::check_labels(name, targets, spk.size(1), spk.size(2));
  detail::check_weight(name, options.weight, spk.size(2));
  const auto time = spike_time(spk);
  const auto score = options.inverse == Inverse::negate ? -time : 1 / (time + 1);
  std::optional<at::Tensor> weight;
  if (options.weight.defined()) weight = options.weight.detach().to(spk.options());
  const auto reduction = options.reduction == Reduction::none  ? at::Reduction::None
                         : options.reduction == Reduction::sum ? at::Reduction::Sum
                                                               : at::Reduction::Mean;
  return at::cross_entropy_loss(score, targets, weight, reduction);
}

}  // namespace rheo::functional
