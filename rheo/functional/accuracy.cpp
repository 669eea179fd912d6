#include "rheo/functional/accuracy.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/sum.h>

#include "rheo/ops/error.hpp"

namespace rheo::functional {
namespace {

void check(const char* name, const char* argument, const at::Tensor& rec) {
  if (rec.defined() && rec.dim() == 3 && rec.size(0) > 0 && rec.size(2) > 0) return;
  throw ValueError(c10::str('[', name, "] ", argument, " must be [T, B, C] with T and C > 0, got ",
                            rec.defined() ? rec.sizes() : at::IntArrayRef()));
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

double accuracy_rate(const at::Tensor& spk, const at::Tensor& targets) {
  check("accuracy_rate", "spk", spk);
  if (!targets.defined() || targets.dim() != 1 || targets.size(0) != spk.size(1) || targets.size(0) == 0) {
    throw ValueError(c10::str("[accuracy_rate] targets must be [B] = [", spk.size(1), "] with B > 0, got ",
                              targets.defined() ? targets.sizes() : at::IntArrayRef()));
  }
  const auto right = predicted_rate(spk).eq(targets).sum().item<std::int64_t>();
  return static_cast<double>(right) / static_cast<double>(targets.size(0));
}

}  // namespace rheo::functional
