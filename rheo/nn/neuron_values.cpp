// The parameters of a neuron's module: looked up, and checked where they changed.
#include <ATen/core/grad_mode.h>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/nn/detail/neuron_parameters.hpp"
#include "rheo/nn/neuron.hpp"

namespace rheo::nn {

using detail::check_domain;

at::Tensor NeuronImpl::parameter(std::string_view name) const {
  for (const auto& [key, tensor] : tensors_) {
    if (key == name) return tensor;
  }
  return {};
}

ops::RawTensors NeuronImpl::raw() const {
  ops::RawTensors out{std::vector<at::Tensor>(given_.size()), modes_};
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) out.values[i] = parameter(entry_->parameters[i]);
  }
  return out;
}

detail::NeuronParameters NeuronImpl::present_values() const {
  return {*entry_, raw(), parameter("threshold"), parameter("graded_spikes_factor")};
}

void NeuronImpl::check_values() const {
  const auto values = present_values();
  std::vector<at::Tensor> tensors{values.threshold, values.graded_spikes_factor};
  for (const auto& t : values.raw.values) {
    if (t.defined()) tensors.push_back(t);
  }
  if (firing_.slope().defined()) {
    check_domain(kind_, "surrogate_slope", Domain::any, firing_.slope().item<double>());
  }
  auto stamp = detail::stamp_of(tensors);
  {
    const std::scoped_lock hold(checking_);
    if (stamp == checked_) return;
  }
  detail::check_values(values);
  const std::scoped_lock hold(checking_);
  checked_ = std::move(stamp);
}

void NeuronImpl::refresh() const {
  const at::NoGradGuard no_grad;
  const auto complete = entry_->complete(raw());
  for (std::size_t i = 0; i < given_.size(); ++i) {
    auto t = parameter(entry_->parameters[i]);
    if (!given_[i] && t.defined()) t.copy_(complete.values[i].reshape(t.sizes()));
  }
}

std::vector<std::pair<std::string, at::Tensor>> NeuronImpl::constants() const {
  check_values();
  const auto derived = entry_->derive(raw());
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (std::size_t i = 0; i < derived.size(); ++i) out.emplace_back(entry_->constants[i], derived[i]);
  out.emplace_back("threshold", parameter("threshold"));
  out.emplace_back("graded_spikes_factor", parameter("graded_spikes_factor"));
  return out;
}

}  // namespace rheo::nn
