// Cross-entropy over time against the same written with libtorch's operations, values and gradients.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <ATen/Parallel.h>

#include <functional>
#include <string>
#include <vector>

#include "rheo/functional/accuracy.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::functional::CrossEntropyOptions;
using rheo::functional::Reduction;
using rheo::test::error_of;
using torch::Tensor;

struct Loss {
  std::string name;
  std::function<Tensor(const Tensor&, const Tensor&, const CrossEntropyOptions&)> ours;
  std::function<Tensor(const Tensor&, const Tensor&)> plain;  // losses of the samples, [B]
};

Tensor nll(const Tensor& x, const Tensor& y) {
  return -x.log_softmax(-1).gather(-1, y.unsqueeze(-1)).squeeze(-1);
}

Tensor over_steps(const Tensor& rec, const Tensor& y) {
  return nll(rec, y.unsqueeze(0).expand({rec.size(0), y.size(0)})).sum(0);
}

const std::vector<Loss>& losses() {
  namespace f = rheo::functional;
  static const std::vector<Loss> all{
      {"ce_rate_loss", f::ce_rate_loss,
       [](const Tensor& r, const Tensor& y) { return over_steps(r, y) / r.size(0); }},
      {"ce_membrane_loss", f::ce_membrane_loss, over_steps},
      {"ce_count_loss", f::ce_count_loss, [](const Tensor& r, const Tensor& y) { return nll(r.sum(0), y); }},
      {"ce_max_membrane_loss", f::ce_max_membrane_loss,
       [](const Tensor& r, const Tensor& y) { return nll(std::get<0>(r.max(0)), y); }}};
  return all;
}

double worst(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0) return a.sizes() == b.sizes() ? 0 : 1;
  return (a - b).abs().max().item<double>() / std::max(1e-30, b.abs().max().item<double>());
}

TEST(Loss, ValuesAndGradientsAreLibtorchs) {
  torch::manual_seed(2);
  for (const auto& loss : losses()) {
    for (const auto& [T, B, C] : std::vector<std::tuple<int, int, int>>{
             {1, 1, 1}, {3, 7, 2}, {25, 128, 10}, {100, 33, 10}, {4, 3, 257}, {2, 3001, 5}}) {
      for (const auto reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
        for (const bool weighted : {false, true}) {
          const auto rec = (torch::randn({T, B, C}, torch::kDouble) * 3).requires_grad_();
          const auto y = torch::randint(C, {B}, torch::kLong);
          const auto weight = weighted ? torch::rand({C}, torch::kDouble) : Tensor();
          auto each = loss.plain(rec, y);
          if (weighted) each = each * weight.index_select(0, y);
          const auto expected = reduction == Reduction::mean  ? each.mean()
                                : reduction == Reduction::sum ? each.sum()
                                                              : each;
          const auto g = torch::randn_like(expected);
          const auto gradient = torch::autograd::grad({expected}, {rec}, {g})[0];
          const auto got = loss.ours(rec, y, {weight, reduction});
          EXPECT_EQ(got.sizes(), expected.sizes());
          EXPECT_LE(worst(got, expected), 1e-13) << loss.name;
          EXPECT_LE(worst(torch::autograd::grad({got}, {rec}, {g})[0], gradient), 1e-12) << loss.name;

          const auto narrow = rec.detach().to(torch::kFloat).requires_grad_();
          const auto in_float = loss.ours(narrow, y, {weight, reduction});
          EXPECT_EQ(in_float.scalar_type(), torch::kFloat);
          EXPECT_LE(worst(in_float.to(torch::kDouble), expected), 3e-6) << loss.name;
          const auto g32 = torch::autograd::grad({in_float}, {narrow}, {g.to(torch::kFloat)})[0];
          EXPECT_LE(worst(g32.to(torch::kDouble), gradient), 5e-6) << loss.name;
        }
      }
    }
  }
}

TEST(Loss, GradientsAgreeWithFiniteDifferences) {
  torch::manual_seed(6);
  for (const auto& loss : losses()) {
    const auto rec = torch::randn({4, 2, 3}, torch::kDouble).requires_grad_();
    const auto y = torch::tensor({2, 0}, torch::kLong);
    const auto gradient = torch::autograd::grad({loss.ours(rec, y, {})}, {rec})[0].flatten();
    for (std::int64_t i = 0; i < gradient.numel(); ++i) {
      const auto moved = [&](double h) {
        auto r = rec.detach().clone();
        r.view({-1})[i] += h;
        return loss.ours(r, y, {}).item<double>();
      };
      EXPECT_NEAR((moved(1e-6) - moved(-1e-6)) / 2e-6, gradient[i].item<double>(), 1e-8)
          << loss.name << " " << i;
    }
  }
}

TEST(Loss, TheFirstOfEqualMaximaGetsTheGradient) {
  const auto rec =
      torch::tensor({0.0, 1.0, 1.0, 0.5, 1.0, 0.5}, torch::kDouble).view({3, 1, 2}).requires_grad_();
  const auto g = torch::autograd::grad(
      {rheo::functional::ce_max_membrane_loss(rec, torch::tensor({0}, torch::kLong))}, {rec})[0];
  EXPECT_EQ(g[2].abs().sum().item<double>(), 0);
  EXPECT_NEAR(g[1][0][0].item<double>(), -0.5, 1e-15);
  EXPECT_NEAR(g[0][0][1].item<double>(), 0.5, 1e-15);
}

TEST(Loss, TheSameBitsForAnyNumberOfThreads) {
  torch::manual_seed(2);
  const auto rec = torch::randn({25, 301, 10}).requires_grad_();
  const auto y = torch::randint(10, {301}, torch::kLong);
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    const auto loss = rheo::functional::ce_membrane_loss(rec, y, {.reduction = Reduction::none});
    return std::pair{loss, torch::autograd::grad({loss.sum()}, {rec})[0]};
  };
  const auto before = at::get_num_threads();
  const auto one = run(1), three = run(3);
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one.first, three.first));
  EXPECT_TRUE(torch::equal(one.second, three.second));
}

TEST(Loss, StaysFiniteForLargeMembranesAndKeepsNaN) {
  const auto y = torch::tensor({1}, torch::kLong);
  for (const auto& loss : losses()) {
    const auto large = torch::tensor({1e30F, -1e30F, 88.0F, 0.0F}).view({2, 1, 2}).requires_grad_();
    const auto value = loss.ours(large, y, {});
    EXPECT_TRUE(value.isfinite().item<bool>()) << loss.name;
    EXPECT_TRUE(torch::autograd::grad({value}, {large})[0].isfinite().all().item<bool>()) << loss.name;
    const auto nan = torch::tensor({NAN, 0.0F, 0.0F, 0.0F}).view({2, 1, 2});
    EXPECT_TRUE(loss.ours(nan, y, {}).isnan().item<bool>()) << loss.name;
  }
}

TEST(Loss, AcceptsAnyStrides) {
  torch::manual_seed(2);
  const auto rec = torch::randn({5, 4, 3}, torch::kDouble).permute({2, 1, 0});  // [3, 4, 5]
  const auto y = torch::randint(5, {8}, torch::kLong).slice(0, 0, 8, 2);
  for (const auto& loss : losses()) {
    EXPECT_EQ(loss.ours(rec, y, {}).item<double>(),
              loss.ours(rec.contiguous(), y.contiguous(), {}).item<double>());
  }
}

TEST(Loss, SaysWhatIsWrong) {
  using rheo::TypeError;
  using rheo::ValueError;
  using rheo::functional::ce_rate_loss;
  const auto rec = torch::zeros({4, 2, 3});
  const auto y = torch::zeros({2}, torch::kLong);
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss({}, y); }),
            "[ce_rate_loss] rec must be [T, B, C] with C > 0, got []");
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss(rec[0], y); }),
            "[ce_rate_loss] rec must be [T, B, C] with C > 0, got [2, 3]");
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss(torch::zeros({0, 2, 3}), y); }),
            "[ce_rate_loss] rec must have a time step, got T = 0");
  EXPECT_EQ(error_of<TypeError>([&] { ce_rate_loss(rec.to(torch::kLong), y); }),
            "[ce_rate_loss] rec must be float32 or float64, got Long");
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss(rec, torch::zeros({3}, torch::kLong)); }),
            "[ce_rate_loss] targets must be [B] = [2], got [3]");
  EXPECT_EQ(error_of<TypeError>([&] { ce_rate_loss(rec, torch::zeros({2})); }),
            "[ce_rate_loss] targets must be int64 on the CPU, got Float on cpu");
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss(rec, torch::tensor({0, 3}, torch::kLong)); }),
            "[ce_rate_loss] targets must be below the number of classes, 3, got 3 at 1");
  EXPECT_EQ(error_of<ValueError>([&] { ce_rate_loss(rec, y, {.weight = torch::ones({2})}); }),
            "[ce_rate_loss] weight must have one element per class, 3, got [2]");
  EXPECT_TRUE(
      ce_rate_loss(torch::zeros({4, 0, 3}), torch::zeros({0}, torch::kLong), {.reduction = Reduction::none})
          .sizes() == torch::IntArrayRef({0}));
}

TEST(Accuracy, CountsTheMostFrequentOutput) {
  using namespace rheo::functional;
  auto spk = torch::zeros({3, 4, 2});
  spk[0][0][1] = 1;
  spk[1][1][0] = spk[2][1][0] = spk[0][1][1] = 1;
  spk[0][2][0] = spk[0][2][1] = 1;  // equal: the lowest class
  EXPECT_TRUE(torch::equal(predicted_rate(spk), torch::tensor({1, 0, 0, 0}, torch::kLong)));
  EXPECT_EQ(accuracy_rate(spk, torch::tensor({1, 1, 0, 0}, torch::kLong)), 0.75);
  const auto mem = torch::tensor({0.0, 1.0, 2.0, 0.0}).view({2, 1, 2});
  EXPECT_EQ(predicted_max_membrane(mem).item<std::int64_t>(), 0);
  EXPECT_EQ(error_of<rheo::ValueError>([&] { accuracy_rate(spk, torch::zeros({3}, torch::kLong)); }),
            "[accuracy_rate] targets must be [B] = [4] with B > 0, got [3]");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { predicted_rate(spk[0]); }),
            "[predicted_rate] spk must be [T, B, C] with T and C > 0, got [4, 2]");
}

}  // namespace
