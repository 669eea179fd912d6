// An input that is the same at every time step: one row and a step count, never expanded.
//   auto y = lif->forward(rheo::spikegen::constant(image, 25));
// Its gradient has the row's shape: the sum over time, taken in a register.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace rheo {

struct TimeConstant {
  at::Tensor row;          // [...]
  std::int64_t steps = 0;  // T

  /// [T, ...], a view that repeats the row.
  at::Tensor expand() const {
    return row.unsqueeze(0).expand([&] {
      std::vector<std::int64_t> shape{steps};
      shape.insert(shape.end(), row.sizes().begin(), row.sizes().end());
      return shape;
    }());
  }
};

/// What a time-aware layer takes: a sequence [T, ...] or a TimeConstant.
struct Input {
  at::Tensor x;  // [T, ...], or [1, ...] for a constant
  std::int64_t steps = 0;

  Input(const at::Tensor& sequence)
      : x(sequence), steps(sequence.defined() && sequence.dim() > 0 ? sequence.size(0) : 0) {}
  Input(const TimeConstant& constant)
      : x(constant.row.defined() ? constant.row.unsqueeze(0) : at::Tensor()), steps(constant.steps) {}
};

}  // namespace rheo
