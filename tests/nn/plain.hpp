// Both neurons as plain loops over whole tensors, written from the equations and sharing nothing with the
// library but the spike function: what fused calls and the reference path are compared with.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "rheo/nn/neurons.hpp"

namespace rheo::test {

struct Plain {
  torch::Tensor spk;  // [T, ...]
  torch::Tensor mem;  // [T, ...]
};

struct PlainRule {
  torch::Tensor threshold = torch::ones({}, torch::kDouble);
  torch::Tensor graded = torch::ones({}, torch::kDouble);
  Reset reset = Reset::subtract;
  bool delay = true;
  Surrogate surrogate{};
};

/// U[t] = advance(stored, x[t]). `early`: a reset to zero comes before the step, as Leaky's does.
template <class Advance>
Plain plain(const torch::Tensor& x, torch::Tensor mem, const PlainRule& rule, bool early, Advance advance) {
  std::vector<torch::Tensor> spikes, membranes;
  for (const auto& row : x.unbind(0)) {
    const auto flag = mem.gt(rule.threshold).to(x.scalar_type()).detach();
    const bool zero = rule.delay && rule.reset == Reset::zero;
    auto base = advance(zero && early ? (1 - flag) * mem : mem, row);
    if (zero && !early) base = base - flag * base;
    if (rule.delay && rule.reset == Reset::subtract) base = base - flag * rule.threshold;
    const auto spk = rule.surrogate(base - rule.threshold);
    mem = base;
    if (!rule.delay && rule.reset == Reset::subtract) mem = base - spk * rule.threshold;
    if (!rule.delay && rule.reset == Reset::zero) mem = base * (1 - spk);
    spikes.push_back(spk * rule.graded);
    membranes.push_back(mem);
  }
  return {torch::stack(spikes), torch::stack(membranes)};
}

inline Plain plain_leaky(const torch::Tensor& x, const torch::Tensor& mem, const torch::Tensor& beta,
                         const PlainRule& rule = {}) {
  return plain(x, mem, rule, true,
               [&](const torch::Tensor& u, const torch::Tensor& row) { return beta.clamp(0, 1) * u + row; });
}

/// Forward Euler of tau dU/dt = -U + R X.
inline Plain plain_lapicque(const torch::Tensor& x, const torch::Tensor& mem, const torch::Tensor& R,
                            const torch::Tensor& C, double dt, const PlainRule& rule = {}) {
  return plain(x, mem, rule, false, [&](const torch::Tensor& u, const torch::Tensor& row) {
    return u + (row * R - u) * dt / (R * C);
  });
}

}  // namespace rheo::test
