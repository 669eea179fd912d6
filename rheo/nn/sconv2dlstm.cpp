#include "rheo/nn/sconv2dlstm.hpp"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/max_pool2d.h>

#include <ostream>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {
namespace {

bool is_set(const torch::ExpandingArray<2>& size) { return (*size)[0] != 0 || (*size)[1] != 0; }

std::string text(const torch::ExpandingArray<2>& size) {
  return c10::str("[", (*size)[0], ", ", (*size)[1], "]");
}

}  // namespace

SConv2dLSTMImpl::SConv2dLSTMImpl(const SConv2dLSTMOptions& options)
    : LstmLayerImpl("SConv2dLSTM", common_options(options), {"inhibition", "reset_delay"}),
      options_(options),
      max_(is_set(options.max_pool)),
      avg_(is_set(options.avg_pool)) {
  detail::check_positive("SConv2dLSTM", "in_channels", options.in_channels);
  detail::check_positive("SConv2dLSTM", "out_channels", options.out_channels);
  std::vector<std::int64_t> padding;
  for (const auto k : *options.kernel_size) {
    if (k < 1 || k % 2 == 0)
      throw ValueError("[SConv2dLSTM] kernel_size must be odd, got " + text(options.kernel_size));
    padding.push_back(k / 2);
  }
  if (max_ && avg_) {
    throw ValueError("[SConv2dLSTM] max_pool and avg_pool must not both be given, got " +
                     text(options.max_pool) + " and " + text(options.avg_pool));
  }
  const auto check_pool = [](const char* name, const torch::ExpandingArray<2>& size) {
    if ((*size)[0] < 1 || (*size)[1] < 1)
      throw ValueError(c10::str("[SConv2dLSTM] ", name, " must be positive, got ", text(size)));
  };
  if (max_) check_pool("max_pool", options.max_pool);
  if (avg_) check_pool("avg_pool", options.avg_pool);
  conv = register_module(
      "conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(options.in_channels + options.out_channels,
                                                         4 * options.out_channels, options.kernel_size)
                                    .padding(torch::ExpandingArray<2>(padding))
                                    .bias(options.bias)));
}

ops::LstmCall SConv2dLSTMImpl::cells(const at::Tensor& x) const {
  if (x.dim() != 5 || x.size(2) != options_.in_channels) {
    throw ValueError(
        c10::str("[SConv2dLSTM] x must be [T, B, ", options_.in_channels, ", h, w], got ", x.sizes()));
  }
  const auto weight = conv->weight.to(x.options());
  // One linear operator, split by its input channels: the input's part serves all steps at once.
  ops::LstmCall call;
  call.x = x;
  call.weight_ih = weight.narrow(1, 0, options_.in_channels);
  call.weight_hh = weight.narrow(1, options_.in_channels, options_.out_channels);
  if (options_.bias) call.bias = conv->bias.to(x.options());
  call.order = {.i = 0, .f = 1, .g = 3, .o = 2};
  return call;
}

at::Tensor SConv2dLSTMImpl::firing_membrane(const at::Tensor& mem) const {
  if (!pools()) return mem;
  const auto& size = max_ ? options_.max_pool : options_.avg_pool;
  const auto images = mem.flatten(0, 1);
  const auto pooled = max_ ? at::max_pool2d(images, *size) : at::avg_pool2d(images, *size);
  auto shape = pooled.sizes().vec();
  shape.erase(shape.begin());
  shape.insert(shape.begin(), {mem.size(0), mem.size(1)});
  return pooled.reshape(shape);
}

std::shared_ptr<torch::nn::Module> SConv2dLSTMImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<SConv2dLSTMImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void SConv2dLSTMImpl::pretty_print(std::ostream& stream) const {
  stream << "SConv2dLSTM(" << options_.in_channels << ", " << options_.out_channels
         << ", kernel_size=" << text(options_.kernel_size);
  if (!options_.bias) stream << ", bias=false";
  if (max_) stream << ", max_pool=" << text(options_.max_pool);
  if (avg_) stream << ", avg_pool=" << text(options_.avg_pool);
  print_common(stream);
  stream << ')';
}

}  // namespace rheo::nn
