// When neurons fire first: the time of the first spikes, and where its gradient goes.
// spk [T, columns] contiguous. A call handles the columns [begin, end), so columns are shared out among threads.
//   time = s (t + 1) - 1 for the value s of the spike at step t, so t for a spike of 1; T - 1 for a neuron without one
// Gradient: minus that of the time, at the step it was taken from (the last step for a neuron without a spike): an earlier
// time wants more input there. Of several spikes that do not come, all at the last step, the last one's counts.
#pragma once

#include <cstdint>

namespace rheo::kernels {

template <class T>
struct FirstSpikeCall {
  std::int64_t steps = 0, columns = 0;
  std::int64_t count = 1;        // spikes looked for in every neuron
  const T* spk = nullptr;        // [T, columns]
  T* time = nullptr;             // [count, columns]; forward writes
  std::int32_t* step = nullptr;  // [count, columns]: forward writes, backward reads

  const T* grad_time = nullptr;  // [count, columns]
  T* grad = nullptr;             // [T, columns]; overwritten
};

/// steps > 0, count > 0.
template <class T>
void first_spike_forward(const FirstSpikeCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;
template <class T>
void first_spike_backward(const FirstSpikeCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace rheo::kernels
