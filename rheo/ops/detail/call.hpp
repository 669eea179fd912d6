// What the operators that run a neuron's kernels share: sizes checked, tensors as the kernels read them.
#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::ops::detail {

template <class... Args>
[[noreturn]] void refuse(const Args&... args) {
  throw ValueError(c10::str(args...));
}

/// Throws ValueError if no neuron is of that kind.
const kernels::KernelTable& table_of(std::string_view kind);

template <class T>
const kernels::NeuronLoops<T>& loops_of(const kernels::KernelTable& table) {
  return table.isa[static_cast<int>(kernels::chosen_isa())].template loops<T>();
}

/// Sizes of a call, checked. One place for CPU and Meta, forward and backward.
struct CallShape {
  std::int64_t steps, columns, period;
};

CallShape check_call(const kernels::KernelTable& table, const at::Tensor& x, at::TensorList state,
                     at::TensorList constants, std::int64_t steps, std::int64_t reset);

std::vector<at::Tensor> contiguous(at::TensorList list);

template <class T>
void fill_call(kernels::NeuronCall<T>& call, const CallShape& shape, const at::Tensor& x,
               at::TensorList state, at::TensorList constants, std::int64_t reset, bool reset_delay,
               const SurrogateCall& surrogate) {
  call.steps = shape.steps;
  call.columns = shape.columns;
  call.period = shape.period;
  call.x = {x.const_data_ptr<T>(), x.size(0) == shape.steps && shape.steps != 1 ? shape.columns : 0, 1};
  for (std::size_t k = 0; k < state.size(); ++k) call.state[k] = state[k].const_data_ptr<T>();
  for (std::size_t k = 0; k < constants.size(); ++k) {
    call.constants[k] = constants[k].const_data_ptr<T>();
    call.per_neuron[k] = constants[k].numel() != 1;
  }
  call.reset = static_cast<Reset>(reset);
  call.reset_delay = reset_delay;
  call.surrogate = surrogate;
}

/// An incoming gradient as the kernels read it: rows contiguous, or one value per row (what sum().backward() sends);
/// anything else is copied once. `held` keeps the copy alive.
template <class T>
kernels::Sequence<T> sequence_of(const std::optional<at::Tensor>& g, at::Tensor& held) {
  if (!g.has_value() || !g->defined()) return {nullptr, 0, 0};
  const at::Tensor& t = *g;
  std::int64_t expected = 1;
  bool rows = true;
  bool repeated = true;
  for (std::int64_t d = t.dim() - 1; d >= 1; --d) {
    if (t.size(d) != 1) {
      rows = rows && t.stride(d) == expected;
      repeated = repeated && t.stride(d) == 0;
    }
    expected *= t.size(d);
  }
  if (expected > 1 && repeated) return {t.const_data_ptr<T>(), t.size(0) > 1 ? t.stride(0) : 0, 0};
  held = rows ? t : t.contiguous();
  return {held.const_data_ptr<T>(), held.size(0) > 1 ? held.stride(0) : 0, 1};
}

}  // namespace rheo::ops::detail
