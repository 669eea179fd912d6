#include "rheo/nn/neuron.hpp"

#include <ATen/core/grad_mode.h>
#include <torch/serialize/archive.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <typeinfo>

#include "rheo/nn/detail/neuron_parameters.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/ops/neuron_linear.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

using detail::index_of;
using detail::listed;
using detail::suggestion;

void refuse_useless(const ops::NeuronEntry& entry, const CommonOptions& options) {
  std::vector<std::string_view> names;
  for (const auto& name : entry.info.refuses) {
    if (!name.empty()) names.push_back(name);
  }
  refuse_options(std::string(entry.info.name), options, names);
}

/// The options, where there are kernels for the neuron and it has a use for all of them.
NeuronOptions checked(const ops::NeuronEntry& entry, NeuronOptions options) {
  if (!kernels::add_kernels(entry.kernels())) {
    throw ValueError(c10::str("[", entry.info.name,
                              "] kind must be new, but another neuron is registered under this name"));
  }
  refuse_useless(entry, options);
  if (!options.threshold.given() && entry.info.threshold != 1)
    options.threshold = Value(entry.info.threshold);
  return options;
}

/// The choice of each mode, the first where none was made.
std::vector<int> mode_numbers(const NeuronInfo& info,
                              const std::vector<std::pair<std::string, std::string>>& given) {
  std::vector<std::string> mode_names;
  for (const auto& m : info.modes) {
    if (!m.name.empty()) mode_names.emplace_back(m.name);
  }
  std::vector<int> numbers(mode_names.size(), 0);
  for (const auto& [name, choice] : given) {
    const auto at = index_of(mode_names, name);
    if (at == mode_names.size()) {
      throw ValueError(c10::str("[", info.name, "] mode must be one of ", listed(mode_names), ", got '", name,
                                "'", suggestion(name, mode_names)));
    }
    std::vector<std::string> choices;
    for (const auto& c : info.modes[at].choices) {
      if (!c.empty()) choices.emplace_back(c);
    }
    const auto found = index_of(choices, choice);
    if (found == choices.size()) {
      throw ValueError(c10::str("[", info.name, "] ", name, " must be one of ", listed(choices), ", got '",
                                choice, "'", suggestion(choice, choices)));
    }
    numbers[at] = static_cast<int>(found);
  }
  return numbers;
}

}  // namespace

NeuronImpl::NeuronImpl(const ops::NeuronEntry& entry, NeuronOptions options,
                       std::vector<std::pair<std::string, double>> fixed)
    : SpikingImpl(std::string(entry.info.name)),
      entry_(&entry),
      kind_(entry.info.name),
      options_(checked(entry, std::move(options))),
      firing_(*this, kind_, options_, entry.info.reset),
      fixed_(std::move(fixed)),
      given_(entry.parameters.size(), false) {
  const auto& names = entry.parameters;
  const auto known = [&](const std::string& name) {
    const auto at = index_of(names, name);
    if (at == names.size()) {
      throw ValueError(c10::str("[", kind_, "] parameter must be one of ", listed(names), ", got '", name,
                                "'", suggestion(name, names)));
    }
    return at;
  };

  std::vector<at::Tensor> values(names.size());
  for (const auto& [name, value] : options_.params) values[known(name)] = value.tensor();
  std::vector<char> learned(names.size(), 0);
  for (const auto& name : options_.learn) {
    const auto at = known(name);
    if (!entry.info.params[at].learnable)
      throw TypeError(c10::str("[", kind_, "] ", name, " cannot be learned"));
    learned[at] = 1;
  }
  for (const auto& [name, number] : fixed_) {
    const auto at = known(name);
    values[at] = Value(number).tensor();
    learned[at] = 0;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!values[i].defined() && !std::isnan(entry.info.params[i].value)) {
      values[i] = Value(entry.info.params[i].value).tensor();
    }
    given_[i] = values[i].defined();
  }

  modes_ = mode_numbers(entry.info, options_.modes);

  const auto own = [&](const std::string& name, const at::Tensor& t, bool learn) {
    if (!t.is_floating_point()) {
      throw TypeError(c10::str("[", kind_, "] ", name, " must be a floating-point number or tensor, got ",
                               t.scalar_type()));
    }
    const auto mine = t.detach().clone();
    if (is_fixed(name)) {
      tensors_.emplace_back(name, mine);
      return;
    }
    tensors_.emplace_back(name, learn ? register_parameter(name, mine) : register_buffer(name, mine));
  };
  tensors_.emplace_back("threshold", firing_.threshold());
  tensors_.emplace_back("graded_spikes_factor", firing_.graded_spikes_factor());
  tensors_.emplace_back("reset_mechanism_val", firing_.reset_mechanism_val());

  // What was given is checked as it stands, then the rest follows from it.
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (values[i].defined()) own(names[i], values[i], learned[i] != 0);
  }
  check_values();
  const at::NoGradGuard no_grad;
  const auto complete = entry.complete(raw());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!values[i].defined()) own(names[i], complete.values[i], learned[i] != 0);
  }
  std::unique_ptr<bool[]> given(new bool[names.size() + 1]);
  std::unique_ptr<bool[]> learn(new bool[names.size() + 1]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    given[i] = given_[i];
    learn[i] = learned[i] != 0;
  }
  entry.settle(given.get(), learn.get(), [&](const char* parameter, const char* rule, double) {
    throw TypeError(c10::str("[", kind_, "] ", parameter, " ", rule));
  });
  for (std::size_t i = 0; i < names.size(); ++i) given_[i] = given[i];
}

// ---- running ---------------------------------------------------------------------------------------------------

State NeuronImpl::named(const std::vector<at::Tensor>& tensors) const {
  std::vector<State::Entry> entries;
  for (std::size_t i = 0; i < tensors.size(); ++i) entries.emplace_back(entry_->states[i], tensors[i]);
  return State(std::move(entries));
}

Output NeuronImpl::do_forward(const Input& x, const State& state) {
  auto result = checked_run(x, state, false, {});
  return {std::move(result.spk), named(result.state)};
}

Output NeuronImpl::forward_linear(const Input& x, const State& state, const at::Tensor& weight,
                                  const at::Tensor& bias) {
  auto result = checked_run(x, state, false, [&](const ops::ReferenceCall& call, bool fused) {
    if (fused && !at::GradMode::is_enabled() && typeid(*this) == typeid(NeuronImpl)) {
      if (auto out = ops::neuron_linear(call, weight, bias)) return std::move(*out);
    }
    auto out = run(call, fused);
    out.spk = ops::linear(out.spk.to(x.x.scalar_type()), weight, bias, ops::Operand::spikes);
    return out;
  });
  return {std::move(result.spk), named(result.state)};
}

Recording NeuronImpl::do_record(const Input& x, const State& state) {
  auto result = checked_run(x, state, true, {});
  auto traces = named(result.traces);
  return {std::move(result.spk), traces.contains("mem") ? traces.mem() : at::Tensor(), traces,
          named(result.state)};
}

ops::NeuronResult NeuronImpl::checked_run(const Input& input, const State& state, bool traces,
                                          const Run& how) {
  check_input(input);
  const at::Tensor& x = input.x;
  const auto row = x.sizes().slice(1);
  const c10::SmallVector<at::IntArrayRef, 4> shapes(entry_->states.size(), row);
  auto start = first_state(state, entry_->states, shapes, "the shape of one step of x,");
  if (start.empty() && entry_->rests) start.resize(entry_->states.size());  // zeros would not be its rest

  const auto dtype = x.scalar_type();
  const bool narrow = dtype != at::kFloat && dtype != at::kDouble;
  const auto computed = narrow ? at::kFloat : dtype;
  ops::ReferenceCall call;
  call.kind = kind_;
  call.x = narrow ? x.to(computed) : x;
  call.steps = input.steps;
  call.reset = reset_mechanism();
  call.reset_delay = options_.reset_delay;
  call.surrogate = firing_.surrogate();
  call.slope = firing_.slope_like(call.x);
  call.traces = traces;
  check_values();
  const auto values = present_values();
  call.constants = detail::constants_of(values, x.sym_sizes().slice(1), x.device(), computed);
  std::vector<at::Tensor> fresh;
  for (std::size_t k = 0; k < start.size(); ++k) {
    if (start[k].defined()) {
      call.state.push_back(start[k].to(x.device(), computed));
      continue;
    }
    if (fresh.empty()) fresh = detail::fresh_state(values, x.sym_sizes().slice(1), x.device(), computed);
    call.state.push_back(fresh[k]);
  }

  const bool fused = why_not_fused(x).empty();
  if (!fused) {
    call.custom = firing_.custom();
    if (options_.state_quant.given()) call.quantise = options_.state_quant;
    call.inhibition = options_.inhibition;
    if (call.inhibition && row.size() != 2) {
      throw ValueError(
          c10::str("[", kind_, "] inhibition needs a dense layer, one step of x [B, N], got ", row));
    }
    call.constants = detail::unflattened(std::move(call.constants), row);
  }
  auto result = how ? how(call, fused) : run(call, fused);
  if (narrow) {
    result.spk = result.spk.to(dtype);
    for (auto& t : result.traces) t = t.to(dtype);
    for (auto& t : result.state) t = t.to(dtype);
  }
  if (keeps_state()) set_hidden(named(result.state));
  return result;
}

ops::NeuronResult NeuronImpl::run(const ops::ReferenceCall& call, bool fused) {
  return fused ? ops::neuron(call) : entry_->reference(call);
}

std::string NeuronImpl::why_not_fused(const at::Tensor& x) const {
  if (auto why = firing_.why_not_fused(fuses_any_surrogate()); !why.empty()) return why;
  if (x.defined() && !x.is_cpu()) {
    return c10::str("x is on ", x.device(), ", for which there are no kernels yet");
  }
  return {};
}

// ---- module ----------------------------------------------------------------------------------------------------

bool NeuronImpl::is_fixed(std::string_view name) const {
  return std::any_of(fixed_.begin(), fixed_.end(), [&](const auto& f) { return f.first == name; });
}

void NeuronImpl::set_reset_mechanism(Reset reset) {
  CommonOptions asked;
  asked.reset_mechanism = reset;
  refuse_useless(*entry_, asked);
  options_.reset_mechanism = reset;
  firing_.set_reset_mechanism(reset);
}

NeuronOptions NeuronImpl::present_options() const {
  NeuronOptions same = options_;
  same.params.clear();
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const auto& name = entry_->parameters[i];
    if (given_[i] && !is_fixed(name)) {
      same.params.emplace_back(name, parameter(name).detach());
    }
  }
  // Of what is refused even a usual value may not be given.
  if (same.threshold.given()) same.threshold = firing_.threshold().detach();
  if (same.graded_spikes_factor.given()) same.graded_spikes_factor = firing_.graded_spikes_factor().detach();
  return same;
}

void NeuronImpl::take(const SpikingImpl& from) {
  SpikingImpl::take(from);
  given_ = dynamic_cast<const NeuronImpl&>(from).given_;
}

std::shared_ptr<torch::nn::Module> NeuronImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<NeuronImpl>(*entry_, present_options(), fixed_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void NeuronImpl::save(torch::serialize::OutputArchive& archive) const {
  refresh();
  torch::nn::Module::save(archive);
}

void NeuronImpl::pretty_print(std::ostream& stream) const {
  stream << kind_ << '(';
  bool first = true;
  const auto show = [&](const std::string& name, const at::Tensor& t) {
    stream << (first ? "" : ", ") << name << '=';
    first = false;
    if (t.numel() == 1) {
      stream << t.item<double>();
    } else {
      stream << '[';
      for (std::int64_t d = 0; d < t.dim(); ++d) stream << (d > 0 ? ", " : "") << t.size(d);
      stream << ']';
    }
    if (t.requires_grad()) stream << " (learned)";
  };
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const auto& name = entry_->parameters[i];
    if (given_[i] && !is_fixed(name)) show(name, parameter(name));
  }
  const auto& refused = entry_->info.refuses;
  const auto takes = [&](const char* option) {
    return std::find(std::begin(refused), std::end(refused), option) == std::end(refused);
  };
  if (takes("threshold")) show("threshold", parameter("threshold"));
  const auto graded = parameter("graded_spikes_factor");
  if (graded.numel() != 1 || graded.requires_grad() || graded.item<double>() != 1)
    show("graded_spikes_factor", graded);
  if (takes("reset_mechanism"))
    stream << (first ? "" : ", ") << "reset_mechanism=" << rheo::to_string(reset_mechanism());
  for (std::size_t i = 0; i < modes_.size(); ++i) {
    if (modes_[i] != 0) {
      stream << ", " << entry_->info.modes[i].name << '='
             << entry_->info.modes[i].choices[static_cast<std::size_t>(modes_[i])];
    }
  }
  if (const auto slope = firing_.slope(); slope.defined()) show("surrogate_slope", slope);
  if (!options_.reset_delay) stream << ", reset_delay=false";
  if (options_.init_hidden) stream << ", init_hidden=true";
  stream << ", surrogate=" << (options_.surrogate_disable ? "none" : options_.spike_grad.to_string()) << ')';
}

Neuron make_neuron(std::string_view name, NeuronOptions options) {
  return Neuron(find_entry(name), std::move(options));
}

}  // namespace rheo::nn
