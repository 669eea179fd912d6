#include "rheo/nn/batch_norm_tt.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {
namespace {

/// One time step: libtorch's names and arithmetic, without the shift.
class StepNormImpl : public torch::nn::Cloneable<StepNormImpl> {
 public:
  explicit StepNormImpl(const BatchNormTTOptions& options) : options_(options) { reset(); }

  void reset() override {
    const auto features = options_.input_features;
    if (options_.affine) weight_ = register_parameter("weight", at::ones({features}));
    mean_ = register_buffer("running_mean", at::zeros({features}));
    var_ = register_buffer("running_var", at::ones({features}));
    tracked_ = register_buffer("num_batches_tracked", at::zeros({}, at::TensorOptions().dtype(at::kLong)));
  }

  at::Tensor forward(const at::Tensor& x) {
    if (is_training()) {
      const at::NoGradGuard no_grad;
      tracked_.add_(1);
    }
    return at::batch_norm(x, weight_, {}, mean_, var_, is_training(), options_.momentum, options_.eps, false);
  }

 private:
  BatchNormTTOptions options_;
  at::Tensor weight_, mean_, var_, tracked_;
};

}  // namespace

BatchNormTTImpl::BatchNormTTImpl(const BatchNormTTOptions& options, std::string kind,
                                 std::vector<std::int64_t> dims)
    : options_(options), kind_(std::move(kind)), dims_(std::move(dims)) {
  detail::check_positive(kind_, "input_features", options.input_features);
  detail::check_positive(kind_, "time_steps", options.time_steps);
  reset();
}

void BatchNormTTImpl::reset() {
  for (std::int64_t t = 0; t < options_.time_steps; ++t) {
    register_module(std::to_string(t), std::make_shared<StepNormImpl>(options_));
  }
}

at::Tensor BatchNormTTImpl::step(const at::Tensor& x, std::int64_t t) {
  if (t < 0 || t >= options_.time_steps) {
    throw ValueError(
        c10::str("[", kind_, "] step must be below time_steps = ", options_.time_steps, ", got ", t));
  }
  if (!x.defined() || std::find(dims_.begin(), dims_.end(), x.dim() + 1) == dims_.end() ||
      x.size(1) != options_.input_features) {
    throw ValueError(c10::str("[", kind_, "] one step of x must have shape [B, ", options_.input_features,
                              dims_[0] == 5 ? ", H, W]" : "] or with a length behind it", ", got ",
                              x.defined() ? c10::str(x.sizes()) : "an undefined tensor"));
  }
  return std::static_pointer_cast<StepNormImpl>(children()[static_cast<std::size_t>(t)])->forward(x);
}

SequentialOutput BatchNormTTImpl::forward(const Input& input, const State& state) {
  const auto& x = input.x;
  if (!x.defined() || x.dim() < 1) {
    throw ValueError(
        c10::str("[", kind_, "] x must be a sequence [T, B, ", options_.input_features, ", ...]"));
  }
  const auto past = state.empty() ? 0 : state["step"].item<std::int64_t>();
  const auto rows = x.unbind(0);
  std::vector<at::Tensor> steps;
  for (std::int64_t t = 0; t < input.steps; ++t) {
    steps.push_back(step(rows[rows.size() == 1 ? 0 : static_cast<std::size_t>(t)], past + t));
  }
  const State next{{"step", at::scalar_tensor(past + input.steps, at::TensorOptions().dtype(at::kLong))}};
  return {steps.empty() ? at::empty_like(x) : at::stack(steps), next};
}

void BatchNormTTImpl::pretty_print(std::ostream& stream) const {
  stream << kind_ << '(' << options_.input_features << ", time_steps=" << options_.time_steps << ')';
}

}  // namespace rheo::nn
