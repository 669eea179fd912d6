// The seam between libtorch and the time loops: plain structs and function pointers, nothing else crosses.
//
// Shapes: a sequence is [T, columns], columns = B * N, time first; a state is [columns]; a constant is one number or
// `period` numbers, repeated along the columns (columns % period == 0). Pointers are valid and sizes checked by the
// caller. Activations are overwritten; so are the rows of constant gradients, one value per column, summed by the caller
// (reduce_columns), so that results do not depend on threads.
//
// A call covers columns [begin, end). Any split gives the same bits. Functions are noexcept, do not allocate, and use
// `workspace` (elements, 64-byte aligned) that belongs to the calling thread.
#pragma once

#include <cstdint>

#include "rheo/core/export.hpp"
#include "rheo/core/info.hpp"
#include "rheo/core/rule.hpp"

namespace rheo::kernels {

inline constexpr int max_states = 4;
inline constexpr int max_constants =
    13;  // the neuron's, threshold, graded_spikes_factor, the surrogate's slope

/// A read-only sequence in which steps, or columns, may be one value repeated.
template <class T>
struct Sequence {
  const T* data = nullptr;  // nullptr: zero throughout
  std::int64_t step = 0;    // elements from one time step to the next; 0 = the same row at every step
  std::int64_t column = 1;  // 1, or 0 = the same value in every column
};

template <class T>
struct NeuronCall {
  std::int64_t steps = 0;           // T
  std::int64_t columns = 0;         // B * N
  std::int64_t period = 1;          // values of a per-neuron constant
  Sequence<T> x;                    // [T, columns]
  const T* state[max_states] = {};  // before the first step; nullptr = zero
  // One value each, or `period` values. The slope's is read from `surrogate`; only its gradient has a place here.
  const T* constants[max_constants] = {};
  bool per_neuron[max_constants] = {};
  Reset reset = Reset::subtract;
  bool reset_delay = true;
  SurrogateCall surrogate;
};

template <class T>
struct ForwardCall : NeuronCall<T> {
  T* spk = nullptr;                // [T, columns]
  T* traces[max_states] = {};      // [T, columns] each, or nullptr
  T* last_state[max_states] = {};  // [columns] each, or nullptr
  bool streaming = false;          // results are too large to stay in cache: write around it
};

template <class T>
struct BackwardCall : NeuronCall<T> {
  const T* traces[max_states] =
      {};                // of the forward, if all were kept; else states are computed again from x
  Sequence<T> grad_spk;  // [T, columns]
  Sequence<T> grad_traces[max_states];
  const T* grad_last_state[max_states] = {};  // [columns] or nullptr
  T* grad_x = nullptr;                        // [T, columns], or [columns] where x.step is 0
  T* grad_state[max_states] = {};             // [columns]
  T* grad_constants[max_constants] = {};      // [columns] each
  bool learning = false;                      // any constant gradient asked for
  bool streaming = false;
};

template <class T>
struct NeuronLoops {
  void (*forward)(const ForwardCall<T>&, std::int64_t begin, std::int64_t end,
                  T* workspace) noexcept = nullptr;
  void (*backward)(const BackwardCall<T>&, std::int64_t begin, std::int64_t end,
                   T* workspace) noexcept = nullptr;
};

/// One neuron's kernels for one instruction set.
struct NeuronKernels {
  NeuronLoops<float> f32;
  NeuronLoops<double> f64;

  template <class T>
  const NeuronLoops<T>& loops() const {
    if constexpr (sizeof(T) == 4) {
      return f32;
    } else {
      return f64;
    }
  }
};

/// How a call is cut: columns walked together, and steps whose states are kept together in the backward.
/// Depends on sizes alone, never on threads or instruction set.
struct Plan {
  std::int64_t tile;     // columns
  std::int64_t segment;  // steps
  std::int64_t segments;
  std::int64_t workspace;  // elements
};

RHEO_API Plan plan_forward(std::int64_t steps, int states, int constants, std::int64_t element_size);
RHEO_API Plan plan_backward(std::int64_t steps, int states, int constants, std::int64_t element_size,
                            bool traces_kept);

/// out[n] = sum over b of rows[b * period + n], in a fixed order, in double.
template <class T>
RHEO_API void reduce_columns(const T* rows, std::int64_t columns, std::int64_t period, T* out) noexcept;

}  // namespace rheo::kernels
