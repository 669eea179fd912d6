// A layer of LSTM cells over time with spikes and resets on its output, forward and backward.
//   a = share + h' W        [B, 4H]: the input's share, made for all T at once, and the last output's
//   i = s(a_i)  f = s(a_f)  g = tanh(a_g)  o = s(a_o)
//   c = f c' + i g          h = o tanh(c), reset where h' > threshold       spk = H(h - threshold)
// c is the state "syn", h the state "mem". The rows of a batch are independent: a call walks the rows [begin, end) through
// all T, so rows are shared out among threads once, without a barrier per step. The same bits for any split.
#pragma once

#include <cstdint>

#include "rheo/core/rule.hpp"
#include "rheo/kernels/packed_product.hpp"
#include "rheo/kernels/registry.hpp"

namespace rheo::kernels {

template <class T>
struct LstmCall {
  std::int64_t steps = 0, batch = 0, hidden = 0;  // T, B, H
  int order[4] = {0, 1, 2, 3};                    // where i, f, g, o lie in a row of 4 H
  Reset reset = Reset::none;
  const T* threshold = nullptr;  // [H]
  SurrogateCall surrogate;
  const T* packed = nullptr;                           // W; forward [H, 4H], backward its transpose [4H, H]
  const T *first_syn = nullptr, *first_mem = nullptr;  // [B, H]; null: zero

  // Forward writes, backward reads. A step of 0 keeps the last step only.
  const T* share = nullptr;          // [T, B, 4H]; forward only; may be `gates`
  std::int64_t share_step = 0;       // B 4H, or 0: the same input at every step
  T* gates = nullptr;                // [T, B, 4H]: i, f, g, o
  std::int64_t gates_step = 0;       // B 4H, or 0
  T *syn = nullptr, *mem = nullptr;  // [T, B, H]
  std::int64_t state_step = 0;       // B H, or 0
  T* spk = nullptr;                  // [T, B, H]; forward only; null: nobody asks

  // Backward.
  const T *grad_spk = nullptr, *grad_syn = nullptr, *grad_mem = nullptr;  // [T, B, H]; null: zero
  T* grad_gates = nullptr;                       // [T, B, 4H]: gradient of a; overwritten
  T *carry_syn = nullptr, *carry_mem = nullptr;  // [B, H]: in, gradients of the last state; out, of the first
  T* grad_threshold = nullptr;                   // [B, H], added to; null: not wanted
};

template <class T>
struct LstmFunctions {
  PackedProduct<T> product;
  void (*forward)(const LstmCall<T>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;
  void (*backward)(const LstmCall<T>&, std::int64_t begin, std::int64_t end) noexcept = nullptr;
  /// One step without the product: the gates hold a already, but for `feedback` [B, 4H].
  void (*step)(const LstmCall<T>&, std::int64_t t, const T* feedback, std::int64_t begin,
               std::int64_t end) noexcept = nullptr;
  /// The same backward: leaves carry_mem to whoever made the feedback.
  void (*step_backward)(const LstmCall<T>&, std::int64_t t, std::int64_t begin,
                        std::int64_t end) noexcept = nullptr;
};

struct LstmLoops {
  LstmFunctions<float> f32;
  LstmFunctions<double> f64;
};

/// Without functions where this build or machine has no such instruction set.
LstmLoops lstm_loops(Isa isa);

}  // namespace rheo::kernels
