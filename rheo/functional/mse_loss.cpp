// Squared errors of spike counts and membranes.
#include <ATen/TensorOperators.h>
#include <ATen/ops/square.h>

#include <cmath>

#include "rheo/functional/detail/by_class.hpp"
#include "rheo/functional/detail/checks.hpp"
#include "rheo/functional/detail/reduce.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

void check_finite(const char* name, const char* argument, double value) {
  if (!std::isfinite(value)) ops::refuse(name, argument, " must be finite, got ", value);
}

}  // namespace

at::Tensor mse_count_loss(const at::Tensor& spk, const at::Tensor& targets, const MseCountOptions& options) {
  constexpr auto name = "mse_count_loss";
  detail::check_recording(name, "spk", spk);
  check_finite(name, "correct_rate", options.correct_rate);
  check_finite(name, "incorrect_rate", options.incorrect_rate);
  detail::check_population(name, options.population_code, options.num_classes, spk.size(2));
  const auto outputs = spk.size(2);
  const auto classes = options.population_code ? options.num_classes : outputs;
  detail::check_labels(name, targets, spk.size(1), classes);
  detail::check_weight(name, options.weight, classes);

  auto counts = spk.sum(0);  // [B, N]
  if (options.population_code) counts = detail::pooled(counts, classes);
  const auto steps = static_cast<double>(spk.size(0));
  const auto wanted = [&](double rate) {
    const double spikes = steps * rate;
    if (!options.population_code) return std::trunc(spikes);
    return std::trunc(spikes * static_cast<double>(outputs) / static_cast<double>(classes));
  };
  const auto target = detail::by_class(name, targets, spk.size(1), classes, wanted(options.correct_rate),
                                       wanted(options.incorrect_rate), spk.scalar_type());
  const auto loss = (counts - target).square() / steps;
  return detail::reduced(detail::weighted(loss, options.weight, targets), options.reduction);
}

at::Tensor mse_membrane_loss(const at::Tensor& mem, const at::Tensor& targets,
                             const MseMembraneOptions& options) {
  constexpr auto name = "mse_membrane_loss";
  detail::check_recording(name, "mem", mem);
  check_finite(name, "on_target", options.on_target);
  check_finite(name, "off_target", options.off_target);
  const auto steps = mem.size(0), batch = mem.size(1), classes = mem.size(2);
  at::Tensor target;
  if (!options.time_var_targets) {
    detail::check_labels(name, targets, batch, classes);
    detail::check_weight(name, options.weight, classes);
    target = detail::by_class(name, targets, batch, classes, options.on_target, options.off_target,
                              mem.scalar_type());
  } else {
    if (options.weight.defined()) {
      ops::refuse(name, "weight must not be given with time_var_targets: a sample has no one class");
    }
    const bool values = targets.defined() && targets.sizes() == mem.sizes();
    const bool labels =
        targets.defined() && targets.dim() == 2 && targets.size(0) == steps && targets.size(1) == batch;
    if (!values && !labels) {
      ops::refuse(name, "targets must be [T, B] = [", steps, ", ", batch, "] or the shape of mem, ",
                  mem.sizes(), ", got ", targets.defined() ? targets.sizes() : at::IntArrayRef());
    }
    if (values) {
      target = targets.to(mem.options());
    } else {
      detail::check_labels(name, targets.reshape({-1}), steps * batch, classes);
      target = detail::by_class(name, targets.reshape({-1}), steps * batch, classes, options.on_target,
                                options.off_target, mem.scalar_type())
                   .view(mem.sizes());
    }
  }
  const auto loss = (mem - target).square().mean(0);  // [B, C]
  return detail::reduced(detail::weighted(loss, options.weight, targets), options.reduction);
}

}  // namespace rheo::functional
