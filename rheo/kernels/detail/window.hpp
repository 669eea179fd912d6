// The loops of window.hpp, for the instruction set of the file that includes this.
#pragma once

#include "rheo/kernels/detail/rows.hpp"
#include "rheo/kernels/window.hpp"

namespace rheo::inline RHEO_ISA::loops {

/// Columns that walk through time together: [begin, begin + n).
template <class T>
struct WindowTile {
  const WindowCall<T>& call;
  std::int64_t begin, n;
  const T* powers;     // of the first column
  std::int64_t power;  // elements from one power to the next

  WindowTile(const WindowCall<T>& c, std::int64_t b, std::int64_t count)
      : call(c),
        begin(b),
        n(count),
        powers(c.powers + (c.per_neuron ? b % c.period : 0)),
        power(c.per_neuron ? c.period : 1) {}

  /// decay^k of column i.
  template <class V>
  RHEO_INLINE V decay(std::int64_t k, std::int64_t i) const {
    return call.per_neuron ? load<V>(powers + k * power + i) : splat<V>(powers[k]);
  }
  /// Row t of the input, from the past where t < 0; nullptr: zero.
  RHEO_INLINE const T* x(std::int64_t t) const {
    if (t >= 0) return t < call.steps ? call.x + t * call.columns + begin : nullptr;
    return call.past == nullptr ? nullptr : call.past + (t + call.window - 1) * call.columns + begin;
  }
};

/// Body for each vector of a row.
template <class T, class Body>
RHEO_INLINE void over_row(std::int64_t n, Body body) {
  for_row<T>(
      n, [](auto) RHEO_LAMBDA { return 0; },
      [&](auto lane, std::int64_t i, int) RHEO_LAMBDA { body(lane, i); });
}

/// out(t) = the sum over the window of in, for t in [0, count). in(t) is asked for t > -K and may be nullptr: zero.
template <class T, class In, class Out>
RHEO_INLINE void window_sums(const WindowTile<T>& tile, std::int64_t count, In in, Out out, T* sum) {
  const auto K = tile.call.window;
  const auto n = tile.n;
  for (std::int64_t start = 0; start < count; start += K) {
    // What is left of the block before: its last element alone, the last two ...
    fill_row(sum, n, T{0});
    for (std::int64_t j = K - 1; j >= 1; --j) {
      const T* x = in(start - K + j);
      if (x != nullptr) {
        over_row<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
          using V = decltype(lane);
          store(sum + i, load<V>(sum + i) + tile.template decay<V>(K - 1 - j, i) * load<V>(x + i));
        });
      }
      if (start + j - 1 >= count) continue;
      T* y = out(start + j - 1);
      over_row<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
        using V = decltype(lane);
        store(y + i, tile.template decay<V>(j, i) * load<V>(sum + i));
      });
    }
    // What there is of this block.
    fill_row(sum, n, T{0});
    for (std::int64_t r = 0; r < K && start + r < count; ++r) {
      const T* x = in(start + r);
      T* y = out(start + r);
      over_row<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
        using V = decltype(lane);
        V u = load<V>(sum + i);
        if (r > 0) u = u * tile.template decay<V>(1, i);
        if (x != nullptr) u = u + load<V>(x + i);
        store(sum + i, u);
        store(y + i, r < K - 1 ? load<V>(y + i) + u : u);
      });
    }
  }
}

/// The gradient of the decay: the sum over t of grad[t] dU[t]/d decay, by the same blocks. `work` holds three rows.
template <class T>
RHEO_INLINE void window_decay_gradient(const WindowTile<T>& tile, T* grad_decay, T* work) {
  const auto K = tile.call.window;
  const auto n = tile.n;
  const auto steps = tile.call.steps;
  T* total = grad_decay + tile.begin;
  T* sum = work;
  T* slope = work + n;
  fill_row(total, n, T{0});
  const auto grad = [&](std::int64_t t) { return tile.call.grad_out + t * tile.call.columns + tile.begin; };
  for (std::int64_t start = 0; start < steps; start += K) {
    fill_row(sum, n, T{0});
    fill_row(slope, n, T{0});
    for (std::int64_t j = K - 1; j >= 1; --j) {
      const T* x = tile.x(start - K + j);
      const T* g = start + j - 1 < steps ? grad(start + j - 1) : nullptr;
      const std::int64_t k = K - 1 - j;
      over_row<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
        using V = decltype(lane);
        V u = load<V>(sum + i);
        V du = load<V>(slope + i);
        if (x != nullptr) {
          const V xi = load<V>(x + i);
          u = u + tile.template decay<V>(k, i) * xi;
          if (k > 0) du = du + splat<V>(static_cast<T>(k)) * tile.template decay<V>(k - 1, i) * xi;
          store(sum + i, u);
          store(slope + i, du);
        }
        if (g != nullptr) {
          const V dy = splat<V>(static_cast<T>(j)) * tile.template decay<V>(j - 1, i) * u +
                       tile.template decay<V>(j, i) * du;
          store(total + i, load<V>(total + i) + load<V>(g + i) * dy);
        }
      });
    }
    fill_row(sum, n, T{0});
    fill_row(slope, n, T{0});
    for (std::int64_t r = 0; r < K && start + r < steps; ++r) {
      const T* x = tile.x(start + r);
      const T* g = grad(start + r);
      over_row<T>(n, [&](auto lane, std::int64_t i) RHEO_LAMBDA {
        using V = decltype(lane);
        V u = load<V>(sum + i);
        V du = load<V>(slope + i);
        if (r > 0) {
          du = u + tile.template decay<V>(1, i) * du;
          u = u * tile.template decay<V>(1, i);
        }
        store(sum + i, u + load<V>(x + i));
        store(slope + i, du);
        store(total + i, load<V>(total + i) + load<V>(g + i) * du);
      });
    }
  }
}

/// Tiles of a call: within one sample where the decay is per neuron, so that a tile's powers lie side by side.
template <class T, class F>
RHEO_INLINE void each_tile(const WindowCall<T>& call, std::int64_t begin, std::int64_t end, F f) {
  constexpr std::int64_t widest = window_workspace / 4;
  for (std::int64_t b = begin; b < end;) {
    std::int64_t n = end - b < widest ? end - b : widest;
    if (call.per_neuron && n > call.period - b % call.period) n = call.period - b % call.period;
    f(WindowTile<T>(call, b, n));
    b += n;
  }
}

template <class T>
void window_forward(const WindowCall<T>& call, std::int64_t begin, std::int64_t end, T* workspace) noexcept {
  each_tile(call, begin, end, [&](const WindowTile<T>& tile) RHEO_LAMBDA {
    window_sums<T>(
        tile, call.steps, [&](std::int64_t t) { return tile.x(t); },
        [&](std::int64_t t) { return call.out + t * call.columns + tile.begin; }, workspace);
  });
}

template <class T>
void window_backward(const WindowCall<T>& call, std::int64_t begin, std::int64_t end, T* workspace) noexcept {
  const auto past = call.window - 1;
  each_tile(call, begin, end, [&](const WindowTile<T>& tile) RHEO_LAMBDA {
    if (call.grad_x != nullptr || call.grad_past != nullptr) {
      // The same sums, time running backwards, on into the past.
      T* unused = workspace + window_workspace / 2;
      window_sums<T>(
          tile, call.grad_past != nullptr ? call.steps + past : call.steps,
          [&](std::int64_t t) {
            const bool within = t >= 0 && t < call.steps;
            return within ? call.grad_out + (call.steps - 1 - t) * call.columns + tile.begin : nullptr;
          },
          [&](std::int64_t t) {
            if (t >= call.steps)
              return call.grad_past + (past - 1 - (t - call.steps)) * call.columns + tile.begin;
            return call.grad_x == nullptr ? unused
                                          : call.grad_x + (call.steps - 1 - t) * call.columns + tile.begin;
          },
          workspace);
    }
    if (call.grad_decay != nullptr) window_decay_gradient<T>(tile, call.grad_decay, workspace);
  });
}

inline WindowKernels window_loops() {
  return {{&window_forward<float>, &window_backward<float>},
          {&window_forward<double>, &window_backward<double>}};
}

}  // namespace rheo::inline RHEO_ISA::loops
