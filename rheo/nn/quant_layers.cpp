#include "rheo/nn/quant_layers.hpp"

#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

/// `copy` takes over the parameters of `plain`, a clone that the base class has made.
template <class Base>
std::shared_ptr<torch::nn::Module> with_parameters_of(const torch::nn::Module& plain,
                                                      const std::shared_ptr<Base>& copy) {
  const auto& from = dynamic_cast<const Base&>(plain);
  copy->weight.set_data(from.weight.detach());
  if (from.bias.defined()) copy->bias.set_data(from.bias.detach());
  copy->train(from.is_training());
  return copy;
}

void print_bits(std::ostream& stream, const quant::WeightQuant& quant) {
  stream << ", weights of " << quant.options().num_bits << (quant.options().num_bits == 1 ? " bit" : " bits");
}

}  // namespace

QuantLinearImpl::QuantLinearImpl(const torch::nn::LinearOptions& o, const quant::WeightQuantOptions& quant)
    : torch::nn::LinearImpl(o), quant_(quant) {}

at::Tensor QuantLinearImpl::forward(const at::Tensor& x) { return ops::linear(x, quant_(weight), bias); }

std::shared_ptr<torch::nn::Module> QuantLinearImpl::clone(const std::optional<torch::Device>& device) const {
  const std::shared_ptr<LinearImpl> copy = std::make_shared<QuantLinearImpl>(options, quant_.options());
  return with_parameters_of(*LinearImpl::clone(device), copy);
}

void QuantLinearImpl::pretty_print(std::ostream& stream) const {
  torch::nn::LinearImpl::pretty_print(stream);
  print_bits(stream, quant_);
}

QuantConv2dImpl::QuantConv2dImpl(const torch::nn::Conv2dOptions& o, const quant::WeightQuantOptions& quant)
    : torch::nn::Conv2dImpl(o), given_(o), quant_(quant) {}

at::Tensor QuantConv2dImpl::forward(const at::Tensor& x) { return _conv_forward(x, quant_(weight)); }

std::shared_ptr<torch::nn::Module> QuantConv2dImpl::clone(const std::optional<torch::Device>& device) const {
  const std::shared_ptr<Conv2dImpl> copy = std::make_shared<QuantConv2dImpl>(given_, quant_.options());
  return with_parameters_of(*Conv2dImpl::clone(device), copy);
}

void QuantConv2dImpl::pretty_print(std::ostream& stream) const {
  torch::nn::Conv2dImpl::pretty_print(stream);
  print_bits(stream, quant_);
}

}  // namespace rheo::nn
