// Replays tests/data/cases.json.gz, recorded from snnTorch 1.0.0: every case step by step, as one call, fused where there are
// kernels, and on the reference path.
#include "tests/nn/recorded_layers.hpp"

namespace {

using namespace recorded;

enum class Way { steps, sequence, reference };
constexpr std::pair<Way, const char*> ways[] = {
    {Way::steps, "step by step"}, {Way::sequence, "one fused call"}, {Way::reference, "reference path"}};

/// Spikes and every state [T, ...] of x, from `state`, or the layer's own with init_hidden.
Tensors traces(rheo::nn::SpikingImpl& layer, Way way, const torch::Tensor& x, rheo::State state) {
  Tensors out;
  if (way != Way::steps) {
    const auto rec = layer.record(x, state);
    for (const auto& [name, t] : rec.traces) out[name] = t;
    out["spk"] = out["out"] = rec.spk;
    return out;
  }
  std::map<std::string, std::vector<torch::Tensor>> list;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    if (layer.keeps_state()) {
      const auto now = layer.step(x[t]);
      for (const auto& [name, s] : now.state) list[name].push_back(s);
      if (!now.state.contains("spk")) list["spk"].push_back(now.spk);
      continue;
    }
    const auto now = layer.record(x.slice(0, t, t + 1), state);
    for (const auto& [name, s] : now.traces) list[name].push_back(s[0]);
    if (!now.traces.contains("spk")) list["spk"].push_back(now.spk[0]);
    EXPECT_TRUE(layer.step(x[t], state).spk.equal(now.spk[0]));
    state = now.state;
  }
  for (const auto& [name, steps] : list) out[name] = torch::stack(steps);
  out["out"] = out["spk"] = torch::stack(list["spk"]);
  return out;
}

/// Why the reference path is right for the case, or nothing.
bool falls_back(const json& c) {
  const auto& o = c.at("options");
  return o.contains("state_quant") || o.contains("inhibition") ||
         (o.contains("spike_grad") && o.at("spike_grad").at("surrogate") == "custom_surrogate");
}

Tensors replayed(const json& c, Way way) {
  const auto layer = built(c, way != Way::reference);
  auto inputs = arrays(c.at("inputs"));
  const bool grad = inputs.contains("w.spk") || inputs.contains("w.mem") || inputs.contains("w.out");
  auto& x = inputs.at("x").requires_grad_(grad);
  EXPECT_EQ(layer->why_not_fused(x).empty(), way != Way::reference && !falls_back(c))
      << layer->why_not_fused(x);
  std::vector<rheo::State::Entry> first;
  for (auto& [name, t] : inputs) {
    if (name.starts_with("state0.")) first.emplace_back(name.substr(7), t.requires_grad_(grad));
  }
  const rheo::State state(first);

  auto out = traces(*layer, way, x, state);
  if (c.at("kind") == "neuron.hidden") {
    rheo::nn::reset(*layer);
    for (const auto& [name, t] : traces(*layer, way, inputs.at("x_after_reset"), {}))
      out[name + "_after_reset"] = t;
  }
  if (grad) {
    auto sum = torch::zeros({});
    for (const auto& [name, w] : inputs) {
      if (name.starts_with("w.")) sum = sum + (w * out.at(name.substr(2))).sum();
    }
    sum.backward();
    out["sum"] = sum;
    // Undefined: nothing depends on it, recorded as zeros.
    const auto grad_of = [](const torch::Tensor& t) {
      return t.grad().defined() ? t.grad() : torch::zeros_like(t.detach());
    };
    out["grad.x"] = grad_of(x);
    for (const auto& [name, t] : state) out["grad.state0." + name] = grad_of(t);
    for (const auto& p : layer->named_parameters()) out["grad." + p.key()] = grad_of(p.value());
  }
  return out;
}

void replay_all(const std::string& kind, std::size_t count) {
  const auto all = of_kind(kind);
  EXPECT_EQ(all.size(), count);
  for (const auto& c : all) {
    for (const auto& [way, text] : ways) {
      SCOPED_TRACE(c.at("name").get<std::string>() + ", " + text);
      compare(c, replayed(c, way));
    }
  }
}

TEST(Recorded, NeuronSteps) { replay_all("neuron.steps", 122); }
TEST(Recorded, NeuronStepsStoredState) { replay_all("neuron.steps_stored_state", 1); }
TEST(Recorded, NeuronHidden) { replay_all("neuron.hidden", 67); }
TEST(Recorded, NeuronGrad) { replay_all("neuron.grad", 108); }
TEST(Recorded, NeuronDelta) { replay_all("neuron.delta", 9); }
TEST(Recorded, NeuronSequence) { replay_all("neuron.sequence", 28); }
TEST(Recorded, NeuronSequenceGrad) { replay_all("neuron.sequence_grad", 17); }

// On a tensor by itself, and inside the kernels: a membrane without memory, beta = 0, fires on u itself.
TEST(Recorded, Surrogates) {
  const auto all = of_kind("surrogate");
  EXPECT_EQ(all.size(), 23U);
  std::set<std::string> met;
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    met.insert(c.at("target"));
    const auto spike_grad = surrogate(c.at("target"), c.at("options"));
    const auto inputs = arrays(c.at("inputs"));
    for (const bool neuron : {false, true}) {
      SCOPED_TRACE(neuron ? "in a neuron" : "alone");
      const auto u = inputs.at("u").clone().requires_grad_();
      const rheo::nn::Leaky lif(
          {.beta = 0, .threshold = 0, .spike_grad = spike_grad, .reset_mechanism = rheo::Reset::none});
      const auto spk = neuron ? lif.ptr()->forward(u.unsqueeze(0)).spk[0] : spike_grad(u);
      spk.backward(inputs.at("w"));
      compare(c, {{"spk", spk}, {"grad.u", u.grad()}});
    }
  }
  // LSO always raises where the vectors come from (see differences_test), SSO is random (see surrogate_test).
  EXPECT_EQ(met,
            (std::set<std::string>{"SFS", "atan", "custom_surrogate", "fast_sigmoid", "heaviside", "sigmoid",
                                   "spike_rate_escape", "straight_through_estimator", "triangular"}));
}

TEST(Recorded, Quantisers) {
  const auto all = of_kind("quant");
  EXPECT_EQ(all.size(), 30U);
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto inputs = arrays(c.at("inputs"));
    const auto x = inputs.at("x").clone().requires_grad_();
    const auto out = quantiser(c.at("options"))(x);
    out.backward(inputs.at("w"));
    compare(c, {{"out", out}, {"grad.x", x.grad()}});
  }
}

TEST(Recorded, BatchNormTT) {
  const auto all = of_kind("batchnorm");
  EXPECT_EQ(all.size(), 8U);
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto& o = c.at("options");
    const rheo::nn::BatchNormTTOptions options{
        o.at("input_features").get<std::int64_t>(), o.at("time_steps").get<std::int64_t>(),
        o.at("eps").get<double>(), o.at("momentum").get<double>(), o.at("affine").get<bool>()};
    const auto norm = c.at("target") == "BatchNormTT1d" ? rheo::nn::BatchNormTT1d(options).ptr()
                                                        : rheo::nn::BatchNormTT2d(options).ptr();
    norm->train(o.at("train").get<bool>());
    auto inputs = arrays(c.at("inputs"));
    auto parameters = norm->named_parameters(), buffers = norm->named_buffers();
    {
      const torch::NoGradGuard no_grad;
      for (std::int64_t t = 0; t < options.time_steps; ++t) {
        const auto n = std::to_string(t);
        if (options.affine) parameters[n + ".weight"].copy_(inputs.at("weight" + n));
        buffers[n + ".running_mean"].copy_(inputs.at("mean" + n));
        buffers[n + ".running_var"].copy_(inputs.at("var" + n));
      }
    }
    auto& x = inputs.at("x").requires_grad_();
    const auto out = norm->forward(x).y;
    out.backward(inputs.at("w"));
    std::vector<torch::Tensor> mean, var;
    for (std::int64_t t = 0; t < options.time_steps; ++t) {
      mean.push_back(buffers[std::to_string(t) + ".running_mean"]);
      var.push_back(buffers[std::to_string(t) + ".running_var"]);
      EXPECT_FALSE(parameters.contains(std::to_string(t) + ".bias"));
    }
    compare(c, {{"out", out},
                {"grad.x", x.grad()},
                {"running_mean", torch::stack(mean)},
                {"running_var", torch::stack(var)},
                {"length", torch::tensor(static_cast<float>(norm->children().size()))},
                {"no_bias", torch::ones({})}});
  }
}

TEST(Recorded, GradedSpikes) {
  const auto all = of_kind("graded_spikes");
  EXPECT_EQ(all.size(), 3U);
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto& o = c.at("options");
    const rheo::nn::GradedSpikes layer(
        {.size = o.at("size").get<std::int64_t>(), .constant_factor = o.at("constant_factor").get<double>()});
    auto inputs = arrays(c.at("inputs"));
    auto& x = inputs.at("x").requires_grad_();
    const auto out = layer.ptr()->forward(x);
    out.backward(inputs.at("w"));
    compare(c, {{"out", out}, {"grad.x", x.grad()}, {"grad.weights", layer.ptr()->weights.grad()}});
  }
}

TEST(Recorded, StateDict) {
  const auto all = of_kind("state_dict");
  EXPECT_EQ(all.size(), 29U);
  for (const auto& c : all) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto layer = state_dict_layers().at(c.at("target"))();
    std::set<std::string> keys, shapes, parameters, trainable;
    const auto add = [&](const auto& item) {
      std::string shape = item.key() + " [";
      for (const auto size : item.value().sizes())
        shape += (shape.ends_with('[') ? "" : ", ") + std::to_string(size);
      keys.insert(item.key());
      shapes.insert(shape + "]");
    };
    for (const auto& item : layer->named_parameters()) {
      add(item);
      parameters.insert(item.key());
      if (item.value().requires_grad()) trainable.insert(item.key());
    }
    for (const auto& item : layer->named_buffers()) {
      // There a plain number, not kept with the weights.
      if (item.key() != "delta_threshold") add(item);
    }
    // V under a second name: Python's state-dict holds the shared parameter twice.
    const auto recorded_set = [&](const char* what) {
      auto names = c.at("outputs").at(what).get<std::set<std::string>>();
      std::erase_if(names, [](const auto& name) { return name.starts_with("recurrent.V"); });
      return names;
    };
    EXPECT_EQ(keys, recorded_set("keys"));
    EXPECT_EQ(shapes, recorded_set("shapes"));
    EXPECT_EQ(parameters, recorded_set("parameters"));
    EXPECT_EQ(trainable, recorded_set("trainable"));
  }
}

// The replays of these kinds count their cases; a kind that is not here would be replayed by nobody.
TEST(Recorded, EveryKindIsReplayed) {
  std::map<std::string, int> met;
  for (const auto& c : cases()) ++met[c.at("kind").get<std::string>()];
  const std::map<std::string, int> replayed{
      {"batchnorm", 8},      {"graded_spikes", 3},  {"neuron.delta", 9},
      {"neuron.grad", 108},  {"neuron.hidden", 67}, {"neuron.sequence", 28},
      {"neuron.steps", 122}, {"quant", 30},         {"neuron.sequence_grad", 17},
      {"state_dict", 29},    {"surrogate", 23},     {"neuron.steps_stored_state", 1},
      {"call", 102 + 3},  // tests/spikegen, and the accuracies in tests/functional
      {"raises", 30},     // tests/spikegen
      {"loss", 49},       // tests/functional
      {"stdp", 15},       // tests/functional
  };
  EXPECT_EQ(met, replayed);
  EXPECT_EQ(cases().size(), 644U);
}

}  // namespace
