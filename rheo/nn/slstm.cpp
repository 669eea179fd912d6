#include "rheo/nn/slstm.hpp"

#include <ATen/TensorOperators.h>

#include <ostream>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {

SLSTMImpl::SLSTMImpl(const SLSTMOptions& options)
    : LstmLayerImpl("SLSTM", common_options(options), {"reset_delay"}), options_(options) {
  detail::check_positive("SLSTM", "input_size", options.input_size);
  detail::check_positive("SLSTM", "hidden_size", options.hidden_size);
  lstm_cell = register_module(
      "lstm_cell",
      torch::nn::LSTMCell(
          torch::nn::LSTMCellOptions(options.input_size, options.hidden_size).bias(options.bias)));
}

ops::LstmCall SLSTMImpl::cells(const at::Tensor& x) const {
  if (x.dim() != 3 || x.size(2) != options_.input_size) {
    throw ValueError(c10::str("[SLSTM] x must be [T, B, ", options_.input_size, "], got ", x.sizes()));
  }
  const auto like = [&](const at::Tensor& t) { return t.to(x.options()); };
  ops::LstmCall call;
  call.x = x;
  call.weight_ih = like(lstm_cell->weight_ih);
  call.weight_hh = like(lstm_cell->weight_hh);
  if (options_.bias) call.bias = like(lstm_cell->bias_ih + lstm_cell->bias_hh);
  return call;
}

std::shared_ptr<torch::nn::Module> SLSTMImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<SLSTMImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void SLSTMImpl::pretty_print(std::ostream& stream) const {
  stream << "SLSTM(" << options_.input_size << ", " << options_.hidden_size;
  if (!options_.bias) stream << ", bias=false";
  print_common(stream);
  stream << ')';
}

}  // namespace rheo::nn
