#include "rheo/kernels/van_rossum.hpp"

namespace rheo::kernels {

template <class T>
void van_rossum_forward(const VanRossumCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto row = call.batch * call.width;
  for (auto b = begin; b < end; ++b) call.distance[b] = 0;
  for (std::int64_t t = 0; t < call.steps; ++t) {
    for (auto b = begin; b < end; ++b) {
      double sum = 0;
      for (auto i = t * row + b * call.width; i < t * row + (b + 1) * call.width; ++i) {
        const T before = t > 0 ? call.trace[i - row] : T(0);
        const T e = call.decay * before + (call.a[i] - call.b[i]);
        call.trace[i] = e;
        sum += static_cast<double>(e) * static_cast<double>(e);
      }
      call.distance[b] += call.scale * static_cast<T>(sum);
    }
  }
}

template <class T>
void van_rossum_backward(const VanRossumCall<T>& call, std::int64_t begin, std::int64_t end) noexcept {
  const auto row = call.batch * call.width;
  for (auto t = call.steps; t-- > 0;) {
    for (auto b = begin; b < end; ++b) {
      const T g = 2 * call.scale * call.grad_distance[b * call.grad_distance_stride];
      for (auto i = t * row + b * call.width; i < t * row + (b + 1) * call.width; ++i) {
        const T after = t + 1 < call.steps ? call.grad[i + row] : T(0);
        call.grad[i] = g * call.trace[i] + call.decay * after;
      }
    }
  }
}

template void van_rossum_forward<float>(const VanRossumCall<float>&, std::int64_t, std::int64_t) noexcept;
template void van_rossum_forward<double>(const VanRossumCall<double>&, std::int64_t, std::int64_t) noexcept;
template void van_rossum_backward<float>(const VanRossumCall<float>&, std::int64_t, std::int64_t) noexcept;
template void van_rossum_backward<double>(const VanRossumCall<double>&, std::int64_t, std::int64_t) noexcept;

}  // namespace rheo::kernels
