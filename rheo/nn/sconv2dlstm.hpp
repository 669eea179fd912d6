// Spiking LSTM cells on images, their gates from one convolution of input and last output.
//   rheo::nn::SConv2dLSTM lstm({.in_channels = 2, .out_channels = 8, .kernel_size = 3, .max_pool = 2});
//   auto out = lstm->forward(x);        // x [T, B, 2, h, w]; out.spk [T, B, 8, h/2, w/2], out.state: syn, mem [B, 8, h, w]
//   i, f, o, g = conv(cat(x, h'))   c = s(f) c' + s(i) tanh(g)   h = s(o) tanh(c)   spk = H(pool(h) - threshold)
// syn is c, mem is h; a reset acts on h in the step after it was above threshold. Pooling touches spikes only.
// Shi et al. 2015, "Convolutional LSTM network"; snnTorch's SConv2dLSTM.
#pragma once

#include <torch/expanding_array.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include "rheo/nn/lstm_layer.hpp"

namespace rheo::nn {

struct SConv2dLSTMOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  torch::ExpandingArray<2> kernel_size = 0;  // 3, or {h, w}; odd
  bool bias = true;
  torch::ExpandingArray<2> max_pool = 0;  // 2, or {h, w}; 0: none
  torch::ExpandingArray<2> avg_pool = 0;
  RHEO_COMMON_OPTIONS(OptionTraits)  // reset_mechanism: none
};

class RHEO_API SConv2dLSTMImpl : public LstmLayerImpl {
 public:
  /// Throws ValueError for channels that are not positive, an even kernel, or both poolings; TypeError for inhibition and
  /// reset_delay = false.
  explicit SConv2dLSTMImpl(const SConv2dLSTMOptions& options);

  const SConv2dLSTMOptions& options() const { return options_; }
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

  torch::nn::Conv2d conv{nullptr};  // weight [4 out, in + out, h, w], bias [4 out]: i, f, o, g

 protected:
  ops::LstmCall cells(const at::Tensor& x) const override;
  at::Tensor firing_membrane(const at::Tensor& mem) const override;
  bool pools() const override { return max_ || avg_; }

 private:
  SConv2dLSTMOptions options_;
  bool max_ = false, avg_ = false;
};

/// Holder of SConv2dLSTMImpl.
class SConv2dLSTM : public torch::nn::ModuleHolder<SConv2dLSTMImpl> {
 public:
  using torch::nn::ModuleHolder<SConv2dLSTMImpl>::ModuleHolder;
  explicit SConv2dLSTM(const SConv2dLSTMOptions& options)
      : ModuleHolder(std::make_shared<SConv2dLSTMImpl>(options)) {}
};

}  // namespace rheo::nn
