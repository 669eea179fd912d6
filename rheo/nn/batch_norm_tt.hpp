// Batch normalisation through time: statistics and scale of its own for every time step (snnTorch's BatchNormTT1d, 2d).
//   rheo::nn::BatchNormTT1d norm({.input_features = 64, .time_steps = 25});
//   auto [y, state] = norm->forward(x);          // x [T, B, 64] -> y [T, B, 64], element t at step t
//   auto y3 = norm->step(x[3], 3);               // one step by hand
// There is a scale but no shift. State: `step`, how many steps are past, so that a stream goes on with the next element.
// Y. Kim and P. Panda 2021, "Revisiting Batch Normalization for Training Low-Latency Deep Spiking Neural Networks".
#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/sequential.hpp"

namespace rheo::nn {

struct BatchNormTTOptions {
  std::int64_t input_features = 0;
  std::int64_t time_steps = 0;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = true;  // a learned scale
};

class RHEO_API BatchNormTTImpl : public torch::nn::Cloneable<BatchNormTTImpl> {
 public:
  /// `dims`: dimensions of x a sequence may have. Throws ValueError for counts that are not positive.
  BatchNormTTImpl(const BatchNormTTOptions& options, std::string kind, std::vector<std::int64_t> dims);

  /// x [T, B, C, ...]. Throws ValueError for another number of features or dimensions, and past the last time step.
  SequentialOutput forward(const Input& x, const State& state = {});
  /// Time step t: x [B, C, ...].
  at::Tensor step(const at::Tensor& x, std::int64_t t);

  const BatchNormTTOptions& options() const { return options_; }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;

 private:
  BatchNormTTOptions options_;
  std::string kind_;
  std::vector<std::int64_t> dims_;
};

/// [T, B, C] or [T, B, C, L].
class BatchNormTT1d : public torch::nn::ModuleHolder<BatchNormTTImpl> {
 public:
  using torch::nn::ModuleHolder<BatchNormTTImpl>::ModuleHolder;
  BatchNormTT1d(const BatchNormTTOptions& options)
      : torch::nn::ModuleHolder<BatchNormTTImpl>(
            std::make_shared<BatchNormTTImpl>(options, "BatchNormTT1d", std::vector<std::int64_t>{3, 4})) {}
};

/// [T, B, C, H, W].
class BatchNormTT2d : public torch::nn::ModuleHolder<BatchNormTTImpl> {
 public:
  using torch::nn::ModuleHolder<BatchNormTTImpl>::ModuleHolder;
  BatchNormTT2d(const BatchNormTTOptions& options)
      : torch::nn::ModuleHolder<BatchNormTTImpl>(
            std::make_shared<BatchNormTTImpl>(options, "BatchNormTT2d", std::vector<std::int64_t>{5})) {}
};

}  // namespace rheo::nn
