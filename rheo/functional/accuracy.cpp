#include "rheo/functional/accuracy.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/sum.h>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/functional/spike_time.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

void check(const char* name, const char* argument, const at::Tensor& rec) {
  if (rec.defined() && rec.dim() == 3 && rec.size(0) > 0 && rec.size(2) > 0) return;
  ops::refuse(name, argument, " must be [T, B, C] with T and C > 0, got ",
              rec.defined() ? rec.sizes() : at::IntArrayRef());
}

void check_targets(const char* name, const at::Tensor& spk, const at::Tensor& targets) {
  if (!targets.defined() || targets.dim() != 1 || targets.size(0) != spk.size(1) || targets.size(0) == 0) {
    ops::refuse(name, "targets must be [B] = [", spk.size(1), "] with B > 0, got ",
                targets.defined() ? targets.sizes() : at::IntArrayRef());
  }
}

double part_right(const at::Tensor& predicted, const at::Tensor& targets) {
  const auto right = predicted.eq(targets).sum().item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(targets.size(0));
}

}  // namespace

at::Tensor predicted_rate(const at::Tensor& spk) {
  check("predicted_rate", "spk", spk);
  const at::NoGradGuard no_grad;
  return spk.sum(0).argmax(1);
}

at::Tensor predicted_max_membrane(const at::Tensor& mem) {
  check("predicted_max_membrane", "mem", mem);
  const at::NoGradGuard no_grad;
  return mem.amax(0).argmax(1);
}

at::Tensor predicted_temporal(const at::Tensor& spk) {
  check("predicted_temporal", "spk", spk);
  const at::NoGradGuard no_grad;
  return spike_time(spk.scalar_type() == at::kDouble ? spk : spk.to(at::kFloat)).argmin(1);
}

double accuracy_rate(const at::Tensor& spk, const at::Tensor& targets, const AccuracyOptions& options) {
  check("accuracy_rate", "spk", spk);
  detail::check_population("accuracy_rate", options.population_code, options.num_classes, spk.size(2));
  check_targets("accuracy_rate", spk, targets);
  const at::NoGradGuard no_grad;
  return part_right(predicted_rate(options.population_code ? detail::pooled(spk, options.num_classes) : spk),
                    targets);
}

double accuracy_temporal(const at::Tensor& spk, const at::Tensor& targets) {
  check("accuracy_temporal", "spk", spk);
  check_targets("accuracy_temporal", spk, targets);
  return part_right(predicted_temporal(spk), targets);
}

}  // namespace rheo::functional
