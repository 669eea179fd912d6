#include "rheo/functional/lif.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/gradient_check.hpp"

namespace {

using rheo::Reset;
using rheo::functional::leaky_integrate;
using rheo::functional::leaky_integrate_and_fire;

template <class Function>
std::string message(Function function) {
  try {
    function();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing thrown";
}

/// The same steps in plain arithmetic of type T, in the order of the formula. With `fires`, spikes are
/// counted by index.
template <class T>
struct PlainNeuron {
  T mem = 0;
  double time_step = 1e-3, R = 5.1, C = 5e-3, threshold = 1;
  Reset reset = Reset::subtract;

  bool step(T current) {
    const bool spk = mem > static_cast<T>(threshold);
    const T next = mem + (-mem + current * static_cast<T>(R)) * static_cast<T>(time_step / (R * C));
    mem = reset == Reset::none   ? next
          : reset == Reset::zero ? (spk ? T(0) : next)
                                 : next - T(spk) * static_cast<T>(threshold);
    return spk;
  }
};

template <class T>
void compare_with_plain(at::ScalarType type) {
  for (const Reset reset : {Reset::subtract, Reset::zero, Reset::none}) {
    PlainNeuron<T> plain{.threshold = 0.5, .reset = reset};
    at::Tensor mem = torch::zeros({1}, type);
    for (int step = 0; step < 300; ++step) {
      const T current = static_cast<T>(0.15 + 0.1 * std::sin(0.1 * step));
      const auto out = leaky_integrate_and_fire(mem, torch::full({1}, static_cast<double>(current), type),
                                                {.threshold = 0.5, .reset = reset});
      mem = out.mem;
      ASSERT_EQ(out.spk.item<double>(), plain.step(current) ? 1 : 0) << "step " << step;
      ASSERT_EQ(mem.item<T>(), plain.mem) << "step " << step;
      ASSERT_EQ(out.spk.scalar_type(), type);
    }
  }
}

TEST(LeakyIntegrateAndFire, EqualsPlainArithmeticBitForBit) {
  compare_with_plain<float>(at::kFloat);
  compare_with_plain<double>(at::kDouble);
}

TEST(LeakyIntegrate, DecaysByOneMinusTimeStepOverTau) {
  at::Tensor mem = torch::tensor({0.9}, at::kDouble);
  const std::vector<double> expected = {0.72, 0.576, 0.4608, 0.36864, 0.294912};
  for (const double value : expected) {
    mem = leaky_integrate(mem, torch::zeros_like(mem));
    EXPECT_NEAR(mem.item<double>(), value, 1e-15);
  }
}

TEST(LeakyIntegrate, ApproachesTheExactSolution) {
  // U(t) = I R (1 - exp(-t / tau)); forward Euler errs by a term in time_step.
  const double tau = 5.1 * 5e-3, time_step = 1e-6, end = 0.03;
  at::Tensor mem = torch::zeros({1}, at::kDouble);
  const at::Tensor current = torch::full({1}, 0.2, at::kDouble);
  for (int step = 0; step < 30000; ++step) {
    mem = leaky_integrate(mem, current, {.time_step = time_step, .R = 5.1, .C = 5e-3});
  }
  EXPECT_NEAR(mem.item<double>(), 0.2 * 5.1 * (1 - std::exp(-end / tau)), 1e-5);
}

TEST(LeakyIntegrate, BroadcastsAndCarriesGradients) {
  const at::Tensor mem = torch::zeros({2, 3}, torch::requires_grad());
  const at::Tensor current = torch::ones({3}, torch::requires_grad());
  const at::Tensor next = leaky_integrate(mem, current, {.time_step = 1, .R = 2, .C = 2});
  EXPECT_EQ(next.sizes(), (std::vector<std::int64_t>{2, 3}));
  next.sum().backward();
  EXPECT_TRUE(mem.grad().equal(torch::full({2, 3}, 0.75F)));
  EXPECT_TRUE(current.grad().equal(torch::full({3}, 1.F)));  // 2 rows, time_step / tau R = 1/2
}

TEST(LeakyIntegrate, GradientsAreThoseOfCentralDifferences) {
  torch::manual_seed(3);
  const auto mem = torch::rand({2, 3}, at::kDouble), current = torch::rand({3}, at::kDouble);
  rheo::test::expect_gradients(
      [](const auto& v) {
        return leaky_integrate(v[0], v[1], {.time_step = 1, .R = 2, .C = 3}).tanh().sum();
      },
      {mem, current});
  for (const auto reset :
       {rheo::Reset::subtract, rheo::Reset::zero, rheo::Reset::none}) {  // a spike is a constant
    rheo::test::expect_gradients(
        [&](const auto& v) {
          return leaky_integrate_and_fire(v[0], v[1],
                                          {.time_step = 1, .R = 2, .C = 3, .threshold = 0.4, .reset = reset})
              .mem.tanh()
              .sum();
        },
        {mem, current});
  }
}

TEST(LeakyIntegrateAndFire, TheSpikeCarriesNoGradient) {
  const at::Tensor mem = torch::full({1}, 1.5F, torch::requires_grad());
  const auto out = leaky_integrate_and_fire(mem, torch::zeros({1}), {.time_step = 1, .R = 2, .C = 2});
  EXPECT_FALSE(out.spk.requires_grad());
  out.mem.backward();
  EXPECT_EQ(mem.grad().item<float>(), 0.75F);
}

TEST(LeakyIntegrateAndFire, TheThresholdItselfDoesNotFire) {
  const at::Tensor mem = torch::tensor({1.0F, std::nextafter(1.0F, 2.0F)});
  EXPECT_TRUE(leaky_integrate_and_fire(mem, torch::zeros({2})).spk.equal(torch::tensor({0.F, 1.F})));
}

TEST(LeakyIntegrate, EmptyTensorsPass) {
  EXPECT_EQ(leaky_integrate(torch::zeros({0, 4}), torch::zeros({4})).numel(), 0);
}

TEST(LeakyIntegrate, BadArgumentsAreOneClearError) {
  const at::Tensor one = torch::ones({1});
  const auto with = [&](double time_step, double R, double C) {
    return message([&] { (void)leaky_integrate(one, one, {.time_step = time_step, .R = R, .C = C}); });
  };
  EXPECT_EQ(with(1, 0, 1), "[leaky_integrate] R must be positive, got 0");
  EXPECT_EQ(with(1, 1, -2), "[leaky_integrate] C must be positive, got -2");
  EXPECT_EQ(with(std::nan(""), 1, 1), "[leaky_integrate] time_step must be positive, got nan");
  EXPECT_EQ(with(1, std::numeric_limits<double>::infinity(), 1),
            "[leaky_integrate] R must be positive, got inf");
  EXPECT_EQ(message([&] { (void)leaky_integrate(torch::ones({1}, at::kLong), one); }),
            "[leaky_integrate] mem must be a floating-point tensor, got Long");
  EXPECT_EQ(message([&] { (void)leaky_integrate(one, at::Tensor()); }),
            "[leaky_integrate] current must be a floating-point tensor, got an undefined one");
  EXPECT_EQ(message([&] { (void)leaky_integrate_and_fire(one, one, {.threshold = std::nan("")}); }),
            "[leaky_integrate_and_fire] threshold must be a number, got nan");
}

}  // namespace
