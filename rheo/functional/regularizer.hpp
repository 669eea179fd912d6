// Penalties to add to a loss: on how much neurons fire, and on how far membranes go. Each returns a number of shape [].
//   loss = loss + rheo::functional::lower_rate_bound(hidden.spk, {.bound = 0.01, .Lambda = 10});   // wakes silent neurons
// spk, mem: [T, B, ...], floating-point. Their gradient is made of a row of rates, or is the size of mem.
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::functional {

/// Lambda times the number of spikes, of all steps, samples and neurons: the sum, not a mean. snnTorch's.
RHEO_API at::Tensor l1_rate_sparsity(const at::Tensor& spk, double Lambda = 1e-5);

struct RateBoundOptions {
  double bound = 0.01;      // spikes per step
  double Lambda = 1;        // factor of the penalty
  bool population = false;  // the mean rate of all neurons of a sample, instead of each neuron's
};
/// Lambda times the mean of max(0, bound - rate)^2, over the rates [B, ...] of the neurons. Cramer et al. 2022,
/// "Surrogate gradients for analog neuromorphic computing"; Zenke and Vogels 2021.
RHEO_API at::Tensor lower_rate_bound(const at::Tensor& spk, const RateBoundOptions& options = {});
/// Lambda times the mean of max(0, rate - bound)^2.
RHEO_API at::Tensor upper_rate_bound(const at::Tensor& spk, const RateBoundOptions& options = {});

struct MembranePenaltyOptions {
  double lower = -1;  // membranes within [lower, upper] cost nothing
  double upper = 1;
  double Lambda = 1;
};
/// Lambda times the mean of the squared distance of mem from [lower, upper].
RHEO_API at::Tensor membrane_penalty(const at::Tensor& mem, const MembranePenaltyOptions& options = {});

}  // namespace rheo::functional
