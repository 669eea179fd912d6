// A neuron as tensors see it: what it says about itself, how its constants follow from its parameters, its checks, and
// the reference path. One entry per neuron, generated from its header.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/core/info.hpp"
#include "rheo/kernels/registry.hpp"
#include "rheo/ops/neuron.hpp"

namespace rheo::ops {

/// A neuron's parameters: values in the order of info.params (undefined where not given), numbers of its modes.
struct RawTensors {
  std::vector<at::Tensor> values;
  std::vector<int> modes;
};

/// One value of every parameter; NaN where not given.
struct RawNumbers {
  std::vector<double> values;
  std::vector<int> modes;
};

/// Gradient of a spike by the user: f(u, incoming gradient, spike) -> gradient of u, all [..., ] alike.
using SpikeGradient = std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>;

struct ReferenceCall : NeuronCall {
  SpikeGradient custom;  // where set, instead of `surrogate`
  /// Where set, applied to every state after a step: to the membrane before it fires and is reset.
  std::function<at::Tensor(const at::Tensor&)> quantise;
  std::int64_t first_step = 0;  // number of the first step: for the noise of a stochastic surrogate
  bool inhibition = false;      // see ops/inhibition.hpp; the winner's spike has no graded factor
};

struct NeuronEntry {
  NeuronInfo info;
  std::vector<std::string> parameters;
  std::vector<std::string> states;
  std::vector<std::string> constants;
  kernels::KernelTable (*kernels)() = nullptr;
  /// Constants [..] from parameters, through autograd.
  std::vector<at::Tensor> (*derive)(const RawTensors&) = nullptr;
  /// Fills in the parameters that follow from the given ones.
  RawTensors (*complete)(const RawTensors&) = nullptr;
  /// Whether a fresh neuron's state is its own, `rest`, and not zero.
  bool rests = false;
  /// The state a fresh neuron is in, through autograd; none: zero.
  std::vector<at::Tensor> (*rest)(const RawTensors&) = nullptr;
  /// Calls refuse(parameter, rule, value) for what the equations cannot use.
  void (*check)(const RawNumbers&,
                const std::function<void(const char*, const char*, double)>& refuse) = nullptr;
  /// Marks which of the completed parameters remain the source of the others.
  void (*settle)(bool* given, const bool* learned,
                 const std::function<void(const char*, const char*, double)>& refuse) = nullptr;
  /// The step on whole tensors, time step by time step.
  NeuronResult (*reference)(const ReferenceCall&) = nullptr;
};

/// The entry of neuron N; defined in the file generated from N's header.
template <class N>
const NeuronEntry& neuron_entry();

/// A spike and its surrogate gradient on a tensor, differentiable twice: H(u) forward.
/// slope: a learned one, a single value, instead of that in `surrogate`. step: for the noise of a stochastic surrogate,
/// which then is that of the kernels at this time step.
RHEO_API at::Tensor spike(const at::Tensor& u, const SurrogateCall& surrogate,
                          const SpikeGradient& custom = {}, const at::Tensor& slope = {},
                          std::int64_t step = 0);

}  // namespace rheo::ops
