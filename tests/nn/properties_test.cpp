// What holds for every neuron of the registry and every layer with a state, on random shapes, inputs and cuts: sizes with
// zeros and primes, double precision, fused.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <torch/torch.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "rheo/rheo.hpp"
#include "tests/nn/refuses.hpp"

namespace {

using rheo::Reset;
using rheo::test::refuses;
using Layer = std::shared_ptr<rheo::nn::SpikingImpl>;
constexpr double graded = 1.75;

/// How to make one of each kind, for N features. `reset` only where `resets`; `threshold` only where `has_threshold`.
struct Kind {
  std::string name;
  std::function<Layer(std::int64_t n, double threshold, Reset reset)> make;
  bool resets = true;
  double spike = graded;  // what one is worth
  bool fires = true;      // false: what leaves is the membrane
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const auto& n : rheo::list_neurons()) {
    const auto make = [&n](std::int64_t, double threshold, Reset reset) -> Layer {
      rheo::NeuronOptions o;
      for (const auto& p : n.params) {
        const bool decay = p.name == "beta" && !p.value.has_value();  // follows from the others
        if (!p.value.has_value() && !decay) o.params.emplace_back(p.name, 2.0);
      }
      if (!refuses(n, "threshold")) o.threshold = threshold;
      if (!refuses(n, "reset_mechanism")) o.reset_mechanism = reset;
      if (!refuses(n, "graded_spikes_factor")) o.graded_spikes_factor = graded;
      return rheo::nn::make_neuron(n.name, o).ptr();
    };
    all.push_back({n.name, make, !refuses(n, "reset_mechanism"), graded, n.fires});
  }
  using namespace rheo::nn;
  all.push_back({"SLSTM",
                 [](std::int64_t n, double threshold, Reset reset) -> Layer {
                   SLSTMOptions o{.input_size = n, .hidden_size = 5, .threshold = threshold / 10};
                   o.reset_mechanism = reset;
                   return SLSTM(o).ptr();
                 },
                 true, 1});
  all.push_back({"RLeaky, dense", [](std::int64_t n, double threshold, Reset reset) -> Layer {
                   return RLeaky({.beta = 0.8,
                                  .linear_features = n,
                                  .threshold = threshold,
                                  .reset_mechanism = reset,
                                  .graded_spikes_factor = graded})
                       .ptr();
                 }});
  all.push_back({"RSynaptic, dense", [](std::int64_t n, double threshold, Reset reset) -> Layer {
                   return RSynaptic({.alpha = 0.5,
                                     .beta = 0.8,
                                     .linear_features = n,
                                     .threshold = threshold,
                                     .reset_mechanism = reset,
                                     .graded_spikes_factor = graded})
                       .ptr();
                 }});
  for (const std::int64_t truncation : {0, 4}) {
    all.push_back({"StateLeaky",
                   [truncation](std::int64_t, double threshold, Reset) -> Layer {
                     return StateLeaky({.beta = 0.8,
                                        .kernel_truncation_steps = truncation,
                                        .threshold = threshold,
                                        .graded_spikes_factor = graded})
                         .ptr();
                   },
                   false});
  }
  all.push_back({"LinearLeaky",
                 [](std::int64_t n, double threshold, Reset) -> Layer {
                   return LinearLeaky({.beta = 0.8,
                                       .in_features = n,
                                       .out_features = 3,
                                       .threshold = threshold,
                                       .graded_spikes_factor = graded})
                       .ptr();
                 },
                 false});
  for (const bool dense : {false, true}) {
    all.push_back({"LeakyParallel",
                   [dense](std::int64_t n, double threshold, Reset) -> Layer {
                     return LeakyParallel({.input_size = n,
                                           .hidden_size = 3,
                                           .beta = 0.3,
                                           .weight_hh_enable = dense,
                                           .threshold = threshold,
                                           .graded_spikes_factor = graded})
                         .ptr();
                   },
                   false});
  }
  all.push_back({"AssociativeLeaky",
                 [](std::int64_t n, double threshold, Reset) -> Layer {
                   return AssociativeLeaky({.in_dim = n,
                                            .d_value = 2,
                                            .d_key = 3,
                                            .use_q_projection = false,
                                            .threshold = threshold,
                                            .graded_spikes_factor = graded})
                       .ptr();
                 },
                 false});
  return all;
}

/// Sizes, an input and the seed of the layer's weights.
struct Case {
  std::int64_t steps, batch, features, seed;
};

Case draw() {
  const auto size = [] { return rc::gen::element<std::int64_t>(0, 1, 2, 3, 5, 7, 13, 17); };
  return {*rc::gen::inRange<std::int64_t>(0, 24), *size(),
          *rc::gen::element<std::int64_t>(1, 2, 3, 5, 7, 13, 17), *rc::gen::inRange<std::int64_t>(0, 1000)};
}

torch::Tensor input(const Case& c, double scale = 1) {
  torch::manual_seed(c.seed);
  return scale * (torch::randn({c.steps, c.batch, c.features}, torch::kDouble) + 0.4);
}

Layer made(const Kind& kind, const Case& c, double threshold = 0.7, Reset reset = Reset::subtract) {
  torch::manual_seed(c.seed + 1);
  auto layer = kind.make(c.features, threshold, reset);
  layer->to(torch::kDouble);
  return layer;
}

bool near(const torch::Tensor& a, const torch::Tensor& b) { return a.allclose(b, 1e-10, 1e-10); }

bool near(const rheo::State& a, const rheo::State& b) {
  if (a.names() != b.names()) return false;
  for (const auto& [name, t] : a) {
    if (!near(t, b[name])) return false;
  }
  return true;
}

/// For each kind its own run of RapidCheck, so that a failure names the kind.
template <class Law>
void for_every_kind(const char* law, Law holds) {
  // The same cases in every run.
  setenv("RC_PARAMS", "seed=20 max_success=40", 1);
  for (const auto& kind : kinds()) {
    EXPECT_TRUE(rc::check(kind.name + ": " + law, [&] { holds(kind, draw()); })) << kind.name;
  }
}

TEST(Properties, CutAnywhereGivesTheWhole) {
  for_every_kind("a sequence cut anywhere gives the whole", [](const Kind& kind, const Case& c) {
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto whole = layer->record(x);
    const auto cut = *rc::gen::inRange<std::int64_t>(0, c.steps + 1);
    const auto first = layer->record(x.slice(0, 0, cut));
    const auto rest = layer->record(x.slice(0, cut), first.state);
    RC_ASSERT(near(torch::cat({first.spk, rest.spk}), whole.spk));
    for (const auto& [name, t] : whole.traces) {
      RC_ASSERT(near(torch::cat({first.traces[name], rest.traces[name]}), t));
    }
    RC_ASSERT(near(rest.state, whole.state));
    RC_ASSERT(near(layer->forward(x).spk, whole.spk));
  });
}

TEST(Properties, StepByStepGivesTheSame) {
  for_every_kind("steps give the sequence", [](const Kind& kind, const Case& c) {
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto whole = layer->forward(x);
    rheo::State state;
    for (std::int64_t t = 0; t < c.steps; ++t) {
      auto out = layer->step(x[t], state);
      RC_ASSERT(near(out.spk, whole.spk[t]));
      state = out.state;
    }
    if (c.steps > 0) RC_ASSERT(near(state, whole.state));
  });
}

TEST(Properties, SamplesOfABatchAreIndependent) {
  for_every_kind("the batch may be permuted", [](const Kind& kind, const Case& c) {
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto order = torch::randperm(c.batch);
    RC_ASSERT(
        near(layer->forward(x.index_select(1, order)).spk, layer->forward(x).spk.index_select(1, order)));
  });
}

TEST(Properties, SpikesAreZeroOrTheFactor) {
  for_every_kind("spikes are 0 or g", [](const Kind& kind, const Case& c) {
    const auto spk = made(kind, c)->forward(input(c)).spk;
    RC_ASSERT(!kind.fires || spk.eq(0).logical_or(spk.eq(kind.spike)).all().item<bool>());
  });
}

TEST(Properties, ResetsAgreeWhereNothingFires) {
  for_every_kind("resets agree where nothing fires", [](const Kind& kind, const Case& c) {
    if (!kind.resets) return;
    const auto x = input(c, 1e-3);
    const auto subtract = made(kind, c, 1e6)->record(x);
    RC_ASSERT(subtract.spk.eq(0).all().item<bool>());
    for (const auto reset : {Reset::zero, Reset::none}) {
      RC_ASSERT(near(made(kind, c, 1e6, reset)->record(x).mem, subtract.mem));
    }
  });
}

TEST(Properties, AStateSurvivesAFile) {
  const auto file = std::filesystem::temp_directory_path() / "rheobase_properties_state.safetensors";
  for_every_kind("a state survives a file", [&](const Kind& kind, const Case& c) {
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto state = layer->forward(x).state;
    rheo::io::save_state(file, state);
    const auto loaded = rheo::io::load_state(file);
    RC_ASSERT(loaded.names() == state.names());
    for (const auto& [name, t] : state) RC_ASSERT(loaded[name].equal(t));
    RC_ASSERT(layer->forward(x, loaded).spk.equal(layer->forward(x, state).spk));
  });
  std::filesystem::remove(file);
  rheo::io::write_tensors(file, {.tensors = {{"mem", torch::zeros({1})}}});
  EXPECT_THROW(rheo::io::load_state(file), rheo::RuntimeError);
  std::filesystem::remove(file);
}

TEST(Properties, CopiesAreEqualAndIndependent) {
  for_every_kind("copies are equal and stand alone", [](const Kind& kind, const Case& c) {
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto before = layer->forward(x).spk;
    const auto copy = std::dynamic_pointer_cast<rheo::nn::SpikingImpl>(layer->clone());
    RC_ASSERT(copy->kind() == layer->kind());
    RC_ASSERT(copy->forward(x).spk.equal(before));
    const torch::NoGradGuard no_grad;
    for (auto& p : copy->named_buffers()) {
      if (p.key() == "threshold") p.value().fill_(1e6);
    }
    RC_ASSERT(layer->forward(x).spk.equal(before));
  });
}

// With explicit state the calls are re-entrant.
TEST(Properties, ThreadsShareALayer) {
  const Case c{19, 5, 7, 3};
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto layer = made(kind, c);
    const auto x = input(c);
    const auto alone = layer->forward(x).spk;
    std::vector<torch::Tensor> results(4);
    std::vector<std::thread> threads;
    for (auto& result : results) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) result = layer->forward(x).spk;
      });
    }
    for (auto& t : threads) t.join();
    for (const auto& result : results) EXPECT_TRUE(near(result, alone));
  }
}

}  // namespace
