#include "rheo/nn/lstm_layer.hpp"

#include <ATen/TensorOperators.h>

#include <ostream>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {
namespace {

const std::vector<std::string> states{"syn", "mem"};

State named(const std::vector<at::Tensor>& tensors) {
  return State{{"syn", tensors[0]}, {"mem", tensors[1]}};
}

}  // namespace

LstmLayerImpl::LstmLayerImpl(std::string kind, const CommonOptions& options,
                             const std::vector<std::string_view>& refused)
    : SpikingImpl(kind),
      kind_(std::move(kind)),
      common_(options),
      firing_(*this, kind_, options, Reset::none) {
  refuse_options(kind_, options, refused);
}

std::string LstmLayerImpl::why_not_fused(const at::Tensor& x) const {
  if (!common_.fused) return "fused = false";
  if (common_.state_quant.given()) return "states are quantised";
  if (x.defined() && !x.is_cpu())
    return c10::str("x is on ", x.device(), ", for which there are no kernels yet");
  return {};
}

/// [], or the shape of one sample.
at::Tensor LstmLayerImpl::sample_threshold(const at::Tensor& x, at::IntArrayRef row) const {
  const auto threshold = firing_.threshold_like(x);
  if (threshold.numel() == 1) return threshold.reshape({});
  auto one = row.vec();
  one[0] = 1;
  if (!detail::broadcasts(threshold.sizes(), one))
    detail::refuse_shape(kind_, "threshold", threshold.sizes(), one);
  return threshold.expand(one).squeeze(0);
}

ops::NeuronResult LstmLayerImpl::run(const Input& input, const State& state, bool traces) {
  check_input(input);
  const auto dtype = input.x.scalar_type();
  const bool narrow = dtype != at::kFloat && dtype != at::kDouble;
  const auto x = narrow ? input.x.to(at::kFloat) : input.x;

  auto call = cells(x);
  call.kind = kind_;
  call.steps = input.steps;
  auto row = x.sizes().slice(1).vec();  // [B, H] or [B, C, ...]
  row[1] = call.weight_hh.size(1);
  firing_.check(row);
  const auto first = first_state(state, states, {row, row});
  const auto converted = [&](const at::Tensor& t) { return t.defined() ? t.to(x.options()) : t; };
  if (!first.empty()) {
    call.syn = converted(first[0]);
    call.mem = converted(first[1]);
  }
  call.threshold = sample_threshold(x, row);
  call.reset = firing_.reset_mechanism();
  call.surrogate = firing_.surrogate();

  // Spikes feed nothing back: where the kernel cannot make them, they follow from the membranes.
  const bool fused = why_not_fused(x).empty();
  call.spikes = fused && !pools() && !firing_.inhibition() && !firing_.custom() && firing_.plain_surrogate();
  call.traces = traces || !call.spikes;
  auto result =
      fused ? ops::lstm(call)
            : ops::lstm_reference(call, common_.state_quant.given()
                                            ? [this](const at::Tensor& u) { return firing_.quantised(u); }
                                            : std::function<at::Tensor(const at::Tensor&)>());
  if (call.spikes) {
    const auto& graded = firing_.graded_spikes_factor();
    const bool plain = graded.numel() == 1 && !graded.requires_grad() && graded.item<double>() == 1;
    if (!plain) result.spk = result.spk * firing_.graded_like(x);
  } else {
    result.spk = firing_.fire(firing_membrane(result.traces[1]));
  }
  if (narrow) {
    result.spk = result.spk.to(dtype);
    for (auto& t : result.traces) t = t.to(dtype);
    for (auto& t : result.state) t = t.to(dtype);
  }
  keep(named(result.state));
  return result;
}

Output LstmLayerImpl::do_forward(const Input& x, const State& state) {
  auto result = run(x, state, false);
  return {std::move(result.spk), named(result.state)};
}

Recording LstmLayerImpl::do_record(const Input& x, const State& state) {
  auto result = run(x, state, true);
  return {std::move(result.spk), result.traces[1], named(result.traces), named(result.state)};
}

void LstmLayerImpl::print_common(std::ostream& stream) const {
  const auto& threshold = firing_.threshold();
  stream << ", threshold=";
  if (threshold.numel() == 1) {
    stream << threshold.item<double>();
  } else {
    stream << threshold.sizes();
  }
  if (threshold.requires_grad()) stream << " (learned)";
  stream << ", reset_mechanism=" << to_string(reset_mechanism());
  if (common_.init_hidden) stream << ", init_hidden=true";
  stream << ", surrogate=" << (common_.surrogate_disable ? "none" : common_.spike_grad.to_string());
}

}  // namespace rheo::nn
