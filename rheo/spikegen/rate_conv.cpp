#include "rheo/spikegen/rate_conv.hpp"

#include <ATen/ops/isnan.h>

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

}  // namespace rheo::spikegen
