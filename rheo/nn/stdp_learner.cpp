#include "rheo/nn/stdp_learner.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "rheo/ops/refuse.hpp"

namespace rheo::nn {
namespace {

constexpr auto op = "STDPLearner";

template <class... Kinds>
bool is_one_of(const torch::nn::Module* module) {
  return ((dynamic_cast<const Kinds*>(module) != nullptr) || ...);
}

at::Tensor weight_of(const torch::nn::Module& synapse) { return synapse.named_parameters(false)["weight"]; }

}  // namespace

STDPLearner::STDPLearner(std::shared_ptr<torch::nn::Module> synapse, functional::STDPOptions options)
    : synapse_(std::move(synapse)), options_(std::move(options)) {
  using namespace torch::nn;
  if (!is_one_of<LinearImpl, Conv1dImpl, Conv2dImpl>(synapse_.get())) {
    ops::refuse<TypeError>(op, "synapse must be a Linear, Conv1d or Conv2d, got ",
                           synapse_ ? synapse_->name() : "none");
  }
  if (!(options_.tau_pre > 0)) ops::refuse(op, "tau_pre must be above 0, got ", options_.tau_pre);
  if (!(options_.tau_post > 0)) ops::refuse(op, "tau_post must be above 0, got ", options_.tau_post);
}

void STDPLearner::observe(const at::Tensor& in, const at::Tensor& out) {
  if (!enabled_) return;
  const bool sequence = in.defined() && in.dim() > weight_of(*synapse_).dim();
  const bool whole = sequence || !in.defined() || !out.defined();
  const auto x = whole ? in : in.unsqueeze(0);
  auto more = functional::stdp_correlation(*synapse_, x, whole ? out : out.unsqueeze(0), seen_.trace_pre,
                                           seen_.trace_post, options_);
  if (pending_ > 0) {
    more.potentiation += seen_.potentiation;
    more.depression += seen_.depression;
  }
  seen_ = std::move(more);
  pending_ += x.size(0);
}

at::Tensor STDPLearner::step(bool on_grad, double scale) {
  const at::NoGradGuard no_grad;
  auto weight = weight_of(*synapse_);
  const auto w = weight.detach();
  if (pending_ == 0) return at::zeros_like(w);
  const auto delta = ((options_.f_post ? options_.f_post(w) : w) * seen_.potentiation -
                      (options_.f_pre ? options_.f_pre(w) : w) * seen_.depression) *
                     scale;
  seen_.potentiation = seen_.depression = at::Tensor();
  pending_ = 0;
  if (on_grad) {
    auto& grad = weight.mutable_grad();
    grad = grad.defined() ? grad - delta : -delta;
  }
  return delta;
}

void STDPLearner::reset() {
  seen_ = {};
  pending_ = 0;
}

State STDPLearner::state() const {
  if (!seen_.trace_pre.defined()) return {};
  return {{"trace_pre", seen_.trace_pre}, {"trace_post", seen_.trace_post}};
}

void STDPLearner::load_state(const State& state) {
  for (const auto& [name, tensor] : state) {
    if (name != "trace_pre" && name != "trace_post") {
      ops::refuse(op, "state must have trace_pre and trace_post, got ", name);
    }
  }
  functional::STDPCorrelation seen;
  if (!state.empty()) {
    seen.trace_pre = state["trace_pre"];
    seen.trace_post = state["trace_post"];
  }
  seen_ = std::move(seen);
  pending_ = 0;
}

}  // namespace rheo::nn
