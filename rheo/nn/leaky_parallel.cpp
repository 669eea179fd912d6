#include "rheo/nn/leaky_parallel.hpp"

#include <ATen/ops/diag.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"
#include "rheo/ops/rectified.hpp"

namespace rheo::nn {
namespace {

/// The dense recurrence as whole-tensor operations that can be differentiated again.
at::Tensor plain_recurrence(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& first) {
  auto h = first.defined() ? first : at::zeros(x.sizes().slice(1), x.options());
  std::vector<at::Tensor> steps;
  for (const auto& now : x.unbind(0)) {
    h = at::relu(now + at::matmul(h, weight.t()));
    steps.push_back(h);
  }
  return steps.empty() ? x : at::stack(steps);
}

}  // namespace

LeakyParallelImpl::LeakyParallelImpl(const LeakyParallelOptions& options)
    : ScanImpl("LeakyParallel", common_options(options), false), options_(options) {
  refuse_options("LeakyParallel", common_options(options), {"state_quant"});
  detail::check_positive("LeakyParallel", "input_size", options.input_size);
  detail::check_positive("LeakyParallel", "hidden_size", options.hidden_size);
  if (options.beta.given()) {
    const auto& beta = options.beta.tensor();
    if (!beta.is_floating_point()) {
      throw TypeError(c10::str("[LeakyParallel] beta must be a floating-point number or tensor, got ",
                               beta.scalar_type()));
    }
    if (beta.numel() != 1 && (beta.dim() != 1 || beta.numel() != options.hidden_size)) {
      throw ValueError(c10::str("[LeakyParallel] beta must have 1 or hidden_size = ", options.hidden_size,
                                " elements, got ", beta.sizes()));
    }
    for (const double b : detail::numbers(beta)) detail::check_domain(kind(), "beta", Domain::any, b);
    register_buffer("beta", beta.detach().reshape({-1}).clone());
  }
  auto rnn = std::make_shared<torch::nn::Module>("rnn");
  register_module("rnn", rnn);
  const auto H = options.hidden_size;
  const double bound = 1 / std::sqrt(static_cast<double>(H));
  const auto random = [&](std::vector<std::int64_t> sizes) {
    return at::empty(sizes).uniform_(-bound, bound);
  };
  weight_ih_ = rnn->register_parameter("weight_ih_l0", random({H, options.input_size}));
  weight_hh_ = rnn->register_parameter("weight_hh_l0", first_weight(), options.learn_beta);
  if (options.bias) {
    bias_ih_ = rnn->register_parameter("bias_ih_l0", random({H}));
    bias_hh_ = rnn->register_parameter("bias_hh_l0", random({H}));
  }
}

at::Tensor LeakyParallelImpl::first_weight() const {
  const auto H = options_.hidden_size;
  at::Tensor weight;
  if (!options_.beta.given()) {
    const double bound = 1 / std::sqrt(static_cast<double>(H));
    weight = at::empty({H, H}).uniform_(-bound, bound);
  } else {
    const auto beta = options_.beta.tensor().detach().clamp(0, 1).reshape({-1});
    if (beta.numel() != 1) return at::diag(beta);
    weight = at::ones({H, H}, beta.options()) * beta;
  }
  return options_.weight_hh_enable ? weight : at::diag(weight.diagonal());
}

ScanImpl::Scanned LeakyParallelImpl::scan(const Input& x, const State& state, bool traces) {
  if (x.x.dim() < 2 || x.x.size(-1) != options_.input_size) {
    throw ValueError(c10::str("[LeakyParallel] x must have shape [T, ..., input_size = ", options_.input_size,
                              "], got ", x.x.sizes()));
  }
  const auto type = x.x.scalar_type();
  const auto bias = options_.bias ? (bias_ih_ + bias_hh_).to(type) : at::Tensor();
  const auto weight_hh = weight_hh_.to(type);
  Input current(ops::linear(x.x, weight_ih_.to(type), bias));
  current.steps = x.steps;
  const auto row = current.x.sizes().slice(1);
  firing().check(row);
  const auto first = first_of(state, "mem", row, current.x);
  if (!options_.weight_hh_enable) {
    return scan_step("LeakyParallel", current, first, weight_hh.diagonal(), traces);
  }
  auto shape = current.x.sizes().vec();
  shape[0] = current.steps;
  const auto steps = current.x.expand(shape);
  const auto mem = runs_kernels(steps) ? ops::rectified_recurrence(steps, weight_hh, first)
                                       : plain_recurrence(steps, weight_hh, first);
  auto out = spikes_of(mem);
  const auto last = mem.size(0) > 0   ? mem[mem.size(0) - 1]
                    : first.defined() ? first
                                      : at::zeros(row, mem.options());
  out.state = State{{"mem", last}};
  return out;
}

std::shared_ptr<torch::nn::Module> LeakyParallelImpl::clone(
    const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<LeakyParallelImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void LeakyParallelImpl::pretty_print(std::ostream& stream) const {
  stream << "LeakyParallel(input_size=" << options_.input_size << ", hidden_size=" << options_.hidden_size
         << (options_.weight_hh_enable ? ", dense W_hh" : "")
         << (options_.learn_beta ? ", learned W_hh)" : ")");
}

}  // namespace rheo::nn
