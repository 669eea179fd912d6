#include "rheo/train/optim.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace rheo::train {
namespace {

using torch::optim::OptimizerParamGroup;
using Tensors = std::vector<at::Tensor>;

bool is_flat(const at::Tensor& t) {
  return t.layout() == at::kStrided && t.device().is_cpu() && t.is_non_overlapping_and_dense() &&
         (t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble);
}

/// The fused operators walk through memory without a look at strides.
bool is_like(const at::Tensor& t, const at::Tensor& param) {
  return is_flat(t) && t.scalar_type() == param.scalar_type() && t.strides() == param.strides() &&
         t.sizes() == param.sizes();
}

bool is_state(const at::Tensor& t, const at::Tensor& param) { return !t.defined() || is_like(t, param); }

/// The parameters of a group that have a gradient, if all of them and their state can be stepped fused. They
/// are of one type per list, because a fused call wants one.
template <class StateFits>
bool fusable(const OptimizerParamGroup& group, const StateFits& state_fits, std::vector<Tensors>& by_type) {
  by_type.assign(2, {});
  for (const at::Tensor& param : group.params()) {
    if (!param.grad().defined()) continue;
    if (!is_flat(param) || !is_like(param.grad(), param) || !state_fits(param)) return false;
    by_type[param.scalar_type() == at::kDouble].push_back(param);
  }
  return true;
}

Tensors gradients(const Tensors& params) {
  Tensors grads;
  for (const at::Tensor& param : params) grads.push_back(param.grad());
  return grads;
}

template <class ParamState, class States>
ParamState* find_state(States& states, const at::Tensor& param) {
  const auto found = states.find(param.unsafeGetTensorImpl());
  return found == states.end() ? nullptr : static_cast<ParamState*>(found->second.get());
}

/// The state of a parameter, made as the base makes it where there is none.
template <class ParamState, class States>
ParamState& adam_state(States& states, const at::Tensor& param, bool amsgrad) {
  ParamState* state = find_state<ParamState>(states, param);
  if (state == nullptr) {
    auto fresh = std::make_unique<ParamState>();
    state = fresh.get();
    states[param.unsafeGetTensorImpl()] = std::move(fresh);
  }
  if (!state->exp_avg().defined()) state->exp_avg(at::zeros_like(param));
  if (!state->exp_avg_sq().defined()) state->exp_avg_sq(at::zeros_like(param));
  if (amsgrad && !state->max_exp_avg_sq().defined()) state->max_exp_avg_sq(at::zeros_like(param));
  return *state;
}

/// True if the group was stepped.
template <class ParamState, class Options, class Operator, class States>
bool step_adam(OptimizerParamGroup& group, States& states, const Operator& fused) {
  const auto fits = [&](const at::Tensor& param) {
    const auto* state = find_state<ParamState>(states, param);
    return state == nullptr || (is_state(state->exp_avg(), param) && is_state(state->exp_avg_sq(), param) &&
                                is_state(state->max_exp_avg_sq(), param));
  };
  std::vector<Tensors> by_type;
  if (!fusable(group, fits, by_type)) return false;
  const auto& options = static_cast<const Options&>(group.options());
  for (Tensors& params : by_type) {
    if (params.empty()) continue;
    Tensors means, squares, largest, steps;
    for (const at::Tensor& param : params) {
      auto& state = adam_state<ParamState>(states, param, options.amsgrad());
      state.step(state.step() + 1);
      means.push_back(state.exp_avg());
      squares.push_back(state.exp_avg_sq());
      if (options.amsgrad()) largest.push_back(state.max_exp_avg_sq());
      steps.push_back(at::full({}, static_cast<double>(state.step()), at::kFloat));
    }
    Tensors grads = gradients(params);
    fused(params, grads, means, squares, largest, steps, options.lr(), std::get<0>(options.betas()),
          std::get<1>(options.betas()), options.weight_decay(), options.eps(), options.amsgrad(), false);
  }
  return true;
}

template <class States>
bool step_sgd(OptimizerParamGroup& group, States& states) {
  using torch::optim::SGDParamState;
  const auto& options = static_cast<const torch::optim::SGDOptions&>(group.options());
  const auto fits = [&](const at::Tensor& param) {
    const auto* state = find_state<SGDParamState>(states, param);
    return state == nullptr || is_state(state->momentum_buffer(), param);
  };
  std::vector<Tensors> by_type;
  if (!fusable(group, fits, by_type)) return false;
  const auto run = [&](const Tensors& params, const Tensors& momenta, bool first) {
    if (params.empty()) return;
    at::_fused_sgd_(params, gradients(params), momenta, options.weight_decay(), options.momentum(),
                    options.lr(), options.dampening(), options.nesterov(), false, first);
  };
  for (const Tensors& params : by_type) {
    if (options.momentum() == 0) {
      run(params, {}, false);
      continue;
    }
    Tensors fresh, fresh_momenta, known, momenta;
    for (const at::Tensor& param : params) {
      auto* state = find_state<SGDParamState>(states, param);
      if (state != nullptr && state->momentum_buffer().defined()) {
        known.push_back(param);
        momenta.push_back(state->momentum_buffer());
        continue;
      }
      auto made = std::make_unique<SGDParamState>();
      made->momentum_buffer(at::empty_like(param));
      fresh.push_back(param);
      fresh_momenta.push_back(made->momentum_buffer());
      states[param.unsafeGetTensorImpl()] = std::move(made);
    }
    run(fresh, fresh_momenta, true);
    run(known, momenta, false);
  }
  return true;
}

/// Steps what can be fused; the groups left over are `groups` while the base steps them.
template <class Fused, class Base>
at::Tensor step_groups(std::vector<OptimizerParamGroup>& groups,
                       const torch::optim::Optimizer::LossClosure& closure, const Fused& fused,
                       const Base& base) {
  at::Tensor loss;
  if (closure) {
    const at::AutoGradMode grad(true);
    loss = closure();
  }
  const at::NoGradGuard no_grad;
  struct Restore {
    std::vector<OptimizerParamGroup>& groups;
    std::vector<OptimizerParamGroup> all;
    std::vector<std::size_t> moved;
    ~Restore() {
      for (std::size_t i = 0; i < moved.size(); ++i) all[moved[i]] = std::move(groups[i]);
      groups = std::move(all);
    }
  } restore{groups, std::move(groups), {}};
  groups.clear();
  groups.reserve(restore.all.size());
  restore.moved.reserve(restore.all.size());
  for (std::size_t i = 0; i < restore.all.size(); ++i) {
    if (fused(restore.all[i])) continue;
    restore.moved.push_back(i);
    groups.push_back(std::move(restore.all[i]));
  }
  if (!groups.empty()) base();
  return loss;
}

}  // namespace

at::Tensor Adam::step(LossClosure closure) {
  const auto fused = [this](OptimizerParamGroup& group) {
    return step_adam<torch::optim::AdamParamState, torch::optim::AdamOptions>(
        group, state_, [](const auto&... args) { at::_fused_adam_(args...); });
  };
  return step_groups(param_groups_, closure, fused, [this] { torch::optim::Adam::step(); });
}

at::Tensor AdamW::step(LossClosure closure) {
  const auto fused = [this](OptimizerParamGroup& group) {
    return step_adam<torch::optim::AdamWParamState, torch::optim::AdamWOptions>(
        group, state_, [](const auto&... args) { at::_fused_adamw_(args...); });
  };
  return step_groups(param_groups_, closure, fused, [this] { torch::optim::AdamW::step(); });
}

at::Tensor SGD::step(LossClosure closure) {
  const auto fused = [this](OptimizerParamGroup& group) { return step_sgd(group, state_); };
  return step_groups(param_groups_, closure, fused, [this] { torch::optim::SGD::step(); });
}

}  // namespace rheo::train
