#include "rheo/nn/recurrent.hpp"

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>

namespace rheo::nn {
namespace {

/// One to one is asked for by V, or by nothing.
template <class Options>
bool one_to_one(const std::string& kind, const Options& o) {
  const bool dense = o.linear_features != 0;
  const bool convolution = o.conv2d_channels != 0 || !o.kernel_size.empty();
  if (o.V.given() && (dense || convolution)) {
    throw TypeError(c10::str("[", kind, "] V must not be given with ",
                             dense ? "linear_features" : "conv2d_channels or kernel_size",
                             ": it is for feedback one to one"));
  }
  return !dense && !convolution;
}

void check(const std::string& kind, const FeedbackOptions& o) {
  const bool dense = o.linear_features != 0;
  const bool convolution = o.conv2d_channels != 0 || !o.kernel_size.empty();
  if (dense && convolution) {
    throw TypeError(
        c10::str("[", kind, "] linear_features must not be given with conv2d_channels or kernel_size"));
  }
  if (!dense && !convolution)
    throw TypeError(c10::str("[", kind, "] linear_features or conv2d_channels must be given"));
  if (convolution && o.conv2d_channels == 0)
    throw TypeError(c10::str("[", kind, "] conv2d_channels must be given with kernel_size"));
  if (convolution && o.kernel_size.empty())
    throw TypeError(c10::str("[", kind, "] kernel_size must be given with conv2d_channels"));
  const auto positive = [&](const char* name, std::int64_t value) {
    if (value < 0) throw ValueError(c10::str("[", kind, "] ", name, " must be positive, got ", value));
  };
  positive("linear_features", o.linear_features);
  positive("conv2d_channels", o.conv2d_channels);
  const bool odd = std::all_of(o.kernel_size.begin(), o.kernel_size.end(),
                               [](std::int64_t k) { return k > 0 && k % 2 == 1; });
  if (o.kernel_size.size() > 2 || !odd) {
    throw ValueError(c10::str("[", kind, "] kernel_size must be one or two odd numbers, got ",
                              at::IntArrayRef(o.kernel_size)));
  }
}

std::shared_ptr<torch::nn::Module> make_recurrent(const std::string& kind, const FeedbackOptions& o) {
  check(kind, o);
  std::shared_ptr<torch::nn::Module> made;
  if (o.linear_features > 0) {
    made = std::make_shared<torch::nn::LinearImpl>(o.linear_features, o.linear_features);
  } else {
    const auto h = o.kernel_size.front(), w = o.kernel_size.back();
    made = std::make_shared<torch::nn::Conv2dImpl>(
        torch::nn::Conv2dOptions(o.conv2d_channels, o.conv2d_channels, {h, w}).padding({h / 2, w / 2}));
  }
  for (auto& p : made->parameters()) p.set_requires_grad(o.learn_recurrent);
  return made;
}

template <class Options>
std::shared_ptr<NeuronImpl> make(const ops::NeuronEntry& entry, const Options& o, NeuronOptions options) {
  static_cast<CommonOptions&>(options) = common_options(o);
  if (one_to_one(std::string(entry.info.name), o)) {
    if (o.V.given()) options.params.emplace_back("V", o.V);
    if (o.learn_recurrent) options.learn.emplace_back("V");
    return std::make_shared<NeuronImpl>(entry, std::move(options));
  }
  return std::make_shared<RecurrentImpl>(
      entry, std::move(options),
      FeedbackOptions{o.linear_features, o.conv2d_channels, o.kernel_size, o.learn_recurrent});
}

void add(NeuronOptions& to, const char* name, const Value& value, bool learn) {
  if (value.given()) to.params.emplace_back(name, value);
  if (learn) to.learn.emplace_back(name);
}

std::shared_ptr<NeuronImpl> make(const RLeakyOptions& o) {
  NeuronOptions options;
  add(options, "beta", o.beta, o.learn_beta);
  return make(ops::neuron_entry<neurons::RLeaky>(), o, std::move(options));
}

std::shared_ptr<NeuronImpl> make(const RSynapticOptions& o) {
  NeuronOptions options;
  add(options, "alpha", o.alpha, o.learn_alpha);
  add(options, "beta", o.beta, o.learn_beta);
  return make(ops::neuron_entry<neurons::RSynaptic>(), o, std::move(options));
}

}  // namespace

RecurrentImpl::RecurrentImpl(const ops::NeuronEntry& entry, NeuronOptions options, FeedbackOptions feedback)
    : NeuronImpl(entry, std::move(options), {{"V", 0.0}}),
      feedback_(std::move(feedback)),
      recurrent_(register_module("recurrent", make_recurrent(kind(), feedback_))) {}

ops::Feedback RecurrentImpl::feedback() const {
  const auto parameters = recurrent_->named_parameters(false);
  const auto find = [&](const char* name) {
    const auto* found = parameters.find(name);
    return found == nullptr ? at::Tensor() : *found;
  };
  return {find("weight"), find("bias")};
}

ops::NeuronResult RecurrentImpl::run(const ops::ReferenceCall& call, bool fused) {
  auto sent = feedback();
  for (auto* t : {&sent.weight, &sent.bias}) {
    if (t->defined()) *t = t->to(call.x.device(), call.x.scalar_type());
  }
  return fused ? ops::recurrent(call, sent) : ops::recurrent_reference(entry(), call, sent);
}

std::shared_ptr<torch::nn::Module> RecurrentImpl::clone(const std::optional<torch::Device>& device) const {
  const at::NoGradGuard no_grad;
  auto copy = std::make_shared<RecurrentImpl>(entry(), present_options(), feedback_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void RecurrentImpl::pretty_print(std::ostream& stream) const {
  NeuronImpl::pretty_print(stream);
  stream << " with feedback " << *recurrent_;
}

RLeaky::RLeaky(const Options& options) : Neuron(make(options)) {}
const ops::NeuronEntry& RLeaky::entry() { return ops::neuron_entry<neurons::RLeaky>(); }
RSynaptic::RSynaptic(const Options& options) : Neuron(make(options)) {}
const ops::NeuronEntry& RSynaptic::entry() { return ops::neuron_entry<neurons::RSynaptic>(); }

}  // namespace rheo::nn
