#include "rheo/kernels/cross_entropy.hpp"

#include "rheo/core/math.hpp"

#include <cmath>

namespace rheo::kernels {
namespace {

/// log sum exp of C numbers. A NaN stays NaN; all -inf, or +inf among them, is NaN as libtorch has it.
template <class T>
T log_sum_exp(const T* x, std::int64_t classes) {
  T largest = x[0];
  for (std::int64_t c = 1; c < classes; ++c) largest = x[c] > largest || x[c] != x[c] ? x[c] : largest;
  T sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) sum += exp(x[c] - largest);
  return largest + std::log(sum);
}

/// gradient of -log softmax(x)[target], times g.
template <class T>
void softmax_gradient(const T* x, T log_sum, std::int64_t classes, std::int64_t target, T g, T* grad) {
  for (std::int64_t c = 0; c < classes; ++c) grad[c] = g * exp(x[c] - log_sum);
  grad[target] -= g;
}

template <class T>
T factor(const CrossEntropyCall<T>& call, std::int64_t b) {
  return call.weight == nullptr ? call.scale : call.scale * call.weight[call.targets[b]];
}

template <class T>
void pool(const CrossEntropyCall<T>& call, std::int64_t begin, std::int64_t end) {
  const auto classes = call.classes;
  const bool maximum = call.over == CrossEntropyOver::maximum;
  for (auto i = begin * classes; i < end * classes; ++i) {
    call.pooled[i] = maximum ? call.rec[i] : T(0);
    if (maximum) call.winner[i] = 0;
  }
  for (std::int64_t t = maximum ? 1 : 0; t < call.steps; ++t) {
    const T* row = call.rec + t * call.batch * classes;
    for (auto i = begin * classes; i < end * classes; ++i) {
      if (!maximum) {
        call.pooled[i] += row[i];
      } else if (row[i] > call.pooled[i] || (row[i] != row[i] && call.pooled[i] == call.pooled[i])) {
        call.pooled[i] = row[i];
        call.winner[i] = static_cast<std::int32_t>(t);
      }
    }
  }
}

}  // namespace

template <class T>
void cross_entropy_forward(const CrossEntropyCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto classes = call.classes;
  if (call.over != CrossEntropyOver::steps) {
    pool(call, begin, end);
    for (auto b = begin; b < end; ++b) {
      const T* x = call.pooled + b * classes;
      call.log_sum[b] = log_sum_exp(x, classes);
      call.loss[b] = factor(call, b) * (call.log_sum[b] - x[call.targets[b]]);
    }
    return;
  }
  for (auto b = begin; b < end; ++b) call.loss[b] = 0;
  for (std::int64_t t = 0; t < call.steps; ++t) {
    for (auto b = begin; b < end; ++b) {
      const auto at = t * call.batch + b;
      const T* x = call.rec + at * classes;
      call.log_sum[at] = log_sum_exp(x, classes);
      call.loss[b] += call.log_sum[at] - x[call.targets[b]];
    }
  }
  for (auto b = begin; b < end; ++b) call.loss[b] *= factor(call, b);
}

template <class T>
void cross_entropy_backward(const CrossEntropyCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto classes = call.classes;
  const auto incoming = [&](std::int64_t b) {
    return factor(call, b) * call.grad_loss[b * call.grad_loss_stride];
  };
  if (call.over == CrossEntropyOver::steps) {
    for (std::int64_t t = 0; t < call.steps; ++t) {
      for (auto b = begin; b < end; ++b) {
        const auto at = t * call.batch + b;
        softmax_gradient(call.rec + at * classes, call.log_sum[at], classes, call.targets[b], incoming(b),
                         call.grad + at * classes);
      }
    }
    return;
  }
  if (call.over == CrossEntropyOver::sum) {
    for (auto b = begin; b < end; ++b) {
      softmax_gradient(call.pooled + b * classes, call.log_sum[b], classes, call.targets[b], incoming(b),
                       call.grad + b * classes);
    }
    return;
  }
  for (std::int64_t t = 0; t < call.steps; ++t) {
    T* row = call.grad + t * call.batch * classes;
    for (auto i = begin * classes; i < end * classes; ++i) row[i] = 0;
  }
  for (auto b = begin; b < end; ++b) {
    const T g = incoming(b);
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto i = b * classes + c;
      T* to = call.grad + static_cast<std::int64_t>(call.winner[i]) * call.batch * classes + i;
      *to = g * exp(call.pooled[i] - call.log_sum[b]) - (c == call.targets[b] ? g : T(0));
    }
  }
}

#define RHEO_CROSS_ENTROPY(T)                                                                              \
  template void cross_entropy_forward<T>(const CrossEntropyCall<T>&, std::int64_t, std::int64_t) noexcept; \
  template void cross_entropy_backward<T>(const CrossEntropyCall<T>&, std::int64_t, std::int64_t) noexcept;
RHEO_CROSS_ENTROPY(float)
RHEO_CROSS_ENTROPY(double)
#undef RHEO_CROSS_ENTROPY

}  // namespace rheo::kernels
