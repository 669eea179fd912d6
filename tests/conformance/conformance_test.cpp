// Conformance of every neuron of the registry: fused calls against the reference path (whole-tensor operations seen by
// autograd), bit for bit forward and to 1e-12 backward; chunks, permutations, sizes. Prints what was crossed. Input, states
// and threshold lie where the neuron says they mostly are.
//
// A neuron added to the library appears here by itself; it needs an entry in `recipes` only where a parameter has no
// default. It fails while one of its learnable parameters has no row in the table.
#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "rheo/kernels/registry.hpp"
#include "rheo/rheo.hpp"

namespace {

using rheo::Reset;
using rheo::Surrogate;
using torch::Tensor;

// ---- what is crossed -----------------------------------------------------------------------------------------------

/// One way of giving a neuron its parameters.
struct Recipe {
  std::string name;
  std::vector<std::pair<std::string, double>> params;
  std::vector<std::pair<std::string, std::string>> modes;
};

const std::map<std::string, std::vector<Recipe>> recipes = {
    {"Lapicque",
     {{"R C", {{"R", 4}, {"C", 2}}, {}},
      {"R C exact", {{"R", 4}, {"C", 2}}, {{"integration", "exact"}}},
      {"beta", {{"beta", 0.85}}, {}},
      {"beta exact", {{"beta", 0.85}}, {{"integration", "exact"}}},
      {"beta R", {{"beta", 0.85}, {"R", 2}, {"time_step", 0.5}}, {}},
      {"beta C", {{"beta", 0.85}, {"C", 1.5}}, {}},
      {"beta C exact", {{"beta", 0.85}, {"C", 1.5}}, {{"integration", "exact"}}}}},
    // At the limits of its decays, and well inside.
    {"Alpha",
     {{"alpha beta", {{"alpha", 0.85}, {"beta", 0.7}}, {}},
      {"alpha 1", {{"alpha", 1}, {"beta", 0.7}}, {}},
      {"beta 0", {{"alpha", 0.85}, {"beta", 0}}, {}}}},
    {"DeltaLeaky", {{"delta beta", {{"delta_threshold", 0.45}, {"beta", 0.9}}, {}}}},
    {"RLeaky", {{"V > 0", {{"beta", 0.9}, {"V", 0.1}}, {}}, {"V < 0", {{"beta", 0.9}, {"V", -0.6}}, {}}}},
    {"RSynaptic",
     {{"V > 0", {{"alpha", 0.6}, {"beta", 0.8}, {"V", 0.1}}, {}},
      {"V < 0", {{"alpha", 0.6}, {"beta", 0.8}, {"V", -0.6}}, {}}}},
    {"ParametricLIF",
     {{"tau", {{"tau", 1.6}}, {}},
      {"w", {{"w", -0.3}}, {}},
      {"tau, input whole", {{"tau", 3}}, {{"decay_input", "no"}}}}},
    {"LI",
     {{"exact", {{"tau", 4}, {"R", 1.5}, {"v_leak", 0.2}, {"time_step", 1}}, {}},
      {"euler", {{"tau", 4}, {"R", 1.5}, {"v_leak", 0.2}, {"time_step", 1}}, {{"integration", "euler"}}}}},
    {"CubaLIF",
     {{"exact",
       {{"tau_syn", 3}, {"tau_mem", 8}, {"R", 2}, {"v_leak", 0.1}, {"w_in", 1.5}, {"time_step", 1}},
       {}},
      {"equal constants",
       {{"tau_syn", 5}, {"tau_mem", 5}, {"R", 2}, {"v_leak", 0.1}, {"w_in", 1.5}, {"time_step", 1}},
       {}},
      {"euler",
       {{"tau_syn", 3}, {"tau_mem", 8}, {"R", 2}, {"v_leak", 0.1}, {"w_in", 1.5}, {"time_step", 1}},
       {{"integration", "euler"}}}}},
    {"Izhikevich",
     {{"a b c d", {{"a", 0.02}, {"b", 0.2}, {"c", -65}, {"d", 8}, {"time_step", 0.25}}, {}},
      {"chattering", {{"time_step", 0.25}}, {{"pattern", "chattering"}}},
      {"class 1", {{"a", 0.03}}, {{"pattern", "class_1"}}},
      {"accommodation", {{"time_step", 0.5}}, {{"pattern", "accommodation"}}}}},
    {"StateLeaky", {{"tau", {{"tau", 6}}, {}}, {"beta", {{"beta", 0.9}}, {}}}},
};

bool takes(const rheo::NeuronDescription& neuron, const std::string& option) {
  return std::find(neuron.refuses.begin(), neuron.refuses.end(), option) == neuron.refuses.end();
}

/// The resets and delays that this neuron has.
std::vector<std::pair<Reset, bool>> resets_of(const rheo::NeuronDescription& neuron) {
  std::vector<std::pair<Reset, bool>> out;
  for (const Reset reset : {Reset::subtract, Reset::zero, Reset::none}) {
    if (!takes(neuron, "reset_mechanism") && reset != neuron.reset) continue;
    out.emplace_back(reset, true);
    if (takes(neuron, "reset_delay")) out.emplace_back(reset, false);
  }
  return out;
}

std::vector<Recipe> recipes_of(const rheo::NeuronDescription& neuron) {
  if (const auto found = recipes.find(neuron.name); found != recipes.end()) return found->second;
  Recipe defaults{"defaults", {}, {}};
  for (const auto& p : neuron.params) {
    if (p.value.has_value()) {
      defaults.params.emplace_back(p.name, *p.value);
    } else {
      ADD_FAILURE() << neuron.name << ": " << p.name << " has no default: add a recipe";
    }
  }
  return {defaults};
}

/// How the parameters lie beside a row of x.
enum class Layout { scalar, per_neuron, mixed, broadcast, whole_row };
constexpr Layout layouts[] = {Layout::scalar, Layout::per_neuron, Layout::mixed, Layout::broadcast,
                              Layout::whole_row};
const char* layout_name(Layout l) {
  constexpr const char* names[] = {"scalar", "per neuron", "mixed", "broadcast", "whole row"};
  return names[static_cast<int>(l)];
}

std::vector<Surrogate> all_surrogates() {
  std::vector<Surrogate> out;
  for (const auto& name : Surrogate::names()) {
    if (name != "SSO") out.push_back(Surrogate::by_name(name));
  }
  out.push_back(rheo::surrogate::SSO(0.1, 0.5, 7));
  out.push_back(rheo::surrogate::atan(0.5));
  out.push_back(rheo::surrogate::SFS(5, 0.125));
  return out;
}

struct Config {
  const rheo::NeuronDescription* neuron = nullptr;
  Recipe recipe;
  torch::Dtype dtype = torch::kDouble;
  Reset reset = Reset::subtract;
  bool delay = true;
  Surrogate surrogate;
  bool surrogate_disable = false;
  Layout layout = Layout::scalar;
  std::set<std::string> learn;  // parameters, threshold, graded_spikes_factor
  std::vector<std::int64_t> row = {3, 7};
  std::int64_t steps = 5;
  bool constant_x = false;
  bool with_state = true;
  bool record = true;

  std::string text() const {
    std::ostringstream out;
    out << neuron->name << " (" << recipe.name << ") " << (dtype == torch::kDouble ? "double" : "float")
        << ' ' << rheo::to_string(reset) << (delay ? "" : " no delay") << ' ' << surrogate.to_string()
        << (surrogate_disable ? " disabled" : "") << ' ' << layout_name(layout) << " row "
        << torch::IntArrayRef(row) << " T=" << steps << (constant_x ? " constant x" : "")
        << (with_state ? "" : " no state") << (record ? "" : " spikes only") << " learn";
    for (const auto& l : learn) out << ' ' << l;
    return out.str();
  }
};

/// Whether a reset drops all that a parameter does: the spike that comes back meets a membrane it has set to zero.
bool is_lost(const Config& c, const std::string& parameter) {
  return c.neuron->name == "RLeaky" && parameter == "V" && c.reset == Reset::zero && c.delay;
}

/// Numbers that are the same in every build and on every machine.
Tensor numbers(torch::IntArrayRef shape, std::uint64_t seed, double low, double high, torch::Dtype dtype) {
  auto t = torch::empty(shape, torch::kDouble);
  std::uint64_t r = (seed + 1) * 0x9e3779b97f4a7c15ULL;
  auto* p = t.data_ptr<double>();
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    r ^= r << 13U;
    r ^= r >> 7U;
    r ^= r << 17U;
    p[i] = low + (high - low) * static_cast<double>(r >> 11U) * 0x1p-53;
  }
  return t.to(dtype);
}

/// Noise that makes the neuron fire now and then.
Tensor input(const rheo::NeuronDescription& neuron, torch::IntArrayRef shape, std::uint64_t seed,
             torch::Dtype dtype) {
  return numbers(shape, seed, neuron.drive.low, neuron.drive.high, dtype);
}

/// States where they mostly are, leaves of the graph.
std::vector<rheo::State::Entry> some_state(const rheo::NeuronDescription& neuron, torch::IntArrayRef row,
                                           std::uint64_t seed, torch::Dtype dtype) {
  std::vector<rheo::State::Entry> out;
  for (const auto& s : neuron.states) {
    out.emplace_back(s.name, numbers(row, seed++, s.usual.low, s.usual.high, dtype).requires_grad_());
  }
  return out;
}

/// A parameter's value in the layout of the case, five per cent either way.
Tensor spread(const Config& c, double value, int position) {
  const auto seed = static_cast<std::uint64_t>(50 + position);
  std::vector<std::int64_t> shape;
  if (c.layout == Layout::per_neuron || (c.layout == Layout::mixed && position % 2 == 0))
    shape = {c.row.back()};
  if (c.layout == Layout::broadcast && c.row.size() > 1) shape = {c.row[c.row.size() - 2], 1};
  if (c.layout == Layout::whole_row) shape = c.row;
  if (shape.empty()) return torch::scalar_tensor(value, torch::TensorOptions().dtype(c.dtype));
  return (value * numbers(shape, seed, 0.95, 1.05, torch::kDouble)).to(c.dtype);
}

struct Made {
  rheo::nn::Neuron neuron{nullptr};
  std::map<std::string, Tensor> values;  // of all parameters, as given
};

/// `expand`: every parameter as large as a row, so that its gradient shows each column's contribution.
Made make(const Config& c, bool fused, bool expand) {
  Made made;
  rheo::NeuronOptions o;
  int position = 0;
  const auto value = [&](const std::string& name, double v, bool learnable) {
    auto t =
        learnable ? spread(c, v, position++) : torch::scalar_tensor(v, torch::TensorOptions().dtype(c.dtype));
    if (expand && learnable) t = t.expand(c.row).clone();
    made.values[name] = t;
    return rheo::Value(t);
  };
  for (const auto& [name, v] : c.recipe.params) {
    bool learnable = true;
    for (const auto& p : c.neuron->params) learnable = p.name == name ? p.learnable : learnable;
    o.params.emplace_back(name, value(name, v, learnable));
  }
  o.modes = c.recipe.modes;
  if (expand &&
      c.neuron->name ==
          "Izhikevich") {  // what follows from the pattern has a column's share only where it is given
    const auto pattern = rheo::nn::make_neuron(c.neuron->name, o);
    for (const auto& name : c.learn) {
      const bool given =
          std::any_of(o.params.begin(), o.params.end(), [&](const auto& p) { return p.first == name; });
      if (!given && pattern->parameter(name).defined() && name != "threshold" &&
          name != "graded_spikes_factor") {
        o.params.emplace_back(name, pattern->parameter(name).detach().to(c.dtype).expand(c.row).clone());
      }
    }
  }
  // Below where it usually is, so that spikes come often.
  const double threshold = c.neuron->threshold == 1 ? 0.7 : c.neuron->threshold;
  if (takes(*c.neuron, "threshold")) o.threshold = value("threshold", threshold, true);
  o.graded_spikes_factor = value("graded_spikes_factor", 1.6, true);
  if (takes(*c.neuron, "reset_mechanism")) o.reset_mechanism = c.reset;
  o.reset_delay = c.delay;
  o.spike_grad = c.surrogate;
  o.surrogate_disable = c.surrogate_disable && takes(*c.neuron, "surrogate_disable");
  o.fused = fused;
  for (const auto& name : c.learn) {
    if (name == "threshold") {
      o.learn_threshold = true;
    } else if (name == "graded_spikes_factor") {
      o.learn_graded_spikes_factor = true;
    } else {
      o.learn.push_back(name);
    }
  }
  made.neuron = rheo::nn::make_neuron(c.neuron->name, o);
  return made;
}

struct Result {
  std::map<std::string, Tensor> outputs, gradients;
};

Result run(const Config& c, rheo::nn::Neuron& neuron) {
  std::vector<std::int64_t> shape = c.row;
  if (!c.constant_x) shape.insert(shape.begin(), c.steps);
  const auto x = input(*c.neuron, shape, 1, c.dtype).requires_grad_();
  const auto start = some_state(*c.neuron, c.row, 10, c.dtype);
  const rheo::State state = c.with_state ? rheo::State(start) : rheo::State{};
  const rheo::Input given = c.constant_x ? rheo::Input(rheo::TimeConstant{x, c.steps}) : rheo::Input(x);
  Result r;
  rheo::State last;
  if (c.record) {
    const auto recording = neuron->record(given, state);
    r.outputs["spk"] = recording.spk;
    for (const auto& [name, t] : recording.traces) r.outputs["trace " + name] = t;
    last = recording.state;
  } else {
    const auto out = neuron->forward(given, state);
    r.outputs["spk"] = out.spk;
    last = out.state;
  }
  for (const auto& [name, t] : last) r.outputs["last " + name] = t;
  auto loss = torch::zeros({}, torch::TensorOptions().dtype(c.dtype));
  std::uint64_t weight = 100;
  for (const auto& [name, t] : r.outputs)
    loss = loss + (numbers(t.sizes(), weight++, -1, 1, c.dtype) * t).sum();
  // Without steps and state nothing depends on anything.
  if (loss.requires_grad()) loss.backward();
  const auto gradient = [](const Tensor& t) { return t.grad().defined() ? t.grad() : torch::zeros_like(t); };
  r.gradients["x"] = gradient(x);
  if (c.with_state) {
    for (const auto& [name, t] : start) r.gradients["state " + name] = gradient(t);
  }
  for (const auto& name : c.learn) r.gradients[name] = gradient(neuron->parameter(name));
  return r;
}

Tensor bits(const Tensor& t) {
  return t.detach().contiguous().view(t.scalar_type() == torch::kDouble ? torch::kLong : torch::kInt);
}
bool same_bits(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && torch::equal(bits(a), bits(b));
}

double largest(const Tensor& t) { return t.numel() == 0 ? 0 : t.abs().max().item<double>(); }

// ---- the table -----------------------------------------------------------------------------------------------------

/// What was crossed: axis by axis, per neuron, how many runs; and the parameters whose gradients were compared.
class Table {
 public:
  void count(const Config& c, const Result& result) {
    auto& rows = runs_[c.neuron->name];
    ++rows["type: " + std::string(c.dtype == torch::kDouble ? "double" : "float")];
    ++rows["reset: " + rheo::to_string(c.reset) + (c.delay ? "" : ", no delay")];
    ++rows["surrogate: " + (c.surrogate_disable ? "disabled" : c.surrogate.to_string())];
    ++rows["parameters given: " + c.recipe.name];
    ++rows["layout: " + std::string(layout_name(c.layout))];
    ++rows["input: " + std::string(c.constant_x ? "constant" : "sequence")];
    ++rows["state: " + std::string(c.with_state ? "given" : "absent")];
    std::ostringstream row;
    row << "row: " << torch::IntArrayRef(c.row) << ", T = " << c.steps;
    ++rows[row.str()];
    std::string learned;
    for (const auto& l : c.learn) learned += (learned.empty() ? "" : " ") + l;
    ++rows["learned: " + (learned.empty() ? "nothing" : learned)];
    for (const auto& [name, g] : result.gradients) {
      if (g.numel() > 0 && largest(g) > 0) ++rows["gradient of: " + name];
    }
  }
  void skip(const std::string& neuron, const std::string& what, const std::string& why) {
    skipped_[neuron][what] = why;
  }
  int rows(const std::string& neuron, const std::string& row) const {
    const auto n = runs_.find(neuron);
    if (n == runs_.end()) return 0;
    const auto r = n->second.find(row);
    return r == n->second.end() ? 0 : r->second;
  }
  void print() const {
    for (const auto& [neuron, rows] : runs_) {
      std::cout << neuron << " (" << rheo::instruction_set() << "), runs compared\n";
      for (const auto& [row, n] : rows) std::cout << "  " << std::setw(6) << n << "  " << row << '\n';
      const auto s = skipped_.find(neuron);
      if (s == skipped_.end()) continue;
      for (const auto& [what, why] : s->second) std::cout << "  skipped: " << what << ": " << why << '\n';
    }
  }

 private:
  std::map<std::string, std::map<std::string, int>> runs_;
  std::map<std::string, std::map<std::string, std::string>> skipped_;
};

Table& table() {
  static Table t;
  return t;
}

/// Whether the steps of this neuron take exponentials: libtorch rounds them differently, in the last place, and an upstroke
/// carries that on. Only these neurons are compared to a tolerance: relative, of the largest value. Found by watching what
/// the reference path asks of libtorch for a row; parameters are single numbers.
bool takes_exponentials(const rheo::NeuronDescription& neuron) {
  static std::map<std::string, bool> known;
  if (const auto found = known.find(neuron.name); found != known.end()) return found->second;
  static bool seen = false;
  Config c;
  c.neuron = &neuron;
  c.recipe = recipes_of(neuron).front();
  c.reset = neuron.reset;
  auto made = make(c, false, false);
  const auto x = input(neuron, {c.steps, 3, 7}, 1, c.dtype);
  seen = false;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
        for (const char* name : {"aten::exp", "aten::expm1", "aten::tanh", "aten::sigmoid"}) {
          if (call.name() == std::string_view(name) && call.inputs()[0].toTensor().numel() > 1) seen = true;
        }
        return nullptr;
      }).needsInputs(true));
  {
    const torch::NoGradGuard no_grad;
    made.neuron->forward(x);
  }
  at::removeCallback(handle);
  return known[neuron.name] = seen;
}

/// Fused against reference: outputs bit for bit, gradients to 1e-12 of the largest in double. A parameter's gradient is
/// a sum; it is compared relative to the sum of what the columns contribute to it.
void check(const Config& c) {
  SCOPED_TRACE(c.text());
  Made fused, reference, each;
  try {
    fused = make(c, true, false);
  } catch (const rheo::Error& e) {
    std::string learned;
    for (const auto& l : c.learn) {
      if (l != "threshold" && l != "graded_spikes_factor") learned += " " + l;
    }
    table().skip(c.neuron->name, "learn" + learned, e.what());
    return;
  }
  reference = make(c, false, false);
  ASSERT_EQ(fused.neuron->why_not_fused(), "");
  ASSERT_NE(reference.neuron->why_not_fused(), "");
  const auto got = run(c, fused.neuron);
  const auto want = run(c, reference.neuron);
  const bool exact = !takes_exponentials(*c.neuron);
  const double tolerance = (c.dtype == torch::kDouble ? 1e-12 : 1e-5) * (exact ? 1 : 1000);
  for (const auto& [name, w] : want.outputs) {
    const auto& g = got.outputs.at(name);
    if (exact || name == "spk") {
      ASSERT_TRUE(same_bits(g, w)) << name << '\n' << g << '\n' << w;
    } else {
      ASSERT_EQ(g.sizes(), w.sizes()) << name;
      ASSERT_LE(largest(g - w), tolerance * largest(w)) << name << '\n' << g << '\n' << w;
    }
  }
  Result columns;
  if (!c.learn.empty()) {
    each = make(c, false, true);
    columns = run(c, each.neuron);
  }
  for (const auto& [name, w] : want.gradients) {
    const auto& g = got.gradients.at(name);
    ASSERT_EQ(g.sizes(), w.sizes()) << name;
    if (w.numel() == 0) continue;
    ASSERT_TRUE(g.isfinite().all().item<bool>()) << name << '\n' << g;
    double scale = largest(w);
    if (c.learn.contains(name) && w.sizes() != torch::IntArrayRef(c.row)) {
      scale = columns.gradients.at(name).abs().sum_to_size(w.sizes()).max().item<double>();
    }
    ASSERT_LE(largest(g - w), tolerance * scale) << name << ": scale " << scale << '\n' << g << '\n' << w;
  }
  table().count(c, got);
}

/// All sets of learnable parameters, the library's own (threshold, graded factor) included.
std::vector<std::set<std::string>> learn_sets(const rheo::NeuronDescription& neuron) {
  std::vector<std::string> names;
  for (const auto& p : neuron.params) {
    if (p.learnable) names.push_back(p.name);
  }
  if (takes(neuron, "learn_threshold")) names.emplace_back("threshold");
  names.emplace_back("graded_spikes_factor");
  std::vector<std::set<std::string>> out;
  const auto all = (1ULL << names.size()) - 1;
  for (unsigned long long bits = 0; bits <= all; ++bits) {
    // Of many parameters: none, each alone, every two, all but one, all.
    const int on = std::popcount(bits);
    const int count = static_cast<int>(names.size());
    if (count > 5 && on > 2 && on < count - 1) continue;
    std::set<std::string> set;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if ((bits >> i) & 1U) set.insert(names[i]);
    }
    out.push_back(set);
  }
  return out;
}

/// Parameters that this recipe gives and that may be learned together, and the common two.
std::set<std::string> given_learnable(const rheo::NeuronDescription& neuron, const Recipe& recipe) {
  std::set<std::string> out{"graded_spikes_factor"};
  if (takes(neuron, "learn_threshold")) out.insert("threshold");
  for (const auto& p : neuron.params) {
    if (!p.learnable) continue;
    for (const auto& [name, v] : recipe.params) {
      if (name == p.name) out.insert(name);
    }
  }
  return out;
}

/// As given_learnable, less what the neuron refuses to learn together.
std::set<std::string> most_learnable(const Config& base) {
  Config c = base;
  c.learn = given_learnable(*c.neuron, c.recipe);
  for (;;) {
    try {
      make(c, true, false);
      return c.learn;
    } catch (const rheo::Error& e) {
      for (auto p = c.neuron->params.rbegin(); p != c.neuron->params.rend(); ++p) {
        if (c.learn.erase(p->name) > 0) break;
      }
    }
  }
}

class Conformance : public ::testing::TestWithParam<std::string> {
 protected:
  const rheo::NeuronDescription& neuron() const { return rheo::find_neuron(GetParam()); }
  /// Input and state kinds take turns, so that every pair with another axis occurs.
  Config next() {
    Config c;
    c.neuron = &neuron();
    c.constant_x = number_ % 4 == 3;
    c.with_state = number_ % 5 != 4;
    c.record = number_ % 3 != 2;
    ++number_;
    return c;
  }
  int number_ = 0;
};

TEST_P(Conformance, FusedEqualsReferenceForEveryResetSurrogateAndLayout) {
  const std::string first = recipes_of(neuron()).front().name;
  for (const auto& recipe : recipes_of(neuron())) {
    for (const auto& [reset, delay] : resets_of(neuron())) {
      // How the parameters are given ends where the constants begin: one recipe meets all surrogates.
      const auto surrogates = recipe.name == first && takes(neuron(), "spike_grad")
                                  ? all_surrogates()
                                  : std::vector<Surrogate>{Surrogate()};
      for (const auto& surrogate : surrogates) {
        for (const Layout layout : layouts) {
          for (const auto dtype : {torch::kDouble, torch::kFloat}) {
            if (dtype == torch::kFloat && layout > Layout::per_neuron) continue;  // the layout has no type
            Config c = next();
            c.recipe = recipe;
            c.reset = reset;
            c.delay = delay;
            c.surrogate = surrogate;
            c.layout = layout;
            c.dtype = dtype;
            c.learn = most_learnable(c);
            check(c);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(Conformance, FusedEqualsReferenceForEveryLearnedSet) {
  for (const auto& recipe : recipes_of(neuron())) {
    for (const auto& learn : learn_sets(neuron())) {
      for (const auto& [reset, delay] : resets_of(neuron())) {
        Config c = next();
        c.recipe = recipe;
        c.reset = reset;
        c.delay = delay;
        c.layout = layouts[number_ % 5];
        c.learn = learn;
        check(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Conformance, FusedEqualsReferenceForEverySize) {
  const std::vector<std::int64_t> rows[] = {{1},     {13},      {1, 1}, {2, 1},  {4, 10},
                                            {5, 13}, {2, 3, 5}, {0, 4}, {2, 257}};
  const auto own = resets_of(neuron());
  for (const auto& row : rows) {
    for (const std::int64_t steps : {0, 1, 2, 12}) {
      for (const Layout layout : layouts) {
        for (const bool surrogate_disable : {false, true}) {
          Config c = next();
          c.recipe = recipes_of(neuron()).front();
          c.row = row;
          c.steps = steps;
          c.layout = layout;
          c.surrogate_disable = surrogate_disable;
          std::tie(c.reset, c.delay) = own[static_cast<std::size_t>(number_) % own.size()];
          c.learn = most_learnable(c);
          check(c);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// One module in the given layout; learns everything it can.
Made learner(Config& c) {
  c.learn = most_learnable(c);
  return make(c, true, false);
}

TEST_P(Conformance, ChunksWithCarriedStateEqualTheWholeRun) {
  for (const auto& recipe : recipes_of(neuron())) {
    for (const auto& [reset, delay] : resets_of(neuron())) {
      for (const auto dtype : {torch::kDouble, torch::kFloat}) {
        Config c = next();
        c.recipe = recipe;
        c.reset = reset;
        c.delay = delay;
        c.dtype = dtype;
        c.layout = Layout::whole_row;
        SCOPED_TRACE(c.text());
        const std::int64_t T = 17;
        const auto x = input(neuron(), {T, 3, 7}, 1, dtype);
        const auto start = some_state(neuron(), {3, 7}, 20, dtype);
        const auto weights = numbers({T, 3, 7}, 2, -1, 1, dtype);
        // The last chunk is empty: nothing happens in it.
        const auto together = [&](std::vector<std::int64_t> sizes) {
          auto made = learner(c);
          const auto leaf = x.clone().requires_grad_();
          rheo::State state(start);
          std::map<std::string, std::vector<Tensor>> parts;
          std::int64_t at = 0;
          for (const auto n : sizes) {
            auto r = made.neuron->record(leaf.slice(0, at, at + n), state);
            parts["spk"].push_back(r.spk);
            for (const auto& [name, t] : r.traces) parts["trace " + name].push_back(t);
            state = r.state;
            at += n;
          }
          Result r;
          auto loss = torch::zeros({}, torch::TensorOptions().dtype(dtype));
          for (const auto& [name, list] : parts) {
            r.outputs[name] = torch::cat(list);
            loss = loss + (r.outputs[name] * (name == "spk" ? weights : weights.flip(0))).sum();
          }
          for (const auto& [name, t] : state) r.outputs["last " + name] = t;
          for (const auto& [name, t] : state) loss = loss + t.square().sum();
          loss.backward();
          r.gradients["x"] = leaf.grad();
          for (const auto& name : c.learn) r.gradients[name] = made.neuron->parameter(name).grad();
          return r;
        };
        const auto whole = together({T});
        for (const auto& sizes : {std::vector<std::int64_t>{5, 1, 11, 0}, std::vector<std::int64_t>(T, 1)}) {
          const auto chunks = together(sizes);
          for (const auto& [name, t] : whole.outputs)
            EXPECT_TRUE(same_bits(chunks.outputs.at(name), t)) << name;
          for (const auto& [name, g] : whole.gradients) {
            const double tolerance = dtype == torch::kDouble ? 1e-12 : 1e-5;
            EXPECT_TRUE(largest(g) > 0 || is_lost(c, name)) << name;
            EXPECT_LE(largest(chunks.gradients.at(name) - g), tolerance * largest(g)) << name;
          }
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(Conformance, PermutedBatchesArePermutedResults) {
  for (const auto& [reset, delay] : resets_of(neuron())) {
    for (const Layout layout : {Layout::scalar, Layout::per_neuron}) {
      Config c = next();
      c.recipe = recipes_of(neuron()).front();
      c.reset = reset;
      c.delay = delay;
      c.layout = layout;
      c.row = {9, 7};
      auto made = learner(c);
      const auto order = torch::tensor({4, 0, 8, 2, 6, 1, 7, 3, 5});
      const auto x = input(neuron(), {11, 9, 7}, 1, c.dtype).requires_grad_();
      const auto permuted = x.detach().index_select(1, order).requires_grad_();
      const auto weights = numbers({11, 9, 7}, 2, -1, 1, c.dtype);
      const auto a = made.neuron->record(x);
      (a.spk * weights).sum().backward();
      const auto b = made.neuron->record(permuted);
      (b.spk * weights.index_select(1, order)).sum().backward();
      EXPECT_TRUE(same_bits(a.spk.index_select(1, order), b.spk)) << c.text();
      for (const auto& [name, t] : a.traces)
        EXPECT_TRUE(same_bits(t.index_select(1, order), b.traces[name])) << c.text();
      for (const auto& [name, t] : a.state)
        EXPECT_TRUE(same_bits(t.index_select(0, order), b.state[name])) << c.text();
      EXPECT_TRUE(same_bits(x.grad().index_select(1, order), permuted.grad())) << c.text();
      EXPECT_GT(largest(x.grad()), 0);
    }
  }
}

TEST_P(Conformance, SpikesAreZeroOrTheGradedFactor) {
  if (!neuron().fires) return;  // its membrane is what leaves: FusedEqualsReference compares the two
  for (const auto& [reset, delay] : resets_of(neuron())) {
    for (const auto dtype : {torch::kDouble, torch::kFloat}) {
      Config c = next();
      c.recipe = recipes_of(neuron()).front();
      c.reset = reset;
      c.delay = delay;
      c.dtype = dtype;
      auto made = make(c, true, false);
      const auto spk = made.neuron->forward(input(neuron(), {50, 4, 10}, 1, dtype)).spk;
      const auto g = made.neuron->parameter("graded_spikes_factor");
      EXPECT_EQ(spk.scalar_type(), dtype);
      EXPECT_TRUE((spk.eq(0) | spk.eq(g)).all().item<bool>());
      EXPECT_TRUE(spk.eq(0).any().item<bool>());
      EXPECT_TRUE(spk.eq(g).any().item<bool>());
    }
  }
}

TEST_P(Conformance, NoStepsLeaveTheStateAsItIs) {
  Config c = next();
  c.recipe = recipes_of(neuron()).front();
  auto made = make(c, true, false);
  const auto start = some_state(neuron(), {4, 10}, 3, c.dtype);
  const auto out = made.neuron->record(torch::empty({0, 4, 10}, torch::kDouble), rheo::State(start));
  EXPECT_EQ(out.spk.sizes(), (torch::IntArrayRef{0, 4, 10}));
  for (const auto& [name, t] : start) {
    EXPECT_TRUE(same_bits(out.state[name], t)) << name;
    EXPECT_EQ(out.traces[name].sizes(), (torch::IntArrayRef{0, 4, 10}));
    out.state[name].sum().backward({}, true);
    EXPECT_TRUE(torch::equal(t.grad(), torch::ones({4, 10}, torch::kDouble))) << name;
  }
}

TEST_P(Conformance, TheBatchMayChangeBetweenCalls) {
  for (const bool hidden : {false, true}) {
    rheo::NeuronOptions o;
    const Recipe recipe = recipes_of(neuron()).front();
    for (const auto& [name, v] : recipe.params) o.params.emplace_back(name, rheo::Value(v));
    o.init_hidden = hidden;
    auto kept = rheo::nn::make_neuron(GetParam(), o);
    for (const std::int64_t batch : {4, 2, 1, 6, 6}) {
      const auto x = input(neuron(), {8, batch, 10}, static_cast<std::uint64_t>(batch), torch::kFloat);
      auto fresh = rheo::nn::make_neuron(GetParam(), o);
      const auto want = fresh->record(x);
      const auto got = kept->record(x);
      // A state of its own starts afresh when the shape changes, and is carried on when it does not (the last call).
      static int sixes = 0;
      const bool carried = hidden && batch == 6 && sixes++ % 2 == 1;
      EXPECT_EQ(same_bits(got.mem, want.mem), !carried) << batch << hidden;
      EXPECT_EQ(got.spk.sizes(), x.sizes());
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& n : rheo::list_neurons()) out.push_back(n.name);
  return out;
}
TEST(Exponentials, AreFoundWhereAStepTakesThem) {
  EXPECT_TRUE(takes_exponentials(rheo::find_neuron("HodgkinHuxley")));
  EXPECT_TRUE(takes_exponentials(rheo::find_neuron("AdEx")));
  // Its constants take one, its step does not.
  EXPECT_FALSE(takes_exponentials(rheo::find_neuron("LI")));
}

INSTANTIATE_TEST_SUITE_P(Registry, Conformance, ::testing::ValuesIn(names()),
                         [](const auto& name) { return name.param; });

/// Runs last: the table, and whether anything is missing from it.
class Finally : public ::testing::Environment {
 public:
  void TearDown() override {
    if (::testing::GTEST_FLAG(filter) != "*") return;
    table().print();
    for (int i = 0; i < rheo::kernels::isa_count; ++i) {
      const auto isa = static_cast<rheo::kernels::Isa>(i);
      if (!rheo::kernels::is_available(isa)) {
        std::cout << "skipped: " << rheo::kernels::to_string(isa)
                  << ": not on this machine, or not in this build\n";
      }
    }
    EXPECT_GE(rheo::list_neurons().size(), 2U);
    for (const auto& neuron : rheo::list_neurons()) {
      std::vector<std::string> needed{"type: double", "type: float", "gradient of: x",
                                      "gradient of: graded_spikes_factor"};
      if (takes(neuron, "learn_threshold")) needed.emplace_back("gradient of: threshold");
      for (const auto& [reset, delay] : resets_of(neuron))
        needed.push_back("reset: " + rheo::to_string(reset) + (delay ? "" : ", no delay"));
      for (const auto& surrogate : all_surrogates()) {
        if (takes(neuron, "spike_grad")) needed.push_back("surrogate: " + surrogate.to_string());
      }
      for (const auto& row : needed)
        EXPECT_GT(table().rows(neuron.name, row), 0) << neuron.name << " has no row " << row;
      for (const auto& p : neuron.params) {
        if (!p.learnable) continue;
        EXPECT_GT(table().rows(neuron.name, "gradient of: " + p.name), 0)
            << neuron.name << " has no row for its learnable parameter " << p.name;
      }
      for (const auto& s : neuron.states) {
        EXPECT_GT(table().rows(neuron.name, "gradient of: state " + s.name), 0)
            << neuron.name << ' ' << s.name;
      }
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  // An instruction set this machine does not have is a reason to skip, not to fail.
  if (const char* forced = std::getenv("RHEOBASE_ISA")) {
    for (int i = 0; i < rheo::kernels::isa_count; ++i) {
      const auto isa = static_cast<rheo::kernels::Isa>(i);
      if (rheo::kernels::to_string(isa) == forced && !rheo::kernels::is_available(isa)) {
        std::cout << "skipped: " << forced << ": not on this machine, or not in this build\n";
        return 77;
      }
    }
  }
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Finally);
  torch::set_num_threads(2);
  return RUN_ALL_TESTS();
}
