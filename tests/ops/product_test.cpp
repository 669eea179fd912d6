// The product function against libtorch's: values, gradients and second derivatives, at odd sizes, through both libraries.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <tuple>

#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::ops::linear_with;
using rheo::ops::ProductLibrary;
using rheo::test::error_of;
namespace fs = std::filesystem;

double worst(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.numel() == 0) return a.sizes() == b.sizes() ? 0 : 1;
  const auto scale = std::max(1e-30, b.abs().max().item<double>());
  return (a - b).abs().max().item<double>() / scale;
}

/// A float32 sum of `in` products, however it is ordered, relative to the largest of its kind.
double rounding(std::int64_t in) { return 0x1p-24 * (8 + std::sqrt(static_cast<double>(in))); }

/// rows, in, out: small ones, and large enough for the library that serves large products.
class Sizes : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(Sizes, ValuesAndGradientsAreLibtorchs) {
  const auto [rows, in, out] = GetParam();
  torch::manual_seed(3);
  for (const auto dtype : {torch::kFloat, torch::kDouble}) {
    for (const bool biased : {true, false}) {
      auto x = torch::randn({rows, in}, dtype).requires_grad_();
      auto w = torch::randn({out, in}, dtype).requires_grad_();
      auto b = biased ? torch::randn({out}, dtype).requires_grad_() : torch::Tensor();
      const auto g = torch::randn({rows, out}, dtype);
      const auto y = rheo::ops::linear(x, w, b);
      // The comparison in double: what either library rounds differently stays within float's accuracy.
      auto xd = x.detach().to(torch::kDouble).requires_grad_();
      auto wd = w.detach().to(torch::kDouble).requires_grad_();
      auto bd = biased ? b.detach().to(torch::kDouble).requires_grad_() : torch::Tensor();
      const auto yd = torch::nn::functional::linear(xd, wd, bd);
      const double allowed = dtype == torch::kFloat ? rounding(std::max({rows, in, out})) : 1e-13;
      EXPECT_EQ(y.scalar_type(), dtype);
      EXPECT_LE(worst(y, yd), allowed);
      y.backward(g);
      yd.backward(g.to(torch::kDouble));
      EXPECT_LE(worst(x.grad(), xd.grad()), allowed);
      EXPECT_LE(worst(w.grad(), wd.grad()), allowed);
      if (biased) {
        EXPECT_LE(worst(b.grad(), bd.grad()), allowed);
      }
    }
  }
}

TEST_P(Sizes, BothLibrariesAgreeOnAnyStrides) {
  if (!rheo::ops::has_onednn()) GTEST_SKIP() << "skipped: this libtorch has no oneDNN product";
  const auto [rows, in, out] = GetParam();
  torch::manual_seed(4);
  const auto x = torch::randn({in, rows}).t();
  const auto w = torch::randn({in, out}).t();
  const auto b = torch::randn({out});
  const auto expected = linear_with(ProductLibrary::libtorch, x, w, b);
  const auto allowed = 2 * rounding(in);
  EXPECT_LE(worst(linear_with(ProductLibrary::onednn, x, w, b), expected), allowed);
  EXPECT_LE(worst(linear_with(ProductLibrary::onednn, x.contiguous(), w, {}),
                  linear_with(ProductLibrary::libtorch, x, w, {})),
            allowed);
}

INSTANTIATE_TEST_SUITE_P(Product, Sizes,
                         testing::Values(std::tuple{1, 1, 1}, std::tuple{7, 3, 5}, std::tuple{17, 31, 1},
                                         std::tuple{0, 4, 3}, std::tuple{5, 0, 3}, std::tuple{128, 785, 999},
                                         std::tuple{3203, 1001, 10}, std::tuple{12801, 20, 129},
                                         std::tuple{9001, 37, 1001}, std::tuple{1, 4001, 1009}));

TEST(Product, LeadingDimensionsAreRows) {
  const auto x = torch::randn({4, 3, 2, 6}), w = torch::randn({5, 6}), b = torch::randn({5});
  const auto y = rheo::ops::linear(x, w, b);
  EXPECT_EQ(y.sizes(), torch::IntArrayRef({4, 3, 2, 5}));
  EXPECT_LE(worst(y, torch::nn::functional::linear(x, w, b)), 1e-6);
  EXPECT_EQ(rheo::ops::linear(torch::randn({0, 3, 6}), w, b).sizes(), torch::IntArrayRef({0, 3, 5}));
  EXPECT_EQ(rheo::ops::linear(torch::randn({6}), w).sizes(), torch::IntArrayRef({5}));
}

TEST(Product, SecondDerivativesExist) {
  auto x = torch::randn({5, 4}, torch::kDouble).requires_grad_();
  auto w = torch::randn({3, 4}, torch::kDouble).requires_grad_();
  const auto second = [&](const torch::Tensor& y) {
    const auto g = torch::autograd::grad({y.pow(3).sum()}, {x, w}, {}, true, true);
    return torch::autograd::grad({g[0].pow(2).sum() + g[1].pow(2).sum()}, {x, w});
  };
  const auto ours = second(rheo::ops::linear(x, w)), theirs = second(torch::nn::functional::linear(x, w));
  for (std::size_t i = 0; i < 2; ++i) EXPECT_LE(worst(ours[i], theirs[i]), 1e-12);
}

TEST(Product, NoGradientWhereNoneIsWanted) {
  auto x = torch::randn({2, 4}), w = torch::randn({3, 4}).requires_grad_();
  rheo::ops::linear(x, w).sum().backward();
  EXPECT_FALSE(x.grad().defined());
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(rheo::ops::linear(x, w).requires_grad());
}

TEST(Product, ShapesAndTypesAreChecked) {
  const auto x = torch::zeros({2, 4}), w = torch::zeros({3, 4});
  using rheo::TypeError;
  using rheo::ValueError;
  EXPECT_EQ(error_of<ValueError>([&] { rheo::ops::linear(torch::zeros({2, 5}), w); }),
            "[linear] x must have 4 features in its last dimension, got [2, 5]");
  EXPECT_EQ(error_of<ValueError>([&] { rheo::ops::linear(x, torch::zeros({4})); }),
            "[linear] weight must be [out, in], got [4]");
  EXPECT_EQ(error_of<ValueError>([&] { rheo::ops::linear(x, w, torch::zeros({4})); }),
            "[linear] bias must have 3 elements, got [4]");
  EXPECT_EQ(error_of<ValueError>([&] { rheo::ops::linear({}, w); }),
            "[linear] x and weight must be tensors, got an undefined one");
  EXPECT_EQ(error_of<TypeError>([&] { rheo::ops::linear(x.to(torch::kDouble), w); }),
            "[linear] x, weight and bias must have one type and device, got Double on cpu and Float on cpu");
}

class Tuning : public testing::Test {
 protected:
  fs::path file = fs::path(testing::TempDir()) / "tuning.txt";
  rheo::ops::ProductChoice rule{ProductLibrary::libtorch, 1, "the rule"};

  void write(const std::string& text) { std::ofstream(file) << text; }
  void TearDown() override { fs::remove(file); }
};

TEST_F(Tuning, IsReadBack) {
  write(rheo::ops::tuning_text({ProductLibrary::onednn, 123456, ""}));
  const auto choice = read_tuning(file, rule);
  EXPECT_EQ(choice.library, ProductLibrary::onednn);
  EXPECT_EQ(choice.smallest, 123456);
  EXPECT_EQ(choice.reason, "tuning file " + file.string());
}

TEST_F(Tuning, OfAnotherCpuIsIgnored) {
  write("rheobase tuning 1\ncpu another one, avx2\nproduct onednn\nsmallest 5\n");
  EXPECT_EQ(read_tuning(file, rule).reason, "the rule");
}

TEST_F(Tuning, DamageIsNamed) {
  const auto why = [&](const std::string& text) {
    write(text);
    return error_of<rheo::ValueError>([&] { read_tuning(file, rule); });
  };
  const auto at = "[product] tuning file " + file.string();
  EXPECT_EQ(why(""), at + ", line 1, must be 'rheobase tuning ...', got ''");
  EXPECT_EQ(why("rheobase tuning 2\n"), at + ", line 1, must be of version 1, got '2'");
  EXPECT_EQ(why("rheobase tuning 1\ncpu x\nproduct mkl\n"),
            at + ": product must be libtorch or onednn, got 'mkl'");
  EXPECT_EQ(why("rheobase tuning 1\ncpu x\nproduct onednn\nsmallest -4\n"),
            at + ", line 4, must be a count of operations, got '-4'");
}

TEST(Product, TheChoiceIsSaid) {
  const auto text = rheo::ops::product_library();
  EXPECT_TRUE(text.starts_with("onednn (") || text.starts_with("libtorch (")) << text;
  EXPECT_FALSE(rheo::ops::product_choice().reason.empty());
}

TEST(Spikes, ValuesAndGradientsAreThoseOfTheDenseProduct) {
  torch::manual_seed(6);
  for (const auto& [rows, in, out] :
       {std::tuple{400, 131, 10}, {97, 300, 67}, {1, 3, 2}, {0, 5, 4}, {130, 257, 40}}) {
    for (const double share : {0.0, 0.03, 0.15, 0.6}) {
      for (const auto dtype : {torch::kFloat, torch::kDouble}) {
        const auto spikes = torch::rand({rows, in}).lt(share).to(dtype);
        auto x = spikes.clone().requires_grad_(), xd = spikes.to(torch::kDouble).requires_grad_();
        auto w = torch::randn({out, in}, dtype).requires_grad_();
        auto wd = w.detach().to(torch::kDouble).requires_grad_();
        auto b = torch::randn({out}, dtype).requires_grad_();
        const auto g = torch::randn({rows, out}, dtype);
        const auto y = rheo::ops::linear(x, w, b, rheo::ops::Operand::spikes);
        const auto yd = torch::nn::functional::linear(xd, wd, b.detach().to(torch::kDouble));
        const double allowed = dtype == torch::kFloat ? rounding(std::max({rows, in, out})) : 1e-13;
        EXPECT_LE(worst(y, yd), allowed);
        const auto direct = rheo::ops::sparse_linear(x.detach(), w.detach(), b.detach());
        EXPECT_LE(worst(direct, yd.detach()), allowed);
        y.backward(g);
        yd.backward(g.to(torch::kDouble));
        EXPECT_LE(worst(x.grad(), xd.grad()), allowed);
        EXPECT_LE(worst(w.grad(), wd.grad()), allowed);
        EXPECT_LE(worst(b.grad(), g.to(torch::kDouble).sum(0)), allowed);
      }
    }
  }
}

TEST(Spikes, AWeightThatIsNotFiniteIsNotSkipped) {
  const auto x = torch::zeros({500, 200});
  auto w = torch::randn({10, 200});
  w[3][7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(rheo::ops::sparse_linear(x, w).defined());
  const auto y = rheo::ops::linear(x, w, {}, rheo::ops::Operand::spikes);
  EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
  EXPECT_FALSE(y.select(1, 4).isnan().any().item<bool>());
}

TEST(Spikes, EveryThreadCountGivesTheSameBits) {
  torch::manual_seed(7);
  const auto x = torch::rand({900, 150}).lt(0.05).to(torch::kFloat);
  const auto w = torch::randn({10, 150});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = rheo::ops::sparse_linear(x, w);
  at::set_num_threads(3);
  const auto three = rheo::ops::sparse_linear(x, w);
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one, three));
}

}  // namespace
