// The loops of associative.hpp, for the instruction set of the file that includes this.
#pragma once

#include "rheo/kernels/associative.hpp"
#include "rheo/kernels/detail/rows.hpp"

namespace rheo::inline RHEO_ISA::loops {

/// Body for every vector of a row.
template <class T, class Body>
RHEO_INLINE void along(std::int64_t n, Body body) {
  for_row<T>(
      n, [](auto) RHEO_LAMBDA { return 0; },
      [&](auto lane, std::int64_t i, int) RHEO_LAMBDA { body(lane, i); });
}

template <class T>
RHEO_INLINE T sum_lanes(Pack<T> v) {
  T part[width<Pack<T>>];
  store(part, v);
  T sum = 0;
  for (const T p : part) sum += p;
  return sum;
}
template <Scalar T>
RHEO_INLINE T sum_lanes(T v) {
  return v;
}

template <class T>
RHEO_INLINE T dot(const T* a, const T* b, std::int64_t n) {
  using V = Pack<T>;
  V sum = splat<V>(T{0});
  std::int64_t i = 0;
  for (; i + width<V> <= n; i += width<V>) sum = sum + load<V>(a + i) * load<V>(b + i);
  T total = sum_lanes(sum);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// S = S diag(a) + v k^T, and what leaves: spikes, or their readout by q.
template <class T>
RHEO_INLINE void associative_step(const AssociativeCall<T>& call, std::int64_t row, T* S, T* spikes) {
  const auto d = call.values;
  const auto n = call.keys;
  const T* k = call.k + row * n;
  const T* a = call.a + row * n;
  const T* q = call.q == nullptr ? nullptr : call.q + row * n * d;
  for (std::int64_t v = 0; v < d; ++v) {
    const T value = call.v[row * d + v];
    T* s = S + v * n;
    T* to = q == nullptr ? call.out + (row * d + v) * n : spikes;
    const T* threshold = call.threshold + v * n;
    const T* graded = call.graded + v * n;
    along<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
      using V = decltype(lane);
      const V u = load<V>(s + i) * load<V>(a + i) + splat<V>(value) * load<V>(k + i);
      store(s + i, u);
      store(to + i, number_of<V>(u > load<V>(threshold + i)) * load<V>(graded + i));
    });
    if (q == nullptr) continue;
    T* y = call.out + (row * d + v) * d;
    fill_row(y, d, T{0});
    for (std::int64_t i = 0; i < n; ++i) {
      const T spike = spikes[i];
      if (spike == 0) continue;
      along<T>(d, [&](auto lane, std::int64_t l) RHEO_LAMBDA {
        using V = decltype(lane);
        store(y + l, load<V>(y + l) + splat<V>(spike) * load<V>(q + i * d + l));
      });
    }
  }
}

/// The matrix alone, one step on.
template <class T>
RHEO_INLINE void associative_advance(const AssociativeCall<T>& call, std::int64_t row, const T* from, T* to) {
  const auto n = call.keys;
  const T* k = call.k + row * n;
  const T* a = call.a + row * n;
  for (std::int64_t v = 0; v < call.values; ++v) {
    const T value = call.v[row * call.values + v];
    along<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
      using V = decltype(lane);
      store(to + v * n + i, load<V>(from + v * n + i) * load<V>(a + i) + splat<V>(value) * load<V>(k + i));
    });
  }
}

template <class T>
void associative_forward(const AssociativeCall<T>& call, std::int64_t begin, std::int64_t end,
                         T* workspace) noexcept {
  const auto size = call.values * call.keys;
  T* S = workspace;
  T* spikes = workspace + AssociativeCall<T>::padded(size);
  for (auto b = begin; b < end; ++b) {
    copy_or_zero(S, call.state == nullptr ? nullptr : call.state + b * size, size);
    for (std::int64_t t = 0; t < call.steps; ++t) {
      const auto row = t * call.batch + b;
      associative_step(call, row, S, spikes);
      if (call.trace != nullptr) copy_or_zero<T>(call.trace + row * size, S, size);
    }
    copy_or_zero<T>(call.last + b * size, S, size);
  }
}

/// One step back: `adjoint` holds the gradient of the matrix after the step, then of that before it.
template <class T>
RHEO_INLINE void associative_step_back(const AssociativeCall<T>& call, const AnySpike<T>& surrogate,
                                       std::int64_t b, std::int64_t row, const T* before, T* adjoint,
                                       T* grad_spikes) {
  const auto d = call.values;
  const auto n = call.keys;
  const T* k = call.k + row * n;
  const T* a = call.a + row * n;
  T* gk = call.grad_k + row * n;
  T* ga = call.grad_a + row * n;
  fill_row(gk, n, T{0});
  fill_row(ga, n, T{0});
  const T* q = call.q == nullptr ? nullptr : call.q + row * n * d;
  T* gq = call.q == nullptr ? nullptr : call.grad_q + row * n * d;
  if (q != nullptr) fill_row(gq, n * d, T{0});
  for (std::int64_t v = 0; v < d; ++v) {
    const T value = call.v[row * d + v];
    const T* s = before + v * n;
    const T* threshold = call.threshold + v * n;
    const T* graded = call.graded + v * n;
    const T* gs = grad_spikes;
    if (call.grad_out == nullptr) {
      fill_row(grad_spikes, n, T{0});
    } else if (q == nullptr) {
      gs = call.grad_out + (row * d + v) * n;
    } else {
      const T* gy = call.grad_out + (row * d + v) * d;
      for (std::int64_t i = 0; i < n; ++i) {
        grad_spikes[i] = dot(gy, q + i * d, d);
        if (!(s[i] * a[i] + value * k[i] > threshold[i])) continue;
        along<T>(d, [&](auto lane, std::int64_t l) RHEO_LAMBDA {
          using V = decltype(lane);
          store(gq + i * d + l, load<V>(gq + i * d + l) + splat<V>(graded[i]) * load<V>(gy + l));
        });
      }
    }
    T* g = adjoint + v * n;
    const T* g_trace = call.grad_trace == nullptr ? nullptr : call.grad_trace + (row * d + v) * n;
    T* g_threshold = call.grad_threshold + (b * d + v) * n;
    T* g_graded = call.grad_graded + (b * d + v) * n;
    T gv = 0;
    along<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
      using V = decltype(lane);
      const V si = load<V>(s + i);
      const V ai = load<V>(a + i);
      const V ki = load<V>(k + i);
      const V above = si * ai + splat<V>(value) * ki;
      const V gsi = load<V>(gs + i);
      const V through = gsi * load<V>(graded + i) * surrogate.factor(V(above - load<V>(threshold + i)));
      store(g_threshold + i, load<V>(g_threshold + i) - through);
      store(g_graded + i, load<V>(g_graded + i) + gsi * number_of<V>(above > load<V>(threshold + i)));
      V A = load<V>(g + i) + through;
      if (g_trace != nullptr) A = A + load<V>(g_trace + i);
      gv += sum_lanes(V(A * ki));
      store(gk + i, load<V>(gk + i) + A * splat<V>(value));
      store(ga + i, load<V>(ga + i) + A * si);
      store(g + i, A * ai);
    });
    call.grad_v[row * d + v] = gv;
  }
}

template <class T>
void associative_backward(const AssociativeCall<T>& call, std::int64_t begin, std::int64_t end,
                          T* workspace) noexcept {
  const auto size = call.values * call.keys;
  const auto stride = AssociativeCall<T>::padded(size);
  const auto length = call.segment();
  const auto segments = (call.steps + length - 1) / length;
  const AnySpike<T> surrogate = any_spike<T>(call.surrogate);
  T* history = workspace;                // before every step of a segment
  T* first = history + length * stride;  // before every segment
  T* adjoint = first + segments * stride;
  T* running = adjoint + stride;
  T* grad_spikes = running + stride;
  for (auto b = begin; b < end; ++b) {
    copy_or_zero(running, call.state == nullptr ? nullptr : call.state + b * size, size);
    copy_or_zero(adjoint, call.grad_last == nullptr ? nullptr : call.grad_last + b * size, size);
    copy_or_zero<T>(call.grad_threshold + b * size, nullptr, size);
    copy_or_zero<T>(call.grad_graded + b * size, nullptr, size);
    for (std::int64_t t = 0; t < call.steps; ++t) {
      if (t % length == 0) copy_or_zero<T>(first + t / length * stride, running, size);
      associative_advance(call, t * call.batch + b, running, running);
    }
    for (auto s = segments; s-- > 0;) {
      const auto t0 = s * length;
      const auto t1 = t0 + length < call.steps ? t0 + length : call.steps;
      copy_or_zero<T>(history, first + s * stride, size);
      for (auto t = t0; t + 1 < t1; ++t) {
        const T* from = history + (t - t0) * stride;
        associative_advance(call, t * call.batch + b, from, history + (t - t0 + 1) * stride);
      }
      for (auto t = t1; t-- > t0;) {
        associative_step_back(call, surrogate, b, t * call.batch + b, history + (t - t0) * stride, adjoint,
                              grad_spikes);
      }
    }
    copy_or_zero<T>(call.grad_state + b * size, adjoint, size);
  }
}

inline AssociativeKernels associative_loops() {
  return {{&associative_forward<float>, &associative_backward<float>},
          {&associative_forward<double>, &associative_backward<double>}};
}

}  // namespace rheo::inline RHEO_ISA::loops
