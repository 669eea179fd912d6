// Cross-entropy over time, forward and backward, without T small tensor operations.
// rec [T, B, C] contiguous, targets [B] within [0, C). A call handles the samples [begin, end), so samples are shared
// out among threads; each sample's sums run over t and c in index order, the same bits for any number of threads.
#pragma once

#include <cstdint>

namespace rheo::kernels {

/// What the softmax sees: every step (their losses summed), the sum over time, or the maximum over time.
enum class CrossEntropyOver { steps, sum, maximum };

template <class T>
struct CrossEntropyCall {
  CrossEntropyOver over = CrossEntropyOver::steps;
  std::int64_t steps = 0, batch = 0, classes = 0;
  const T* rec = nullptr;                 // [T, B, C]
  const std::int64_t* targets = nullptr;  // [B]
  T scale = 1;                            // factor of every loss
  const T* weight = nullptr;              // [C], null: ones

  // Forward writes, backward reads.
  T* loss = nullptr;               // [B]; forward only
  T* log_sum = nullptr;            // [T, B] over steps, else [B]: log of the sum of exponentials
  T* pooled = nullptr;             // [B, C]: the sums or maxima; unused over steps
  std::int32_t* winner = nullptr;  // [B, C]: the step of the first maximum; over maximum only

  // Backward.
  const T* grad_loss = nullptr;       // [B], or one value
  std::int64_t grad_loss_stride = 1;  // 0: one value
  T* grad = nullptr;                  // over sum [B, C], else [T, B, C]; overwritten
};

template <class T>
void cross_entropy_forward(const CrossEntropyCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;
template <class T>
void cross_entropy_backward(const CrossEntropyCall<T>& call, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace rheo::kernels
