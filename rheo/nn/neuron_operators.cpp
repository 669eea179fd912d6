// The neurons as operators on parameters, for callers without our modules: what the Python package runs.
//   neuron_step      x [...] one time step -> spikes, states
//   neuron_sequence  x [T, ...], or [1, ...] with `steps` -> spikes, traces (where asked for), last states
//   neuron_parameters  fills in the parameters that follow from the given ones
//   neuron_check       values that the equations cannot use are a ValueError
// parameters: those of the neuron in its own order (None: not given), threshold, graded_spikes_factor, then the surrogate's
// slope where it is learned. state: one tensor per state, or none; one of another shape than a step of x counts as fresh.
// All are composed of other operators, so that autograd, tracing and torch.compile see through them.
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/ones.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "rheo/nn/detail/neuron_parameters.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/surrogate.hpp"
#include "rheo/ops/for_python.hpp"
#include "rheo/ops/refuse.hpp"
#include "rheo/ops/spike.hpp"

namespace rheo::nn {
namespace {

using ops::refuse;
using Parameters = c10::List<std::optional<at::Tensor>>;
using SequenceResult = std::tuple<at::Tensor, std::vector<at::Tensor>, std::vector<at::Tensor>>;

ops::RawTensors raw_of(const ops::NeuronEntry& entry, const Parameters& parameters, at::IntArrayRef modes,
                       std::size_t further) {
  const auto count = entry.parameters.size();
  const std::string kind(entry.info.name);
  if (parameters.size() < count + further || parameters.size() > count + further + 1) {
    refuse(kind.c_str(), "parameters must be ", count + further, " tensors, got ", parameters.size());
  }
  ops::RawTensors raw{{}, {modes.begin(), modes.end()}};
  raw.values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto t = parameters.get(i);
    raw.values.push_back(t.has_value() ? std::move(*t) : at::Tensor());
  }
  std::size_t known = 0;
  for (const auto& m : entry.info.modes) known += m.name.empty() ? 0 : 1;
  if (modes.size() != known) refuse(kind.c_str(), "modes must be ", known, " numbers, got ", modes.size());
  return raw;
}

at::Tensor needed(const Parameters& parameters, std::size_t at, const std::string& kind) {
  auto t = parameters.get(at);
  if (!t.has_value() || !t->defined())
    refuse(kind.c_str(), "threshold and graded_spikes_factor must be tensors");
  return std::move(*t);
}

detail::NeuronParameters parameters_of(const ops::NeuronEntry& entry, const Parameters& parameters,
                                       at::IntArrayRef modes) {
  const auto count = entry.parameters.size();
  const std::string kind(entry.info.name);
  auto raw = raw_of(entry, parameters, modes, 2);
  return {entry, std::move(raw), needed(parameters, count, kind), needed(parameters, count + 1, kind)};
}

/// A surrogate with a fresh seed, where it draws numbers.
SurrogateCall surrogate_of(std::string_view name, at::ArrayRef<double> args) {
  auto call = Surrogate::by_name(name).call();
  if (args.size() > max_surrogate_args)
    refuse("surrogate", name, " takes at most ", max_surrogate_args, " numbers, got ", args.size());
  std::copy(args.begin(), args.end(), call.args);
  return with_seed(call);
}

/// Calls a function of Python's by its number: python/rheobase/_functions.py implements the operator.
at::Tensor call_function(const at::Tensor& x, std::int64_t number) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("rheobase::function", "")
                             .typed<at::Tensor(const at::Tensor&, std::int64_t)>();
  return op.call(x, number);
}

/// What a step and a sequence share. x is [T, ...] or [1, ...].
SequenceResult run(std::string_view kind, const at::Tensor& x, const c10::SymInt& steps, at::TensorList state,
                   const Parameters& parameters, at::IntArrayRef modes, std::int64_t reset, bool reset_delay,
                   std::string_view surrogate, at::ArrayRef<double> surrogate_args, bool traces,
                   std::int64_t spike_function, std::int64_t quantise, bool inhibition, bool fused) {
  const auto& entry = find_entry(kind);
  if (x.dim() < 1)
    refuse(entry.info.name.data(), "x must have a time dimension, [T, ...], got shape ", x.sizes());
  const auto dtype = x.scalar_type();
  if (!at::isFloatingType(dtype))
    refuse<TypeError>(entry.info.name.data(), "input_ must be a floating-point tensor, got ", dtype);
  if (!state.empty() && state.size() != entry.states.size()) {
    refuse(entry.info.name.data(), "state must hold ", entry.states.size(), " tensors, got ", state.size());
  }
  const bool narrow = dtype != at::kFloat && dtype != at::kDouble;
  const auto computed = narrow ? at::kFloat : dtype;
  const auto values = narrow ? x.to(computed) : x;
  const auto row = x.sym_sizes().slice(1);

  const auto p = parameters_of(entry, parameters, modes);
  std::vector<at::Tensor> first;
  bool fits = false;
  for (const auto& s : state) fits = fits || s.sym_sizes() == row;
  if (fits || entry.rests) {
    std::vector<at::Tensor> fresh;
    for (std::size_t k = 0; k < entry.states.size(); ++k) {
      if (state.empty() || state[k].sym_sizes() != row) {
        if (fresh.empty()) fresh = detail::fresh_state(p, row, x.device(), computed);
        first.push_back(fresh[k]);
      } else if (state[k].scalar_type() != computed || state[k].device() != x.device()) {
        first.push_back(state[k].to(x.device(), computed));
      } else {
        first.push_back(state[k]);
      }
    }
  }
  auto constants = detail::constants_of(p, row, x.device(), computed);
  at::Tensor slope;
  if (parameters.size() == entry.parameters.size() + 3) {
    slope = parameters.get(entry.parameters.size() + 2).value_or(at::Tensor());
    if (slope.defined() && (slope.scalar_type() != computed || slope.device() != x.device()))
      slope = slope.to(x.device(), computed);
  }

  ops::ReferenceCall call;
  call.kind = entry.info.name;
  call.x = values;
  call.steps = steps.guard_int(__FILE__, __LINE__);
  call.state = std::move(first);
  call.constants = std::move(constants);
  call.reset = static_cast<Reset>(reset);
  call.reset_delay = reset_delay;
  call.surrogate = surrogate_of(surrogate, surrogate_args);
  call.slope = slope;
  call.traces = traces;
  ops::NeuronResult result;
  if (fused && spike_function < 0 && quantise < 0 && !inhibition && !x.is_cuda()) {
    result = ops::neuron(call);
  } else {
    const auto sizes = x.sizes().slice(1);
    if (inhibition && sizes.size() != 2) {
      refuse(entry.info.name.data(), "inhibition needs a dense layer, one step of x [B, N], got ", sizes);
    }
    call.constants = detail::unflattened(std::move(call.constants), sizes);
    call.inhibition = inhibition;
    if (quantise >= 0) call.quantise = [quantise](const at::Tensor& u) { return call_function(u, quantise); };
    std::optional<ops::SpikeFunctionGuard> spikes;
    if (spike_function >= 0)
      spikes.emplace([spike_function](const at::Tensor& u) { return call_function(u, spike_function); });
    result = entry.reference(call);
  }
  auto& [spk, all, last] = result;
  if (narrow) {
    spk = spk.to(dtype);
    for (auto& t : all) t = t.to(dtype);
    for (auto& t : last) t = t.to(dtype);
  }
  return {std::move(spk), std::move(all), std::move(last)};
}

std::vector<at::Tensor> neuron_step(std::string_view kind, const at::Tensor& x, at::TensorList state,
                                    const Parameters& parameters, at::IntArrayRef modes, std::int64_t reset,
                                    bool reset_delay, std::string_view surrogate,
                                    at::ArrayRef<double> surrogate_args) {
  auto [spk, traces, last] = run(kind, x.unsqueeze(0), 1, state, parameters, modes, reset, reset_delay,
                                 surrogate, surrogate_args, false, -1, -1, false, true);
  last.insert(last.begin(), spk.squeeze(0));
  return std::move(last);
}

SequenceResult neuron_sequence(std::string_view kind, const at::Tensor& x, c10::SymInt steps,
                               at::TensorList state, const Parameters& parameters, at::IntArrayRef modes,
                               std::int64_t reset, bool reset_delay, std::string_view surrogate,
                               at::ArrayRef<double> surrogate_args, bool traces, std::int64_t spike,
                               std::int64_t quantise, bool inhibition, bool fused) {
  return run(kind, x, steps, state, parameters, modes, reset, reset_delay, surrogate, surrogate_args, traces,
             spike, quantise, inhibition, fused);
}

// Under autocast a neuron computes in float32, as everything does that adds up over time.
at::Tensor in_float32(const at::Tensor& t) {
  return at::autocast::cached_cast(at::kFloat, t, c10::DeviceType::CPU);
}

std::vector<at::Tensor> neuron_step_autocast(std::string_view kind, const at::Tensor& x, at::TensorList state,
                                             const Parameters& parameters, at::IntArrayRef modes,
                                             std::int64_t reset, bool reset_delay, std::string_view surrogate,
                                             at::ArrayRef<double> surrogate_args) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  return neuron_step(kind, in_float32(x), state, parameters, modes, reset, reset_delay, surrogate,
                     surrogate_args);
}

SequenceResult neuron_sequence_autocast(std::string_view kind, const at::Tensor& x, c10::SymInt steps,
                                        at::TensorList state, const Parameters& parameters,
                                        at::IntArrayRef modes, std::int64_t reset, bool reset_delay,
                                        std::string_view surrogate, at::ArrayRef<double> surrogate_args,
                                        bool traces, std::int64_t spike, std::int64_t quantise,
                                        bool inhibition, bool fused) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  return run(kind, in_float32(x), steps, state, parameters, modes, reset, reset_delay, surrogate,
             surrogate_args, traces, spike, quantise, inhibition, fused);
}

/// The parameters, those that follow from the others filled in, and which of them the others follow from.
std::tuple<std::vector<at::Tensor>, c10::List<bool>> neuron_parameters(std::string_view kind,
                                                                       const Parameters& parameters,
                                                                       const c10::List<bool>& learned,
                                                                       at::IntArrayRef modes) {
  const auto& entry = find_entry(kind);
  const auto raw = raw_of(entry, parameters, modes, 0);
  const std::string name(entry.info.name);
  const auto count = raw.values.size();
  if (learned.size() != count)
    refuse(name.c_str(), "learned must be ", count, " truths, got ", learned.size());
  const auto one = at::ones({});
  detail::check_values({entry, raw, one, one});
  auto complete = entry.complete(raw);
  std::unique_ptr<bool[]> given(new bool[count + 1]);
  std::unique_ptr<bool[]> learn(new bool[count + 1]);
  for (std::size_t i = 0; i < count; ++i) {
    given[i] = raw.values[i].defined();
    learn[i] = learned.get(i);
  }
  entry.settle(given.get(), learn.get(), [&](const char* parameter, const char* rule, double) {
    refuse<TypeError>(name.c_str(), parameter, " ", rule);
  });
  c10::List<bool> sources;
  for (std::size_t i = 0; i < count; ++i) sources.push_back(given[i]);
  return {std::move(complete.values), std::move(sources)};
}

void neuron_check(std::string_view kind, const Parameters& parameters, at::IntArrayRef modes) {
  const auto& entry = find_entry(kind);
  detail::check_values(parameters_of(entry, parameters, modes));
  if (parameters.size() == entry.parameters.size() + 3) {
    const auto slope = parameters.get(entry.parameters.size() + 2);
    if (slope.has_value() && !std::isfinite(slope->item<double>())) {
      refuse(entry.info.name.data(), "surrogate_slope must be finite, got ", slope->item<double>());
    }
  }
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  const auto pt2 = std::vector<at::Tag>{at::Tag::pt2_compliant_tag};
  m.def(
      "neuron_step(str kind, Tensor x, Tensor[] state, Tensor?[] parameters, int[] modes, int reset, "
      "bool reset_delay, str surrogate, float[] surrogate_args) -> Tensor[]",
      pt2);
  m.def(
      "neuron_sequence(str kind, Tensor x, SymInt steps, Tensor[] state, Tensor?[] parameters, int[] modes, "
      "int reset, bool reset_delay, str surrogate, float[] surrogate_args, bool traces, int spike=-1, "
      "int quantise=-1, bool inhibition=False, bool fused=True) -> (Tensor, Tensor[], Tensor[])",
      pt2);
  m.def(
      "neuron_parameters(str kind, Tensor?[] parameters, bool[] learned, int[] modes) -> (Tensor[], bool[])");
  m.def("neuron_check(str kind, Tensor?[] parameters, int[] modes) -> ()");
  m.def("function(Tensor x, int number) -> Tensor");
}
TORCH_LIBRARY_IMPL(rheobase, AutocastCPU, m) {
  m.impl("neuron_step", TORCH_FN(ops::for_python<neuron_step_autocast>));
  m.impl("neuron_sequence", TORCH_FN(ops::for_python<neuron_sequence_autocast>));
}
TORCH_LIBRARY_IMPL(rheobase, CompositeImplicitAutograd, m) {
  m.impl("neuron_step", TORCH_FN(ops::for_python<neuron_step>));
  m.impl("neuron_sequence", TORCH_FN(ops::for_python<neuron_sequence>));
  m.impl("neuron_parameters", TORCH_FN(ops::for_python<neuron_parameters>));
  m.impl("neuron_check", TORCH_FN(ops::for_python<neuron_check>));
}

}  // namespace rheo::nn
