#include "rheo/kernels/first_spike.hpp"

#include <algorithm>

namespace rheo::kernels {

template <class T>
void first_spike_forward(const FirstSpikeCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto columns = call.columns;
  const auto last = static_cast<std::int32_t>(call.steps - 1);
  for (std::int64_t f = 0; f < call.count; ++f) {
    std::fill(call.time + f * columns + begin, call.time + f * columns + end, static_cast<T>(last));
    std::fill(call.step + f * columns + begin, call.step + f * columns + end, last);
  }
  if (call.count == 1) {
    // From the end to the beginning, what is written last is the first spike.
    for (auto t = call.steps; t-- > 0;) {
      const T* s = call.spk + t * columns;
      for (auto i = begin; i < end; ++i) {
        const bool fires = s[i] != T(0);
        call.time[i] = fires ? s[i] * static_cast<T>(t + 1) - 1 : call.time[i];
        call.step[i] = fires ? static_cast<std::int32_t>(t) : call.step[i];
      }
    }
    return;
  }
  for (auto i = begin; i < end; ++i) {
    std::int64_t found = 0;
    for (std::int64_t t = 0; t < call.steps && found < call.count; ++t) {
      const T s = call.spk[t * columns + i];
      if (s == T(0)) continue;
      call.time[found * columns + i] = s * static_cast<T>(t + 1) - 1;
      call.step[found * columns + i] = static_cast<std::int32_t>(t);
      ++found;
    }
  }
}

template <class T>
void first_spike_backward(const FirstSpikeCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto columns = call.columns;
  for (std::int64_t t = 0; t < call.steps; ++t) {
    std::fill(call.grad + t * columns + begin, call.grad + t * columns + end, T(0));
  }
  for (std::int64_t f = 0; f < call.count; ++f) {
    for (auto i = f * columns + begin; i < f * columns + end; ++i) {
      call.grad[call.step[i] * columns + i - f * columns] = -call.grad_time[i];
    }
  }
}

template void first_spike_forward<float>(const FirstSpikeCall<float>&, std::int64_t, std::int64_t) noexcept;
template void first_spike_forward<double>(const FirstSpikeCall<double>&, std::int64_t, std::int64_t) noexcept;
template void first_spike_backward<float>(const FirstSpikeCall<float>&, std::int64_t, std::int64_t) noexcept;
template void first_spike_backward<double>(const FirstSpikeCall<double>&, std::int64_t,
                                           std::int64_t) noexcept;

}  // namespace rheo::kernels
