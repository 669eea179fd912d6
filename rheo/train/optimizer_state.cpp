#include "rheo/train/optimizer_state.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <functional>
#include <memory>
#include <string_view>
#include <tuple>

#include "rheo/ops/error.hpp"

namespace rheo::train {
namespace {

using Options = std::map<std::string, double>;
using torch::optim::Optimizer;
using torch::optim::OptimizerOptions;
using torch::optim::OptimizerParamState;

template <class O>
Options adam_options(const OptimizerOptions& base) {
  const auto& o = static_cast<const O&>(base);
  return {{"lr", o.lr()},   {"beta1", std::get<0>(o.betas())},  {"beta2", std::get<1>(o.betas())},
          {"eps", o.eps()}, {"weight_decay", o.weight_decay()}, {"amsgrad", o.amsgrad() ? 1 : 0}};
}

template <class O>
void set_adam_options(OptimizerOptions& base, const Options& v) {
  static_cast<O&>(base)
      .lr(v.at("lr"))
      .betas({v.at("beta1"), v.at("beta2")})
      .eps(v.at("eps"))
      .weight_decay(v.at("weight_decay"))
      .amsgrad(v.at("amsgrad") != 0);
}

Options sgd_options(const OptimizerOptions& base) {
  const auto& o = static_cast<const torch::optim::SGDOptions&>(base);
  return {{"lr", o.lr()},
          {"momentum", o.momentum()},
          {"dampening", o.dampening()},
          {"weight_decay", o.weight_decay()},
          {"nesterov", o.nesterov() ? 1 : 0}};
}

void set_sgd_options(OptimizerOptions& base, const Options& v) {
  static_cast<torch::optim::SGDOptions&>(base)
      .lr(v.at("lr"))
      .momentum(v.at("momentum"))
      .dampening(v.at("dampening"))
      .weight_decay(v.at("weight_decay"))
      .nesterov(v.at("nesterov") != 0);
}

using Fields = std::map<std::string, at::Tensor>;

template <class S>
Fields adam_fields(const OptimizerParamState& base) {
  const auto& s = static_cast<const S&>(base);
  return {{"step", at::full({}, s.step(), at::kLong)},
          {"exp_avg", s.exp_avg()},
          {"exp_avg_sq", s.exp_avg_sq()},
          {"max_exp_avg_sq", s.max_exp_avg_sq()}};
}

template <class S>
std::unique_ptr<OptimizerParamState> adam_param_state(const Fields& fields) {
  auto state = std::make_unique<S>();
  for (const auto& [name, tensor] : fields) {
    if (name == "step") state->step(tensor.template item<std::int64_t>());
    if (name == "exp_avg") state->exp_avg(tensor);
    if (name == "exp_avg_sq") state->exp_avg_sq(tensor);
    if (name == "max_exp_avg_sq") state->max_exp_avg_sq(tensor);
  }
  return state;
}

Fields sgd_fields(const OptimizerParamState& base) {
  return {{"momentum_buffer", static_cast<const torch::optim::SGDParamState&>(base).momentum_buffer()}};
}

std::unique_ptr<OptimizerParamState> sgd_param_state(const Fields& fields) {
  auto state = std::make_unique<torch::optim::SGDParamState>();
  state->momentum_buffer(fields.at("momentum_buffer"));
  return state;
}

struct Kind {
  std::string_view name;
  std::function<bool(const Optimizer&)> is;
  Options (*options)(const OptimizerOptions&);
  void (*set_options)(OptimizerOptions&, const Options&);
  Fields (*fields)(const OptimizerParamState&);
  std::unique_ptr<OptimizerParamState> (*param_state)(const Fields&);
  std::vector<std::string> always;  // fields that every state has; the others may be missing
};

template <class O>
bool is_a(const Optimizer& optimizer) {
  return dynamic_cast<const O*>(&optimizer) != nullptr;
}

const Kind* find_kind(const Optimizer& optimizer) {
  using namespace torch::optim;
  static const std::vector<Kind> kinds{
      {"Adam",
       is_a<Adam>,
       adam_options<AdamOptions>,
       set_adam_options<AdamOptions>,
       adam_fields<AdamParamState>,
       adam_param_state<AdamParamState>,
       {"step", "exp_avg", "exp_avg_sq"}},
      {"AdamW",
       is_a<AdamW>,
       adam_options<AdamWOptions>,
       set_adam_options<AdamWOptions>,
       adam_fields<AdamWParamState>,
       adam_param_state<AdamWParamState>,
       {"step", "exp_avg", "exp_avg_sq"}},
      {"SGD", is_a<SGD>, sgd_options, set_sgd_options, sgd_fields, sgd_param_state, {"momentum_buffer"}}};
  for (const Kind& kind : kinds) {
    if (kind.is(optimizer)) return &kind;
  }
  return nullptr;
}

const Kind& known_kind(const Optimizer& optimizer) {
  const Kind* kind = find_kind(optimizer);
  if (kind == nullptr) {
    throw TypeError("[checkpoint] optimizer must be Adam, AdamW or SGD, got another kind");
  }
  return *kind;
}

/// Fields by the parameter's index. Throws ValueError for what does not fit the optimiser.
std::map<std::size_t, Fields> sorted(const Optimizer& optimizer, const OptimizerState& state) {
  const Kind& kind = known_kind(optimizer);
  if (state.kind != kind.name) {
    throw ValueError("[checkpoint] optimizer must be " + state.kind + " as in the checkpoint, got " +
                     std::string(kind.name));
  }
  const auto& groups = optimizer.param_groups();
  if (groups.size() != state.groups.size()) {
    throw ValueError("[checkpoint] optimizer must have " + std::to_string(state.groups.size()) +
                     " parameter groups as in the checkpoint, got " + std::to_string(groups.size()));
  }
  std::vector<at::Tensor> params;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Options wanted = kind.options(groups[i].options());
    wanted["parameters"] = static_cast<double>(groups[i].params().size());
    for (const auto& [name, value] : wanted) {
      if (!state.groups[i].contains(name)) {
        throw ValueError("[checkpoint] options of the optimizer must have " + name +
                         ", got none in the checkpoint");
      }
    }
    if (state.groups[i].at("parameters") != wanted["parameters"]) {
      throw ValueError("[checkpoint] group " + std::to_string(i) + " of the optimizer must have " +
                       std::to_string(static_cast<std::int64_t>(state.groups[i].at("parameters"))) +
                       " parameters as in the checkpoint, got " + std::to_string(groups[i].params().size()));
    }
    params.insert(params.end(), groups[i].params().begin(), groups[i].params().end());
  }
  std::map<std::size_t, Fields> found;
  for (const auto& [name, tensor] : state.tensors) {
    std::size_t index = params.size();
    std::string field;
    for (std::size_t i = 0; i < params.size() && field.empty(); ++i) {
      const std::string prefix = std::to_string(i) + ".";
      if (name.starts_with(prefix)) {
        index = i;
        field = name.substr(prefix.size());
      }
    }
    const bool step = field == "step";
    if (field.empty() || (step ? tensor.numel() != 1 || tensor.scalar_type() != at::kLong
                               : tensor.sizes() != params[index].sizes() ||
                                     tensor.scalar_type() != params[index].scalar_type())) {
      throw ValueError("[checkpoint] optimizer state '" + name + "' must fit a parameter, got shape " +
                       c10::str(tensor.sizes()));
    }
    found[index][field] = tensor;
  }
  for (const auto& [index, fields] : found) {
    for (const std::string& field : kind.always) {
      if (!fields.contains(field)) {
        throw ValueError("[checkpoint] optimizer state '" + std::to_string(index) + "." + field +
                         "' must be in the checkpoint, got none");
      }
    }
  }
  return found;
}

}  // namespace

std::string optimizer_kind(const Optimizer& optimizer) {
  const Kind* kind = find_kind(optimizer);
  return kind == nullptr ? "" : std::string(kind->name);
}

OptimizerState optimizer_state(const Optimizer& optimizer) {
  const Kind& kind = known_kind(optimizer);
  OptimizerState out{std::string(kind.name), {}, {}};
  std::size_t index = 0;
  for (const auto& group : optimizer.param_groups()) {
    Options options = kind.options(group.options());
    options["parameters"] = static_cast<double>(group.params().size());
    out.groups.push_back(std::move(options));
    for (const at::Tensor& param : group.params()) {
      const auto state = optimizer.state().find(param.unsafeGetTensorImpl());
      if (state != optimizer.state().end()) {
        for (const auto& [field, tensor] : kind.fields(*state->second)) {
          if (tensor.defined()) out.tensors.emplace_back(std::to_string(index) + "." + field, tensor);
        }
      }
      ++index;
    }
  }
  return out;
}

void check_optimizer(const Optimizer& optimizer, const OptimizerState& state) { sorted(optimizer, state); }

void load_optimizer(Optimizer& optimizer, const OptimizerState& state) {
  auto found = sorted(optimizer, state);
  const Kind& kind = known_kind(optimizer);
  const at::NoGradGuard no_grad;
  optimizer.state().clear();
  std::size_t index = 0;
  for (std::size_t i = 0; i < state.groups.size(); ++i) {
    auto& group = optimizer.param_groups()[i];
    kind.set_options(group.options(), state.groups[i]);
    for (const at::Tensor& param : group.params()) {
      const auto fields = found.find(index++);
      if (fields == found.end()) continue;
      Fields tensors;
      for (const auto& [name, tensor] : fields->second) {
        // Laid out as the parameter is, and of our own: the checkpoint stays what it is.
        tensors[name] = name == "step" ? tensor : at::empty_like(param.detach()).copy_(tensor);
      }
      optimizer.state()[param.unsafeGetTensorImpl()] = kind.param_state(tensors);
    }
  }
}

}  // namespace rheo::train
