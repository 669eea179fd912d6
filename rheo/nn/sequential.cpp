#include "rheo/nn/sequential.hpp"

#include <ATen/ops/stack.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include <algorithm>
#include <typeinfo>

#include "rheo/core/nearest.hpp"
#include "rheo/nn/neuron.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

template <class... Args>
[[noreturn]] void refuse(const Args&... args) {
  throw ValueError(c10::str("[sequential] ", args...));
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

bool is_constant(const Input& x) { return x.x.size(0) != x.steps; }

/// [T, ...]: one row per time step, as a view where the input is constant.
at::Tensor every_step(const Input& x) {
  if (!is_constant(x)) return x.x;
  auto shape = x.x.sizes().vec();
  shape[0] = x.steps;
  return x.x.expand(shape);
}

Input like(const Input& x, at::Tensor values) {
  Input out(values);
  out.steps = x.steps;
  return out;
}

template <class Test>
bool any_inside(torch::nn::Module& module, Test test) {
  if (test(module)) return true;
  const auto children = module.children();
  return std::any_of(children.begin(), children.end(),
                     [&](const auto& child) { return any_inside(*child, test); });
}

bool is_spiking(torch::nn::Module& module) { return dynamic_cast<SpikingImpl*>(&module) != nullptr; }

template <class... Modules>
bool is_one_of(torch::nn::Module& module) {
  return ((dynamic_cast<Modules*>(&module) != nullptr) || ...);
}

/// Draws new random numbers at every call.
bool draws(torch::nn::Module& module) {
  using namespace torch::nn;
  return module.is_training() && is_one_of<DropoutImpl, Dropout2dImpl, Dropout3dImpl, AlphaDropoutImpl,
                                           FeatureAlphaDropoutImpl, RReLUImpl>(module);
}

/// Hands spikes on as spikes, or zeros.
bool keeps_zeros(torch::nn::Module& module) {
  using namespace torch::nn;
  return is_one_of<FlattenImpl, IdentityImpl, DropoutImpl, Dropout2dImpl, MaxPool1dImpl, MaxPool2dImpl>(
      module);
}

/// The entries of `state` that belong to the layer, under the layer's own names.
State part_of(const State& state, const std::string& layer) {
  std::vector<State::Entry> entries;
  for (const auto& [name, tensor] : state) {
    if (name.size() > layer.size() && name.starts_with(layer) && name[layer.size()] == '.') {
      entries.emplace_back(name.substr(layer.size() + 1), tensor);
    }
  }
  return State(std::move(entries));
}

void add_part(std::vector<State::Entry>& entries, const std::string& layer, const State& part) {
  for (const auto& [name, tensor] : part) entries.emplace_back(layer + "." + name, tensor);
}

}  // namespace

const Recording& SequentialRecording::operator[](std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& [key, recording] : layers) {
    if (key == name) return recording;
    names.push_back(key);
  }
  refuse("name must be a recorded neuron's, one of ", listed(names), ", got '", name, "'");
}

const Recording& SequentialRecording::last() const {
  if (layers.empty()) refuse("there must be a neuron to record, got a network without one");
  return layers.back().second;
}

struct SequentialImpl::Recorder {
  const std::vector<std::string>& names;
  std::vector<std::pair<std::string, Recording>> layers;

  bool wants(const std::string& name) const {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  }
};

void SequentialImpl::add_layer(Layer layer) {
  if (layer.module == nullptr) refuse("layer '", layer.name, "' must be a module, got an empty holder");
  register_module(layer.name, layer.module);
  layers_.push_back(std::move(layer));
}

const std::shared_ptr<torch::nn::Module>& SequentialImpl::module_at(std::size_t index) const {
  if (index >= layers_.size()) refuse("index must be below ", layers_.size(), ", got ", index);
  return layers_[index].module;
}

void SequentialImpl::refuse_layer(std::size_t index) const {
  refuse("layer ", index, " must be of the type asked for, got ", module_at(index)->name());
}

std::vector<std::string> SequentialImpl::neuron_names() const {
  std::vector<std::string> names;
  for (const auto& layer : layers_) {
    if (is_spiking(*layer.module)) {
      names.push_back(layer.name);
    } else if (const auto* nested = dynamic_cast<const SequentialImpl*>(layer.module.get())) {
      for (const auto& name : nested->neuron_names()) names.push_back(layer.name + "." + name);
    }
  }
  return names;
}

Input SequentialImpl::run_plain(const Layer& layer, const Input& x, ops::Operand x_holds) const {
  auto& module = *layer.module;
  if (any_inside(module, is_spiking)) {  // a step of the user's own, with hidden state
    const auto all = every_step(x);
    if (x.steps == 0)
      refuse("layer '", layer.name, "' runs step by step and must have a step, got a sequence of none");
    std::vector<at::Tensor> steps;
    for (std::int64_t t = 0; t < x.steps; ++t) steps.push_back(layer.plain(module, all[t]));
    return at::stack(steps);
  }
  const Input in = is_constant(x) && any_inside(module, draws) ? Input(every_step(x)) : x;
  if (typeid(module) == typeid(torch::nn::LinearImpl)) {
    const auto& linear = static_cast<const torch::nn::LinearImpl&>(module);
    return like(in, ops::linear(in.x, linear.weight, linear.bias, x_holds));
  }
  if (in.x.dim() < 3) return like(in, layer.plain(module, in.x));
  const auto rows = in.x.size(0) * in.x.size(1);
  auto y = layer.plain(module, in.x.flatten(0, 1));
  if (y.dim() < 1 || y.size(0) != rows) {
    refuse("layer '", layer.name, "' must keep the rows, time steps times batch = ", rows, ", got ",
           y.sizes());
  }
  auto shape = y.sizes().vec();
  shape[0] = in.x.size(1);
  shape.insert(shape.begin(), in.x.size(0));
  return like(in, y.reshape(shape));
}

const torch::nn::LinearImpl* SequentialImpl::linear_behind(std::size_t index) const {
  if (at::GradMode::is_enabled() || index + 1 >= layers_.size()) return nullptr;
  const auto& next = *layers_[index + 1].module;
  if (typeid(next) != typeid(torch::nn::LinearImpl)) return nullptr;
  if (dynamic_cast<const NeuronImpl*>(layers_[index].module.get()) == nullptr) return nullptr;
  if (observers_of(*layers_[index].module) != nullptr || observers_of(next) != nullptr) return nullptr;
  return &static_cast<const torch::nn::LinearImpl&>(next);
}

SequentialOutput SequentialImpl::run(const Input& x, const State& state, const std::string& path,
                                     Recorder* recorder, bool sequence) {
  if (!x.x.defined()) refuse("x must be a tensor, got an undefined one");
  if (x.x.dim() < 1) refuse("x must have a time dimension, [T, B, ...], got shape ", x.x.sizes());
  for (const auto& [name, tensor] : state) {
    const auto owner = name.substr(0, name.find('.'));
    const auto owns = [&](const Layer& layer) { return layer.timed != nullptr && layer.name == owner; };
    if (std::any_of(layers_.begin(), layers_.end(), owns)) continue;
    std::vector<std::string> names;
    for (const auto& layer : layers_) {
      if (layer.timed != nullptr) names.push_back(layer.name);
    }
    refuse("state must belong to a layer that has one, ", listed(names), ", got '", path, name, "'");
  }
  const auto observers = observers_of(*this);
  if (observers == nullptr) return run_layers(x, state, path, recorder, sequence);
  ObservedCall told(observers, *this, x, sequence, state);
  auto out = run_layers(told.x(), state, path, recorder, sequence);
  out.y = told.finish(out.y, out.state);
  return out;
}

SequentialOutput SequentialImpl::run_layers(const Input& x, const State& state, const std::string& path,
                                            Recorder* recorder, bool sequence) {
  Input now = x;
  auto now_holds = ops::Operand::dense;
  std::vector<State::Entry> last;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    const auto& layer = layers_[index];
    const auto observers = observers_of(*layer.module);
    if (layer.timed == nullptr) {
      if (observers != nullptr) {
        ObservedCall told(observers, *layer.module, now, sequence);
        now = run_plain(layer, told.x(), now_holds);
        now.x = told.finish(now.x);
      } else {
        now = run_plain(layer, now, now_holds);
      }
      if (!keeps_zeros(*layer.module)) now_holds = ops::Operand::dense;
      continue;
    }
    const auto part = part_of(state, layer.name);
    now_holds = ops::Operand::dense;
    if (auto* spiking = dynamic_cast<SpikingImpl*>(layer.module.get())) {
      State after;
      now_holds = ops::Operand::spikes;
      const bool wanted = recorder != nullptr && recorder->wants(path + layer.name);
      if (wanted || observers != nullptr) {
        auto recording = observers != nullptr ? spiking->observed(observers, now, part, sequence, wanted)
                                              : spiking->do_record(now, part);
        now = Input(recording.spk);
        after = recording.state;
        if (wanted) recorder->layers.emplace_back(path + layer.name, std::move(recording));
      } else if (const auto* linear = linear_behind(index); linear != nullptr) {
        auto out =
            dynamic_cast<NeuronImpl&>(*spiking).forward_linear(now, part, linear->weight, linear->bias);
        now = Input(out.spk);
        now_holds = ops::Operand::dense;
        after = std::move(out.state);
        ++index;
      } else {
        auto out = spiking->do_forward(now, part);
        now = Input(out.spk);
        after = std::move(out.state);
      }
      if (!spiking->keeps_state()) add_part(last, layer.name, after);
      continue;
    }
    SequentialOutput out;
    if (auto* nested = dynamic_cast<SequentialImpl*>(layer.module.get()); nested != nullptr) {
      out = nested->run(now, part, path + layer.name + ".", recorder, sequence);
    } else if (observers != nullptr) {
      ObservedCall told(observers, *layer.module, now, sequence, part);
      out = layer.timed(*layer.module, told.x(), part);
      out.y = told.finish(out.y, out.state);
    } else {
      out = layer.timed(*layer.module, now, part);
    }
    now = Input(out.y);
    add_part(last, layer.name, out.state);
  }
  return {every_step(now), State(std::move(last))};
}

SequentialOutput SequentialImpl::forward(const Input& x, const State& state) {
  return run(x, state, "", nullptr);
}

SequentialRecording SequentialImpl::record(const Input& x, const State& state,
                                           const std::vector<std::string>& names) {
  const auto known = neuron_names();
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      refuse("names must be of neurons, ", listed(known), ", got '", name, "'");
    }
  }
  Recorder recorder{names, {}};
  auto out = run(x, state, "", &recorder);
  return {std::move(out.y), std::move(out.state), std::move(recorder.layers)};
}

SequentialRecording SequentialImpl::record_last(const Input& x, const State& state) {
  const auto names = neuron_names();
  if (names.empty()) refuse("there must be a neuron to record, got a network without one");
  return record(x, state, {names.back()});
}

SequentialOutput SequentialImpl::step(const at::Tensor& x, const State& state) {
  if (!x.defined()) refuse("x must be a tensor, got an undefined one");
  auto out = run(Input(x.unsqueeze(0)), state, "", nullptr, false);
  return {out.y.squeeze(0), std::move(out.state)};
}

std::shared_ptr<torch::nn::Module> SequentialImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<SequentialImpl>();
  for (const auto& layer : layers_) {
    copy->add_layer({layer.name, layer.module->clone(device), layer.timed, layer.plain});
  }
  copy->train(is_training());
  return copy;
}

void SequentialImpl::pretty_print(std::ostream& stream) const { stream << "Sequential"; }

}  // namespace rheo::nn
