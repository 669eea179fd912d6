#include "rheo/nn/state_leaky.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <torch/serialize/archive.h>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/window.hpp"

namespace rheo::nn {
namespace {

/// The same window as whole-tensor operations that can be differentiated again.
at::Tensor plain_window(const at::Tensor& x, const at::Tensor& decay, const at::Tensor& past) {
  const auto window = past.size(0) + 1;
  const auto all = at::cat({past, x});
  auto mem = x;
  for (std::int64_t k = 1; k < window; ++k) {
    mem = mem + decay.pow(k) * all.narrow(0, window - 1 - k, x.size(0));
  }
  return mem;
}

}  // namespace

StateLeakyImpl::StateLeakyImpl(const StateLeakyOptions& options, std::string kind)
    : ScanImpl(std::move(kind), common_options(options), true), options_(options) {
  const auto name = this->kind();
  if (!options.beta.given()) throw ValueError(c10::str("[", name, "] beta must be given"));
  const auto beta = options.beta.tensor().detach().clone();
  if (!beta.is_floating_point()) {
    throw TypeError(
        c10::str("[", name, "] beta must be a floating-point number or tensor, got ", beta.scalar_type()));
  }
  if (beta.dim() > 1 || (beta.numel() != 1 && options.channels != 0 && beta.numel() != options.channels)) {
    throw ValueError(c10::str("[", name, "] beta must have shape [], [1] or [channels = ", options.channels,
                              "], got ", beta.sizes()));
  }
  for (const double b : detail::numbers(beta)) detail::check_domain(name, "beta", Domain::any, b);
  if (options.kernel_truncation_steps < 0) {
    throw ValueError(c10::str("[", name, "] kernel_truncation_steps must not be negative, got ",
                              options.kernel_truncation_steps));
  }
  if (!options.output) {
    refuse_options(name, common_options(options),
                   {"threshold", "spike_grad", "surrogate_disable", "learn_threshold", "graded_spikes_factor",
                    "learn_graded_spikes_factor"});
  }
  const auto tau = 1 / (1 - beta + 1e-12);
  beta_ = register_buffer("beta", beta);
  tau_ = options.learn_beta ? register_parameter("tau", tau) : register_buffer("tau", tau);
}

ScanImpl::Scanned StateLeakyImpl::scan(const Input& x, const State& state, bool traces) {
  const auto row = x.x.sizes().slice(1);
  if (tau_.numel() != 1 && !detail::broadcasts(tau_.sizes(), row)) {
    detail::refuse_shape(kind(), "beta", tau_.sizes(), row);
  }
  firing().check(row);
  const auto decay = (-1 / tau_).exp().to(x.x.options());
  auto out =
      options_.kernel_truncation_steps > 0
          ? scan_window(x, state, decay)
          : scan_step("StateLeaky", x, first_of(state, "mem", row, x.x), decay, traces || !options_.output);
  if (!options_.output) out.spk = out.mem;
  return out;
}

ScanImpl::Scanned StateLeakyImpl::scan_window(const Input& input, const State& state,
                                              const at::Tensor& decay) const {
  auto shape = input.x.sizes().vec();
  shape[0] = input.steps;
  const auto x = input.x.expand(shape);
  const auto K = options_.kernel_truncation_steps;
  shape[0] = K - 1;
  auto past = first_of(state, "past", shape, x);
  if (runs_kernels(x)) {
    const auto window = ops::leaky_window(x, decay, K, past);
    auto out = spikes_of(window.mem);
    out.state = State{{"past", window.past}};
    return out;
  }
  if (!past.defined()) past = at::zeros(shape, x.options());
  auto out = spikes_of(plain_window(x, decay, past));
  out.state = State{{"past", at::cat({past, x}).narrow(0, input.steps, K - 1)}};
  return out;
}

std::shared_ptr<torch::nn::Module> StateLeakyImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<StateLeakyImpl>(options_, kind());
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void StateLeakyImpl::save(torch::serialize::OutputArchive& archive) const {
  {
    const at::NoGradGuard no_grad;
    auto stored = beta_;
    stored.copy_(beta());
  }
  torch::nn::Module::save(archive);
}

void StateLeakyImpl::pretty_print(std::ostream& stream) const {
  stream << kind() << "(tau=" << (tau_.numel() == 1 ? c10::str(tau_.item<double>()) : c10::str(tau_.sizes()))
         << (options_.learn_beta ? " (learned)" : "");
  if (options_.kernel_truncation_steps > 0) {
    stream << ", kernel_truncation_steps=" << options_.kernel_truncation_steps;
  }
  stream << (options_.output ? ")" : ", output=false)");
}

}  // namespace rheo::nn
