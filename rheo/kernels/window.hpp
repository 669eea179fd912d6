// Leaky sums over the last K inputs, exact and linear in time whatever K.
//     U[t] = sum over k < K of decay^k X[t-k]
// The inputs are cut into blocks of K. A window is the end of one block and the beginning of the next: leaky sums that
// run backwards from the end of the one and forwards from the beginning of the other. Nothing is ever subtracted, so
// nothing cancels, and a decay above 1 is as good as one below.
//
// Pointers are valid and sizes checked by the caller; columns = B * N. A call covers the columns [begin, end); any split
// gives the same bits. `workspace` holds window_workspace elements of the calling thread.
#pragma once

#include <cstdint>

#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct WindowCall {
  std::int64_t steps = 0;    // T
  std::int64_t columns = 0;  // B * N
  std::int64_t window = 1;   // K
  std::int64_t period = 1;   // N where the decay is per neuron
  bool per_neuron = false;
  const T* powers = nullptr;  // decay^k, k < K: [K], or [K, N]
  const T* x = nullptr;       // [T, columns]
  const T* past = nullptr;    // [K-1, columns], the inputs before the first; nullptr: zero

  T* out = nullptr;  // [T, columns]; forward only

  // Backward: overwritten, nullptr where not asked for.
  const T* grad_out = nullptr;  // [T, columns]
  T* grad_x = nullptr;          // [T, columns]
  T* grad_past = nullptr;       // [K-1, columns]
  T* grad_decay = nullptr;      // [columns]
};

inline constexpr std::int64_t window_workspace = 4096;

template <class T>
struct WindowLoops {
  void (*forward)(const WindowCall<T>&, std::int64_t begin, std::int64_t end,
                  T* workspace) noexcept = nullptr;
  void (*backward)(const WindowCall<T>&, std::int64_t begin, std::int64_t end,
                   T* workspace) noexcept = nullptr;
};

struct WindowKernels {
  WindowLoops<float> f32;
  WindowLoops<double> f64;

  template <class T>
  const WindowLoops<T>& loops() const {
    if constexpr (sizeof(T) == 4) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// Without functions where this machine or build does not have the instruction set.
WindowKernels window_kernels(Isa isa);

}  // namespace rheo::kernels
