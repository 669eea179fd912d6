#include "rheo/spikegen/rate_conv.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/isnan.h>

#include "rheo/ops/define.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/seed.hpp"
#include "rheo/spikegen/detail/draw.hpp"

namespace rheo::spikegen {

using ops::refuse;

at::Tensor rate_conv(const at::Tensor& x, std::optional<std::uint64_t> seed) {
  if (!x.defined()) refuse("rate_conv", "x must be a tensor, got an undefined one");
  if (!at::isFloatingType(x.scalar_type())) {
    refuse<TypeError>("rate_conv", "x must have a floating-point type, got ", x.scalar_type());
  }
  if (!x.is_cpu()) refuse("rate_conv", "x must be on the CPU, got ", x.device());
  const bool narrow = x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble;
  const auto p = narrow ? x.detach().to(at::kFloat) : x.detach();
  const auto spk = detail::draw_spikes(p, p.sizes(), seed ? *seed : ops::draw_seed());
  if (!spk.defined()) {
    refuse("rate_conv", "x must be probabilities, got NaN at element ",
           p.flatten().isnan().nonzero().min().item<std::int64_t>());
  }
  return narrow ? spk.to(x.scalar_type()) : spk;
}

namespace {

at::Tensor rate_conv_cpu(const at::Tensor& x, std::optional<std::int64_t> seed) {
  return rate_conv(x, detail::seed_of(seed));
}

at::Tensor rate_conv_meta(const at::Tensor& x, std::optional<std::int64_t>) {
  return at::empty_symint(x.sym_sizes(), x.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<rate_conv_cpu, rate_conv_meta>(m, "rate_conv(Tensor x, int? seed=None) -> Tensor",
                                                   {at::Tag::nondeterministic_seeded});
}

}  // namespace rheo::spikegen
