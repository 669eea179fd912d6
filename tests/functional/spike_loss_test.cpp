// Losses on counts, membranes and spike times, distances and penalties: against plain loops, where they differ from
// snnTorch on purpose, and what they refuse.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <cmath>

#include "rheo/functional/accuracy.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/functional/regularizer.hpp"
#include "rheo/functional/spike_time.hpp"
#include "rheo/functional/van_rossum.hpp"
#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"
#include "tests/gradient_check.hpp"

namespace {

using namespace rheo::functional;
using rheo::test::error_of;
using rheo::test::expect_gradients;
using torch::Tensor;

Tensor doubles(std::vector<std::int64_t> shape) { return torch::rand(shape, torch::kDouble); }

Tensor spikes(std::vector<std::int64_t> shape, double rate = 0.2) {
  return doubles(std::move(shape)).lt(rate).to(torch::kDouble);
}

Tensor labels(std::vector<std::int64_t> values) { return torch::tensor(values, torch::kLong); }

// ---- spike times ----------------------------------------------------------------------------------------------

TEST(SpikeTime, OfEveryNeuronAndEverySpikeAtOddSizes) {
  torch::manual_seed(4);
  for (const auto& [T, B, N] :
       std::vector<std::tuple<int, int, int>>{{1, 1, 1}, {7, 3, 5}, {40, 17, 67}, {3, 0, 4}}) {
    for (const int count : {1, 3}) {
      const auto spk = spikes({T, B, N}).requires_grad_();
      const auto time = spike_time(spk, count);
      const auto g = doubles(time.sizes().vec());
      auto expected = torch::zeros_like(time), grad = torch::zeros_like(spk);
      for (int b = 0; b < B; ++b) {
        for (int n = 0; n < N; ++n) {
          int found = 0;
          const auto put = [&](int t) {
            const auto at = count == 1 ? std::vector<torch::indexing::TensorIndex>{b, n}
                                       : std::vector<torch::indexing::TensorIndex>{found, b, n};
            expected.index_put_(at, static_cast<double>(t));
            const torch::NoGradGuard no_grad;
            grad[t][b][n] = -g.index(at);
            ++found;
          };
          for (int t = 0; t < T && found < count; ++t) {
            if (spk[t][b][n].item<double>() != 0) put(t);
          }
          while (found < count) put(T - 1);
        }
      }
      EXPECT_TRUE(time.equal(expected));
      time.backward(g);
      EXPECT_TRUE(spk.grad().allclose(grad, 0, 1e-15));
      EXPECT_TRUE(spike_time(spk.to(torch::kFloat), count).equal(expected.to(torch::kFloat)));
    }
  }
}

TEST(SpikeTime, SameBitsForAnyThreads) {
  const auto spk = spikes({50, 64, 100}).to(torch::kFloat).requires_grad_();
  const auto run = [&] {
    spk.mutable_grad().reset();
    const auto time = spike_time(spk);
    time.square().sum().backward();
    return std::pair(time.detach(), spk.grad());
  };
  const auto threads = at::get_num_threads();
  const auto [time, grad] = run();
  at::set_num_threads(1);
  const auto [time_of_one, grad_of_one] = run();
  at::set_num_threads(threads);
  EXPECT_TRUE(time.equal(time_of_one));
  EXPECT_TRUE(grad.equal(grad_of_one));
}

TEST(SpikeTime, Refuses) {
  EXPECT_EQ(error_of<rheo::ValueError>([] { spike_time(torch::zeros({3, 4})); }),
            "[spike_time] spk must be [T, B, C] with C > 0, got [3, 4]");
  EXPECT_EQ(error_of<rheo::ValueError>([] { spike_time(torch::zeros({0, 3, 4})); }),
            "[spike_time] spk must have a time step, got T = 0");
  EXPECT_EQ(error_of<rheo::ValueError>([] { spike_time(torch::zeros({2, 3, 4}), 0); }),
            "[spike_time] count must be at least 1, got 0");
}

// ---- gradients -------------------------------------------------------------------------------------------------

TEST(LossGradients, AreThoseOfCentralDifferences) {
  torch::manual_seed(8);
  const auto rec = doubles({6, 4, 3}) * 2 - 0.5;
  const auto wide = doubles({6, 4, 6}) * 2;
  const auto y = labels({2, 0, 1, 2});
  const auto weight = torch::tensor({0.5, 2.0, 1.25}, torch::kDouble);
  for (const auto reduction : {Reduction::mean, Reduction::sum}) {
    const auto check = [&](const Tensor& at, auto loss) {
      expect_gradients([&](const std::vector<Tensor>& v) { return loss(v[0]); }, {at});
    };
    const CrossEntropyOptions ce{weight, reduction};
    check(rec, [&](const Tensor& r) { return ce_rate_loss(r, y, ce); });
    check(rec, [&](const Tensor& r) { return ce_membrane_loss(r, y, ce); });
    check(rec, [&](const Tensor& r) { return ce_count_loss(r, y, ce); });
    check(rec, [&](const Tensor& r) { return ce_max_membrane_loss(r, y, ce); });
    const CrossEntropyOptions population{weight, reduction, true, 3};
    check(wide, [&](const Tensor& r) { return ce_rate_loss(r, y, population); });
    check(wide, [&](const Tensor& r) { return ce_count_loss(r, y, population); });
    check(rec,
          [&](const Tensor& r) { return mse_count_loss(r, y, {.weight = weight, .reduction = reduction}); });
    check(wide, [&](const Tensor& r) {
      return mse_count_loss(r, y, {.population_code = true, .num_classes = 3, .reduction = reduction});
    });
    check(rec, [&](const Tensor& r) {
      return mse_membrane_loss(r, y, {.weight = weight, .reduction = reduction});
    });
    const auto over_time = torch::randint(3, {6, 4});
    check(rec, [&](const Tensor& r) {
      return mse_membrane_loss(r, over_time, {.time_var_targets = true, .reduction = reduction});
    });
    const VanRossumOptions rossum{.tau = 3, .reduction = reduction};
    expect_gradients([&](const std::vector<Tensor>& v) { return van_rossum_distance(v[0], v[1], rossum); },
                     {rec, doubles({6, 4, 3})});
  }
  const auto check = [&](const Tensor& at, auto loss) {
    expect_gradients([&](const std::vector<Tensor>& v) { return loss(v[0]); }, {at});
  };
  check(rec, [](const Tensor& r) { return l1_rate_sparsity(r, 0.3); });
  for (const bool population : {false, true}) {
    check(rec, [&](const Tensor& r) {
      return lower_rate_bound(r, {.bound = 0.7, .Lambda = 3, .population = population});
    });
    check(rec, [&](const Tensor& r) {
      return upper_rate_bound(r, {.bound = 0.4, .Lambda = 3, .population = population});
    });
  }
  check(rec, [](const Tensor& r) { return membrane_penalty(r, {.lower = -0.2, .upper = 0.8, .Lambda = 2}); });
}

// A time is a step: its gradient is a convention, checked by its formula.
TEST(LossGradients, TemporalLossesFollowTheirConvention) {
  const auto spk = torch::zeros({5, 1, 2}, torch::kDouble);
  spk[2][0][0] = 1;
  spk[4][0][0] = 1;
  auto leaf = spk.clone().requires_grad_();
  mse_temporal_loss(leaf, labels({0}), {.on_target = {1}, .off_target = {3}, .reduction = Reduction::sum})
      .backward();
  auto expected = torch::zeros_like(spk);
  expected[2][0][0] = -2 * (2 - 1) / 25.0;
  expected[4][0][1] = -2 * (4 - 3) / 25.0;  // silent: the last step
  EXPECT_TRUE(leaf.grad().allclose(expected, 0, 1e-15));
  leaf = spk.clone().requires_grad_();
  ce_temporal_loss(leaf, labels({1})).backward();
  const double p = 1 / (1 + std::exp(-2.0));  // softmax of -2 and -4 at class 0
  expected.zero_();
  expected[2][0][0] = p;
  expected[4][0][1] = -p;
  EXPECT_TRUE(leaf.grad().allclose(expected, 0, 1e-12));
}

// ---- differences from snnTorch ----------------------------------------------------------------------------------

TEST(Differences, MseTemporalDefaultWantsWrongClassesAtTheLastStep) {
  const auto spk = torch::zeros({5, 1, 2}, torch::kDouble);
  spk[0][0][1] = 1;  // the target fires at once, the other never
  EXPECT_EQ(mse_temporal_loss(spk, labels({1})).item<double>(), 0);
  spk[0][0][0] = 1;
  EXPECT_DOUBLE_EQ(mse_temporal_loss(spk, labels({1})).item<double>(), 0.5 * 16 / 25);
}

TEST(Differences, NegativeTargetTimesStayInTheCallersTensor) {
  const auto times = torch::tensor({{-1, -3}}, torch::kLong);
  const auto before = times.clone();
  const auto spk = torch::zeros({6, 1, 2}, torch::kDouble);
  spk[3][0][1] = 1;
  EXPECT_EQ(mse_temporal_loss(spk, times, {.target_is_time = true}).item<double>(), 0);
  EXPECT_TRUE(times.equal(before));
}

TEST(Differences, MultiSpikeTakesOnlyTheNeuronsOwnSpikes) {
  const auto spk = torch::zeros({8, 2, 2}, torch::kDouble);
  for (const auto& [t, b, n] : std::vector<std::tuple<int, int, int>>{
           {1, 0, 0}, {3, 0, 0}, {1, 0, 1}, {5, 0, 1}, {1, 1, 0}, {2, 1, 0}})
    spk[t][b][n] = 1;
  const auto times = spike_time(spk, 2);
  EXPECT_TRUE(times.equal(torch::tensor({{{1., 1.}, {1., 7.}}, {{3., 5.}, {2., 7.}}}, torch::kDouble)));
  EXPECT_EQ(mse_temporal_loss(spk, times, {.target_is_time = true, .multi_spike = true}).item<double>(), 0);
  const auto loss = mse_temporal_loss(
      spk, labels({0, 0}),
      {.on_target = {1, 3}, .off_target = {1, 5}, .multi_spike = true, .reduction = Reduction::none});
  EXPECT_EQ(loss.sizes(), (std::vector<std::int64_t>{2, 2, 2}));
  EXPECT_EQ(loss.index({torch::indexing::Slice(), 0}).sum().item<double>(), 0);
}

TEST(Differences, WeightedSumIsSummed) {
  torch::manual_seed(1);
  const auto rec = doubles({4, 3, 2});
  const auto y = labels({1, 0, 1}), weight = torch::tensor({0.25, 3.0}, torch::kDouble);
  const auto check = [&](auto loss) {
    const auto none = loss(Reduction::none);
    EXPECT_EQ(loss(Reduction::sum).dim(), 0);
    EXPECT_NEAR(loss(Reduction::sum).template item<double>(), none.sum().template item<double>(), 1e-12);
    EXPECT_NEAR(loss(Reduction::mean).template item<double>(), none.mean().template item<double>(), 1e-12);
  };
  check([&](Reduction r) { return ce_rate_loss(rec, y, {weight, r}); });
  check([&](Reduction r) { return ce_count_loss(rec, y, {weight, r}); });
  check([&](Reduction r) { return ce_max_membrane_loss(rec, y, {weight, r}); });
  check([&](Reduction r) { return mse_count_loss(rec, y, {.weight = weight, .reduction = r}); });
  check([&](Reduction r) { return mse_membrane_loss(rec, y, {.weight = weight, .reduction = r}); });
  check([&](Reduction r) {
    return mse_temporal_loss(rec.gt(0.6).to(torch::kDouble), y, {.weight = weight, .reduction = r});
  });
}

TEST(Differences, MseWeightsGoAlongTheBatch) {
  const auto rec = doubles({4, 3, 2});
  const auto y = labels({1, 0, 1}), weight = torch::tensor({0.25, 3.0}, torch::kDouble);
  const auto of_sample = torch::tensor({3.0, 0.25, 3.0}, torch::kDouble).unsqueeze(1);
  const auto check = [&](auto loss) {
    EXPECT_TRUE(loss(weight).allclose(loss(Tensor()) * of_sample, 1e-14));
  };
  check([&](const Tensor& w) { return mse_count_loss(rec, y, {.weight = w, .reduction = Reduction::none}); });
  check([&](const Tensor& w) {
    return mse_membrane_loss(rec, y, {.weight = w, .reduction = Reduction::none});
  });
  check([&](const Tensor& w) {
    return mse_temporal_loss(rec, y, {.weight = w, .reduction = Reduction::none});
  });
}

TEST(Differences, CeRatePopulationCodePoolsAtEveryStep) {
  const auto spk = spikes({7, 3, 6});
  const auto y = labels({1, 0, 1});
  const auto pooled = spk.view({7, 3, 2, 3}).sum(3);
  EXPECT_TRUE(ce_rate_loss(spk, y, {.population_code = true, .num_classes = 2})
                  .allclose(ce_rate_loss(pooled, y), 1e-14));
}

TEST(Differences, MseMembraneTimeVaryingTargets) {
  const auto mem = doubles({3, 2, 4});
  const auto y = torch::tensor({{0, 1}, {3, 2}, {1, 1}}, torch::kLong);
  const auto wanted = torch::one_hot(y, 4).to(torch::kDouble) * 0.7 + 0.1;
  const auto plain = (mem - wanted).square().mean();
  EXPECT_TRUE(mse_membrane_loss(mem, y, {.time_var_targets = true, .on_target = 0.8, .off_target = 0.1})
                  .allclose(plain, 1e-14));
  EXPECT_TRUE(mse_membrane_loss(mem, wanted, {.time_var_targets = true}).allclose(plain, 1e-14));
}

TEST(Differences, EveryReducedLossIsAScalar) {
  const auto rec = spikes({5, 3, 4});
  const auto y = labels({1, 0, 3});
  for (const auto r : {Reduction::mean, Reduction::sum}) {
    for (const auto& loss :
         {ce_rate_loss(rec, y, {.reduction = r}), ce_count_loss(rec, y, {.reduction = r}),
          ce_max_membrane_loss(rec, y, {.reduction = r}), mse_count_loss(rec, y, {.reduction = r}),
          mse_membrane_loss(rec, y, {.reduction = r}), mse_temporal_loss(rec, y, {.reduction = r}),
          ce_temporal_loss(rec, y, {.reduction = r})})
      EXPECT_EQ(loss.sizes(), std::vector<std::int64_t>{});
  }
  EXPECT_EQ(l1_rate_sparsity(rec).sizes(), std::vector<std::int64_t>{});
}

// ---- distances and penalties ------------------------------------------------------------------------------------

TEST(VanRossum, IsThatOfAPlainLoop) {
  torch::manual_seed(3);
  for (const auto& shape :
       std::vector<std::vector<std::int64_t>>{{1, 1, 1}, {13, 5, 7}, {40, 3, 2, 3}, {5, 2, 0}, {4, 3}}) {
    const auto a = spikes(shape), b = spikes(shape);
    auto trace = torch::zeros_like(a[0]);
    auto expected = torch::zeros({shape[1]}, torch::kDouble);
    for (std::int64_t t = 0; t < shape[0]; ++t) {
      trace = trace * std::exp(-1 / 4.0) + a[t] - b[t];
      expected += trace.reshape({shape[1], -1}).square().sum(1) / 4;
    }
    const auto ours = van_rossum_distance(a, b, {.tau = 4, .reduction = Reduction::none});
    EXPECT_TRUE(ours.allclose(expected, 1e-12, 1e-15));
    EXPECT_TRUE(van_rossum_distance(a.to(torch::kFloat), b.to(torch::kFloat),
                                    {.tau = 4, .reduction = Reduction::none})
                    .allclose(expected.to(torch::kFloat), 1e-5, 1e-6));
  }
}

// The published figure: one spike against none is at squared distance 1/2, in the limit of small steps.
TEST(VanRossum, OneSpikeCostsOneHalf) {
  auto a = torch::zeros({20000, 1, 1}, torch::kDouble);
  a[0] = 1;
  EXPECT_NEAR(van_rossum_distance(a, torch::zeros_like(a), {.tau = 1000}).item<double>(), 0.5, 1e-3);
}

TEST(RegularizerValues, AreThoseOfTheirFormulas) {
  // Rates 0, 0.5 and 1.
  const auto spk = torch::tensor({{{0., 1., 1.}}, {{0., 0., 1.}}}, torch::kDouble);
  EXPECT_NEAR(l1_rate_sparsity(spk, 0.1).item<double>(), 0.3, 1e-15);
  EXPECT_NEAR(lower_rate_bound(spk, {.bound = 0.25, .Lambda = 6}).item<double>(), 6 * 0.0625 / 3, 1e-15);
  EXPECT_NEAR(upper_rate_bound(spk, {.bound = 0.25, .Lambda = 6}).item<double>(), 6 * (0.0625 + 0.5625) / 3,
              1e-15);
  EXPECT_NEAR(upper_rate_bound(spk, {.bound = 0.25, .population = true}).item<double>(), 0.0625, 1e-15);
  const auto mem = torch::tensor({{-2., 0.5, 3.}}, torch::kDouble);
  EXPECT_NEAR(membrane_penalty(mem).item<double>(), (1 + 4) / 3.0, 1e-15);
}

// ---- errors -----------------------------------------------------------------------------------------------------

TEST(LossErrors, NameArgumentAndValue) {
  const auto rec = torch::zeros({4, 3, 6});
  const auto y = labels({0, 1, 2});
  const auto error = [](auto call) { return error_of<rheo::ValueError>(call); };
  EXPECT_EQ(error([&] { mse_count_loss(rec, y, {.population_code = true}); }),
            "[mse_count_loss] num_classes must be given with population_code, and above 0, got 0");
  EXPECT_EQ(error([&] { mse_count_loss(rec, y, {.population_code = true, .num_classes = 4}); }),
            "[mse_count_loss] num_classes must divide the 6 outputs, got 4");
  EXPECT_EQ(error([&] { ce_count_loss(rec, y, {.num_classes = 3}); }),
            "[ce_count_loss] num_classes must not be given without population_code, got 3");
  EXPECT_EQ(error([&] { ce_max_membrane_loss(rec, y, {.population_code = true, .num_classes = 3}); }),
            "[ce_max_membrane_loss] population_code must not be given: it is for spikes");
  EXPECT_EQ(error([&] { mse_membrane_loss(rec, labels({0, 1, 6})); }),
            "[mse_membrane_loss] targets must be below the number of classes, 6, got 6 at 2");
  EXPECT_EQ(error([&] { mse_membrane_loss(rec, y, {.time_var_targets = true}); }),
            "[mse_membrane_loss] targets must be [T, B] = [4, 3] or the shape of mem, [4, 3, 6], got [3]");
  EXPECT_EQ(error([&] {
              mse_temporal_loss(rec, y, {.on_target = {1, 2}, .off_target = {3}, .multi_spike = true});
            }),
            "[mse_temporal_loss] off_target must have as many times as on_target, 2, got 1");
  EXPECT_EQ(error([&] { mse_temporal_loss(rec, y, {.on_target = {1, 2}, .off_target = {3, 4}}); }),
            "[mse_temporal_loss] on_target must be one time without multi_spike, got 2");
  EXPECT_EQ(error([&] { mse_temporal_loss(rec, y, {.target_is_time = true}); }),
            "[mse_temporal_loss] targets must be times, [B, C] with B = 3 and C = 6, got [3]");
  EXPECT_EQ(error([&] { mse_temporal_loss(rec, y, {.tolerance = -1}); }),
            "[mse_temporal_loss] tolerance must not be negative, got -1");
  EXPECT_EQ(error([&] { ce_temporal_loss(rec, y, {.weight = torch::ones({2})}); }),
            "[ce_temporal_loss] weight must have one element per class, 6, got [2]");
  EXPECT_EQ(error([&] { van_rossum_distance(rec, rec, {.tau = 0}); }),
            "[van_rossum_distance] tau must be above 0, got 0");
  EXPECT_EQ(error([&] { van_rossum_distance(rec, rec[0]); }),
            "[van_rossum_distance] wanted must have the shape of spk, [4, 3, 6], got [3, 6]");
  EXPECT_EQ(error([&] { membrane_penalty(rec, {.lower = 1, .upper = 0}); }),
            "[membrane_penalty] upper must not be below lower, 1, got 0");
  EXPECT_EQ(error([&] { lower_rate_bound(torch::zeros({0, 3})); }),
            "[lower_rate_bound] spk must not be empty, got [0, 3]");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { l1_rate_sparsity(torch::zeros({3}, torch::kLong)); }),
            "[l1_rate_sparsity] spk must have a floating-point type, got Long");
  EXPECT_EQ(error([&] { accuracy_rate(rec, y, {true, 5}); }),
            "[accuracy_rate] num_classes must divide the 6 outputs, got 5");
  EXPECT_EQ(error([&] { accuracy_temporal(rec, labels({0})); }),
            "[accuracy_temporal] targets must be [B] = [3] with B > 0, got [1]");
}

}  // namespace
