#include "rheo/nn/graded_spikes.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <c10/util/StringUtil.h>

#include <cmath>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {

GradedSpikesImpl::GradedSpikesImpl(const GradedSpikesOptions& options) : options_(options) {
  detail::check_positive("GradedSpikes", "size", options.size);
  if (!std::isfinite(options.constant_factor)) {
    throw ValueError(
        c10::str("[GradedSpikes] constant_factor must be finite, got ", options.constant_factor));
  }
  reset();
}

void GradedSpikesImpl::reset() {
  const auto first = options_.constant_factor != 0 ? at::full({options_.size, 1}, options_.constant_factor)
                                                   : at::rand({options_.size, 1}) + 0.5;
  weights = register_parameter("weights", first);
}

at::Tensor GradedSpikesImpl::forward(const at::Tensor& x) const {
  if (x.defined() && x.dim() >= 1 && x.size(-1) == options_.size) return x * weights.squeeze(1);
  if (x.defined() && x.dim() >= 2 && x.size(-2) == options_.size) return x * weights;
  throw ValueError(c10::str("[GradedSpikes] x must have shape [..., size = ", options_.size, "], got ",
                            x.defined() ? c10::str(x.sizes()) : "an undefined tensor"));
}

void GradedSpikesImpl::pretty_print(std::ostream& stream) const {
  stream << "GradedSpikes(size=" << options_.size << ')';
}

}  // namespace rheo::nn
