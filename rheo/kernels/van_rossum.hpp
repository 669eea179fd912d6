// The van Rossum distance of spike trains, forward and backward.
// Sequences are [T, B, N] contiguous. A call handles the samples [begin, end): each sample's sum runs over t and n in index
// order, the same bits for any number of threads.
#pragma once

#include <cstdint>

namespace rheo::kernels {

template <class T>
struct VanRossumCall {
  std::int64_t steps = 0, batch = 0, width = 0;  // T, B, N
  T decay = 0;                                   // exp(-1/tau)
  T scale = 0;                                   // 1/tau
  const T* a = nullptr;                          // [T, B, N]
  const T* b = nullptr;
  T* trace = nullptr;     // [T, B, N]: trace of a - b; forward writes, backward reads
  T* distance = nullptr;  // [B]; forward writes

  const T* grad_distance = nullptr;       // [B], or one value
  std::int64_t grad_distance_stride = 1;  // 0: one value
  T* grad = nullptr;                      // [T, B, N], for a; overwritten
};

template <class T>
void van_rossum_forward(const VanRossumCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;
template <class T>
void van_rossum_backward(const VanRossumCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace rheo::kernels
