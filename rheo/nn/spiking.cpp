#include "rheo/nn/spiking.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <sstream>

#include "rheo/nn/detail/text.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/ops/error.hpp"

namespace rheo {
namespace nn {
namespace {

/// A conversion of all tensors converts this integer as well, which stays one.
void keep_reset_integer(torch::nn::Module& module) {
  for (auto& item : module.named_buffers(false)) {
    auto& t = item.value();
    if (item.key() == "reset_mechanism_val" && t.scalar_type() != at::kLong) t.set_data(t.to(at::kLong));
  }
}

template <class F>
void each_layer(torch::nn::Module& module, F f) {
  if (auto* layer = dynamic_cast<SpikingImpl*>(&module)) f(*layer);
  for (const auto& child : module.children()) each_layer(*child, f);
}

}  // namespace

Output SpikingImpl::forward(const Input& x, const State& state) {
  const auto observers = observers_of(*this);
  if (observers == nullptr || !x.x.defined()) return do_forward(x, state);
  auto out = observed(observers, x, state, true, false);
  return {std::move(out.spk), std::move(out.state)};
}

Recording SpikingImpl::record(const Input& x, const State& state) {
  const auto observers = observers_of(*this);
  if (observers == nullptr || !x.x.defined()) return do_record(x, state);
  return observed(observers, x, state, true, true);
}

Output SpikingImpl::step(const at::Tensor& x, const State& state) {
  const Input one(x.defined() ? x.unsqueeze(0) : x);
  const auto observers = observers_of(*this);
  if (observers == nullptr || !x.defined()) {
    auto out = do_forward(one, state);
    return {out.spk.squeeze(0), std::move(out.state)};
  }
  auto out = observed(observers, one, state, false, false);
  return {out.spk.squeeze(0), std::move(out.state)};
}

Recording SpikingImpl::observed(const Observers& observers, const Input& x, const State& state, bool sequence,
                                bool traces) {
  ObservedCall call(observers, *this, x, sequence, state.empty() && keeps_state() ? hidden_ : state);
  Recording out;
  if (traces || call.wants_traces()) {
    out = do_record(call.x(), state);
  } else {
    auto plain = do_forward(call.x(), state);
    out.spk = std::move(plain.spk);
    out.state = std::move(plain.state);
  }
  out.spk = call.finish(out.spk, out.state, out.traces);
  return out;
}

std::string SpikingImpl::why_not_fused(const at::Tensor&) const { return {}; }

void SpikingImpl::check_input(const Input& input, std::int64_t dims) const {
  const auto& x = input.x;
  if (!x.defined()) throw ValueError(c10::str("[", kind(), "] x must be a tensor, got an undefined one"));
  if (x.dim() < 1) {
    throw ValueError(
        c10::str("[", kind(), "] x must have a time dimension, [T, ...], got shape ", x.sizes()));
  }
  if (x.dim() < dims) {
    throw ValueError(
        c10::str("[", kind(), "] x must have at least ", dims, " dimensions, got shape ", x.sizes()));
  }
  if (!x.is_floating_point()) {
    throw TypeError(c10::str("[", kind(), "] x must be a floating-point tensor, got ", x.scalar_type()));
  }
  if (input.steps < 0) {
    throw ValueError(c10::str("[", kind(), "] steps must not be negative, got ", input.steps));
  }
}

std::vector<at::Tensor> SpikingImpl::first_state(const State& state, const std::vector<std::string>& names,
                                                 at::ArrayRef<at::IntArrayRef> shapes,
                                                 std::string_view rule) const {
  std::vector<at::Tensor> first;
  if (state.empty()) {
    if (!keeps_state() || hidden_.empty()) return first;
    for (std::size_t i = 0; i < names.size(); ++i) {
      // A stored state starts afresh when the shape changes.
      if (!hidden_.contains(names[i]) || hidden_[names[i]].sizes() != shapes[i]) return {};
      first.push_back(hidden_[names[i]]);
    }
    return first;
  }
  if (keeps_state()) {
    throw TypeError(c10::str("[", kind(), "] state must not be given with init_hidden, which keeps its own"));
  }
  first.resize(names.size());
  for (const auto& [name, tensor] : state) {
    const auto at = detail::index_of(names, name);
    if (at == names.size()) {
      throw ValueError(c10::str("[", kind(), "] state must hold ", detail::listed(names), ", got '", name,
                                "'", detail::suggestion(name, names)));
    }
    if (!tensor.defined()) continue;
    if (!tensor.is_floating_point()) {
      throw TypeError(
          c10::str("[", kind(), "] state '", name, "' must be floating-point, got ", tensor.scalar_type()));
    }
    if (tensor.sizes() == shapes[at]) {
      first[at] = tensor;
    } else if (tensor.numel() > 0) {
      throw ValueError(c10::str("[", kind(), "] state '", name, "' must have ", rule, " ", shapes[at],
                                ", got ", tensor.sizes()));
    }
  }
  return first;
}

void SpikingImpl::take(const SpikingImpl& from) {
  const at::NoGradGuard no_grad;
  auto parameters = named_parameters();
  for (const auto& item : from.named_parameters()) {
    auto& mine = parameters[item.key()];
    mine.set_data(item.value().detach().clone());
    mine.set_requires_grad(item.value().requires_grad());
  }
  auto buffers = named_buffers();
  for (const auto& item : from.named_buffers()) buffers[item.key()].set_data(item.value().detach().clone());
  hidden_ = from.hidden_.detach().clone();
  train(from.is_training());
}

void SpikingImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(device, dtype, non_blocking);
  hidden_ = hidden_.to(device).to(dtype);
  keep_reset_integer(*this);
}
void SpikingImpl::to(torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(dtype, non_blocking);
  hidden_ = hidden_.to(dtype);
  keep_reset_integer(*this);
}
void SpikingImpl::to(torch::Device device, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
  hidden_ = hidden_.to(device);
}

void reset(torch::nn::Module& module) {
  each_layer(module, [](SpikingImpl& layer) { layer.reset(); });
}
void detach(torch::nn::Module& module) {
  each_layer(module, [](SpikingImpl& layer) { layer.detach(); });
}

}  // namespace nn

namespace {

void explain_into(std::ostream& out, const torch::nn::Module& module, const std::string& path) {
  if (const auto* layer = dynamic_cast<const nn::SpikingImpl*>(&module)) {
    const auto why = layer->why_not_fused();
    out << (path.empty() ? "" : path + ": ") << layer->kind() << ": ";
    if (why.empty()) {
      out << "fused (" << instruction_set() << ", float32 and float64)\n";
    } else {
      out << "not fused: " << why << "\n";
    }
  }
  for (const auto& child : module.named_children()) {
    explain_into(out, *child.value(), path.empty() ? child.key() : path + "." + child.key());
  }
}

}  // namespace

std::string explain(const torch::nn::Module& module) {
  std::ostringstream out;
  explain_into(out, module, "");
  return out.str();
}

}  // namespace rheo
