// What encoders have in common: their checks, and loops over time.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::spikegen::detail {

inline constexpr std::int64_t elements_a_share = 65536;
inline constexpr std::int64_t tile = 1024;  // columns that walk through time together

inline void check_data(const char* op, const char* argument, const at::Tensor& data) {
  if (!data.defined()) ops::refuse(op, argument, " must be a tensor, got an undefined one");
  if (data.scalar_type() != at::kFloat && data.scalar_type() != at::kDouble) {
    ops::refuse<TypeError>(op, argument, " must be float32 or float64, got ", data.scalar_type());
  }
  if (!data.is_cpu()) ops::refuse(op, argument, " must be on the CPU, got ", data.device());
}

inline void check_within_one(const char* op, const char* argument, const at::Tensor& data) {
  if (data.numel() == 0) return;
  const auto least = data.min().item<double>(), largest = data.max().item<double>();
  if (!(least >= 0) || !(largest <= 1))
    ops::refuse(op, argument, " must be within [0, 1], got ", least, " to ", largest);
}

inline at::Tensor time_first(const at::Tensor& like, std::int64_t steps) {
  auto sizes = like.sizes().vec();
  sizes.insert(sizes.begin(), steps);
  return ops::recycled_empty(sizes, like.scalar_type());
}

/// A tensor [steps, ...] as `like` is; f(t, row, elements) writes a row. Rows are shared out among threads.
template <class T, class F>
at::Tensor rows(const at::Tensor& like, std::int64_t steps, F f) {
  auto out = time_first(like, steps);
  const auto columns = like.numel();
  auto* to = out.template mutable_data_ptr<T>();
  at::parallel_for(0, steps, std::max<std::int64_t>(1, elements_a_share / std::max<std::int64_t>(1, columns)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto t = begin; t < end; ++t) f(t, to + t * columns, columns);
                   });
  return out;
}

/// f(begin, end) for every tile of the columns, shared out among threads.
template <class F>
void over_columns(std::int64_t columns, std::int64_t steps, F f) {
  const auto tiles = (columns + tile - 1) / tile;
  const auto grain = std::max<std::int64_t>(1, elements_a_share / (tile * std::max<std::int64_t>(1, steps)));
  at::parallel_for(0, tiles, grain, [&](std::int64_t first, std::int64_t last) {
    for (auto k = first; k < last; ++k) f(k * tile, std::min((k + 1) * tile, columns));
  });
}

}  // namespace rheo::spikegen::detail
