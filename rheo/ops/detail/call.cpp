#include "rheo/ops/detail/call.hpp"

namespace rheo::ops::detail {

const kernels::KernelTable& table_of(std::string_view kind) {
  const auto* table = kernels::find_kernels(kind);
  if (table == nullptr) refuse("[neuron] kind must be the name of a neuron, got '", kind, "'");
  return *table;
}

CallShape check_call(const kernels::KernelTable& table, const at::Tensor& x, at::TensorList state,
                     at::TensorList constants, std::int64_t steps, std::int64_t reset) {
  const auto kind = table.kind;
  if (x.dim() < 1) refuse("[", kind, "] x must have a time dimension, [T, ...], got shape ", x.sizes());
  if (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble) {
    refuse("[", kind, "] x must be float32 or float64, got ", x.scalar_type());
  }
  if (steps < 0) refuse("[", kind, "] steps must not be negative, got ", steps);
  if (x.size(0) != steps && x.size(0) != 1) {
    refuse("[", kind, "] x must have ", steps, " time steps, or 1 that repeats, got shape ", x.sizes());
  }
  if (reset < 0 || reset > 2)
    refuse("[", kind, "] reset must be 0 (subtract), 1 (zero) or 2 (none), got ", reset);
  const auto row = x.sizes().slice(1);
  const std::int64_t columns = c10::multiply_integers(row);
  if (!state.empty() && static_cast<int>(state.size()) != table.states) {
    refuse("[", kind, "] state must hold ", table.states, " tensors, got ", state.size());
  }
  for (const auto& s : state) {
    if (s.sizes() != row)
      refuse("[", kind, "] state must have the shape of one step of x, ", row, ", got ", s.sizes());
    if (s.scalar_type() != x.scalar_type() || s.device() != x.device()) {
      refuse("[", kind, "] state must be ", x.scalar_type(), " on ", x.device(), " as x is, got ",
             s.scalar_type(), " on ", s.device());
    }
  }
  const auto given = static_cast<int>(constants.size());
  if (given != table.constants + 2 && given != table.constants + 3) {
    refuse("[", kind, "] constants must hold ", table.constants + 2,
           " tensors, or one more for the slope, got ", given);
  }
  if (given == table.constants + 3 && constants.back().numel() != 1) {
    refuse("[", kind, "] slope must be one value, got ", constants.back().sizes());
  }
  std::int64_t period = 1;
  for (const auto& c : constants) {
    if (c.scalar_type() != x.scalar_type()) {
      refuse("[", kind, "] constants must be ", x.scalar_type(), " as x is, got ", c.scalar_type());
    }
    if (c.numel() == 1) continue;
    if (period != 1 && c.numel() != period) {
      refuse("[", kind, "] constants must have 1 or ", period, " elements, got ", c.numel());
    }
    period = c.numel();
    if (period == 0 ? columns != 0 : columns % period != 0) {
      refuse("[", kind, "] constants must repeat along a row of ", columns, " values, got ", period);
    }
  }
  return {steps, columns, std::max<std::int64_t>(period, 1)};
}

std::vector<at::Tensor> contiguous(at::TensorList list) {
  std::vector<at::Tensor> out;
  out.reserve(list.size());
  for (const auto& t : list) out.push_back(t.contiguous());
  return out;
}

}  // namespace rheo::ops::detail
