// What snnTorch computed for losses, accuracies and the regulariser, replayed.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "rheo/functional/accuracy.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/functional/regularizer.hpp"
#include "tests/recorded.hpp"

namespace {

using namespace recorded;
namespace f = rheo::functional;

f::Reduction reduction(const json& o) {
  const auto name = o.value("reduction", "mean");
  return name == "none" ? f::Reduction::none : name == "sum" ? f::Reduction::sum : f::Reduction::mean;
}

torch::Tensor weight(const json& o) { return o.contains("weight") ? array(o.at("weight")) : torch::Tensor(); }

torch::Tensor loss(const std::string& name, const json& o, const torch::Tensor& rec, const torch::Tensor& y) {
  const f::CrossEntropyOptions ce{weight(o), reduction(o), o.value("population_code", false),
                                  o.value("num_classes", 0)};
  if (name == "functional.ce_rate_loss") return f::ce_rate_loss(rec, y, ce);
  if (name == "functional.ce_count_loss") return f::ce_count_loss(rec, y, ce);
  if (name == "functional.ce_max_membrane_loss") return f::ce_max_membrane_loss(rec, y, ce);
  if (name == "functional.mse_count_loss") {
    return f::mse_count_loss(rec, y,
                             {.correct_rate = o.value("correct_rate", 1.0),
                              .incorrect_rate = o.value("incorrect_rate", 0.0),
                              .population_code = o.value("population_code", false),
                              .num_classes = o.value("num_classes", 0),
                              .reduction = reduction(o)});
  }
  if (name == "functional.mse_membrane_loss") {
    return f::mse_membrane_loss(rec, y,
                                {.on_target = o.value("on_target", 1.0),
                                 .off_target = o.value("off_target", 0.0),
                                 .reduction = reduction(o)});
  }
  if (name == "functional.mse_temporal_loss") {
    return f::mse_temporal_loss(rec, y,
                                {.target_is_time = o.value("target_is_time", false),
                                 .on_target = {o.value("on_target", 0.0)},
                                 .off_target = {o.value("off_target", -1.0)},
                                 .tolerance = o.value("tolerance", 0.0),
                                 .multi_spike = o.value("multi_spike", false),
                                 .reduction = reduction(o)});
  }
  if (name == "functional.ce_temporal_loss") {
    return f::ce_temporal_loss(
        rec, y,
        {.inverse = o.value("inverse", "negate") == "negate" ? f::Inverse::negate : f::Inverse::reciprocal,
         .weight = weight(o),
         .reduction = reduction(o)});
  }
  if (name == "functional.l1_rate_sparsity") return f::l1_rate_sparsity(rec, o.value("Lambda", 1e-5));
  ADD_FAILURE() << "no loss " << name;
  return {};
}

TEST(RecordedLoss, ValuesAndGradients) {
  const auto all = of_kind("loss");
  EXPECT_EQ(all.size(), 49U);
  std::set<std::string> met;
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    met.insert(c.at("target"));
    const auto inputs = arrays(c.at("inputs"));
    const auto rec = inputs.at("recording").clone().requires_grad_();
    const auto y = inputs.contains("targets") ? inputs.at("targets") : torch::Tensor();
    const auto value = loss(c.at("target"), c.at("options"), rec, y);
    value.backward(inputs.contains("w") ? inputs.at("w") : torch::Tensor());
    compare(c, {{"loss", value}, {"grad.recording", rec.grad()}});
  }
  EXPECT_EQ(met.size(), 8U);
}

TEST(RecordedLoss, Accuracies) {
  int replayed = 0;
  for (const auto& c : of_kind("call")) {
    const auto target = c.at("target").get<std::string>();
    if (!target.starts_with("functional.accuracy")) continue;
    ++replayed;
    const auto inputs = arrays(c.at("inputs"));
    const auto& o = c.at("options");
    const double ours =
        target == "functional.accuracy_temporal"
            ? f::accuracy_temporal(inputs.at("spk"), inputs.at("targets"))
            : f::accuracy_rate(inputs.at("spk"), inputs.at("targets"),
                               {o.value("population_code", false), o.value("num_classes", 0)});
    EXPECT_DOUBLE_EQ(ours, c.at("outputs").at("out").at("data").get<double>()) << c.at("name");
  }
  EXPECT_EQ(replayed, 3);
}

}  // namespace
