// The layers that are linear in time, StateLeaky, LinearLeaky, LeakyParallel and AssociativeLeaky: each against a loop of
// its equations written here, spikes, states and the gradient of everything; then cuts, sizes, options and modules.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <map>
#include <sstream>

#include "rheo/kernels/registry.hpp"
#include "rheo/rheo.hpp"
#include "tests/error_of.hpp"

namespace {

using rheo::Input;
using rheo::State;
using rheo::test::error_of;
using torch::Tensor;
using namespace rheo::nn;
using Layer = std::shared_ptr<SpikingImpl>;
using Named = std::map<std::string, Tensor>;

// ---- the equations, as loops ---------------------------------------------------------------------------------------

struct Loop {
  Tensor spk, mem;  // [T, ...]
  Named state;      // after the last step
};

Named tensors_of(const torch::nn::Module& m) {
  Named out;
  for (const auto& item : m.named_parameters()) out[item.key()] = item.value();
  for (const auto& item : m.named_buffers()) out[item.key()] = item.value();
  return out;
}

Tensor stacked(const std::vector<Tensor>& steps, const Tensor& like) {
  return steps.empty() ? like : torch::stack(steps);
}

Tensor fired(const Named& p, const Tensor& mem) {
  return rheo::Surrogate()(mem - p.at("threshold")) * p.at("graded_spikes_factor");
}

Loop state_leaky(const Tensor& x, const Named& p, const Named& state) {
  const auto decay = torch::exp(-1 / p.at("tau"));
  auto u = state.contains("mem") ? state.at("mem") : torch::zeros_like(x.sum(0));
  std::vector<Tensor> mem;
  for (const auto& now : x.unbind(0)) mem.push_back(u = decay * u + now);
  const auto all = stacked(mem, x);
  return {fired(p, all), all, {{"mem", u}}};
}

/// The last K inputs, each with its own power of the decay.
Loop truncated(std::int64_t K, const Tensor& x, const Named& p, const Named& state) {
  const auto decay = torch::exp(-1 / p.at("tau"));
  std::vector<Tensor> inputs(static_cast<std::size_t>(K - 1), torch::zeros_like(x.sum(0)));
  if (state.contains("past")) inputs = state.at("past").unbind(0);
  std::vector<Tensor> mem;
  for (const auto& now : x.unbind(0)) {
    inputs.push_back(now);
    auto u = now;
    auto power = torch::ones_like(decay);
    for (std::int64_t k = 1; k < K; ++k) {
      power = power * decay;
      u = u + power * inputs[inputs.size() - 1 - static_cast<std::size_t>(k)];
    }
    mem.push_back(u);
  }
  const auto all = stacked(mem, x);
  inputs.erase(inputs.begin(), inputs.end() - (K - 1));
  return {
      fired(p, all), all, {{"past", K > 1 ? torch::stack(inputs) : torch::zeros_like(x).narrow(0, 0, 0)}}};
}

Loop linear_leaky(const Tensor& x, const Named& p, const Named& state) {
  return state_leaky(torch::matmul(x, p.at("linear.weight").t()) + p.at("linear.bias"), p, state);
}

Loop leaky_parallel(bool dense, const Tensor& x, const Named& p, const Named& state) {
  const auto W = p.at("rnn.weight_hh_l0");
  const auto eye = torch::eye(W.size(0), W.options());
  auto h = state.contains("mem") ? state.at("mem") : Tensor();
  std::vector<Tensor> mem;
  for (const auto& now : x.unbind(0)) {
    auto u = torch::matmul(now, p.at("rnn.weight_ih_l0").t());
    if (p.contains("rnn.bias_ih_l0")) u = u + p.at("rnn.bias_ih_l0") + p.at("rnn.bias_hh_l0");
    if (h.defined()) u = u + torch::matmul(h, (dense ? W : W * eye).t());
    mem.push_back(h = torch::relu(u));
  }
  const auto all = stacked(mem, torch::matmul(x, p.at("rnn.weight_ih_l0").t()));
  return {fired(p, all), all, {{"mem", h.defined() ? h : torch::zeros_like(all.sum(0))}}};
}

Loop associative(const Tensor& x, const Named& p, const Named& state) {
  const auto project = [&](const std::string& name, const Tensor& now) {
    return torch::matmul(now, p.at(name + ".weight").t()) + p.at(name + ".bias");
  };
  const auto d = p.at("to_v.bias").numel(), n = p.at("to_k.bias").numel();
  const auto B = x.size(1);
  auto S = state.contains("mem") ? state.at("mem").reshape({B, d, n}) : torch::zeros({B, d, n}, x.options());
  std::vector<Tensor> out, mem;
  for (const auto& now : x.unbind(0)) {
    const auto v = project("to_v", now), k = project("to_k", now),
               a = torch::sigmoid(project("to_alpha", now));
    S = S * a.unsqueeze(1) + torch::bmm(v.unsqueeze(2), k.unsqueeze(1));
    const auto spk = fired(p, S.flatten(1));
    mem.push_back(S.flatten(1));
    out.push_back(
        !p.contains("to_q.bias")
            ? spk
            : torch::bmm(spk.reshape({B, d, n}), project("to_q", now).reshape({B, n, d})).flatten(1));
  }
  return {stacked(out, torch::zeros({0, B, d * (p.contains("to_q.bias") ? d : n)}, x.options())),
          stacked(mem, torch::zeros({0, B, d * n}, x.options())),
          {{"mem", S.flatten(1)}}};
}

// ---- what is crossed -----------------------------------------------------------------------------------------------

struct Kind {
  std::string name;
  std::function<Layer(bool fused, bool init_hidden)> make;
  std::function<Loop(const Tensor&, const Named&, const Named&)> loop;
  std::vector<std::int64_t> row;    // one step of x
  std::vector<std::int64_t> state;  // of the state
};

constexpr double threshold = 0.4, graded = 1.5;

template <class O>
O learning(O o, bool fused, bool init_hidden) {
  o.threshold = threshold;
  o.graded_spikes_factor = graded;
  o.learn_threshold = o.learn_graded_spikes_factor = true;
  o.fused = fused;
  o.init_hidden = init_hidden;
  return o;
}

Layer in_double(Layer layer) {
  layer->to(torch::kDouble);
  return layer;
}

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  const auto add = [&](std::string name, auto options, auto holder, auto loop, std::vector<std::int64_t> row,
                       std::vector<std::int64_t> state) {
    using Holder = decltype(holder);
    const auto make = [options](bool fused, bool init_hidden) {
      torch::manual_seed(3);
      return in_double(Holder(learning(options, fused, init_hidden)).ptr());
    };
    all.push_back({std::move(name), make, loop, std::move(row), std::move(state)});
  };
  const auto betas = torch::tensor({0.5, 0.9, 1.0, 0.2, 1.02}, torch::kDouble);
  add("StateLeaky", StateLeakyOptions{.beta = 0.9, .learn_beta = true}, StateLeaky(nullptr), state_leaky,
      {2, 5}, {2, 5});
  add("StateLeaky per channel", StateLeakyOptions{.beta = betas, .channels = 5, .learn_beta = true},
      StateLeaky(nullptr), state_leaky, {3, 5}, {3, 5});
  for (const std::int64_t K : {1, 2, 5, 16, 100}) {
    using namespace std::placeholders;
    const auto loop = std::bind(truncated, K, _1, _2, _3);
    const auto name = "StateLeaky of the last " + std::to_string(K);
    add(name, StateLeakyOptions{.beta = 0.8, .learn_beta = true, .kernel_truncation_steps = K},
        StateLeaky(nullptr), loop, {1, 7}, {K - 1, 1, 7});
    add(name + " per channel",
        StateLeakyOptions{.beta = betas, .channels = 5, .learn_beta = true, .kernel_truncation_steps = K},
        StateLeaky(nullptr), loop, {3, 5}, {K - 1, 3, 5});
  }
  add("LinearLeaky", LinearLeakyOptions{.beta = 0.9, .in_features = 4, .out_features = 3, .learn_beta = true},
      LinearLeaky(nullptr), linear_leaky, {2, 4}, {2, 3});
  for (const bool dense : {false, true}) {
    using namespace std::placeholders;
    add(dense ? "LeakyParallel dense" : "LeakyParallel",
        LeakyParallelOptions{
            .input_size = 4, .hidden_size = 7, .learn_beta = true, .weight_hh_enable = dense},
        LeakyParallel(nullptr), std::bind(leaky_parallel, dense, _1, _2, _3), {3, 4}, {3, 7});
  }
  for (const bool q : {false, true}) {
    add(q ? "AssociativeLeaky read by q" : "AssociativeLeaky",
        AssociativeLeakyOptions{.in_dim = 4, .d_value = 3, .d_key = q ? 9 : 17, .use_q_projection = q},
        AssociativeLeaky(nullptr), associative, {2, 4}, {2, 3 * (q ? 9 : 17)});
  }
  return all;
}

std::string state_name(const Kind& kind) {
  return kind.name.find("last") == std::string::npos ? "mem" : "past";
}

Tensor drawn(std::vector<std::int64_t> sizes, std::int64_t first, double from = -1) {
  if (first >= 0) sizes.insert(sizes.begin(), first);
  return torch::rand(sizes, torch::kDouble) * (1 - from) + from;
}

/// |a - b| <= 1e-12 of the largest b.
void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  if (b.numel() == 0) return;
  EXPECT_LE((a - b).abs().max().item<double>(), 1e-12 * std::max(1.0, b.abs().max().item<double>())) << what;
}

// ---- values and gradients ------------------------------------------------------------------------------------------

TEST(Scan, EqualsTheLoopForwardAndBackward) {
  for (const auto& kind : kinds()) {
    std::int64_t spikes = 0;
    for (const std::int64_t T : {1, 17, 40}) {
      for (const bool fused : {true, false}) {
        SCOPED_TRACE(c10::str(kind.name, ", T = ", T, fused ? ", fused" : ", reference"));
        const auto layer = kind.make(fused, false);
        EXPECT_EQ(layer->why_not_fused(), fused ? "" : "fused = false");
        torch::manual_seed(T);
        const auto x = drawn(kind.row, T).requires_grad_();
        const auto first = drawn(kind.state, -1, 0).requires_grad_();
        const auto named = tensors_of(*layer);
        std::vector<Tensor> leaves{x, first};
        std::vector<std::string> names{"x", "state"};
        for (const auto& item : layer->named_parameters()) {
          if (!item.value().requires_grad()) continue;
          leaves.push_back(item.value());
          names.push_back(item.key());
        }
        const auto rec = layer->record(x, State{{state_name(kind), first}});
        const auto loop = kind.loop(x, named, {{state_name(kind), first}});
        expect_close(rec.mem, loop.mem, "mem");
        expect_close(rec.spk, loop.spk, "spk");
        spikes += loop.spk.count_nonzero().item<std::int64_t>();
        const auto last = rec.state[state_name(kind)], loop_last = loop.state.at(state_name(kind));
        expect_close(last, loop_last, "last state");
        const auto forward = layer->forward(x, State{{state_name(kind), first}});
        EXPECT_TRUE(forward.spk.equal(rec.spk));
        EXPECT_TRUE(forward.state[state_name(kind)].equal(last));

        const auto ws = torch::randn_like(loop.spk), wm = torch::randn_like(loop.mem),
                   wl = torch::randn_like(loop_last);
        const auto grads = [&](const Tensor& spk, const Tensor& mem, const Tensor& end) {
          auto loss = (spk * ws).sum() + (mem * wm).sum();
          if (end.numel() > 0) loss = loss + (end * wl).sum();
          return torch::autograd::grad({loss}, leaves, {}, false, false, true);
        };
        const auto ours = grads(rec.spk, rec.mem, last), want = grads(loop.spk, loop.mem, loop_last);
        for (std::size_t i = 0; i < leaves.size(); ++i) {
          if (!want[i].defined() && !ours[i].defined()) continue;  // K = 1 has no past
          const auto zeros = torch::zeros_like(leaves[i]);
          expect_close(ours[i].defined() ? ours[i] : zeros, want[i].defined() ? want[i] : zeros, names[i]);
        }
      }
    }
    EXPECT_GT(spikes, 10) << kind.name;
  }
}

// Spikes alone, as a network of such layers is trained, against the loop; and a gradient of one value per row.
TEST(Scan, GradientOfTheSpikesAlone) {
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto layer = kind.make(true, false);
    const auto named = tensors_of(*layer);
    const auto x = drawn(kind.row, 23).requires_grad_();
    const auto tensors = layer->parameters();
    std::vector<Tensor> leaves{x};
    leaves.insert(leaves.end(), tensors.begin(), tensors.end());
    const auto ours = torch::autograd::grad({layer->forward(x).spk.sum()}, leaves, {}, false, false, true);
    const auto want =
        torch::autograd::grad({kind.loop(x, named, {}).spk.sum()}, leaves, {}, false, false, true);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const auto zeros = torch::zeros_like(leaves[i]);  // the last input alone knows no decay
      expect_close(ours[i].defined() ? ours[i] : zeros, want[i].defined() ? want[i] : zeros,
                   std::to_string(i));
    }
  }
}

// ---- time ----------------------------------------------------------------------------------------------------------

TEST(Scan, CutAnywhereIsTheWhole) {
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto layer = kind.make(true, false);
    const auto hidden = kind.make(true, true);
    const torch::NoGradGuard no_grad;
    const auto x = drawn(kind.row, 37);
    const auto whole = layer->record(x);
    for (const std::int64_t cut : {0, 1, 5, 16, 36, 37}) {
      const auto a = layer->record(x.narrow(0, 0, cut));
      const auto b = layer->record(x.narrow(0, cut, 37 - cut), a.state);
      expect_close(torch::cat({a.mem, b.mem}), whole.mem, "mem");
      expect_close(torch::cat({a.spk, b.spk}), whole.spk, "spk");
      expect_close(b.state[state_name(kind)], whole.state[state_name(kind)], "state");
    }
    // A hand-written step loop, with the state passed on and with the layer's own.
    State state;
    std::vector<Tensor> steps, own;
    for (const auto& now : x.unbind(0)) {
      auto out = layer->step(now, state);
      state = out.state;
      steps.push_back(out.spk);
      own.push_back(hidden->step(now).spk);
    }
    expect_close(torch::stack(steps), whole.spk, "step by step");
    expect_close(torch::stack(own), whole.spk, "hidden");
    const auto after = hidden->record(x).mem;
    reset(*hidden);
    expect_close(hidden->record(x).mem, whole.mem, "after reset");
    EXPECT_EQ(after.equal(whole.mem), kind.state[0] == 0) << "whether a state was kept";
  }
}

// Long and narrow: errors of rounding must not add up.
TEST(Scan, LongSequencesWithFewNeurons) {
  for (const std::int64_t T : {2047, 2048, 5001}) {
    for (const bool vector : {false, true}) {
      SCOPED_TRACE(c10::str("T = ", T, vector ? ", per channel" : ""));
      const auto beta =
          vector ? torch::tensor({0.5, 0.99, 1.0}, torch::kDouble) : torch::tensor(0.97, torch::kDouble);
      StateLeaky layer({.beta = beta,
                        .learn_beta = true,
                        .threshold = threshold,
                        .learn_threshold = true,
                        .graded_spikes_factor = graded,
                        .learn_graded_spikes_factor = true});
      layer->to(torch::kDouble);
      torch::manual_seed(T);
      const auto x = drawn({2, 3}, T).requires_grad_();
      const auto first = drawn({2, 3}, -1).requires_grad_();
      std::vector<Tensor> leaves{x, first};
      for (const auto& p : layer->parameters()) leaves.push_back(p);
      const auto rec = layer->record(x, {{"mem", first}});
      const auto loop = state_leaky(x, tensors_of(*layer), {{"mem", first}});
      const auto near = [](const Tensor& a, const Tensor& b, const char* what) {
        EXPECT_LE((a - b).abs().max().item<double>(), 1e-11 * std::max(1.0, b.abs().max().item<double>()))
            << what;
      };
      near(rec.mem, loop.mem, "mem");
      EXPECT_TRUE(rec.spk.equal(loop.spk));
      near(rec.state.mem(), loop.mem[T - 1], "last state");
      EXPECT_TRUE(layer->forward(x, {{"mem", first}}).spk.equal(rec.spk));
      const auto w = torch::randn_like(x);
      const auto grads = [&](const Tensor& spk, const Tensor& mem, const Tensor& last) {
        return torch::autograd::grad({(spk * w).sum() + (mem * w).mean() + last.sum()}, leaves);
      };
      const auto ours = grads(rec.spk, rec.mem, rec.state.mem()),
                 want = grads(loop.spk, loop.mem, loop.mem[T - 1]);
      for (std::size_t i = 0; i < leaves.size(); ++i) near(ours[i], want[i], "gradient");
      const auto threads = torch::get_num_threads();
      torch::set_num_threads(1);
      EXPECT_TRUE(layer->record(x, {{"mem", first}}).mem.equal(rec.mem));
      torch::set_num_threads(threads);
    }
  }
}

TEST(Scan, ConstantInput) {
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto layer = kind.make(true, false);
    const auto row = drawn(kind.row, -1).requires_grad_();
    const rheo::TimeConstant constant{row, 12};
    const auto ours = layer->record(constant), want = layer->record(constant.expand());
    expect_close(ours.mem, want.mem, "mem");
    expect_close(ours.spk, want.spk, "spk");
    expect_close(torch::autograd::grad({ours.mem.sum() + ours.spk.sum()}, {row})[0],
                 torch::autograd::grad({want.mem.sum() + want.spk.sum()}, {row})[0], "gradient");
  }
}

TEST(Scan, EmptyInputs) {
  for (const auto& kind : kinds()) {
    for (const std::int64_t T : {0, 6}) {
      SCOPED_TRACE(c10::str(kind.name, ", T = ", T));
      auto row = kind.row;
      if (T > 0) row[0] = 0;
      const auto layer = kind.make(true, false);
      const auto x = drawn(row, T).requires_grad_();
      const auto rec = layer->record(x);
      const auto loop = kind.loop(x, tensors_of(*layer), {});
      EXPECT_EQ(rec.spk.sizes(), loop.spk.sizes());
      EXPECT_EQ(rec.mem.sizes(), loop.mem.sizes());
      EXPECT_EQ(rec.state[state_name(kind)].sizes(), loop.state.at(state_name(kind)).sizes());
      (rec.spk.sum() + rec.mem.sum()).backward();
      EXPECT_EQ(x.grad().sizes(), x.sizes());
      for (const auto& p : layer->named_parameters()) {
        const auto grad = p.value().grad();
        EXPECT_TRUE(!grad.defined() || grad.eq(0).all().item<bool>()) << p.key();
      }
    }
  }
}

// Whatever decays are and however long it runs; snnTorch divides by their running product.
TEST(Scan, AssociativeLeakyForTwoThousandStepsAtDecayOneHalf) {
  for (const auto type : {torch::kDouble, torch::kFloat}) {
    torch::manual_seed(7);
    const std::int64_t T = 2000, B = 2, in = 3, d = 3, n = 5;
    AssociativeLeaky layer({.in_dim = in, .d_value = d, .d_key = n, .use_q_projection = false});
    {
      const torch::NoGradGuard no_grad;
      auto parameters = layer->named_parameters();
      parameters["to_alpha.weight"].zero_();
      parameters["to_alpha.bias"].zero_();  // the logistic function of 0 is one half
    }
    layer->to(type);
    const torch::NoGradGuard no_grad;
    const auto x = torch::randn({T, B, in}, type);
    const auto rec = layer->record(x);
    const auto p = tensors_of(*layer);
    // Plain doubles.
    const auto project = [&](const std::string& name) {
      return (torch::matmul(x.to(torch::kDouble), p.at(name + ".weight").to(torch::kDouble).t()) +
              p.at(name + ".bias").to(torch::kDouble))
          .contiguous();
    };
    const auto v = project("to_v"), k = project("to_k");
    const auto va = v.accessor<double, 3>();
    const auto ka = k.accessor<double, 3>();
    const auto mem = rec.mem.to(torch::kDouble).contiguous();
    const auto ma = mem.accessor<double, 3>();
    double worst = 0, largest = 0;
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t i = 0; i < d; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double S = 0;
          for (std::int64_t t = 0; t < T; ++t) {
            S = 0.5 * S + va[t][b][i] * ka[t][b][j];
            worst = std::max(worst, std::abs(S - ma[t][b][i * n + j]));
            largest = std::max(largest, std::abs(S));
          }
        }
      }
    }
    EXPECT_LE(worst, (type == torch::kDouble ? 1e-13 : 1e-6) * largest);
    EXPECT_TRUE(rec.spk.eq(rec.mem.gt(1).to(type)).all().item<bool>());
    EXPECT_GT(rec.spk.narrow(0, T - 100, 100).sum().item<double>(), 10);
  }
}

TEST(Scan, SameBitsForAnyNumberOfThreads) {
  const auto threads = torch::get_num_threads();
  for (const auto& kind : kinds()) {
    if (kind.name.find("Linear") != std::string::npos || kind.name.find("Parallel") != std::string::npos ||
        kind.name.find("Associative") != std::string::npos) {
      continue;  // a library's product is inside
    }
    SCOPED_TRACE(kind.name);
    std::vector<std::vector<Tensor>> results;
    for (const int n : {1, 2, 3}) {
      torch::set_num_threads(n);
      const auto layer = kind.make(true, false);
      torch::manual_seed(1);
      const auto x = torch::rand({300, 40, kind.row[1]}, torch::kDouble).requires_grad_();
      const auto rec = layer->record(x);
      (rec.spk.sum() + rec.mem.square().sum()).backward();
      results.push_back(
          {rec.spk.detach(), rec.mem.detach(), x.grad(), layer->named_parameters()["tau"].grad()});
    }
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(results[0][i].equal(results[1][i])) << i;
      EXPECT_TRUE(results[0][i].equal(results[2][i])) << i;
    }
  }
  torch::set_num_threads(threads);
}

// ---- modules -------------------------------------------------------------------------------------------------------

TEST(Scan, CopiesAreIndependentAndSayWhatTheyAre) {
  for (const auto& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto layer = kind.make(true, true);
    const auto x = drawn(kind.row, 9);
    layer->forward(x);
    const auto copy = std::dynamic_pointer_cast<SpikingImpl>(layer->clone());
    ASSERT_NE(copy, nullptr);
    EXPECT_TRUE(copy->forward(x).spk.equal(layer->forward(x).spk));  // the hidden state was copied
    reset(*layer);
    EXPECT_FALSE(copy->hidden().empty());
    for (const auto& item : layer->named_parameters()) {
      const auto theirs = copy->named_parameters()[item.key()];
      EXPECT_TRUE(theirs.equal(item.value()));
      EXPECT_NE(theirs.const_data_ptr(), item.value().const_data_ptr());
      EXPECT_EQ(theirs.requires_grad(), item.value().requires_grad());
    }
    std::ostringstream text;
    text << *layer;
    EXPECT_TRUE(text.str().starts_with(layer->kind() + "(")) << text.str();
    EXPECT_NE(rheo::explain(*layer).find("fused"), std::string::npos);
  }
}

TEST(Scan, InsideSequential) {
  torch::manual_seed(2);
  Sequential net(
      torch::nn::Linear(4, 6), StateLeaky({.beta = 0.7, .channels = 6, .threshold = 0.3}),
      LinearLeaky({.beta = 0.8, .in_features = 6, .out_features = 5, .kernel_truncation_steps = 4}),
      LeakyParallel({.input_size = 5, .hidden_size = 4, .beta = 0.9, .threshold = 0.1}),
      AssociativeLeaky({.in_dim = 4, .d_value = 2, .d_key = 2, .threshold = 0.1}),
      GradedSpikes({.size = 4, .constant_factor = 2}));
  const auto x = torch::randn({11, 3, 4});
  const auto whole = net->forward(x);
  EXPECT_EQ(whole.y.sizes(), at::IntArrayRef({11, 3, 4}));
  const auto a = net->forward(x.narrow(0, 0, 4));
  const auto b = net->forward(x.narrow(0, 4, 7), a.state);
  EXPECT_TRUE(torch::cat({a.y, b.y}).allclose(whole.y, 1e-5, 1e-6));
  EXPECT_EQ(whole.state.names(), (std::vector<std::string>{"1.mem", "2.past", "3.mem", "4.mem"}));
  EXPECT_EQ(net->neuron_names().size(), 4U);
  whole.y.sum().backward();
  const auto copy = std::dynamic_pointer_cast<SequentialImpl>(net->clone());
  EXPECT_TRUE(copy->forward(x).y.equal(whole.y));
}

// What kernels cannot do about spikes is done on the membranes of the kernels.
TEST(Scan, QuantisedStatesAndAUsersSurrogate) {
  rheo::quant::StateQuantOptions levels;
  levels.num_bits = 3;
  const rheo::quant::StateQuant quant(levels);
  const auto mine =
      rheo::surrogate::custom([](const Tensor& u, const Tensor& grad, const Tensor&) { return grad * u; });
  const auto x = torch::rand({15, 2, 5}, torch::kDouble);
  for (const std::int64_t K : {0, 4}) {
    StateLeakyOptions options{.beta = 0.9, .kernel_truncation_steps = K};
    const auto plain = in_double(StateLeaky(options).ptr())->record(x);
    options.state_quant = quant;
    const auto quantised = in_double(StateLeaky(options).ptr());
    const auto rec = quantised->record(x);
    EXPECT_TRUE(rec.mem.equal(quant(plain.mem)));
    EXPECT_TRUE(rec.spk.equal(rec.mem.gt(1).to(torch::kDouble)));
    EXPECT_EQ(quantised->why_not_fused(), "states are quantised");
    options.state_quant = {};
    options.spike_grad = mine;
    const auto input = x.clone().requires_grad_();
    const auto own = in_double(StateLeaky(options).ptr())->record(input);
    const auto decay = std::exp(-0.1);
    const auto grad = torch::autograd::grad({own.spk.sum()}, {input})[0];
    // d spk[t] / d x[t] is U[t] - 1; the last step has no other term.
    EXPECT_TRUE(grad[14].allclose(plain.mem[14] - 1));
    EXPECT_TRUE(grad[13].allclose(plain.mem[13] - 1 + decay * (plain.mem[14] - 1)));
  }
}

TEST(Scan, NarrowTypesAreComputedInFloat) {
  for (const auto type : {torch::kHalf, torch::kBFloat16}) {
    StateLeaky layer({.beta = 0.9});
    const auto x = torch::rand({6, 2, 3}).to(type);
    const auto rec = layer->record(x);
    EXPECT_EQ(rec.spk.scalar_type(), type);
    EXPECT_EQ(rec.state.mem().scalar_type(), type);
    EXPECT_TRUE(rec.mem.equal(layer->record(x.to(torch::kFloat)).mem.to(type)));
    for (const Layer& with_product :
         {Layer(LinearLeaky({.beta = 0.9, .in_features = 3, .out_features = 2}).ptr()),
          Layer(LeakyParallel({.input_size = 3, .hidden_size = 2}).ptr()),
          Layer(AssociativeLeaky({.in_dim = 3, .d_value = 2, .d_key = 2}).ptr())}) {
      SCOPED_TRACE(with_product->kind());
      with_product->to(type);
      EXPECT_EQ(with_product->record(x).mem.scalar_type(), type);
    }
  }
}

// ---- values that are refused ---------------------------------------------------------------------------------------

TEST(Scan, Errors) {
  using rheo::TypeError;
  using rheo::ValueError;
  const auto x = torch::rand({4, 2, 5});
  EXPECT_EQ(error_of<ValueError>([] { StateLeaky layer(StateLeakyOptions{}); }),
            "[StateLeaky] beta must be given");
  EXPECT_EQ(error_of<ValueError>([] { StateLeaky layer({.beta = torch::rand({3}), .channels = 4}); }),
            "[StateLeaky] beta must have shape [], [1] or [channels = 4], got [3]");
  EXPECT_EQ(error_of<ValueError>([] { StateLeaky layer({.beta = 0.9, .kernel_truncation_steps = -1}); }),
            "[StateLeaky] kernel_truncation_steps must not be negative, got -1");
  EXPECT_EQ(error_of<ValueError>([&] { StateLeaky({.beta = torch::rand({3})})->forward(x); }),
            "[StateLeaky] beta must have 1 or 5 elements, got 3");
  EXPECT_EQ(error_of<TypeError>([] { StateLeaky layer({.beta = 0.9, .inhibition = true}); }),
            "[StateLeaky] inhibition must not be given: it would have no effect");
  EXPECT_EQ(
      error_of<TypeError>([] { StateLeaky layer({.beta = 0.9, .reset_mechanism = rheo::Reset::zero}); }),
      "[StateLeaky] reset_mechanism must not be given: it would have no effect");
  EXPECT_EQ(error_of<TypeError>(
                [] { StateLeaky layer({.beta = 0.9, .output = false, .graded_spikes_factor = 2}); }),
            "[StateLeaky] graded_spikes_factor must not be given: it would have no effect");
  EXPECT_EQ(error_of<ValueError>([] { LinearLeaky layer({.beta = 0.9, .in_features = 3}); }),
            "[LinearLeaky] out_features must be positive, got 0");
  EXPECT_EQ(error_of<ValueError>(
                [&] { LinearLeaky({.beta = 0.9, .in_features = 3, .out_features = 2})->forward(x); }),
            "[LinearLeaky] x must have shape [T, ..., in_features = 3], got [4, 2, 5]");
  EXPECT_EQ(error_of<ValueError>(
                [] { LeakyParallel layer({.input_size = 3, .hidden_size = 4, .beta = torch::rand({3})}); }),
            "[LeakyParallel] beta must have 1 or hidden_size = 4 elements, got [3]");
  EXPECT_EQ(error_of<ValueError>([] { AssociativeLeaky layer({.in_dim = 3, .d_value = 2}); }),
            "[AssociativeLeaky] d_key must be positive, got 0");
  EXPECT_EQ(error_of<ValueError>([] {
              AssociativeLeaky layer({.in_dim = 3, .d_value = 2, .d_key = 2, .num_spiking_neurons = 5});
            }),
            "[AssociativeLeaky] num_spiking_neurons must be d_value * d_key = 4, got 5");
  EXPECT_EQ(error_of<ValueError>([] { AssociativeLeaky::from_num_spiking_neurons(3, 8); }),
            "[AssociativeLeaky] num_spiking_neurons must be a perfect square, got 8");
  EXPECT_EQ(AssociativeLeaky::from_num_spiking_neurons(3, 16)->forward(torch::rand({2, 2, 3})).spk.size(2),
            16);
  StateLeaky windowed({.beta = 0.9, .kernel_truncation_steps = 3});
  EXPECT_EQ(error_of<ValueError>([&] { windowed->forward(x, {{"past", torch::zeros({3, 2, 5})}}); }),
            "[StateLeaky] state 'past' must have shape [2, 2, 5], got [3, 2, 5]");
  const auto second = torch::rand({4, 2, 5}).requires_grad_();
  EXPECT_NE(error_of<rheo::RuntimeError>([&] {
              torch::autograd::grad({windowed->record(second).mem.sum()}, {second}, {}, true, true);
            }).find("fused = false"),
            std::string::npos);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* isa = std::getenv("RHEOBASE_ISA");
  try {
    rheo::kernels::chosen_isa();
  } catch (const std::invalid_argument&) {
    std::cout << "skipped: this machine has no " << isa << "\n";
    return 77;
  }
  return RUN_ALL_TESTS();
}
