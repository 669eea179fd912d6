// What a checkpoint keeps of an optimiser, for those whose options and state are known: Adam, AdamW, SGD.
//   auto state = rheo::train::optimizer_state(optimizer);   // shares memory with the optimiser
//   rheo::train::load_optimizer(another, state);            // goes on where the first one was
#pragma once

#include <torch/optim/optimizer.h>

#include <string>

#include "rheo/core/export.hpp"
#include "rheo/train/checkpoint.hpp"

namespace rheo::train {

/// "Adam", "AdamW", "SGD", or "" for another.
RHEO_API std::string optimizer_kind(const torch::optim::Optimizer& optimizer);

/// Throws TypeError for an optimiser of another kind.
RHEO_API OptimizerState optimizer_state(const torch::optim::Optimizer& optimizer);

/// Throws ValueError if `state` is not of such an optimiser over parameters of these shapes.
RHEO_API void check_optimizer(const torch::optim::Optimizer& optimizer, const OptimizerState& state);

/// Checks, then replaces options and state; the tensors are copied.
RHEO_API void load_optimizer(torch::optim::Optimizer& optimizer, const OptimizerState& state);

}  // namespace rheo::train
