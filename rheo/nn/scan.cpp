#include "rheo/nn/scan.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "rheo/nn/registry.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::nn {
namespace {

/// Values as the kernels take them: one each, or all repeating with the same period along the row.
std::vector<at::Tensor> flat(std::vector<at::Tensor> values, at::IntArrayRef row) {
  std::int64_t deepest = 0;
  for (const auto& v : values) {
    if (v.numel() != 1) deepest = std::max(deepest, v.dim());
  }
  const auto trailing = row.slice(row.size() - static_cast<std::size_t>(deepest));
  for (auto& v : values) v = v.numel() == 1 ? v.reshape({}) : v.expand(trailing).reshape({-1});
  return values;
}

}  // namespace

ScanImpl::ScanImpl(std::string kind, const CommonOptions& options, bool resets)
    : SpikingImpl(kind),
      kind_(std::move(kind)),
      common_(options),
      firing_(resets ? Firing(*this, kind_, options, Reset::none) : Firing(*this, kind_, options)) {
  refuse_options(kind_, options, {"inhibition", "reset_mechanism", "reset_delay"});
}

std::string ScanImpl::why_not_fused(const at::Tensor& x) const {
  if (const auto why = firing_.why_not_fused(); !why.empty()) return why;
  if (x.defined() && !x.is_cpu()) {
    return c10::str("x is on ", x.device(), ", for which there are no kernels yet");
  }
  return {};
}

ScanImpl::Scanned ScanImpl::scan_step(std::string_view step, const Input& x, const at::Tensor& first,
                                      const at::Tensor& constant, bool traces) const {
  const auto& entry = find_entry(step);
  // Spikes come with the kernel, or are made from its membranes.
  const bool spikes = firing_.why_not_fused().empty() && runs_kernels(x.x);
  ops::ReferenceCall call;
  call.kind = entry.info.name;
  call.x = x.x;
  call.steps = x.steps;
  call.surrogate = firing_.surrogate();
  call.traces = traces || !spikes;
  call.constants = {constant, firing_.threshold_like(x.x), firing_.graded_like(x.x)};
  if (first.defined()) call.state = {first};
  // The steps never reset; this is the mechanism that has loops of its own.
  call.reset = Reset::subtract;
  ops::NeuronResult out;
  if (runs_kernels(x.x)) {
    call.constants = flat(std::move(call.constants), x.x.sizes().slice(1));
    out = ops::neuron(call);
  } else {
    out = entry.reference(call);
  }
  Scanned result;
  if (spikes) {
    result.spk = out.spk;
    if (traces) result.mem = out.traces[0];
  } else {
    result = spikes_of(out.traces[0]);
  }
  result.state = State{{"mem", out.state[0]}};
  return result;
}

ScanImpl::Scanned ScanImpl::spikes_of(const at::Tensor& membranes) const {
  const auto mem = firing_.quantised(membranes);
  if (!firing_.why_not_fused().empty() || !runs_kernels(mem)) return {firing_.fire(mem), mem, {}};
  // One step of a memory that decays to nothing, time and batch side by side.
  ops::NeuronCall call;
  call.kind = "StateLeaky";
  call.x = mem.unsqueeze(0);
  call.steps = 1;
  call.surrogate = firing_.surrogate();
  call.constants = flat({at::zeros({}, mem.options()), firing_.threshold_like(mem), firing_.graded_like(mem)},
                        mem.sizes());
  return {ops::neuron(call).spk.squeeze(0), mem, {}};
}

at::Tensor ScanImpl::first_of(const State& state, const std::string& name, at::IntArrayRef shape,
                              const at::Tensor& x) const {
  const auto found = first_state(state, {name}, {shape});
  return found.empty() || !found[0].defined() ? at::Tensor() : found[0].to(x.options());
}

ScanImpl::Scanned ScanImpl::run(const Input& input, const State& state, bool traces) {
  check_input(input);
  const auto dtype = input.x.scalar_type();
  const bool narrow = dtype != at::kFloat && dtype != at::kDouble;
  Input x(narrow ? input.x.to(at::kFloat) : input.x);
  x.steps = input.steps;
  auto out = scan(x, state, traces);
  if (narrow) {
    out.spk = out.spk.to(dtype);
    if (out.mem.defined()) out.mem = out.mem.to(dtype);
    out.state = out.state.to(dtype);
  }
  keep(out.state);
  return out;
}

Output ScanImpl::do_forward(const Input& x, const State& state) {
  auto out = run(x, state, false);
  return {std::move(out.spk), std::move(out.state)};
}

Recording ScanImpl::do_record(const Input& x, const State& state) {
  auto out = run(x, state, true);
  return {std::move(out.spk), out.mem, State{{"mem", out.mem}}, std::move(out.state)};
}

}  // namespace rheo::nn
