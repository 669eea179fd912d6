// Backpropagation through time over the batches of a loader: whole, or cut every K steps. One pass, with an optimiser step per cut.
//   auto loss = rheo::train::on_spikes(rheo::functional::ce_rate_loss);
//   double mean = rheo::train::BPTT(net, loader, optimizer, loss, {.num_steps = 25, .time_var = false});
//   double mean = rheo::train::TBPTT(net, loader, optimizer, loss, {.K = 10});   // data of its own at every step
// Each piece of K steps is one call of the network, from the state the piece before left, without its history. The
// last piece may be shorter. The mean loss is over time steps: a piece counts as often as it has steps.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "rheo/core/export.hpp"
#include "rheo/data/loader.hpp"
#include "rheo/train/network.hpp"

namespace rheo::train {

/// A loss of what a network gave in K steps, on its spikes or on the membranes of its last neuron.
struct Criterion {
  /// (rec [K, B, ...], targets) -> a number.
  std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> loss;
  bool membrane = false;
};

/// A function of (rec, targets), or one of rheo::functional's with its options:
///   on_membrane(rheo::functional::mse_membrane_loss, {.on_target = 2})
template <class F>
Criterion on_spikes(F loss) {
  return {std::move(loss), false};
}
template <class Options>
Criterion on_spikes(at::Tensor (*loss)(const at::Tensor&, const at::Tensor&, const Options&),
                    Options options = {}) {
  return {[=](const at::Tensor& rec, const at::Tensor& targets) { return loss(rec, targets, options); },
          false};
}
template <class F>
Criterion on_membrane(F loss) {
  return {std::move(loss), true};
}
template <class Options>
Criterion on_membrane(at::Tensor (*loss)(const at::Tensor&, const at::Tensor&, const Options&),
                      Options options = {}) {
  return {[=](const at::Tensor& rec, const at::Tensor& targets) { return loss(rec, targets, options); },
          true};
}

struct TbpttOptions {
  std::int64_t num_steps = 0;  // T of data without time; with time_var the data say
  bool time_var = true;        // data have a time dimension; else each step sees the same
  bool time_first = true;      // it is the first, [T, B, ...]; else the second
  std::function<at::Tensor(const at::Tensor&)> regularization = {};  // of the spikes, added to the loss
  at::Device device = at::kCPU;                                      // where batches go
  std::optional<std::int64_t> K = {};  // steps between cuts: TBPTT's own, 1 if not given
  bool time_var_targets = false;       // targets have a time dimension where data have it, and are cut too
  std::int64_t epoch = 0;              // of the loader
};

/// For each batch: state of zeros; for every K steps loss, zero_grad, backward, optimiser step, cut. Hidden states
/// (init_hidden) inside the network and those it hands out are reset and cut alike, whatever the neurons and however nested.
/// Losses see K steps: mse_count_loss wants K times its rates.
/// Throws ValueError for num_steps beside time_var, or none of both; K outside 1 .. T; time_first = false without time_var;
/// no batches. Throws TypeError for a criterion that is empty, gives no number with a gradient, or wants membranes that
/// the network does not give.
RHEO_API double TBPTT(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
                      const Criterion& criterion, const TbpttOptions& options = {});
RHEO_API double TBPTT(const Network& net, std::span<const data::Batch> batches,
                      torch::optim::Optimizer& optimizer, const Criterion& criterion,
                      const TbpttOptions& options = {});

/// K = T: one optimiser step per batch. K must not be given.
RHEO_API double BPTT(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
                     const Criterion& criterion, const TbpttOptions& options = {});
RHEO_API double BPTT(const Network& net, std::span<const data::Batch> batches,
                     torch::optim::Optimizer& optimizer, const Criterion& criterion,
                     const TbpttOptions& options = {});

/// K = 1, under snnTorch's name: an optimiser step and a cut after each time step. This is not the algorithm of Williams
/// and Zipser (1989): no sensitivities are carried, so what an earlier step did gets no gradient. K must not be given.
RHEO_API double RTRL(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
                     const Criterion& criterion, const TbpttOptions& options = {});
RHEO_API double RTRL(const Network& net, std::span<const data::Batch> batches,
                     torch::optim::Optimizer& optimizer, const Criterion& criterion,
                     const TbpttOptions& options = {});

}  // namespace rheo::train
