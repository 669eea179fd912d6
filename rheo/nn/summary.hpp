// What a network does in one inference: firing rates, silent and saturated neurons, synaptic operations, multiply-accumulates.
//   auto all = rheo::nn::summary(net, x);             // x [T, B, ...]; figures are per sample
//   std::cout << all << all["fc1"].synops;
//   auto mine = rheo::nn::summary(module, [&] { module->run(x); }, samples);   // a module of your own
// The counting rule:
//   spikes    An input is spikes where each of its numbers is 0, 1 or a graded_spikes_factor (or GradedSpikes weight) of the
//             network; any other number in it makes it dense.
//   SynOps    of a layer that reads spikes: each spike counts once for every output its weights connect it to. Linear: spikes
//             times out_features. Convolution: the outputs that this very position reaches, so fewer at borders and
//             between strides; what padding_mode repeats counts as often as it is read.
//   MACs      of a layer that reads anything else: the same count with a one for every input, at every step and sample.
//             What meets zero padding is not counted, so MACs are the SynOps of an input that always fires.
//   feedback  RLeaky, RSynaptic: SynOps of the spikes that come back, which are those of the steps before, the first state
//             included; one to one: one each. LeakyParallel's dense W_hh: MACs at every step.
//   LSTMs     SLSTM, SConv2dLSTM: the input's part by what the input is; the part of h MACs at every step.
//   projections  LinearLeaky, LeakyParallel, AssociativeLeaky: by what the input is; AssociativeLeaky's q besides:
//             d_value * d_key * d_value MACs a step.
//   constant  What a TimeConstant meets before the first neuron is computed once and counted once, not once per step.
//   nothing   is counted for biases, the neurons' own arithmetic, pooling, flatten, dropout, activations, and normalisation,
//             which a deployed network has in its weights. Maximum pooling of spikes gives spikes; average pooling does
//             not, so what reads it counts MACs. Quantised layers count as the layers they are.
// Layers with weights that no rule counts are named in `uncounted`.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/observer.hpp"
#include "rheo/ops/time_constant.hpp"

namespace rheo::nn {

struct LayerSummary {
  std::string name;  // "fc1", "block.2"
  std::string kind;  // "Linear", "Leaky"
  std::int64_t parameters = 0;
  std::int64_t neurons = 0;    // that give spikes, per sample; 0: the layer gives none
  double rate = 0;             // spikes per neuron and step
  std::int64_t silent = 0;     // neurons without a spike in all samples
  std::int64_t saturated = 0;  // neurons with a spike at every step of every sample
  double synops = 0;           // per sample
  double macs = 0;             // per sample
};

struct Summary {
  std::int64_t samples = 0;
  std::vector<LayerSummary> layers{};    // that were called, in the network's order
  std::vector<std::string> uncounted{};  // "2: LSTM, for which there is no rule"

  /// Throws ValueError naming those there are.
  RHEO_API const LayerSummary& operator[](std::string_view name) const;
  RHEO_API double synops() const;
  RHEO_API double macs() const;
};

/// Runs a Sequential on x [T, B, ...] ([T, ...] of one or two dimensions: one sample), in eval mode, without gradients, from
/// fresh hidden states; modes and hidden states are then as before.
RHEO_API Summary summary(const ModuleRef& net, const Input& x);
/// The same of whatever `run` makes of the network; figures are divided by `samples`. Throws ValueError for samples < 1.
RHEO_API Summary summary(const ModuleRef& net, const std::function<void()>& run, std::int64_t samples);

/// A table, a line per layer.
RHEO_API std::string to_string(const Summary& of);
RHEO_API std::ostream& operator<<(std::ostream& stream, const Summary& of);

}  // namespace rheo::nn
