#include "rheo/nn/neuron.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/serialize/archive.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "rheo/core/nearest.hpp"

namespace rheo {
namespace {

constexpr std::string_view reset_names[] = {"subtract", "zero", "none"};

}  // namespace

std::string to_string(Reset reset) { return std::string(reset_names[static_cast<int>(reset)]); }

Reset parse_reset(std::string_view name) {
  for (int i = 0; i < 3; ++i) {
    if (reset_names[i] == name) return static_cast<Reset>(i);
  }
  throw ValueError("[reset_mechanism] must be one of subtract, zero, none, got '" + std::string(name) + "'");
}

namespace nn {
namespace {

/// "; did you mean 'beta'?", or nothing.
std::string suggestion(std::string_view name, const std::vector<std::string>& names) {
  const auto near = nearest_name(name, names);
  return near.empty() ? "" : "; did you mean '" + std::string(near) + "'?";
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

std::size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

void check_domain(const std::string& kind, std::string_view name, Domain domain, double v) {
  const auto refuse = [&](const char* rule) {
    throw ValueError(c10::str("[", kind, "] ", name, " must be ", rule, ", got ", v));
  };
  if (domain == Domain::positive) {
    if (!(v > 0) || std::isinf(v)) refuse("positive and finite");
  } else if (domain == Domain::decay) {
    if (!(v > 0 && v <= 1)) refuse("in (0, 1]");
  } else if (!std::isfinite(v)) {
    refuse("finite");
  }
}

/// The values of a small tensor, in double.
std::vector<double> numbers(const at::Tensor& t) {
  const auto flat = t.detach().to(at::kCPU, at::kDouble).reshape({-1}).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

}  // namespace

NeuronImpl::NeuronImpl(const ops::NeuronEntry& entry, NeuronOptions options)
    : torch::nn::Module(std::string(entry.info.name)),
      entry_(&entry),
      kind_(entry.info.name),
      options_(std::move(options)),
      given_(entry.parameters.size(), false) {
  if (!kernels::add_kernels(entry.kernels())) {
    throw ValueError(
        c10::str("[", kind_, "] kind must be new, but another neuron is registered under this name"));
  }
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
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!values[i].defined() && !std::isnan(entry.info.params[i].value)) {
      values[i] = Value(entry.info.params[i].value).tensor();
    }
    given_[i] = values[i].defined();
  }

  std::vector<std::string> mode_names;
  for (const auto& m : entry.info.modes) {
    if (!m.name.empty()) mode_names.emplace_back(m.name);
  }
  modes_.assign(mode_names.size(), 0);
  for (const auto& [name, choice] : options_.modes) {
    const auto at = index_of(mode_names, name);
    if (at == mode_names.size()) {
      throw ValueError(c10::str("[", kind_, "] mode must be one of ", listed(mode_names), ", got '", name,
                                "'", suggestion(name, mode_names)));
    }
    std::vector<std::string> choices;
    for (const auto& c : entry.info.modes[at].choices) {
      if (!c.empty()) choices.emplace_back(c);
    }
    const auto found = index_of(choices, choice);
    if (found == choices.size()) {
      throw ValueError(c10::str("[", kind_, "] ", name, " must be one of ", listed(choices), ", got '",
                                choice, "'", suggestion(choice, choices)));
    }
    modes_[at] = static_cast<int>(found);
  }

  const auto own = [&](const std::string& name, const at::Tensor& t, bool learn) {
    if (!t.is_floating_point()) {
      throw TypeError(c10::str("[", kind_, "] ", name, " must be a floating-point number or tensor, got ",
                               t.scalar_type()));
    }
    const auto mine = t.detach().clone();
    tensors_.emplace_back(name, learn ? register_parameter(name, mine) : register_buffer(name, mine));
  };
  const auto or_one = [](const Value& v) { return v.given() ? v.tensor() : Value(1.0).tensor(); };
  own("threshold", or_one(options_.threshold), options_.learn_threshold);
  own("graded_spikes_factor", or_one(options_.graded_spikes_factor), options_.learn_graded_spikes_factor);
  const auto mechanism = at::scalar_tensor(static_cast<std::int64_t>(options_.reset_mechanism),
                                           at::TensorOptions().dtype(at::kLong));
  tensors_.emplace_back("reset_mechanism_val", register_buffer("reset_mechanism_val", mechanism));

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

// ---- parameters ------------------------------------------------------------------------------------------------

at::Tensor NeuronImpl::parameter(std::string_view name) const {
  for (const auto& [key, tensor] : tensors_) {
    if (key == name) return tensor;
  }
  return {};
}

ops::RawTensors NeuronImpl::raw() const {
  ops::RawTensors out{std::vector<at::Tensor>(given_.size()), modes_};
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) out.values[i] = parameter(entry_->parameters[i]);
  }
  return out;
}

std::vector<std::int64_t> NeuronImpl::common_shape() const {
  std::vector<std::int64_t> common;
  std::string others;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (!given_[i]) continue;
    const auto& name = entry_->parameters[i];
    const auto sizes = parameter(name).sizes();
    if (sizes.size() > common.size()) common.insert(common.begin(), sizes.size() - common.size(), 1);
    for (std::size_t d = 1; d <= sizes.size(); ++d) {
      auto& have = common[common.size() - d];
      const auto size = sizes[sizes.size() - d];
      if (have != 1 && size != 1 && size != have) {
        throw ValueError(c10::str("[", kind_, "] ", name, " must broadcast with ", others, ", ",
                                  at::IntArrayRef(common), ", got ", sizes));
      }
      if (have == 1) have = size;
    }
    others += (others.empty() ? "" : " and ") + name;
  }
  return common;
}

void NeuronImpl::check_values() const {
  std::vector<std::string> names{"threshold", "graded_spikes_factor"};
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) names.push_back(entry_->parameters[i]);
  }
  std::vector<at::Tensor> tensors;
  std::vector<std::pair<const void*, std::uint64_t>> stamp;
  for (const auto& n : names) {
    tensors.push_back(parameter(n));
    const auto& t = tensors.back();
    stamp.emplace_back(t.unsafeGetTensorImpl(),
                       t.is_inference() ? 0 : static_cast<std::uint64_t>(t._version()));
    stamp.emplace_back(t.const_data_ptr(), 0);
  }
  {
    const std::scoped_lock hold(checking_);
    if (stamp == checked_) return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    Domain domain = Domain::any;
    if (i >= 2) domain = entry_->info.params[index_of(entry_->parameters, names[i])].domain;
    for (const double v : numbers(tensors[i])) check_domain(kind_, names[i], domain, v);
  }
  // The neuron's own rule, on every combination that meets in a neuron.
  const auto common = common_shape();
  std::vector<std::vector<double>> columns(given_.size());
  std::size_t rows = 1;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const auto t = parameter(entry_->parameters[i]);
    columns[i] = !given_[i]       ? std::vector<double>{std::numeric_limits<double>::quiet_NaN()}
                 : t.numel() == 1 ? numbers(t)
                                  : numbers(t.detach().expand(common));
    rows = std::max(rows, columns[i].size());
  }
  for (std::size_t r = 0; r < rows; ++r) {
    ops::RawNumbers one{{}, modes_};
    for (const auto& c : columns) one.values.push_back(c.empty() ? 0 : c[r % c.size()]);
    entry_->check(one, [&](const char* parameter_name, const char* rule, double value) {
      throw ValueError(std::isnan(value)
                           ? c10::str("[", kind_, "] ", parameter_name, " ", rule)
                           : c10::str("[", kind_, "] ", parameter_name, " ", rule, ", got ", value));
    });
  }
  const std::scoped_lock hold(checking_);
  checked_ = std::move(stamp);
}

void NeuronImpl::refresh() const {
  const at::NoGradGuard no_grad;
  const auto complete = entry_->complete(raw());
  for (std::size_t i = 0; i < given_.size(); ++i) {
    auto t = parameter(entry_->parameters[i]);
    if (!given_[i] && t.defined()) t.copy_(complete.values[i].reshape(t.sizes()));
  }
}

std::vector<at::Tensor> NeuronImpl::prepared_constants(const at::Tensor& x, at::ScalarType dtype) const {
  check_values();
  auto constants = entry_->derive(raw());
  constants.push_back(parameter("threshold"));
  constants.push_back(parameter("graded_spikes_factor"));
  const auto row = x.sizes().slice(1);
  std::int64_t deepest = 0;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    if (constants[i].numel() == 1) continue;
    deepest = std::max(deepest, constants[i].dim());
  }
  const auto trailing = deepest <= static_cast<std::int64_t>(row.size())
                            ? row.slice(row.size() - static_cast<std::size_t>(deepest))
                            : row;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    auto& c = constants[i];
    if (c.scalar_type() != dtype || c.device() != x.device()) c = c.to(x.device(), dtype);
    if (c.numel() == 1) {
      if (c.dim() != 0) c = c.reshape({});
      continue;
    }
    bool fits = c.dim() <= static_cast<std::int64_t>(trailing.size());
    for (std::int64_t d = 0; fits && d < c.dim(); ++d) {
      const auto have = c.size(c.dim() - 1 - d);
      fits = have == 1 || have == trailing[trailing.size() - 1 - static_cast<std::size_t>(d)];
    }
    if (!fits) {
      std::string name = "parameter";
      if (i < entry_->constants.size()) {
        // Constants that carry a parameter's name are that parameter; others name the first that has this shape.
        name = entry_->constants[i];
        for (std::size_t p = 0; p < given_.size(); ++p) {
          if (given_[p] && parameter(entry_->parameters[p]).numel() == c.numel()) {
            name = entry_->parameters[p];
            break;
          }
        }
      } else {
        name = i == entry_->constants.size() ? "threshold" : "graded_spikes_factor";
      }
      if (c.dim() == 1 && !row.empty()) {
        throw ValueError(
            c10::str("[", kind_, "] ", name, " must have 1 or ", row.back(), " elements, got ", c.numel()));
      }
      throw ValueError(
          c10::str("[", kind_, "] ", name, " must broadcast with one step of x, ", row, ", got ", c.sizes()));
    }
    c = c.expand(trailing).reshape({-1});
  }
  return constants;
}

std::vector<std::pair<std::string, at::Tensor>> NeuronImpl::constants() const {
  check_values();
  const auto derived = entry_->derive(raw());
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (std::size_t i = 0; i < derived.size(); ++i) out.emplace_back(entry_->constants[i], derived[i]);
  out.emplace_back("threshold", parameter("threshold"));
  out.emplace_back("graded_spikes_factor", parameter("graded_spikes_factor"));
  return out;
}

Reset NeuronImpl::reset_mechanism() const {
  const auto v = parameter("reset_mechanism_val").item<std::int64_t>();
  if (v < 0 || v > 2)
    throw ValueError(c10::str("[", kind_, "] reset_mechanism_val must be 0, 1 or 2, got ", v));
  return static_cast<Reset>(v);
}

void NeuronImpl::set_reset_mechanism(Reset reset) {
  const at::NoGradGuard no_grad;
  options_.reset_mechanism = reset;
  parameter("reset_mechanism_val").fill_(static_cast<std::int64_t>(reset));
}

// ---- running ---------------------------------------------------------------------------------------------------

std::string NeuronImpl::why_not_fused(const at::Tensor& x) const {
  if (!options_.fused) return "fused = false";
  if (options_.spike_grad.is_custom() && !options_.surrogate_disable) {
    return "the surrogate is a function of the user's";
  }
  if (x.defined() && !x.is_cpu())
    return c10::str("x is on ", x.device(), ", for which there are no kernels yet");
  return {};
}

State NeuronImpl::start_state(const at::Tensor& x, const State& state) const {
  const auto row = x.sizes().slice(1);
  if (!state.empty()) {
    if (options_.init_hidden) {
      throw TypeError(
          c10::str("[", kind_, "] state must not be given with init_hidden, which keeps its own"));
    }
    for (const auto& [name, tensor] : state) {
      if (index_of(entry_->states, name) == entry_->states.size()) {
        throw ValueError(c10::str("[", kind_, "] state must hold ", listed(entry_->states), ", got '", name,
                                  "'", suggestion(name, entry_->states)));
      }
      if (tensor.defined() && tensor.numel() > 0 && tensor.sizes() != row) {
        throw ValueError(c10::str("[", kind_, "] state '", name, "' must have the shape of one step of x, ",
                                  row, ", got ", tensor.sizes()));
      }
      if (tensor.defined() && !tensor.is_floating_point()) {
        throw TypeError(
            c10::str("[", kind_, "] state '", name, "' must be floating-point, got ", tensor.scalar_type()));
      }
    }
    return state;
  }
  if (options_.init_hidden && !hidden_.empty()) {
    const auto same = std::all_of(hidden_.begin(), hidden_.end(),
                                  [&](const State::Entry& e) { return e.second.sizes() == row; });
    if (same) return hidden_;
  }
  return {};
}

State NeuronImpl::named(const std::vector<at::Tensor>& tensors) const {
  std::vector<State::Entry> entries;
  for (std::size_t i = 0; i < tensors.size(); ++i) entries.emplace_back(entry_->states[i], tensors[i]);
  return State(std::move(entries));
}

ops::NeuronResult NeuronImpl::run(const Input& input, const State& state, bool traces) {
  const at::Tensor& x = input.x;
  if (!x.defined()) throw ValueError(c10::str("[", kind_, "] x must be a tensor, got an undefined one"));
  if (x.dim() < 1)
    throw ValueError(c10::str("[", kind_, "] x must have a time dimension, [T, ...], got shape ", x.sizes()));
  if (!x.is_floating_point()) {
    throw TypeError(c10::str("[", kind_, "] x must be a floating-point tensor, got ", x.scalar_type()));
  }
  if (input.steps < 0)
    throw ValueError(c10::str("[", kind_, "] steps must not be negative, got ", input.steps));
  const auto start = start_state(x, state);

  const auto dtype = x.scalar_type();
  const bool narrow = dtype != at::kFloat && dtype != at::kDouble;
  const auto computed = narrow ? at::kFloat : dtype;
  ops::ReferenceCall call;
  call.kind = kind_;
  call.x = narrow ? x.to(computed) : x;
  call.steps = input.steps;
  call.reset = reset_mechanism();
  call.reset_delay = options_.reset_delay;
  call.surrogate = options_.spike_grad.call();
  call.traces = traces;
  call.constants = prepared_constants(x, computed);
  if (!start.empty()) {
    for (const auto& name : entry_->states) {
      const at::Tensor s = start.contains(name) ? start[name] : at::Tensor();
      const bool fresh = !s.defined() || (s.numel() == 0 && s.sizes() != x.sizes().slice(1));
      call.state.push_back(fresh ? x.new_zeros(x.sizes().slice(1), at::TensorOptions().dtype(computed))
                                 : s.to(x.device(), computed));
    }
  }
  if (options_.surrogate_disable) call.surrogate.kind = SurrogateKind::none;

  ops::NeuronResult result;
  if (why_not_fused(x).empty()) {
    result = ops::neuron(call);
  } else {
    if (!options_.surrogate_disable) call.custom = options_.spike_grad.gradient();
    // Per-neuron constants were flattened for the kernels; whole-tensor operations want their shape back.
    const auto row = x.sizes().slice(1);
    for (auto& c : call.constants) {
      if (c.numel() == 1) continue;
      std::size_t from = row.size();
      for (std::int64_t n = 1; n != c.numel();) n *= row[--from];
      c = c.view(row.slice(from));
    }
    result = entry_->reference(call);
  }
  if (narrow) {
    result.spk = result.spk.to(dtype);
    for (auto& t : result.traces) t = t.to(dtype);
    for (auto& t : result.state) t = t.to(dtype);
  }
  if (options_.init_hidden) hidden_ = named(result.state);
  return result;
}

Output NeuronImpl::forward(const Input& x, const State& state) {
  auto result = run(x, state, false);
  return {std::move(result.spk), named(result.state)};
}

Output NeuronImpl::step(const at::Tensor& x, const State& state) {
  auto result = run(Input(x.defined() ? x.unsqueeze(0) : x), state, false);
  return {result.spk.squeeze(0), named(result.state)};
}

Recording NeuronImpl::record(const Input& x, const State& state) {
  auto result = run(x, state, true);
  auto traces = named(result.traces);
  return {std::move(result.spk), traces.contains("mem") ? traces.mem() : at::Tensor(), traces,
          named(result.state)};
}

void NeuronImpl::reset() { hidden_ = {}; }

void NeuronImpl::detach() { hidden_ = hidden_.detach(); }

// ---- module ----------------------------------------------------------------------------------------------------

std::shared_ptr<torch::nn::Module> NeuronImpl::clone(const std::optional<torch::Device>& device) const {
  const at::NoGradGuard no_grad;
  NeuronOptions same = options_;
  same.params.clear();
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) same.params.emplace_back(entry_->parameters[i], parameter(entry_->parameters[i]).detach());
  }
  same.threshold = parameter("threshold").detach();
  same.graded_spikes_factor = parameter("graded_spikes_factor").detach();
  same.reset_mechanism = reset_mechanism();
  auto copy = std::make_shared<NeuronImpl>(*entry_, std::move(same));
  copy->given_ = given_;
  for (const auto& item : named_parameters(false)) {
    copy->parameter(item.key()).set_requires_grad(item.value().requires_grad());
  }
  copy->hidden_ = hidden_.detach().clone();
  copy->train(is_training());
  if (device.has_value()) copy->to(*device);
  return copy;
}

void NeuronImpl::keep_reset_integer() {
  auto v = parameter("reset_mechanism_val");
  if (v.scalar_type() != at::kLong) v.set_data(v.to(at::kLong));
}

void NeuronImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(device, dtype, non_blocking);
  hidden_ = hidden_.to(device).to(dtype);
  keep_reset_integer();
}
void NeuronImpl::to(torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(dtype, non_blocking);
  hidden_ = hidden_.to(dtype);
  keep_reset_integer();
}
void NeuronImpl::to(torch::Device device, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
  hidden_ = hidden_.to(device);
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
    if (given_[i]) show(entry_->parameters[i], parameter(entry_->parameters[i]));
  }
  show("threshold", parameter("threshold"));
  const auto graded = parameter("graded_spikes_factor");
  if (graded.numel() != 1 || graded.requires_grad() || graded.item<double>() != 1)
    show("graded_spikes_factor", graded);
  stream << (first ? "" : ", ") << "reset_mechanism=" << rheo::to_string(reset_mechanism());
  for (std::size_t i = 0; i < modes_.size(); ++i) {
    if (modes_[i] != 0) {
      stream << ", " << entry_->info.modes[i].name << '='
             << entry_->info.modes[i].choices[static_cast<std::size_t>(modes_[i])];
    }
  }
  if (!options_.reset_delay) stream << ", reset_delay=false";
  if (options_.init_hidden) stream << ", init_hidden=true";
  stream << ", surrogate=" << (options_.surrogate_disable ? "none" : options_.spike_grad.to_string()) << ')';
}

Neuron make_neuron(std::string_view name, NeuronOptions options) {
  return Neuron(find_entry(name), std::move(options));
}

namespace {
template <class F>
void each_neuron(torch::nn::Module& module, F f) {
  if (auto* neuron = dynamic_cast<NeuronImpl*>(&module)) f(*neuron);
  for (const auto& child : module.children()) each_neuron(*child, f);
}
}  // namespace

void reset(torch::nn::Module& module) {
  each_neuron(module, [](NeuronImpl& n) { n.reset(); });
}
void detach(torch::nn::Module& module) {
  each_neuron(module, [](NeuronImpl& n) { n.detach(); });
}

}  // namespace nn

namespace {
void explain_into(std::ostream& out, const torch::nn::Module& module, const std::string& path) {
  if (const auto* neuron = dynamic_cast<const nn::NeuronImpl*>(&module)) {
    const auto why = neuron->why_not_fused();
    out << (path.empty() ? "" : path + ": ") << neuron->kind() << ": ";
    if (why.empty()) {
      out << "fused (" << instruction_set() << ", float32 and float64)\n";
    } else {
      out << "not fused: " << why << "\n";
    }
  }
  for (const auto& child : module.named_children()) {
    explain_into(out, *child.value(), path.empty() ? child.key() : path + "." + child.key());
  }
}
}  // namespace

std::string explain(const torch::nn::Module& module) {
  std::ostringstream out;
  explain_into(out, module, "");
  return out.str();
}

}  // namespace rheo
