// Compiled once per instruction set.
#include "benchmarks/kernels/opponents.hpp"

#include "rheo/core/pack.hpp"

namespace rheo::inline RHEO_ISA::opponents {

benchmarks::Opponents all();

using benchmarks::HandCall;
using P = Pack<float>;
constexpr int w = width<P>;

void copy(const float* from, float* to, std::int64_t n) {
  for (std::int64_t i = 0; i + w <= n; i += w) stream(to + i, load<P>(from + i));
}

// The same plan as the generated loop (membranes of a tile recomputed, rows asked for four steps ahead), the calculus by hand:
//   lambda[t] = f(U[t]) g[t] + beta lambda[t+1],  grad_x[t] = lambda[t],  f the arctan surrogate
void leaky_backward(const HandCall& c, std::int64_t begin, std::int64_t end, float* workspace) {
  constexpr std::int64_t tile = benchmarks::hand_tile;
  for (std::int64_t b = begin; b < end; b += tile) {
    const std::int64_t n = end - b < tile ? end - b : tile;
    float* mem = workspace;
    float* lambda = workspace + c.steps * tile;
    for (std::int64_t i = 0; i < n; ++i) mem[i] = lambda[i] = 0;
    const auto reset = [&](P u) { return select(u > c.threshold, splat<P>(c.threshold), splat<P>(0.0F)); };
    for (std::int64_t t = 0; t + 1 < c.steps; ++t) {
      const float* x = c.x + t * c.columns + b;
      const float* ahead = t + 4 < c.steps ? x + 4 * c.columns : x;
      for (std::int64_t i = 0; i + w <= n; i += w) {
        __builtin_prefetch(ahead + i, 0, 2);
        const P u = load<P>(mem + t * tile + i);
        store(mem + (t + 1) * tile + i, c.beta * u + load<P>(x + i) - reset(u));
      }
    }
    for (std::int64_t t = c.steps; t-- > 0;) {
      const float* x = c.x + t * c.columns + b;
      const float* g = c.grad_spk + t * c.columns + b;
      float* gx = c.grad_x + t * c.columns + b;
      const std::int64_t back = t >= 4 ? 4 * c.columns : 0;
      for (std::int64_t i = 0; i + w <= n; i += w) {
        __builtin_prefetch(g - back + i, 0, 2);
        const P u = load<P>(mem + t * tile + i);
        const P above = c.beta * u + load<P>(x + i) - reset(u) - c.threshold;
        const P z = above * 3.14159265F;
        const P l = load<P>(g + i) / (1 + z * z) + load<P>(lambda + i);
        stream(gx + i, l);
        store(lambda + i, c.beta * l);
      }
    }
  }
}

benchmarks::Opponents all() { return {&copy, &leaky_backward}; }

}  // namespace rheo::inline RHEO_ISA::opponents
