// A network as TBPTT runs it: a piece of a sequence and a state -> spikes, membranes, the state after. Made from what you have:
//   nn::Sequential, a neuron or layer                 the whole piece in one call, fused
//   a module with forward(Input, State) -> {y, state} the same
//   a module with forward(Tensor) -> Tensor           called once per step on [B, ...]; its neurons have init_hidden
//   ... -> std::pair(spk, mem), std::tuple(spk, ..., mem)   with membranes
//   Network(module, function)                         your own way
// Refers to the module, which must outlive it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <torch/nn/module.h>

#include <concepts>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "rheo/nn/sequential.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo::train {

/// What a network gives in a piece of a sequence.
struct Piece {
  at::Tensor spk;  // [K, B, ...]: what its last layer gives
  at::Tensor mem;  // [K, B, ...] of the last neuron, where asked for; undefined where there is none
  State state;     // after the last step; empty where all states are hidden
};

class Network {
 public:
  /// (x [K, B, ...], the state before, whether membranes are wanted)
  using Run = std::function<Piece(const Input&, const State&, bool)>;

  Network(torch::nn::Module& module, Run run) : module_(&module), run_(std::move(run)) {}

  template <class M>
  requires std::derived_from<M, torch::nn::Module>
  Network(M& module) : module_(&module), run_(run_of(module)) {}
  template <class Holder>
  requires requires(const Holder& holder) { holder.ptr()->children(); }
  Network(const Holder& holder) : Network(*holder.ptr()) {}
  template <class M>
  Network(const std::shared_ptr<M>& module) : Network(*module) {}

  torch::nn::Module& module() const { return *module_; }
  Piece operator()(const Input& x, const State& state, bool with_mem) const {
    return run_(x, state, with_mem);
  }

 private:
  template <class M>
  static Run run_of(M& module) {
    if constexpr (std::derived_from<M, nn::SequentialImpl>) {
      return [&module](const Input& x, const State& state, bool with_mem) -> Piece {
        if (with_mem && !module.neuron_names().empty()) {
          auto out = module.record_last(x, state);
          return {std::move(out.y), out.last().mem, std::move(out.state)};
        }
        auto out = module.forward(x, state);
        return {std::move(out.y), {}, std::move(out.state)};
      };
    } else if constexpr (std::derived_from<M, nn::SpikingImpl>) {
      return [&module](const Input& x, const State& state, bool with_mem) -> Piece {
        if (with_mem) {
          auto out = module.record(x, state);
          return {std::move(out.spk), std::move(out.mem), hand_on(module, std::move(out.state))};
        }
        auto out = module.forward(x, state);
        return {std::move(out.spk), {}, hand_on(module, std::move(out.state))};
      };
    } else if constexpr (nn::TimeAwareModule<M>) {
      return [&module](const Input& x, const State& state, bool) -> Piece {
        auto out = module.forward(x, state);
        Piece piece;
        if constexpr (requires { out.mem; }) piece.mem = std::move(out.mem);
        if constexpr (requires { out.spk; }) {
          piece.spk = std::move(out.spk);
        } else {
          piece.spk = std::move(out.y);
        }
        piece.state = std::move(out.state);
        return piece;
      };
    } else {
      return [&module](const Input& x, const State&, bool) { return step_by_step(module, x); };
    }
  }

  /// What stays in the module is not handed in again.
  static State hand_on(const nn::SpikingImpl& layer, State state) {
    return layer.keeps_state() ? State() : std::move(state);
  }

  template <class M>
  static Piece step_by_step(M& module, const Input& x) {
    std::vector<at::Tensor> spk, mem;
    for (std::int64_t t = 0; t < x.steps; ++t) {
      auto out = module.forward(x.x[x.x.size(0) == x.steps ? t : 0]);
      if constexpr (std::convertible_to<decltype(out), at::Tensor>) {
        spk.push_back(std::move(out));
      } else {
        constexpr auto size = std::tuple_size_v<decltype(out)>;
        mem.push_back(std::move(std::get<size - 1>(out)));
        spk.push_back(std::move(std::get<0>(out)));
      }
    }
    return {at::stack(spk), mem.empty() ? at::Tensor() : at::stack(mem), {}};
  }

  torch::nn::Module* module_;
  Run run_;
};

}  // namespace rheo::train
