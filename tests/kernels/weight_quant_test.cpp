// The loops of the weight quantiser alone, for every instruction set there is: ties, ends, sizes around the width of a
// register.
#include "rheo/kernels/weight_quant.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

using namespace rheo::kernels;

TEST(WeightQuant, TheSameOnEveryInstructionSet) {
  std::vector<float> w = {-9, -7.5F, -6.5F, -0.5F, 0.5F, 1.5F, 2.5F, 6.5F, 7.5F, 9, 1e30F, -1e30F};
  for (int i = 0; i < 40; ++i) w.push_back(std::sin(static_cast<float>(i)) * 9);
  const float scale = 1, zero = 2;
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    const auto kernels = weight_quant_kernels(isa);
    EXPECT_EQ(kernels.f32.forward != nullptr, is_available(isa));
    if (!is_available(isa)) continue;
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{17}, w.size()}) {
      std::vector<float> out(n + 1, 77), grad(n + 1, 77), ones(n, 1);
      std::vector<std::int8_t> values(n + 1, 77);
      WeightQuantCall<float> call;
      call.size = static_cast<std::int64_t>(n), call.low = -8, call.high = 7;
      call.scale = &scale, call.zero = &zero, call.w = w.data();
      call.out = out.data(), call.values = values.data();
      call.grad_out = ones.data(), call.grad = grad.data();
      kernels.f32.forward(call, 0, 1);
      kernels.f32.backward(call, 0, 1);
      for (std::size_t i = 0; i < n; ++i) {
        const float q = std::nearbyint(w[i]);  // to even on ties
        const float kept = std::min(std::max(q, -10.0F), 5.0F);
        EXPECT_EQ(out[i], kept) << w[i];
        EXPECT_EQ(values[i], static_cast<int>(kept) + 2);
        EXPECT_EQ(grad[i], q == kept ? 1 : 0) << w[i];
      }
      EXPECT_EQ(out[n], 77);
      EXPECT_EQ(values[n], 77);
      EXPECT_EQ(grad[n], 77);
    }
  }
}

TEST(WeightQuant, BinaryOnEveryInstructionSet) {
  std::vector<double> w;
  for (int i = 0; i < 19; ++i) w.push_back((i - 9) / 4.0);
  const std::vector<double> grad_out(w.size(), 2);
  const double scale = 0.5;
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (!is_available(isa)) continue;
    std::vector<double> out(w.size()), grad(w.size());
    WeightQuantCall<double> call;
    call.size = static_cast<std::int64_t>(w.size()), call.binary = true, call.mean = 0.25;
    call.scale = &scale, call.w = w.data(), call.out = out.data();
    call.grad_out = grad_out.data(), call.grad = grad.data();
    weight_quant_kernels(isa).f64.forward(call, 0, 1);
    weight_quant_kernels(isa).f64.backward(call, 0, 1);
    for (std::size_t i = 0; i < w.size(); ++i) {
      EXPECT_EQ(out[i], w[i] >= 0 ? 0.5 : -0.5) << w[i];
      EXPECT_EQ(grad[i], std::abs(w[i]) <= 1 ? 1.5 : 0.5) << w[i];
    }
  }
}

}  // namespace
