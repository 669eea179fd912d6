#include "rheo/nn/stdp_learner.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <deque>

#include "rheo/nn/spiking.hpp"
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

struct STDPLearner::Core {
  ModuleRef synapse;
  functional::STDPOptions options;
  functional::STDPCorrelation seen{};
  std::int64_t pending = 0;
  bool enabled = true;
  std::deque<at::Tensor> unanswered{};  // what the synapse has read, [T, B, ...] each

  /// As a sequence, told by the dimensions that a step of the synapse has.
  at::Tensor sequence(const at::Tensor& t) const {
    return t.dim() > weight_of(*synapse).dim() ? t : t.unsqueeze(0);
  }

  /// in, out [T, B, ...]
  void observe(const at::Tensor& in, const at::Tensor& out) {
    auto more = functional::stdp_correlation(*synapse, in, out, seen.trace_pre, seen.trace_post, options);
    if (pending > 0) {
      more.potentiation += seen.potentiation;
      more.depression += seen.depression;
    }
    seen = std::move(more);
    pending += in.size(0);
  }

  /// Steps that came out, with as many of those that went in first.
  void answer(at::Tensor out) {
    while (out.size(0) > 0) {
      if (unanswered.empty()) {
        ops::refuse(op,
                    "synapse must be called before the neuron, by a Sequential or by rheo::nn::call, got ",
                    out.size(0), " steps of the neuron without their input");
      }
      auto& in = unanswered.front();
      const auto steps = std::min(in.size(0), out.size(0));
      observe(in.narrow(0, 0, steps), out.narrow(0, 0, steps));
      out = out.narrow(0, steps, out.size(0) - steps);
      in = in.narrow(0, steps, in.size(0) - steps);
      if (in.size(0) == 0) unanswered.pop_front();
    }
  }
};

class STDPLearner::Reads : public Observer {
 public:
  explicit Reads(Core& core) : core_(core) {}
  void after(LayerCall& call) override {
    if (!core_.enabled) return;
    auto in = call.every_step(call.x).detach();
    if (!call.sequence) in = core_.sequence(in);
    if (in.size(0) > 0) core_.unanswered.push_back(in);
  }

 private:
  Core& core_;
};

class STDPLearner::Fires : public Observer {
 public:
  explicit Fires(Core& core) : core_(core) {}
  void after(LayerCall& call) override {
    const auto out = call.y.detach();
    if (core_.enabled) core_.answer(call.sequence ? out : out.unsqueeze(0));
  }

 private:
  Core& core_;
};

STDPLearner::STDPLearner(const ModuleRef& synapse, functional::STDPOptions options)
    : core_(new Core{synapse, std::move(options)}) {
  using namespace torch::nn;
  if (!is_one_of<LinearImpl, Conv1dImpl, Conv2dImpl>(synapse.get())) {
    ops::refuse<TypeError>(op, "synapse must be a Linear, Conv1d or Conv2d, got ",
                           synapse.get() != nullptr ? synapse->name() : "none");
  }
  const auto& given = core_->options;
  if (!(given.tau_pre > 0)) ops::refuse(op, "tau_pre must be above 0, got ", given.tau_pre);
  if (!(given.tau_post > 0)) ops::refuse(op, "tau_post must be above 0, got ", given.tau_post);
}

STDPLearner::STDPLearner(const ModuleRef& synapse, const ModuleRef& neuron, functional::STDPOptions options)
    : STDPLearner(synapse, std::move(options)) {
  if (dynamic_cast<SpikingImpl*>(neuron.get()) == nullptr) {
    ops::refuse<TypeError>(op, "neuron must be a layer with a state, got ",
                           neuron.get() != nullptr ? neuron->name() : "none");
  }
  reads_ = nn::observe(synapse, std::make_shared<Reads>(*core_));
  fires_ = nn::observe(neuron, std::make_shared<Fires>(*core_));
}

STDPLearner::STDPLearner(STDPLearner&&) noexcept = default;
STDPLearner& STDPLearner::operator=(STDPLearner&& other) noexcept {
  // Before the core that the observers refer to.
  reads_ = std::move(other.reads_);
  fires_ = std::move(other.fires_);
  core_ = std::move(other.core_);
  return *this;
}
STDPLearner::~STDPLearner() = default;

std::int64_t STDPLearner::pending() const { return core_->pending; }

std::int64_t STDPLearner::unanswered() const {
  std::int64_t steps = 0;
  for (const auto& in : core_->unanswered) steps += in.size(0);
  return steps;
}

void STDPLearner::enable() { core_->enabled = true; }
void STDPLearner::disable() {
  core_->enabled = false;
  core_->unanswered.clear();
}
bool STDPLearner::is_enabled() const { return core_->enabled; }

void STDPLearner::observe(const at::Tensor& in, const at::Tensor& out) {
  if (!core_->enabled) return;
  const bool whole = !in.defined() || !out.defined() || in.dim() > weight_of(*core_->synapse).dim();
  core_->observe(whole ? in : in.unsqueeze(0), whole ? out : out.unsqueeze(0));
}

at::Tensor STDPLearner::step(bool on_grad, double scale) {
  const at::NoGradGuard no_grad;
  if (!core_->unanswered.empty()) {
    ops::refuse(op, "every step of the synapse must have been answered by the neuron, got ", unanswered(),
                " without an answer; reset() forgets them");
  }
  auto weight = weight_of(*core_->synapse);
  const auto w = weight.detach();
  if (core_->pending == 0) return at::zeros_like(w);
  const auto& options = core_->options;
  auto& seen = core_->seen;
  const auto delta = ((options.f_post ? options.f_post(w) : w) * seen.potentiation -
                      (options.f_pre ? options.f_pre(w) : w) * seen.depression) *
                     scale;
  seen.potentiation = seen.depression = at::Tensor();
  core_->pending = 0;
  if (on_grad) {
    auto& grad = weight.mutable_grad();
    grad = grad.defined() ? grad - delta : -delta;
  }
  return delta;
}

void STDPLearner::reset() {
  core_->seen = {};
  core_->pending = 0;
  core_->unanswered.clear();
}

State STDPLearner::state() const {
  const auto& seen = core_->seen;
  if (!seen.trace_pre.defined()) return {};
  return {{"trace_pre", seen.trace_pre}, {"trace_post", seen.trace_post}};
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
  core_->seen = std::move(seen);
  core_->pending = 0;
  core_->unanswered.clear();
}

}  // namespace rheo::nn
