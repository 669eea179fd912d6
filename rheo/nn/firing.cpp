#include "rheo/nn/firing.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/inhibition.hpp"

namespace rheo::nn {

void Firing::add(torch::nn::Module& owner, const CommonOptions& options) {
  const auto own = [&](const char* name, const Value& value, bool learn) {
    const auto t = (value.given() ? value : Value(1.0)).tensor();
    if (!t.is_floating_point()) {
      throw TypeError(c10::str("[", kind_, "] ", name, " must be a floating-point number or tensor, got ",
                               t.scalar_type()));
    }
    for (const double v : detail::numbers(t)) detail::check_domain(kind_, name, Domain::any, v);
    const auto mine = t.detach().clone();
    return learn ? owner.register_parameter(name, mine) : owner.register_buffer(name, mine);
  };
  threshold_ = own("threshold", options.threshold, options.learn_threshold);
  graded_ = own("graded_spikes_factor", options.graded_spikes_factor, options.learn_graded_spikes_factor);
  if (!options.learn_slope) return;
  const auto slope = options.spike_grad.slope();
  if (!slope || options.surrogate_disable) {
    throw TypeError(c10::str("[", kind_,
                             "] learn_slope needs a surrogate with a slope that can be learned, one of ",
                             detail::listed(Surrogate::names_with_slope()), ", got ",
                             options.surrogate_disable ? "none" : options.spike_grad.to_string()));
  }
  slope_ = own("surrogate_slope", Value(*slope), true);
}

Firing::Firing(torch::nn::Module& owner, std::string kind, const CommonOptions& options)
    : kind_(std::move(kind)), options_(options) {
  add(owner, options);
}

Firing::Firing(torch::nn::Module& owner, std::string kind, const CommonOptions& options, Reset usual)
    : Firing(owner, std::move(kind), options) {
  reset_ = owner.register_buffer(
      "reset_mechanism_val",
      at::scalar_tensor(static_cast<std::int64_t>(options.reset_mechanism.value_or(usual)),
                        at::TensorOptions().dtype(at::kLong)));
}

Reset Firing::reset_mechanism() const {
  if (!reset_.defined()) return Reset::none;
  const auto v = reset_.item<std::int64_t>();
  if (v < 0 || v > 2) {
    throw ValueError(c10::str("[", kind_, "] reset_mechanism_val must be 0, 1 or 2, got ", v));
  }
  return static_cast<Reset>(v);
}

void Firing::set_reset_mechanism(Reset reset) {
  if (!reset_.defined())
    throw TypeError(c10::str("[", kind_, "] reset_mechanism cannot be set: it never resets"));
  const at::NoGradGuard no_grad;
  reset_.fill_(static_cast<std::int64_t>(reset));
}

SurrogateCall Firing::surrogate() const {
  auto call = options_.spike_grad.call();
  if (options_.surrogate_disable) call.kind = SurrogateKind::none;
  return with_seed(call);
}

at::Tensor Firing::slope_like(const at::Tensor& x) const {
  return slope_.defined() ? slope_.to(x.options()) : slope_;
}

bool Firing::plain_surrogate() const {
  return !slope_.defined() && !is_stochastic(options_.spike_grad.call().kind);
}

ops::SpikeGradient Firing::custom() const {
  return options_.surrogate_disable ? ops::SpikeGradient() : options_.spike_grad.gradient();
}

void Firing::check(at::IntArrayRef row) const {
  const std::pair<const char*, const at::Tensor*> values[] = {{"threshold", &threshold_},
                                                              {"graded_spikes_factor", &graded_}};
  for (const auto& [name, t] : values) {
    for (const double v : detail::numbers(*t)) detail::check_domain(kind_, name, Domain::any, v);
    if (t->numel() != 1 && !detail::broadcasts(t->sizes(), row)) {
      detail::refuse_shape(kind_, name, t->sizes(), row);
    }
  }
  if (options_.inhibition && row.size() != 2) {
    throw ValueError(
        c10::str("[", kind_, "] inhibition needs a dense layer, one step of x [B, N], got ", row));
  }
}

std::string Firing::why_not_fused(bool pointwise) const {
  if (!options_.fused) return "fused = false";
  if (custom()) return "the surrogate is a function of the user's";
  if (options_.state_quant.given()) return "states are quantised";
  if (options_.inhibition) return "inhibition compares the neurons of a layer";
  if (!pointwise && slope_.defined()) return "the surrogate's slope is learned";
  if (!pointwise && !plain_surrogate()) return "the surrogate is random";
  return {};
}

at::Tensor Firing::fire(const at::Tensor& u) const {
  const auto over = u - threshold_like(u);
  const auto spk = ops::spike(over, surrogate(), custom(), slope_like(u));
  return options_.inhibition ? ops::winners(spk, over) : spk * graded_like(u);
}

at::Tensor Firing::reset_flag(const at::Tensor& mem) const {
  return mem.detach().gt(threshold_like(mem).detach()).to(mem.scalar_type());
}

}  // namespace rheo::nn
