// torch::optim's Adam, AdamW and SGD, with libtorch's fused operators: one pass over the memory instead of
// ten.
//   rheo::train::Adam optimizer(net->parameters(), torch::optim::AdamOptions(5e-4));
//   optimizer.zero_grad();  loss.backward();  optimizer.step();
// Options, state and serialisation are the base's. A parameter group is stepped fused where all its
// parameters with a gradient are dense float or double tensors on the CPU, else as the base does; results
// agree to rounding.
#pragma once

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "rheo/core/export.hpp"

namespace rheo::train {

class RHEO_API Adam : public torch::optim::Adam {
 public:
  using torch::optim::Adam::Adam;
  at::Tensor step(LossClosure closure = nullptr) override;
};

class RHEO_API AdamW : public torch::optim::AdamW {
 public:
  using torch::optim::AdamW::AdamW;
  at::Tensor step(LossClosure closure = nullptr) override;
};

class RHEO_API SGD : public torch::optim::SGD {
 public:
  using torch::optim::SGD::SGD;
  at::Tensor step(LossClosure closure = nullptr) override;
};

}  // namespace rheo::train
