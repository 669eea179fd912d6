#include <algorithm>
#include <cstring>

#include "rheo/kernels/neuron_call.hpp"

namespace rheo::kernels {
namespace {

// What one thread may keep warm: the states of a tile, half of a 512 KB second-level cache.
constexpr std::int64_t history_bytes = 256 * 1024;
constexpr std::int64_t widest_tile = 1024;
constexpr std::int64_t narrowest_tile = 128;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

Plan plan_forward(std::int64_t steps, int states, int constants, std::int64_t) {
  const std::int64_t tile = widest_tile;
  const std::int64_t rows = states + constants + 1;  // and x, where it is one value
  return {tile, steps, 1, rows * tile};
}

Plan plan_backward(std::int64_t steps, int states, int constants, std::int64_t element_size,
                   bool traces_kept) {
  const std::int64_t per_column = std::max<std::int64_t>(1, states * element_size);
  std::int64_t tile = widest_tile;
  std::int64_t segment = steps;
  if (!traces_kept) {
    while (tile > narrowest_tile && steps * tile * per_column > history_bytes) tile /= 2;
    segment =
        std::clamp<std::int64_t>(history_bytes / (tile * per_column), 1, std::max<std::int64_t>(1, steps));
  }
  const std::int64_t segments = traces_kept ? 1 : std::max<std::int64_t>(1, ceil_div(steps, segment));
  const std::int64_t history = traces_kept ? 0 : segment;
  const std::int64_t checkpoints = segments > 1 ? segments : 0;
  // States of a segment, first states of all segments; first state, running state, adjoint and incoming gradient of
  // each state; constants, their gradients and the slope's; x, its summed gradient, the spikes' gradient and noise.
  const std::int64_t rows = states * (history + checkpoints + 4) + 2 * constants + 1 + 4;
  return {tile, segment, segments, rows * tile};
}

template <class T>
void reduce_columns(const T* rows, std::int64_t columns, std::int64_t period, T* out) noexcept {
  if (period == 1) {
    double part[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= columns; i += 8) {
      for (int k = 0; k < 8; ++k) part[k] += static_cast<double>(rows[i + k]);
    }
    for (; i < columns; ++i) part[i % 8] += static_cast<double>(rows[i]);
    double sum = 0;
    for (const double p : part) sum += p;
    out[0] = static_cast<T>(sum);
    return;
  }
  // Blocks of columns keep the double sums on the stack.
  constexpr std::int64_t block = 256;
  for (std::int64_t n0 = 0; n0 < period; n0 += block) {
    const std::int64_t n1 = std::min(period, n0 + block);
    double sum[block] = {};
    for (std::int64_t b = 0; b < columns; b += period) {
      for (std::int64_t n = n0; n < n1; ++n) sum[n - n0] += static_cast<double>(rows[b + n]);
    }
    for (std::int64_t n = n0; n < n1; ++n) out[n] = static_cast<T>(sum[n - n0]);
  }
}

template void reduce_columns<float>(const float*, std::int64_t, std::int64_t, float*) noexcept;
template void reduce_columns<double>(const double*, std::int64_t, std::int64_t, double*) noexcept;

}  // namespace rheo::kernels
