// A layer of spiking LSTM cells: torch::nn::LSTMCell at every step, a threshold on its output, and resets.
//   rheo::nn::SLSTM lstm({.input_size = 64, .hidden_size = 128, .threshold = 0.1});
//   auto out = lstm->forward(x);               // x [T, B, 64]; out.spk [T, B, 128], out.state: syn, mem [B, 128]
//   auto more = lstm->forward(x2, out.state);
//   i, f, g, o = W_ih x + b_ih + W_hh h' + b_hh   c = s(f) c' + s(i) tanh(g)   h = s(o) tanh(c)   spk = H(h - threshold)
// syn is c, mem is h; a reset acts on h in the step after the spike. Hochreiter and Schmidhuber 1997; snnTorch's SLSTM.
#pragma once

#include <torch/nn/modules/rnn.h>
#include <torch/nn/pimpl.h>

#include "rheo/nn/lstm_layer.hpp"

namespace rheo::nn {

struct SLSTMOptions {
  std::int64_t input_size = 0;
  std::int64_t hidden_size = 0;
  bool bias = true;
  RHEO_COMMON_OPTIONS(OptionTraits)  // reset_mechanism: none
};

class RHEO_API SLSTMImpl : public LstmLayerImpl {
 public:
  /// Throws ValueError for sizes that are not positive, TypeError for reset_delay = false.
  explicit SLSTMImpl(const SLSTMOptions& options);

  const SLSTMOptions& options() const { return options_; }
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

  torch::nn::LSTMCell lstm_cell{
      nullptr};  // weight_ih [4H, in], weight_hh [4H, H], bias_ih, bias_hh [4H]: i, f, g, o

 protected:
  ops::LstmCall cells(const at::Tensor& x) const override;

 private:
  SLSTMOptions options_;
};

/// Holder of SLSTMImpl.
class SLSTM : public torch::nn::ModuleHolder<SLSTMImpl> {
 public:
  using torch::nn::ModuleHolder<SLSTMImpl>::ModuleHolder;
  explicit SLSTM(const SLSTMOptions& options) : ModuleHolder(std::make_shared<SLSTMImpl>(options)) {}
};

}  // namespace rheo::nn
