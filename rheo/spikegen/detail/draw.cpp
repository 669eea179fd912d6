#include "rheo/spikegen/detail/draw.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "rheo/kernels/rate.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::spikegen::detail {
namespace {

constexpr std::int64_t elements_a_task = 65536;                 // some 30 us of work
constexpr std::size_t streaming_bytes = std::size_t{16} << 20;  // will not stay in the cache

template <class T>
bool any_nan(kernels::RateCall<T> call, std::int64_t steps) {
  const auto kernel = kernels::rate_kernels(kernels::chosen_isa());
  const auto width = std::min(call.columns, kernels::rate_tile);
  const auto tiles = (call.columns + width - 1) / width;
  // A tile's thresholds are worked out once for many steps.
  const auto chunk = std::clamp<std::int64_t>(elements_a_task / width, 1, steps);
  const auto chunks = (steps + chunk - 1) / chunk;
  const auto grain = std::max<std::int64_t>(1, elements_a_task / (width * chunk));
  std::atomic<bool> nan{false};
  at::parallel_for(0, tiles * chunks, grain, [&](std::int64_t from, std::int64_t to) {
    for (auto k = from; k < to; ++k) {
      const auto first = k / tiles * chunk, begin = k % tiles * width;
      if (kernel(call, first, std::min(first + chunk, steps), begin, std::min(begin + width, call.columns))) {
        nan = true;
      }
    }
  });
  return nan;
}

}  // namespace

at::Tensor draw_spikes(const at::Tensor& p, at::IntArrayRef sizes, std::uint64_t seed, std::int64_t silent) {
  const auto values = p.contiguous();
  auto spk = ops::recycled_empty(sizes, p.scalar_type());
  if (spk.numel() == 0) return spk;
  const bool nan = ops::by_type(values, [&]<class T>(T) {
    kernels::RateCall<T> call;
    call.seed = seed;
    call.columns = values.numel();
    call.silent = silent;
    call.p = values.const_data_ptr<T>();
    call.out = spk.mutable_data_ptr<T>();
    call.streaming = spk.nbytes() >= streaming_bytes && values.nbytes() % 64 == 0 &&
                     reinterpret_cast<std::uintptr_t>(call.out) % 64 == 0;
    return any_nan(call, spk.numel() / call.columns);
  });
  return nan ? at::Tensor() : spk;
}

}  // namespace rheo::spikegen::detail
