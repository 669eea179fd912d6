#include "rheo/nn/detail/neuron_parameters.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn::detail {
namespace {

/// What the given parameters broadcast to; throws ValueError where they do not.
std::vector<std::int64_t> common_shape(const NeuronParameters& p) {
  std::vector<std::int64_t> common;
  std::string others;
  for (std::size_t i = 0; i < p.raw.values.size(); ++i) {
    if (!p.raw.values[i].defined()) continue;
    const auto& name = p.entry.parameters[i];
    const auto sizes = p.raw.values[i].sizes();
    if (sizes.size() > common.size()) common.insert(common.begin(), sizes.size() - common.size(), 1);
    for (std::size_t d = 1; d <= sizes.size(); ++d) {
      auto& have = common[common.size() - d];
      const auto size = sizes[sizes.size() - d];
      if (have != 1 && size != 1 && size != have) {
        throw ValueError(c10::str("[", p.entry.info.name, "] ", name, " must broadcast with ", others, ", ",
                                  at::IntArrayRef(common), ", got ", sizes));
      }
      if (have == 1) have = size;
    }
    others += (others.empty() ? "" : " and ") + name;
  }
  return common;
}

/// The name of the parameter that gave constant i its shape.
std::string shaped_by(const NeuronParameters& p, std::size_t i, std::int64_t elements) {
  if (i == p.entry.constants.size()) return "threshold";
  if (i > p.entry.constants.size()) return "graded_spikes_factor";
  for (std::size_t k = 0; k < p.raw.values.size(); ++k) {
    const auto& t = p.raw.values[k];
    if (t.defined() && t.numel() == elements) return p.entry.parameters[k];
  }
  return p.entry.constants[i];
}

bool fits(c10::SymIntArrayRef sizes, c10::SymIntArrayRef row) {
  if (sizes.size() > row.size()) return false;
  for (std::size_t d = 1; d <= sizes.size(); ++d) {
    const auto& have = sizes[sizes.size() - d];
    if (have != 1 && have != row[row.size() - d]) return false;
  }
  return true;
}

}  // namespace

void check_values(const NeuronParameters& p) {
  const std::string kind(p.entry.info.name);
  const auto check = [&](const std::string& name, Domain domain, const at::Tensor& t) {
    for (const double v : numbers(t)) check_domain(kind, name, domain, v);
  };
  check("threshold", Domain::any, p.threshold);
  check("graded_spikes_factor", Domain::any, p.graded_spikes_factor);
  const auto& values = p.raw.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].defined()) check(p.entry.parameters[i], p.entry.info.params[i].domain, values[i]);
  }
  // The neuron's own rule, on every combination that meets in a neuron.
  const auto common = common_shape(p);
  std::vector<std::vector<double>> columns(values.size());
  std::size_t rows = 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& t = values[i];
    columns[i] = !t.defined()     ? std::vector<double>{std::numeric_limits<double>::quiet_NaN()}
                 : t.numel() == 1 ? numbers(t)
                                  : numbers(t.detach().expand(common));
    rows = std::max(rows, columns[i].size());
  }
  // Without neurons no value can be wrong, but one may be missing.
  const bool nobody = std::find(common.begin(), common.end(), 0) != common.end();
  for (std::size_t r = 0; r < rows; ++r) {
    ops::RawNumbers one{{}, p.raw.modes};
    for (const auto& c : columns) one.values.push_back(c.empty() ? 0 : c[r % c.size()]);
    p.entry.check(one, [&](const char* parameter_name, const char* rule, double value) {
      if (nobody && !std::isnan(value)) return;
      throw ValueError(std::isnan(value)
                           ? c10::str("[", kind, "] ", parameter_name, " ", rule)
                           : c10::str("[", kind, "] ", parameter_name, " ", rule, ", got ", value));
    });
  }
}

std::vector<at::Tensor> constants_of(const NeuronParameters& p, c10::SymIntArrayRef row, at::Device device,
                                     at::ScalarType dtype) {
  auto constants = p.entry.derive(p.raw);
  constants.push_back(p.threshold);
  constants.push_back(p.graded_spikes_factor);
  std::int64_t deepest = 0;
  for (const auto& c : constants) {
    if (c.sym_numel() != 1) deepest = std::max(deepest, c.dim());
  }
  const auto trailing = deepest <= static_cast<std::int64_t>(row.size())
                            ? row.slice(row.size() - static_cast<std::size_t>(deepest))
                            : row;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    auto& c = constants[i];
    if (c.scalar_type() != dtype || c.device() != device) c = c.to(device, dtype);
    if (c.sym_numel() == 1) {
      if (c.dim() != 0) c = c.reshape({});
      continue;
    }
    if (!fits(c.sym_sizes(), trailing)) {
      refuse_shape(std::string(p.entry.info.name), shaped_by(p, i, c.numel()), c.sizes(),
                   C10_AS_INTARRAYREF_SLOW(row));
    }
    if (trailing.size() != 1 || c.sym_size(0) != trailing.back()) c = c.expand_symint(trailing).reshape({-1});
  }
  return constants;
}

std::vector<at::Tensor> fresh_state(const NeuronParameters& p, c10::SymIntArrayRef row, at::Device device,
                                    at::ScalarType dtype) {
  auto state = p.entry.rest(p.raw);
  const auto options = at::TensorOptions(device).dtype(dtype);
  if (state.empty()) {
    for (std::size_t k = 0; k < p.entry.states.size(); ++k) state.push_back(at::zeros_symint(row, options));
    return state;
  }
  for (std::size_t k = 0; k < state.size(); ++k) {
    auto& s = state[k];
    if (!fits(s.sym_sizes(), row)) {
      refuse_shape(std::string(p.entry.info.name), "the rest of " + p.entry.states[k], s.sizes(),
                   C10_AS_INTARRAYREF_SLOW(row));
    }
    s = s.to(device, dtype).expand_symint(row).contiguous();
  }
  return state;
}

std::vector<at::Tensor> unflattened(std::vector<at::Tensor> constants, at::IntArrayRef row) {
  for (auto& c : constants) {
    if (c.numel() == 1) continue;
    std::size_t from = row.size();
    for (std::int64_t n = 1; n != c.numel();) n *= row[--from];
    c = c.view(row.slice(from));
  }
  return constants;
}

}  // namespace rheo::nn::detail
