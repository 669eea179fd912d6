#include "rheo/nn/psn.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp2.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

/// A constant input written out.
at::Tensor sequence(const Input& x) {
  auto shape = x.x.sizes().vec();
  shape[0] = x.steps;
  return x.x.expand(shape);
}

}  // namespace

PSNImpl::PSNImpl(const PSNOptions& options)
    : ScanImpl("PSN", common_options(options), false), options_(options) {
  refuse_options("PSN", common_options(options), {"init_hidden"});
  detail::check_positive("PSN", "steps", options.steps);
  const double bound = 1 / std::sqrt(static_cast<double>(options.steps));
  weight_ = register_parameter("weight", at::empty({options.steps, options.steps}).uniform_(-bound, bound));
  bias_ = register_parameter("bias", at::zeros({options.steps}));
}

ScanImpl::Scanned PSNImpl::scan(const Input& x, const State& state, bool) {
  const auto T = options_.steps;
  if (x.steps != T) {
    throw ValueError(
        c10::str("[PSN] x must have steps = ", T, " time steps, got shape ", sequence(x).sizes()));
  }
  if (!state.empty()) {
    throw ValueError(
        c10::str("[PSN] state must be empty, for it carries none, got ", state.size(), " tensors"));
  }
  const auto steps = sequence(x);  // [T, ...]
  firing().check(steps.sizes().slice(1));
  const auto type = steps.scalar_type();
  const auto flat = steps.reshape({T, steps.numel() / T});
  // W X as a product whose result lies as the sequence does.
  const auto mem = ops::linear(weight_.to(type), flat.t()) + bias_.to(type).unsqueeze(1);
  return spikes_of(mem.view(steps.sizes()));
}

std::shared_ptr<torch::nn::Module> PSNImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<PSNImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void PSNImpl::pretty_print(std::ostream& stream) const { stream << "PSN(steps=" << options_.steps << ')'; }

SlidingPSNImpl::SlidingPSNImpl(const SlidingPSNOptions& options)
    : ScanImpl("SlidingPSN", common_options(options), false), options_(options) {
  detail::check_positive("SlidingPSN", "order", options.order);
  weight_ = register_parameter(
      "weight", at::exp2(at::arange(options.order, at::kFloat) - static_cast<double>(options.order - 1)));
  bias_ = register_parameter("bias", at::zeros({1}));
}

ScanImpl::Scanned SlidingPSNImpl::scan(const Input& x, const State& state, bool) {
  const auto k = options_.order;
  const auto steps = sequence(x);  // [T, ...]
  const auto row = steps.sizes().slice(1);
  firing().check(row);
  auto shape = steps.sizes().vec();
  shape[0] = k - 1;
  const auto given = first_of(state, "past", shape, steps);
  const auto padded = at::cat({given.defined() ? given : at::zeros(shape, steps.options()), steps});
  const auto weight = weight_.to(steps.scalar_type());
  auto mem = bias_.to(steps.scalar_type()).expand(steps.sizes());
  for (std::int64_t i = 0; i < k; ++i) mem = mem + weight[i] * padded.slice(0, i, i + x.steps);
  auto out = spikes_of(mem);
  out.state = State{{"past", padded.slice(0, x.steps)}};
  return out;
}

std::shared_ptr<torch::nn::Module> SlidingPSNImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<SlidingPSNImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void SlidingPSNImpl::pretty_print(std::ostream& stream) const {
  stream << "SlidingPSN(order=" << options_.order << ')';
}

}  // namespace rheo::nn
