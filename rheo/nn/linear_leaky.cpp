#include "rheo/nn/linear_leaky.hpp"

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

StateLeakyOptions behind(const LinearLeakyOptions& o) {
  detail::check_positive("LinearLeaky", "in_features", o.in_features);
  detail::check_positive("LinearLeaky", "out_features", o.out_features);
  StateLeakyOptions out;
  out.beta = o.beta;
  out.channels = o.out_features;
  out.learn_beta = o.learn_beta;
  out.output = o.output;
  out.kernel_truncation_steps = o.kernel_truncation_steps;
  out.threshold = o.threshold;
  out.spike_grad = o.spike_grad;
  out.surrogate_disable = o.surrogate_disable;
  out.init_hidden = o.init_hidden;
  out.inhibition = o.inhibition;
  out.learn_threshold = o.learn_threshold;
  out.reset_mechanism = o.reset_mechanism;
  out.state_quant = o.state_quant;
  out.graded_spikes_factor = o.graded_spikes_factor;
  out.learn_graded_spikes_factor = o.learn_graded_spikes_factor;
  out.reset_delay = o.reset_delay;
  out.fused = o.fused;
  return out;
}

}  // namespace

LinearLeakyImpl::LinearLeakyImpl(const LinearLeakyOptions& options)
    : StateLeakyImpl(behind(options), "LinearLeaky"), options_(options) {
  linear_ = register_module(
      "linear", torch::nn::Linear(
                    torch::nn::LinearOptions(options.in_features, options.out_features).bias(options.bias)));
}

ScanImpl::Scanned LinearLeakyImpl::scan(const Input& x, const State& state, bool traces) {
  if (x.x.dim() < 2 || x.x.size(-1) != options_.in_features) {
    throw ValueError(c10::str("[LinearLeaky] x must have shape [T, ..., in_features = ", options_.in_features,
                              "], got ", x.x.sizes()));
  }
  const auto like = [&](const at::Tensor& t) { return t.defined() ? t.to(x.x.scalar_type()) : t; };
  Input current(ops::linear(x.x, like(linear_->weight), like(linear_->bias)));
  current.steps = x.steps;
  return StateLeakyImpl::scan(current, state, traces);
}

std::shared_ptr<torch::nn::Module> LinearLeakyImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<LinearLeakyImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

}  // namespace rheo::nn
