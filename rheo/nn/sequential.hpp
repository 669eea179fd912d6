// Layers one after another, over time.
//   rheo::nn::Sequential net(torch::nn::Linear(784, 1000), rheo::nn::Leaky({.beta = 0.95}),
//                            torch::nn::Linear(1000, 10), rheo::nn::Leaky({.beta = 0.95}));
//   auto [y, state] = net->forward(x);                            // x [T, B, 784] -> y [T, B, 10]
//   auto more = net->forward(x2, state);                          // goes on from there
//   auto out = net->forward(rheo::spikegen::constant(image, 25)); // the first Linear runs once, not 25 times
//   auto rec = net->record(x);                                    // rec["1"].spk, rec.last().mem
// A layer is one of three kinds:
//   forward(Input, State) -> Output or SequentialOutput   time-aware: neurons, another Sequential, your own
//   forward(Tensor) -> Tensor, no neuron inside           stateless: any torch::nn module, all time steps in one call
//   forward(Tensor) -> Tensor, neurons inside             your own step: called once per time step on [B, ...]
// Batch normalisation so sees the T * B rows of a sequence as one batch. A constant input goes through stateless layers
// once, up to the first neuron, unless a layer draws random numbers (dropout in training).
// Neurons with init_hidden keep their state themselves; all others hand it in and out in `state`, as "<layer>.<name>".
// With explicit state forward is re-entrant, as far as the layers are.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {

struct SequentialOutput {
  at::Tensor y;  // [T, ...] of the last layer, or [...] of a step
  State state;   // of every layer that has one, after the last step
};

struct SequentialRecording {
  at::Tensor y;
  State state;
  std::vector<std::pair<std::string, Recording>> layers;  // the neurons asked for, in order

  /// By layer name, "1" or "block.2". Throws ValueError naming those there are.
  RHEO_API const Recording& operator[](std::string_view name) const;
  /// The last neuron recorded.
  RHEO_API const Recording& last() const;
};

/// forward(Input, State) -> something with a state.
template <class M>
concept TimeAwareModule = requires(M& m, const Input& x, const State& s) { m.forward(x, s).state; };
/// forward(Tensor) -> Tensor.
template <class M>
concept TensorModule = requires(M& m, const at::Tensor& x) {
  { m.forward(x) } -> std::convertible_to<at::Tensor>;
};
template <class M>
concept SequentialLayer = std::derived_from<M, torch::nn::Module> && (TimeAwareModule<M> || TensorModule<M>);

class RHEO_API SequentialImpl : public torch::nn::Module {
 public:
  SequentialImpl() : torch::nn::Module("Sequential") {}

  template <class... Layers>
  explicit SequentialImpl(Layers&&... layers) : SequentialImpl() {
    (push_back(std::forward<Layers>(layers)), ...);
  }

  /// A sequence [T, B, ...] or a TimeConstant. `state` empty, or without a layer's: zeros.
  /// Throws ValueError for a state of no layer, and what the layers throw.
  SequentialOutput forward(const Input& x, const State& state = {});
  /// The same, with the recordings of the named neurons, of all where `names` is empty.
  SequentialRecording record(const Input& x, const State& state = {},
                             const std::vector<std::string>& names = {});
  /// The recording of the last neuron only: what a loss on its membrane needs.
  SequentialRecording record_last(const Input& x, const State& state = {});
  /// One time step: x [B, ...].
  SequentialOutput step(const at::Tensor& x, const State& state = {});

  /// Layers are named by their place, "0", "1", ... as libtorch's are. A holder, a shared_ptr or a module.
  template <class Layer>
  void push_back(Layer&& layer) {
    push_back(std::to_string(layers_.size()), std::forward<Layer>(layer));
  }
  template <class Layer>
  void push_back(std::string name, Layer&& layer) {
    add(std::move(name), shared(std::forward<Layer>(layer)));
  }

  std::size_t size() const { return layers_.size(); }
  /// The layer as T; throws ValueError where it is none.
  template <class T>
  T& layer(std::size_t index) const {
    auto* found = dynamic_cast<T*>(module_at(index).get());
    if (found == nullptr) refuse_layer(index);
    return *found;
  }
  const std::shared_ptr<torch::nn::Module>& module_at(std::size_t index) const;
  /// The names of the neurons `record` can record, in order: "1", "3.0".
  std::vector<std::string> neuron_names() const;

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

 private:
  // The module comes as an argument, not captured: a clone of the layer has the same calls.
  using TimedCall = SequentialOutput (*)(torch::nn::Module&, const Input&, const State&);
  using TensorCall = at::Tensor (*)(torch::nn::Module&, const at::Tensor&);
  struct Layer {
    std::string name;
    std::shared_ptr<torch::nn::Module> module;
    TimedCall timed = nullptr;
    TensorCall plain = nullptr;
  };
  struct Recorder;

  template <class M>
  static auto shared(M&& module) {
    if constexpr (requires { module.ptr(); }) {
      return module.ptr();  // a holder
    } else if constexpr (requires { module.get(); }) {
      return std::shared_ptr(std::forward<M>(module));
    } else {
      return std::make_shared<std::remove_cvref_t<M>>(std::forward<M>(module));
    }
  }

  template <class M>
  void add(std::string name, std::shared_ptr<M> module) {
    static_assert(SequentialLayer<M>,
                  "a layer of Sequential is a torch::nn module with forward(Tensor) -> Tensor, or with "
                  "forward(rheo::Input, rheo::State) -> rheo::nn::Output or SequentialOutput");
    Layer layer{std::move(name), std::move(module)};
    if constexpr (TimeAwareModule<M>) {
      layer.timed = [](torch::nn::Module& m, const Input& x, const State& state) {
        auto out = dynamic_cast<M&>(m).forward(x, state);
        if constexpr (requires { out.spk; }) {
          return SequentialOutput{std::move(out.spk), std::move(out.state)};
        } else {
          return SequentialOutput{std::move(out.y), std::move(out.state)};
        }
      };
    } else {
      layer.plain = [](torch::nn::Module& m, const at::Tensor& x) -> at::Tensor {
        return dynamic_cast<M&>(m).forward(x);
      };
    }
    add_layer(std::move(layer));
  }

  void add_layer(Layer layer);
  [[noreturn]] void refuse_layer(std::size_t index) const;
  /// `sequence`: whether observers see the calls as a sequence; else as a step, where x is [1, ...].
  SequentialOutput run(const Input& x, const State& state, const std::string& path, Recorder* recorder,
                       bool sequence = true);
  SequentialOutput run_layers(const Input& x, const State& state, const std::string& path, Recorder* recorder,
                              bool sequence);
  /// The linear layer that a neuron can hand its spikes to while no gradients are asked for and nobody observes either; else
  /// nullptr.
  const torch::nn::LinearImpl* linear_behind(std::size_t index) const;
  Input run_plain(const Layer& layer, const Input& x, ops::Operand x_holds) const;

  std::vector<Layer> layers_;
};

/// Holder of SequentialImpl.
class Sequential : public torch::nn::ModuleHolder<SequentialImpl> {
 public:
  using torch::nn::ModuleHolder<SequentialImpl>::ModuleHolder;
  Sequential() : torch::nn::ModuleHolder<SequentialImpl>(std::make_shared<SequentialImpl>()) {}
};

}  // namespace rheo::nn
