// Rows of a tile: how a time loop reads and writes memory. A tile of columns is walked through all steps, so its states
// stay in the first-level cache, and each row of a tile is a contiguous stretch of memory.
#pragma once

#include <cstddef>

#include "rheo/core/dual.hpp"
#include "rheo/core/rule.hpp"
#include "rheo/kernels/neuron_call.hpp"

namespace rheo::inline RHEO_ISA::loops {

using namespace ::rheo::kernels;

template <class N>
inline constexpr int states_of = N::state_names::count;
template <class N>
inline constexpr int constants_of = N::constants_names::count;  // without threshold and graded factor

// Rows of a tile are far apart in memory: the hardware does not guess the next one, so it is asked for. A few steps
// ahead into the second-level cache, which can wait for more lines at a time than the first, then one step ahead into
// the first. Measured on one core reading 51 MB: 1.6-2.0 ms, as fast as in one piece; straight into the first level
// 3.5, not at all 4.1.
inline constexpr std::int64_t prefetch_steps = 4;

/// A row of a tile, and the rows to ask for meanwhile.
template <class T>
struct Row {
  const T* p = nullptr;
  const T* next = nullptr;
  const T* far = nullptr;

  template <class V>
  RHEO_INLINE V at(std::int64_t i) const {
    return load<V>(p + i);
  }
  RHEO_INLINE void prefetch(std::int64_t i) const {
    __builtin_prefetch(far + i, 0, 2);
    __builtin_prefetch(next + i, 0, 3);
  }
};

/// Hands out pieces of the workspace.
template <class T>
struct Arena {
  T* next;
  RHEO_INLINE T* take(std::int64_t n) {
    T* p = next;
    next += (n + 15) / 16 * 16;
    return p;
  }
};

template <class T>
RHEO_INLINE void fill_row(T* row, std::int64_t n, T value) {
  for (std::int64_t i = 0; i < n; ++i) row[i] = value;
}

template <class T>
RHEO_INLINE void copy_or_zero(T* to, const T* from, std::int64_t n) {
  const auto bytes = static_cast<std::size_t>(n) * sizeof(T);
  if (from != nullptr) {
    __builtin_memcpy(to, from, bytes);
  } else {
    __builtin_memset(to, 0, bytes);
  }
}

/// All constants laid out along the columns of this tile.
template <class N, class T>
struct ConstantRows {
  static constexpr int count = constants_of<N> + 2;
  const T* row[count];

  template <class V>
  RHEO_INLINE V at(int k, std::int64_t i) const {
    return load<V>(row[k] + i);
  }

  RHEO_INLINE void fill(const NeuronCall<T>& call, std::int64_t begin, std::int64_t n, Arena<T>& arena) {
    for (int k = 0; k < count; ++k) {
      T* values = arena.take(n);
      row[k] = values;
      if (!call.per_neuron[k]) {
        fill_row(values, n, *call.constants[k]);
        continue;
      }
      std::int64_t at = begin % call.period;
      for (std::int64_t i = 0; i < n; ++i) {
        values[i] = call.constants[k][at];
        if (++at == call.period) at = 0;
      }
    }
  }
};

/// A sequence seen from one tile; a value repeated over the columns is written out as a row.
template <class T>
struct TileSequence {
  const Sequence<T>* sequence = nullptr;
  std::int64_t begin = 0;
  std::int64_t n = 0;
  T* repeated = nullptr;

  RHEO_INLINE void open(const Sequence<T>& s, std::int64_t first_column, std::int64_t columns,
                        Arena<T>& arena) {
    sequence = &s;
    begin = first_column;
    n = columns;
    if (s.column == 0 || s.data == nullptr) {
      repeated = arena.take(n);
      // A value per step is written by row(): without steps there is none to read.
      fill_row(repeated, n, s.data != nullptr && s.step == 0 ? *s.data : T{0});
    }
  }
  RHEO_INLINE bool absent() const { return sequence->data == nullptr; }
  /// The row of step t of a walk that ends before step `end` (forward) or at step `end` (backward, end <= t).
  RHEO_INLINE Row<T> row(std::int64_t t, std::int64_t end) {
    const auto ahead = [&](std::int64_t steps) {
      const std::int64_t s = end > t ? t + steps : t - steps;
      return (end > t ? s < end : s >= end) ? s : t;
    };
    if (repeated == nullptr) {
      const T* data = sequence->data + begin;
      return {data + t * sequence->step, data + ahead(1) * sequence->step,
              data + ahead(prefetch_steps) * sequence->step};
    }
    if (sequence->data != nullptr && sequence->step != 0)
      fill_row(repeated, n, sequence->data[t * sequence->step]);
    return {repeated, repeated, repeated};
  }
};

/// Runs body(lane, i, shared) for every element of a row: whole registers first, then one by one. What a row has in
/// common is made once per lane type by setup(lane).
template <class T, class Setup, class Body>
RHEO_INLINE void for_row(std::int64_t n, Setup setup, Body body) {
  std::int64_t i = 0;
#if !defined(__CUDACC__)
  constexpr int w = width<Pack<T>>;
  if (n >= w) {
    const auto shared = setup(Pack<T>{});
    for (; i + w <= n; i += w) body(Pack<T>{}, i, shared);
  }
#endif
  if (i < n) {
    const auto shared = setup(T{});
    for (; i < n; ++i) body(T{}, i, shared);
  }
}

template <class V>
RHEO_INLINE auto lane_factors(Reset reset, bool delay) {
  return reset_factors(reset, delay, [](int on) RHEO_LAMBDA { return splat<V>(static_cast<Number<V>>(on)); });
}

RHEO_INLINE bool is_default_reset(Reset reset, bool delay) { return reset == Reset::subtract && delay; }

/// Writes a result, around the cache where nobody will read it soon.
template <class T, class V>
RHEO_INLINE void put(T* p, const V& v, bool streaming) {
  if (streaming) {
    stream(p, v);
  } else {
    store(p, v);
  }
}

RHEO_INLINE void finish_streaming() {
#if defined(__SSE2__) && !defined(__CUDACC__)
  _mm_sfence();
#endif
}

}  // namespace rheo::inline RHEO_ISA::loops
