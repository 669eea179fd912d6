// Recurrent layers written from their equations: as plain loops over numbers (spikes and membranes), and as whole-tensor
// operations that autograd differentiates (gradients). Shares nothing with the library but the spike function.
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "rheo/nn/neurons.hpp"

namespace rheo::test {

/// What a case fixes. alpha undefined: RLeaky.
struct Recurrent {
  torch::Tensor alpha, beta = torch::tensor(0.9, torch::kDouble);
  torch::Tensor weight, bias;  // [N, N] or [C, C, kh, kw]
  torch::Tensor threshold = torch::ones({}, torch::kDouble);
  torch::Tensor graded = torch::ones({}, torch::kDouble);
  Reset reset = Reset::subtract;
  bool delay = true;
  Surrogate surrogate{};
};

struct Trajectory {
  torch::Tensor spk, syn, mem;  // [T, ...]
  torch::Tensor last_spk;       // [...]
};

/// States before the first step; undefined: zero.
struct Before {
  torch::Tensor spk, syn, mem;
};

/// x [T, ...] through autograd.
inline Trajectory plain_recurrent(const torch::Tensor& x, Before before, const Recurrent& r) {
  const auto zeros = torch::zeros(x.sizes().slice(1), x.options());
  auto spk = before.spk.defined() ? before.spk : zeros;
  auto syn = before.syn.defined() ? before.syn : zeros;
  auto mem = before.mem.defined() ? before.mem : zeros;
  std::vector<torch::Tensor> spikes, currents, membranes;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    const auto sent = r.weight.dim() == 2 ? torch::matmul(spk, r.weight.t()) + r.bias
                                          : torch::conv2d(spk, r.weight, r.bias, 1,
                                                          {r.weight.size(2) / 2, r.weight.size(3) / 2});
    auto in = x[t] + sent;
    if (r.alpha.defined()) syn = in = r.alpha.clamp(0, 1) * syn + in;
    const auto base = r.beta.clamp(0, 1) * mem + in;
    auto next = base;
    const auto flag = mem.gt(r.threshold).to(x.scalar_type()).detach();
    if (r.delay && r.reset == Reset::subtract) next = base - flag * r.threshold;
    if (r.delay && r.reset == Reset::zero) next = base * (1 - flag);
    const auto fired = r.surrogate(next - r.threshold);
    if (!r.delay && r.reset == Reset::subtract) next = next - fired * r.threshold;
    if (!r.delay && r.reset == Reset::zero) next = next * (1 - fired);
    spk = fired * r.graded;
    mem = next;
    spikes.push_back(spk);
    currents.push_back(syn);
    membranes.push_back(mem);
  }
  return {torch::stack(spikes), torch::stack(currents), torch::stack(membranes), spk};
}

/// The same for one sample, number by number: x [T, N] or [T, C, H, W], double, zero states; spikes and membranes.
inline Trajectory loops_recurrent(const torch::Tensor& x, const Recurrent& r) {
  const auto steps = static_cast<std::size_t>(x.size(0));
  const auto n = static_cast<std::size_t>(x[0].numel());
  const bool conv = r.weight.dim() == 4;
  const auto H = conv ? x.size(2) : 1, W = conv ? x.size(3) : 1;
  const auto C = conv ? x.size(1) : x.size(1);
  const auto kh = conv ? r.weight.size(2) : 1, kw = conv ? r.weight.size(3) : 1;
  const auto w = r.weight.contiguous();
  const auto xs = x.contiguous();
  const double* weight = w.const_data_ptr<double>();
  const double* in = xs.const_data_ptr<double>();
  const auto at = [&](const torch::Tensor& t, std::size_t i) {
    return t.expand(x[0].sizes()).reshape({-1})[static_cast<std::int64_t>(i)].item<double>();
  };
  std::vector<double> alpha(n), beta(n), threshold(n), graded(n);
  for (std::size_t i = 0; i < n; ++i) {
    alpha[i] = r.alpha.defined() ? std::min(1.0, std::max(0.0, at(r.alpha, i))) : 0;
    beta[i] = std::min(1.0, std::max(0.0, at(r.beta, i)));
    threshold[i] = at(r.threshold, i);
    graded[i] = at(r.graded, i);
  }
  std::vector<double> spk(n), syn(n), mem(n);
  auto out = Trajectory{torch::empty(x.sizes(), torch::kDouble),
                        torch::empty(x.sizes(), torch::kDouble),
                        torch::empty(x.sizes(), torch::kDouble),
                        {}};
  for (std::size_t t = 0; t < steps; ++t) {
    std::vector<double> sent(n);
    for (std::int64_t o = 0; o < C; ++o) {
      for (std::int64_t h = 0; h < H; ++h) {
        for (std::int64_t v = 0; v < W; ++v) {
          double sum = r.bias[o].item<double>();
          for (std::int64_t c = 0; c < C; ++c) {
            for (std::int64_t a = 0; a < kh; ++a) {
              for (std::int64_t b = 0; b < kw; ++b) {
                const auto i = h + a - kh / 2, j = v + b - kw / 2;
                if (i < 0 || i >= H || j < 0 || j >= W) continue;
                sum += weight[((o * C + c) * kh + a) * kw + b] *
                       spk[static_cast<std::size_t>((c * H + i) * W + j)];
              }
            }
          }
          sent[static_cast<std::size_t>((o * H + h) * W + v)] = sum;
        }
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      double current = in[t * n + i] + sent[i];
      if (r.alpha.defined()) syn[i] = current = alpha[i] * syn[i] + current;
      const bool above = mem[i] > threshold[i];
      double u = beta[i] * mem[i] + current;
      if (r.delay && above && r.reset == Reset::subtract) u -= threshold[i];
      if (r.delay && above && r.reset == Reset::zero) u = 0;
      const bool fires = u > threshold[i];
      if (!r.delay && fires && r.reset == Reset::subtract) u -= threshold[i];
      if (!r.delay && fires && r.reset == Reset::zero) u = 0;
      mem[i] = u;
      spk[i] = fires ? graded[i] : 0;
      out.spk.mutable_data_ptr<double>()[t * n + i] = spk[i];
      out.syn.mutable_data_ptr<double>()[t * n + i] = syn[i];
      out.mem.mutable_data_ptr<double>()[t * n + i] = mem[i];
    }
  }
  return out;
}

}  // namespace rheo::test
