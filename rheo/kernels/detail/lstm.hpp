// The LSTM loops for the instruction set of the file that includes this.
#pragma once

#include "rheo/core/math.hpp"
#include "rheo/kernels/detail/packed_product.hpp"
#include "rheo/kernels/detail/rows.hpp"
#include "rheo/kernels/lstm.hpp"

namespace rheo::inline RHEO_ISA::loops {

/// How much of each reset is on, 0 or 1.
template <class V>
struct LstmResets {
  V subtract, zero;
};
template <class V>
RHEO_INLINE LstmResets<V> lstm_resets(Reset reset) {
  using T = Number<V>;
  return {splat<V>(T(reset == Reset::subtract)), splat<V>(T(reset == Reset::zero))};
}

template <class V, class T>
RHEO_INLINE V load_or_zero(const T* p, std::int64_t i) {
  return p != nullptr ? load<V>(p + i) : splat<V>(T{0});
}

/// The last state of step t: the first one before step 0. Null where that is zero.
template <class T>
RHEO_INLINE const T* before(const T* trace, std::int64_t step, std::int64_t t, const T* first) {
  return t > 0 ? trace + (t - 1) * step : first;
}

template <class T>
void lstm_step(const LstmCall<T>& call, std::int64_t t, const T* feedback, std::int64_t begin,
               std::int64_t end) noexcept {
  const std::int64_t n = call.hidden;
  const T* syn_before = before<T>(call.syn, call.state_step, t, call.first_syn);
  const T* mem_before = before<T>(call.mem, call.state_step, t, call.first_mem);
  T* syn = call.syn + t * call.state_step;
  T* mem = call.mem + t * call.state_step;
  T* spk = call.spk != nullptr ? call.spk + t * call.batch * n : nullptr;
  const T* threshold = call.threshold;
  const auto setup = [&](auto lane) RHEO_LAMBDA { return lstm_resets<decltype(lane)>(call.reset); };
  for (std::int64_t b = begin; b < end; ++b) {
    T* gates = call.gates + t * call.gates_step + b * 4 * n;
    const T* more = feedback != nullptr ? feedback + b * 4 * n : nullptr;
    const std::int64_t row = b * n;
    const std::int64_t at[4] = {call.order[0] * n, call.order[1] * n, call.order[2] * n, call.order[3] * n};
    for_row<T>(n, setup, [&](auto lane, std::int64_t k, const auto& resets) RHEO_LAMBDA {
      using V = decltype(lane);
      const auto a = [&](int gate) RHEO_LAMBDA {
        const V own = load<V>(gates + at[gate] + k);
        return more != nullptr ? own + load<V>(more + at[gate] + k) : own;
      };
      const V i = logistic(a(0));
      const V f = logistic(a(1));
      const V g = tanh(a(2));
      const V o = logistic(a(3));
      store(gates + at[0] + k, i);
      store(gates + at[1] + k, f);
      store(gates + at[2] + k, g);
      store(gates + at[3] + k, o);
      const V theta = load<V>(threshold + k);
      const V flag = number_of<V>(load_or_zero<V>(mem_before, row + k) > theta);
      const V c = f * load_or_zero<V>(syn_before, row + k) + i * g;
      const V h = o * tanh(c) * (1 - flag * resets.zero) - flag * resets.subtract * theta;
      store(syn + row + k, c);
      store(mem + row + k, h);
      if (spk != nullptr) store(spk + row + k, number_of<V>(h > theta));
    });
  }
}

template <class T>
void lstm_forward(const LstmCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const std::int64_t n = call.hidden;
  const std::int64_t rows = end - begin;
  for (std::int64_t t = 0; t < call.steps; ++t) {
    const T* share = call.share + t * call.share_step + begin * 4 * n;
    T* gates = call.gates + t * call.gates_step + begin * 4 * n;
    if (gates != share) copy_or_zero(gates, share, rows * 4 * n);
    const T* mem = before<T>(call.mem, call.state_step, t, call.first_mem);
    if (mem != nullptr) product_multiply(mem + begin * n, n, call.packed, rows, n, 4 * n, true, gates, 4 * n);
    lstm_step<T>(call, t, nullptr, begin, end);
  }
}

template <class T>
void lstm_step_backward(const LstmCall<T>& call, std::int64_t t, std::int64_t begin,
                        std::int64_t end) noexcept {
  const std::int64_t n = call.hidden;
  const std::int64_t step = call.batch * n;
  const T* syn_before = before<T>(call.syn, call.state_step, t, call.first_syn);
  const T* mem_before = before<T>(call.mem, call.state_step, t, call.first_mem);
  const T* syn = call.syn + t * call.state_step;
  const T* mem = call.mem + t * call.state_step;
  const auto at_step = [&](const T* p) { return p != nullptr ? p + t * step : nullptr; };
  const T* grad_spk = at_step(call.grad_spk);
  const T* grad_syn = at_step(call.grad_syn);
  const T* grad_mem = at_step(call.grad_mem);
  const AnySpike<T> surrogate = any_spike<T>(call.surrogate);
  const auto setup = [&](auto lane) RHEO_LAMBDA { return lstm_resets<decltype(lane)>(call.reset); };
  for (std::int64_t b = begin; b < end; ++b) {
    const T* gates = call.gates + t * call.gates_step + b * 4 * n;
    T* grad_gates = call.grad_gates + t * step * 4 + b * 4 * n;
    const std::int64_t row = b * n;
    const std::int64_t at[4] = {call.order[0] * n, call.order[1] * n, call.order[2] * n, call.order[3] * n};
    for_row<T>(n, setup, [&](auto lane, std::int64_t k, const auto& resets) RHEO_LAMBDA {
      using V = decltype(lane);
      const V i = load<V>(gates + at[0] + k);
      const V f = load<V>(gates + at[1] + k);
      const V g = load<V>(gates + at[2] + k);
      const V o = load<V>(gates + at[3] + k);
      const V theta = load<V>(call.threshold + k);
      const V flag = number_of<V>(load_or_zero<V>(mem_before, row + k) > theta);
      V to_mem = load<V>(call.carry_mem + row + k) + load_or_zero<V>(grad_mem, row + k);
      V to_threshold = splat<V>(T{0});
      if (grad_spk != nullptr) {
        const V through = load<V>(grad_spk + row + k) * surrogate.factor(load<V>(mem + row + k) - theta);
        to_mem = to_mem + through;
        to_threshold = -through;
      }
      if (call.grad_threshold != nullptr) {
        T* total = call.grad_threshold + row + k;
        store(total, load<V>(total) + (to_threshold - to_mem * flag * resets.subtract));
      }
      const V kept = to_mem * (1 - flag * resets.zero);
      const V squashed = tanh(load<V>(syn + row + k));
      const V to_syn = load<V>(call.carry_syn + row + k) + load_or_zero<V>(grad_syn, row + k) +
                       kept * o * (1 - squashed * squashed);
      store(grad_gates + at[0] + k, to_syn * g * i * (1 - i));
      store(grad_gates + at[1] + k, to_syn * load_or_zero<V>(syn_before, row + k) * f * (1 - f));
      store(grad_gates + at[2] + k, to_syn * i * (1 - g * g));
      store(grad_gates + at[3] + k, kept * squashed * o * (1 - o));
      store(call.carry_syn + row + k, to_syn * f);
    });
  }
}

template <class T>
void lstm_backward(const LstmCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const std::int64_t n = call.hidden;
  for (std::int64_t t = call.steps; t-- > 0;) {
    lstm_step_backward<T>(call, t, begin, end);
    product_multiply(call.grad_gates + (t * call.batch + begin) * 4 * n, 4 * n, call.packed, end - begin,
                     4 * n, n, false, call.carry_mem + begin * n, n);
  }
}

template <class T>
LstmFunctions<T> lstm_functions() {
  return {packed_product<T>(), &lstm_forward<T>, &lstm_backward<T>, &lstm_step<T>, &lstm_step_backward<T>};
}

inline LstmLoops lstm_loops() { return {lstm_functions<float>(), lstm_functions<double>()}; }

}  // namespace rheo::inline RHEO_ISA::loops
