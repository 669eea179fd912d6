// A matrix-valued memory as a scan: S[t] = S[t-1] diag(a[t]) + v[t] k[t]^T, spikes H(S - threshold), readout by q.
// All T steps of one sample with the matrix in cache; samples are independent, so threads share them out. The backward
// computes the matrices again from the inputs, a segment of about sqrt(T) steps at a time.
//
// Pointers are valid and sizes checked by the caller. A call covers the samples [begin, end); any split gives the same
// bits.
#pragma once

#include <cstdint>

#include "rheo/core/macros.hpp"
#include "rheo/core/surrogates.hpp"
#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct AssociativeCall {
  std::int64_t steps = 0;        // T
  std::int64_t batch = 0;        // B
  std::int64_t values = 0;       // d
  std::int64_t keys = 0;         // n
  const T* v = nullptr;          // [T, B, d]
  const T* k = nullptr;          // [T, B, n]
  const T* a = nullptr;          // [T, B, n]
  const T* q = nullptr;          // [T, B, n, d], or nullptr: the spikes themselves leave
  const T* state = nullptr;      // [B, d, n], or nullptr: zero
  const T* threshold = nullptr;  // [d, n]
  const T* graded = nullptr;     // [d, n]
  SurrogateCall surrogate;

  T* out = nullptr;    // [T, B, d, d] with q, else [T, B, d, n]; forward only
  T* trace = nullptr;  // [T, B, d, n] or nullptr; forward only
  T* last = nullptr;   // [B, d, n]; forward only

  // Backward. Incoming: nullptr is zero. Outgoing: all overwritten, grad_q where q is.
  const T* grad_out = nullptr;
  const T* grad_trace = nullptr;
  const T* grad_last = nullptr;
  T* grad_v = nullptr;
  T* grad_k = nullptr;
  T* grad_a = nullptr;
  T* grad_q = nullptr;
  T* grad_state = nullptr;      // [B, d, n]
  T* grad_threshold = nullptr;  // [B, d, n]
  T* grad_graded = nullptr;     // [B, d, n]

  /// Steps whose matrices are kept together.
  RHEO_INLINE std::int64_t segment() const {
    std::int64_t length = 1;
    while (length * length < steps) ++length;
    return length;
  }
  /// Elements each thread needs: the forward some rows, the backward a matrix per step of a segment and per segment.
  RHEO_INLINE std::int64_t forward_workspace() const { return padded(values * keys) + padded(keys); }
  RHEO_INLINE std::int64_t backward_workspace() const {
    const auto length = segment();
    const auto segments = (steps + length - 1) / length;
    return (length + segments + 2) * padded(values * keys) + padded(keys);
  }
  RHEO_INLINE static std::int64_t padded(std::int64_t n) { return (n + 15) / 16 * 16; }
};

template <class T>
struct AssociativeLoops {
  void (*forward)(const AssociativeCall<T>&, std::int64_t begin, std::int64_t end,
                  T* workspace) noexcept = nullptr;
  void (*backward)(const AssociativeCall<T>&, std::int64_t begin, std::int64_t end,
                   T* workspace) noexcept = nullptr;
};

struct AssociativeKernels {
  AssociativeLoops<float> f32;
  AssociativeLoops<double> f64;

  template <class T>
  const AssociativeLoops<T>& loops() const {
    if constexpr (sizeof(T) == 4) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// Without functions where this machine or build does not have the instruction set.
AssociativeKernels associative_kernels(Isa isa);

}  // namespace rheo::kernels
