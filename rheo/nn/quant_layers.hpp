// Linear and Conv2d whose weights are quantised at every forward, for training that knows of it.
//   rheo::nn::Sequential net(rheo::nn::QuantLinear(784, 100, {.num_bits = 4}), rheo::nn::Leaky({.beta = 0.9}), ...);
//   auto [values, scale, zero_point] = net->layer<rheo::nn::QuantLinearImpl>(0).quantised();   // what is deployed
// The parameter `weight` stays a number the optimizer moves a little at a time; scales follow it. The bias is not quantised.
// Parameters have the names and the first values of libtorch's layers.
#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "rheo/core/export.hpp"
#include "rheo/quant/weight_quant.hpp"

namespace rheo::nn {

class RHEO_API QuantLinearImpl : public torch::nn::LinearImpl {
 public:
  /// Throws as WeightQuant does.
  explicit QuantLinearImpl(const torch::nn::LinearOptions& o, const quant::WeightQuantOptions& quant = {});
  QuantLinearImpl(std::int64_t in_features, std::int64_t out_features,
                  const quant::WeightQuantOptions& quant = {})
      : QuantLinearImpl(torch::nn::LinearOptions(in_features, out_features), quant) {}

  /// x [..., in_features] -> [..., out_features]
  at::Tensor forward(const at::Tensor& x);
  quant::QuantisedWeight quantised() const { return quant_.integers(weight); }
  const quant::WeightQuant& weight_quant() const { return quant_; }

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 private:
  quant::WeightQuant quant_;
};

class RHEO_API QuantConv2dImpl : public torch::nn::Conv2dImpl {
 public:
  /// Throws as WeightQuant does.
  explicit QuantConv2dImpl(const torch::nn::Conv2dOptions& o, const quant::WeightQuantOptions& quant = {});

  /// x [B, C, H, W] -> [B, out_channels, H', W']
  at::Tensor forward(const at::Tensor& x);
  quant::QuantisedWeight quantised() const { return quant_.integers(weight); }
  const quant::WeightQuant& weight_quant() const { return quant_; }

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 private:
  torch::nn::Conv2dOptions given_;  // what a clone is made from
  quant::WeightQuant quant_;
};

class QuantLinear : public torch::nn::ModuleHolder<QuantLinearImpl> {
 public:
  using torch::nn::ModuleHolder<QuantLinearImpl>::ModuleHolder;
  QuantLinear(const torch::nn::LinearOptions& options, const quant::WeightQuantOptions& quant = {})
      : torch::nn::ModuleHolder<QuantLinearImpl>(std::make_shared<QuantLinearImpl>(options, quant)) {}
  QuantLinear(std::int64_t in_features, std::int64_t out_features, const quant::WeightQuantOptions& quant)
      : QuantLinear(torch::nn::LinearOptions(in_features, out_features), quant) {}
};

class QuantConv2d : public torch::nn::ModuleHolder<QuantConv2dImpl> {
 public:
  using torch::nn::ModuleHolder<QuantConv2dImpl>::ModuleHolder;
  QuantConv2d(const torch::nn::Conv2dOptions& options, const quant::WeightQuantOptions& quant = {})
      : torch::nn::ModuleHolder<QuantConv2dImpl>(std::make_shared<QuantConv2dImpl>(options, quant)) {}
};

}  // namespace rheo::nn
