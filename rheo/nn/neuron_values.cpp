// The parameters of a neuron: looked up, checked, made into the constants of a call.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/nn/neuron.hpp"

namespace rheo::nn {

using detail::check_domain;
using detail::index_of;
using detail::numbers;

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

std::vector<std::int64_t> NeuronImpl::common_shape() const {
  std::vector<std::int64_t> common;
  std::string others;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (!given_[i]) continue;
    const auto& name = entry_->parameters[i];
    const auto sizes = parameter(name).sizes();
    if (sizes.size() > common.size()) common.insert(common.begin(), sizes.size() - common.size(), 1);
    for (std::size_t d = 1; d <= sizes.size(); ++d) {
      auto& have = common[common.size() - d];
      const auto size = sizes[sizes.size() - d];
      if (have != 1 && size != 1 && size != have) {
        throw ValueError(c10::str("[", kind_, "] ", name, " must broadcast with ", others, ", ",
                                  at::IntArrayRef(common), ", got ", sizes));
      }
      if (have == 1) have = size;
    }
    others += (others.empty() ? "" : " and ") + name;
  }
  return common;
}

void NeuronImpl::check_values() const {
  std::vector<std::string> names{"threshold", "graded_spikes_factor"};
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) names.push_back(entry_->parameters[i]);
  }
  std::vector<at::Tensor> tensors;
  for (const auto& n : names) tensors.push_back(parameter(n));
  if (firing_.slope().defined()) {
    check_domain(kind_, "surrogate_slope", Domain::any, firing_.slope().item<double>());
  }
  auto stamp = detail::stamp_of(tensors);
  {
    const std::scoped_lock hold(checking_);
    if (stamp == checked_) return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    Domain domain = Domain::any;
    if (i >= 2) domain = entry_->info.params[index_of(entry_->parameters, names[i])].domain;
    for (const double v : numbers(tensors[i])) check_domain(kind_, names[i], domain, v);
  }
  // The neuron's own rule, on every combination that meets in a neuron.
  const auto common = common_shape();
  std::vector<std::vector<double>> columns(given_.size());
  std::size_t rows = 1;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const auto t = parameter(entry_->parameters[i]);
    columns[i] = !given_[i]       ? std::vector<double>{std::numeric_limits<double>::quiet_NaN()}
                 : t.numel() == 1 ? numbers(t)
                                  : numbers(t.detach().expand(common));
    rows = std::max(rows, columns[i].size());
  }
  // Without neurons no value can be wrong, but one may be missing.
  const bool nobody = std::find(common.begin(), common.end(), 0) != common.end();
  for (std::size_t r = 0; r < rows; ++r) {
    ops::RawNumbers one{{}, modes_};
    for (const auto& c : columns) one.values.push_back(c.empty() ? 0 : c[r % c.size()]);
    entry_->check(one, [&](const char* parameter_name, const char* rule, double value) {
      if (nobody && !std::isnan(value)) return;
      throw ValueError(std::isnan(value)
                           ? c10::str("[", kind_, "] ", parameter_name, " ", rule)
                           : c10::str("[", kind_, "] ", parameter_name, " ", rule, ", got ", value));
    });
  }
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

std::vector<at::Tensor> NeuronImpl::prepared_constants(const at::Tensor& x, at::ScalarType dtype) const {
  check_values();
  auto constants = entry_->derive(raw());
  constants.push_back(parameter("threshold"));
  constants.push_back(parameter("graded_spikes_factor"));
  const auto row = x.sizes().slice(1);
  std::int64_t deepest = 0;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    if (constants[i].numel() == 1) continue;
    deepest = std::max(deepest, constants[i].dim());
  }
  const auto trailing = deepest <= static_cast<std::int64_t>(row.size())
                            ? row.slice(row.size() - static_cast<std::size_t>(deepest))
                            : row;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    auto& c = constants[i];
    if (c.scalar_type() != dtype || c.device() != x.device()) c = c.to(x.device(), dtype);
    if (c.numel() == 1) {
      if (c.dim() != 0) c = c.reshape({});
      continue;
    }
    if (!detail::broadcasts(c.sizes(), trailing)) {
      std::string name = "parameter";
      if (i < entry_->constants.size()) {
        // Constants that carry a parameter's name are that parameter; others name the first that has this shape.
        name = entry_->constants[i];
        for (std::size_t p = 0; p < given_.size(); ++p) {
          if (given_[p] && parameter(entry_->parameters[p]).numel() == c.numel()) {
            name = entry_->parameters[p];
            break;
          }
        }
      } else {
        name = i == entry_->constants.size() ? "threshold" : "graded_spikes_factor";
      }
      detail::refuse_shape(kind_, name, c.sizes(), row);
    }
    c = c.expand(trailing).reshape({-1});
  }
  return constants;
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
