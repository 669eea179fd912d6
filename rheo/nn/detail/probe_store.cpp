#include "rheo/nn/detail/probe_store.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "rheo/nn/detail/text.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::nn::detail {

ProbeStore::ProbeStore(const char* name, ProbeOptions given) : op(name), options(std::move(given)) {
  if (options.every < 1) ops::refuse(op, "every must be at least 1, got ", options.every);
}

void ProbeStore::add_layer(std::string name) {
  names.push_back(std::move(name));
  layers.emplace_back();
}

std::size_t ProbeStore::index_of(std::string_view layer) const {
  const auto at = detail::index_of(names, layer);
  if (at == names.size()) {
    ops::refuse(op, "layer must be monitored, one of ", listed(names), ", got '", std::string(layer), "'",
                suggestion(layer, names));
  }
  return at;
}

ProbedRows ProbeStore::next_rows(std::size_t layer, std::int64_t steps) {
  auto& seen = layers[layer].steps;
  const auto every = options.every;
  const auto first = (every - seen % every) % every;
  seen += steps;
  return {first, first < steps ? (steps - first + every - 1) / every : 0};
}

void ProbeStore::add(std::size_t layer, at::Tensor value, const ProbedRows& rows, bool sequence) {
  if (rows.count == 0) return;
  // A copy, so that what is left out is not held.
  if (sequence && options.every > 1) value = value.slice(0, rows.first, {}, options.every).clone();
  if (options.detach) value = value.detach();
  if (options.keep == Keep::mean) return add_to_mean(layers[layer], value, sequence);
  if (options.function) value = options.function(value);
  layers[layer].places.push_back(records.size());
  records.push_back({names[layer], std::move(value)});
}

void ProbeStore::add_to_mean(Layer& layer, const at::Tensor& value, bool sequence) {
  const at::NoGradGuard no_grad;
  const auto dims = std::min<std::int64_t>(sequence ? 2 : 1, std::max<std::int64_t>(0, value.dim() - 1));
  std::vector<std::int64_t> over;
  std::int64_t rows = 1;
  for (std::int64_t d = 0; d < dims; ++d) {
    over.push_back(d);
    rows *= value.size(d);
  }
  if (rows == 0) return;
  const auto sum = options.function ? options.function(value).to(at::kDouble) * static_cast<double>(rows)
                   : dims > 0       ? value.sum(over, false, at::kDouble)
                                    : value.to(at::kDouble);
  if (layer.sum.defined() && layer.sum.sizes() != sum.sizes()) {
    ops::refuse(op, "a mean must be of tensors of one shape, ", layer.sum.sizes(), ", got ", sum.sizes());
  }
  layer.sum = layer.sum.defined() ? layer.sum + sum : sum.detach().clone();
  layer.rows += rows;
}

void ProbeStore::clear() {
  records.clear();
  for (auto& layer : layers) layer = {};
}

}  // namespace rheo::nn::detail
