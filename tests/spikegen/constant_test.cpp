// spikegen::constant: one row, no copy, and the gradient of the sum.
#include "rheo/spikegen/constant.hpp"

#include "rheo/ops/error.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

namespace {

using rheo::spikegen::constant;

TEST(Constant, KeepsOneRowWithoutACopy) {
  const auto x = torch::rand({3, 4});
  const rheo::TimeConstant input = constant(x, 25);
  EXPECT_EQ(input.steps, 25);
  EXPECT_EQ(input.row.data_ptr(), x.data_ptr());
  const auto expanded = input.expand();
  EXPECT_EQ(expanded.sizes(), (std::vector<std::int64_t>{25, 3, 4}));
  EXPECT_EQ(expanded.data_ptr(), x.data_ptr());
  EXPECT_TRUE(expanded[24].equal(x));
}

TEST(Constant, GradientIsTheSumOverTime) {
  const auto x = torch::rand({3}, torch::requires_grad());
  constant(x, 7).expand().sum().backward();
  EXPECT_TRUE(x.grad().equal(torch::full({3}, 7.0)));
}

TEST(Constant, NoStepsAndNoElements) {
  EXPECT_EQ(constant(torch::rand({3}), 0).expand().sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(constant(torch::empty({0, 2}), 5).expand().sizes(), (std::vector<std::int64_t>{5, 0, 2}));
}

TEST(Constant, ErrorsNameArgumentAndValue) {
  try {
    (void)constant(torch::rand({3}), -2);
    FAIL();
  } catch (const rheo::ValueError& error) {
    EXPECT_EQ(std::string(error.what()), "[constant] steps must not be negative, got -2");
  }
  EXPECT_THROW((void)constant(at::Tensor(), 3), rheo::ValueError);
}

}  // namespace
