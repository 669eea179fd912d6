#include "rheo/functional/regularizer.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include <cmath>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

void check(const char* name, const char* argument, const at::Tensor& rec) {
  if (!rec.defined() || rec.dim() < 1) {
    ops::refuse(name, argument, " must be [T, B, ...], got ",
                rec.defined() ? rec.sizes() : at::IntArrayRef());
  }
  if (!rec.is_floating_point()) {
    ops::refuse<TypeError>(name, argument, " must have a floating-point type, got ", rec.scalar_type());
  }
}

void check_number(const char* name, const char* argument, double value) {
  if (!std::isfinite(value)) ops::refuse(name, argument, " must be finite, got ", value);
}

/// sign +1: above the bound, -1: below.
at::Tensor rate_bound(const char* name, const at::Tensor& spk, const RateBoundOptions& o, int sign) {
  check(name, "spk", spk);
  check_number(name, "bound", o.bound);
  check_number(name, "Lambda", o.Lambda);
  if (spk.numel() == 0) ops::refuse(name, "spk must not be empty, got ", spk.sizes());
  auto rate = spk.mean(0);
  if (o.population && rate.dim() > 1) rate = rate.flatten(1).mean(1);
  return o.Lambda * (sign * (rate - o.bound)).clamp_min(0).square().mean();
}

}  // namespace

at::Tensor l1_rate_sparsity(const at::Tensor& spk, double Lambda) {
  check("l1_rate_sparsity", "spk", spk);
  check_number("l1_rate_sparsity", "Lambda", Lambda);
  return Lambda * spk.sum();
}

at::Tensor lower_rate_bound(const at::Tensor& spk, const RateBoundOptions& options) {
  return rate_bound("lower_rate_bound", spk, options, -1);
}

at::Tensor upper_rate_bound(const at::Tensor& spk, const RateBoundOptions& options) {
  return rate_bound("upper_rate_bound", spk, options, 1);
}

at::Tensor membrane_penalty(const at::Tensor& mem, const MembranePenaltyOptions& o) {
  constexpr auto name = "membrane_penalty";
  check(name, "mem", mem);
  check_number(name, "Lambda", o.Lambda);
  if (!(o.lower <= o.upper)) {
    ops::refuse(name, "upper must not be below lower, ", o.lower, ", got ", o.upper);
  }
  if (mem.numel() == 0) ops::refuse(name, "mem must not be empty, got ", mem.sizes());
  return o.Lambda * (mem - mem.detach().clamp(o.lower, o.upper)).square().mean();
}

}  // namespace rheo::functional
