// A learned factor per neuron (snnTorch's GradedSpikes): spikes of 0 and 1 become spikes of any size.
//   rheo::nn::GradedSpikes graded({.size = 64, .constant_factor = 1.0});
//   auto y = graded->forward(spk);        // [..., 64], the last dimension scaled; [..., 64, 1] and [..., 64, K] as well
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <memory>

#include "rheo/core/export.hpp"

namespace rheo::nn {

struct GradedSpikesOptions {
  std::int64_t size = 0;
  double constant_factor = 0;  // the factors' first value; 0: drawn from [0.5, 1.5)
};

class RHEO_API GradedSpikesImpl : public torch::nn::Cloneable<GradedSpikesImpl> {
 public:
  /// Throws ValueError for a size that is not positive and a factor that is not finite.
  explicit GradedSpikesImpl(const GradedSpikesOptions& options);

  /// x [..., size], or [..., size, K] where K is another number. Throws ValueError for any other shape.
  at::Tensor forward(const at::Tensor& x) const;

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  at::Tensor weights;  // [size, 1]

 private:
  GradedSpikesOptions options_;
};

/// Holder of GradedSpikesImpl.
class GradedSpikes : public torch::nn::ModuleHolder<GradedSpikesImpl> {
 public:
  using torch::nn::ModuleHolder<GradedSpikesImpl>::ModuleHolder;
  GradedSpikes(const GradedSpikesOptions& options)
      : torch::nn::ModuleHolder<GradedSpikesImpl>(std::make_shared<GradedSpikesImpl>(options)) {}
};

}  // namespace rheo::nn
