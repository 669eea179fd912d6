// Checkpoints: everything comes back to the bit, every damage and every mismatch is one clear error.
#include "rheo/train/checkpoint.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>

#include "rheo/io/safetensors.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/train/optimizer_state.hpp"
#include "tests/error_of.hpp"
#include "tests/train/small_run.hpp"

namespace {

namespace fs = std::filesystem;
using rheo::test::error_of;
using rheo::train::Checkpoint;
using rheo::train::load_model;
using rheo::train::read_checkpoint;
using rheo::train::write_checkpoint;
using small_run::bytes_of;
using small_run::Net;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class Checkpoints : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheo_checkpoint_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "run.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  /// A checkpoint of a real run, whose every field is set.
  std::string whole() {
    small_run::SmallRun run({.checkpoint = path_, .about = {{"recipe", "{\"beta\": 0.95}"}}});
    run.fit();
    return bytes_of(path_);
  }

  fs::path folder_, path_;
};

TEST_F(Checkpoints, NumbersComeBackToTheBit) {
  Checkpoint c;
  const double tiny = std::numeric_limits<double>::denorm_min(),
               inf = std::numeric_limits<double>::infinity();
  c.loss_sum = 0.1 + 0.2;
  c.epoch = 2;
  c.batch = 3;
  c.step = 123456789012345;
  c.correct = 17;
  c.samples = 23;
  c.history = {{1, 1.0 / 3, tiny, 1e300, std::nextafter(2.0, 3.0), -0.0}, {2, 5e-4, inf, 0.5}};
  c.best.best = -2.0 / 3;
  c.best.best_epoch = 1;
  c.best.waited = 1;
  c.loader = {std::numeric_limits<std::uint64_t>::max(), 60'000, 128, true, false};
  c.optimizer = {
      "SGD", {{{"lr", 0.1 * 3}, {"momentum", 0.9}}}, {{"0.momentum_buffer", torch::randn({2, 3})}}};
  c.model = {{"0.weight", torch::randn({2, 3}, torch::kDouble)}, {"count", torch::tensor(7)}};
  c.random = torch::arange(20, torch::kByte);
  c.about = {{"recipe", "a = \"b\"\n"}, {"empty", ""}};
  c.environment = rheo::train::environment();
  write_checkpoint(path_, c);
  const Checkpoint back = read_checkpoint(path_);
  EXPECT_EQ(back.loss_sum, c.loss_sum);
  EXPECT_EQ(back.epoch, 2);
  EXPECT_EQ(back.batch, 3);
  EXPECT_EQ(back.step, 123456789012345);
  EXPECT_EQ(back.correct, 17);
  EXPECT_EQ(back.samples, 23);
  EXPECT_EQ(back.history, c.history);
  EXPECT_TRUE(std::signbit(*back.history[0].validation_accuracy));
  EXPECT_FALSE(back.history[1].validation_loss);
  EXPECT_EQ(back.best.best, c.best.best);
  EXPECT_EQ(back.best.best_epoch, 1);
  EXPECT_EQ(back.best.waited, 1);
  EXPECT_EQ(back.loader, c.loader);
  EXPECT_EQ(back.optimizer.kind, "SGD");
  EXPECT_EQ(back.optimizer.groups, c.optimizer.groups);
  EXPECT_EQ(back.about, c.about);
  EXPECT_EQ(back.environment, c.environment);
  ASSERT_EQ(back.model.size(), 2U);
  EXPECT_EQ(back.model[0].first, "0.weight");
  EXPECT_TRUE(torch::equal(back.model[0].second, c.model[0].second));
  EXPECT_EQ(back.model[1].second.item<int64_t>(), 7);
  ASSERT_EQ(back.optimizer.tensors.size(), 1U);
  EXPECT_TRUE(torch::equal(back.optimizer.tensors[0].second, c.optimizer.tensors[0].second));
  EXPECT_TRUE(torch::equal(back.random, c.random));
  c.loss_sum = std::nan("");
  write_checkpoint(path_, c);
  EXPECT_TRUE(std::isnan(read_checkpoint(path_).loss_sum));
}

// The names others read it by.
TEST_F(Checkpoints, IsAFileOfNamedTensors) {
  whole();
  const auto file = rheo::io::read_tensors(path_);
  EXPECT_EQ(file.metadata.at("format"), "rheobase checkpoint");
  EXPECT_EQ(file.metadata.at("version"), "1");
  EXPECT_EQ(file.metadata.at("about.recipe"), "{\"beta\": 0.95}");
  EXPECT_EQ(file.metadata.at("environment.threads"), std::to_string(at::get_num_threads()));
  EXPECT_EQ(file["model.in.weight"].sizes(), (std::vector<int64_t>{16, 6}));
  EXPECT_EQ(file["model.batches"].item<int64_t>(), small_run::epochs * small_run::batches);
  EXPECT_EQ(file["optimizer.3.step"].item<int64_t>(), small_run::epochs * small_run::batches);
  EXPECT_TRUE(file.contains("optimizer.0.max_exp_avg_sq"));
  EXPECT_TRUE(file.contains("random.cpu"));
}

TEST_F(Checkpoints, CutAtManyPlaces) {
  const std::string bytes = whole();
  for (std::size_t i = 0; i < 200; ++i) {
    put(std::string_view(bytes).substr(0, bytes.size() * i / 200));
    const std::string error = error_of<rheo::RuntimeError>([&] { read_checkpoint(path_); });
    ASSERT_TRUE(contains(error, "[read_tensors] " + path_.string() + " is damaged")) << i << ": " << error;
  }
}

TEST_F(Checkpoints, FlippedBytes) {
  const std::string bytes = whole();
  for (std::size_t i = 0; i < 400; ++i) {
    // The header densely, then the data.
    const std::size_t at = i < 200 ? i * 13 : bytes.size() * (i - 200) / 200;
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(~damaged[at]);
    put(damaged);
    const std::string error = error_of<rheo::RuntimeError>([&] { read_checkpoint(path_); });
    ASSERT_TRUE(contains(error, "[read_tensors] " + path_.string() + " is damaged")) << at << ": " << error;
  }
}

TEST_F(Checkpoints, ForeignFiles) {
  const auto error = [&] { return error_of<rheo::RuntimeError>([&] { read_checkpoint(path_); }); };
  const std::string start = "[read_checkpoint] " + path_.string() + " must ";
  EXPECT_EQ(error(), "[read_tensors] cannot read " + path_.string() + ": No such file or directory");
  put("epoch,loss\n1,0.3\n");
  EXPECT_TRUE(contains(error(), "not a safetensors file"));
  rheo::io::write_tensors(path_, {.tensors = {{"w", torch::ones({2})}}});
  EXPECT_EQ(error(), start + "be a checkpoint of Rheobase, got another safetensors file");

  whole();
  const auto good = rheo::io::read_tensors(path_);
  const auto with = [&](const std::string& key, const std::string& value) {
    auto file = good;
    file.metadata[key] = value;
    rheo::io::write_tensors(path_, file);
    return error();
  };
  EXPECT_EQ(with("format", "rheobase network"),
            start + "be a checkpoint of Rheobase, got another safetensors file");
  EXPECT_EQ(with("version", "2"),
            start + "be of format version 1 to be read by Rheobase 0.1.0, got the newer version 2");
  for (const char* version : {"", "one", "1x", "0", "-1", "99999999999999999999"}) {
    EXPECT_EQ(with("version", version), start + "say the version of its format, got '" + version + "'");
  }
  for (const char* state : {"", "{", "[]", "{}", "{\"epoch\": \"three\"}"}) {
    EXPECT_TRUE(contains(with("state", state), start + "hold the state of a training run")) << state;
  }
  std::string negative = good.metadata.at("state");
  negative.replace(negative.find("\"epoch\":3,\"history\""), 9, "\"epoch\":-3");
  EXPECT_TRUE(contains(with("state", negative), "a counter is negative"));
  auto file = good;
  file.tensors.emplace_back("weights.0", torch::ones({1}));
  rheo::io::write_tensors(path_, file);
  EXPECT_EQ(error(), start + "hold model, optimizer and random state, got a tensor 'weights.0'");
}

TEST_F(Checkpoints, AnotherModel) {
  whole();
  const Checkpoint saved = read_checkpoint(path_);
  Net net;
  const auto before = net->in->weight.detach().clone();
  const auto error = [&](torch::nn::Module& module, const Checkpoint& c) {
    return error_of<rheo::ValueError>([&] { load_model(module, c); });
  };
  Net wide(20);
  EXPECT_EQ(error(*wide, saved),
            "[load_model] 'in.weight' must be Float [20, 6] as in the module, got Float [16, 6]");
  Net exact;
  exact->to(torch::kDouble);
  EXPECT_EQ(error(*exact, saved),
            "[load_model] 'in.weight' must be Double [16, 6] as in the module, got Float [16, 6]");
  Checkpoint without = saved;
  std::erase_if(without.model, [](const auto& t) { return t.first == "out.bias"; });
  EXPECT_EQ(error(*net, without),
            "[load_model] 'out.bias' of the module must be in the checkpoint, got none");
  Checkpoint more = saved;
  more.model.emplace_back("third.bias", torch::ones({3}));
  EXPECT_EQ(error(*net, more), "[load_model] 'third.bias' of the checkpoint must be in the module, got none");
  EXPECT_TRUE(torch::equal(net->in->weight, before)) << "nothing is copied on an error";

  load_model(*net, saved);
  EXPECT_FALSE(torch::equal(net->in->weight, before));
  EXPECT_EQ(net->batches.item<int64_t>(), small_run::epochs * small_run::batches);
  EXPECT_TRUE(net->in->weight.requires_grad());
}

TEST_F(Checkpoints, AnotherOptimizer) {
  whole();
  const auto state = read_checkpoint(path_).optimizer;
  Net net;
  const auto error = [&](torch::optim::Optimizer& optimizer, const rheo::train::OptimizerState& s) {
    return error_of<rheo::ValueError>([&] { rheo::train::check_optimizer(optimizer, s); });
  };
  torch::optim::AdamW good(net->parameters());
  EXPECT_EQ(error(good, state), "no error");
  torch::optim::Adam adam(net->parameters());
  EXPECT_EQ(error(adam, state), "[checkpoint] optimizer must be AdamW as in the checkpoint, got Adam");
  torch::optim::AdamW part(std::vector<torch::Tensor>{net->in->weight});
  EXPECT_EQ(error(part, state),
            "[checkpoint] group 0 of the optimizer must have 4 parameters as in the checkpoint, got 1");
  torch::optim::AdamW two(
      std::vector<torch::optim::OptimizerParamGroup>{{net->in->parameters()}, {net->out->parameters()}});
  EXPECT_EQ(error(two, state),
            "[checkpoint] optimizer must have 1 parameter groups as in the checkpoint, got 2");
  Net wide(20);
  torch::optim::AdamW other(wide->parameters());
  EXPECT_TRUE(contains(error(other, state), "must fit a parameter, got shape [16, 6]"));
  auto missing = state;
  std::erase_if(missing.tensors, [](const auto& t) { return t.first == "2.exp_avg"; });
  EXPECT_EQ(error(good, missing),
            "[checkpoint] optimizer state '2.exp_avg' must be in the checkpoint, got none");
  auto stray = state;
  stray.tensors.emplace_back("7.exp_avg", torch::ones({3}));
  EXPECT_EQ(error(good, stray),
            "[checkpoint] optimizer state '7.exp_avg' must fit a parameter, got shape [3]");
}

// Options and state of each kind, through a checkpoint into a new optimiser.
template <class Optimizer, class Options>
void expect_optimizer_round_trip(const Options& options, const Options& others) {
  const auto weights = [] { return torch::linspace(-1, 1, 6).reshape({2, 3}).requires_grad_(); };
  const auto step = [](Optimizer& optimizer, const torch::Tensor& w) {
    w.mutable_grad() = torch::cos(w.detach());
    optimizer.step();
  };
  auto a = weights(), b = weights();
  Optimizer first({a}, options), second({b}, others);
  for (int i = 0; i < 3; ++i) step(first, a);
  {
    const torch::NoGradGuard no_grad;
    b.copy_(a);
  }
  rheo::train::load_optimizer(second, rheo::train::optimizer_state(first));
  for (int i = 0; i < 3; ++i) {
    step(first, a);
    step(second, b);
  }
  EXPECT_TRUE(torch::equal(a, b));
}

TEST_F(Checkpoints, OptimizersGoOnAlike) {
  using torch::optim::AdamOptions, torch::optim::AdamWOptions, torch::optim::SGDOptions;
  expect_optimizer_round_trip<rheo::train::Adam>(
      AdamOptions(0.1).betas({0.8, 0.9}).eps(1e-3).weight_decay(0.1), AdamOptions(0.2));
  expect_optimizer_round_trip<torch::optim::AdamW>(AdamWOptions(0.1).amsgrad(true), AdamWOptions(0.2));
  expect_optimizer_round_trip<rheo::train::SGD>(
      SGDOptions(0.1).momentum(0.9).nesterov(true).weight_decay(0.1), SGDOptions(0.2));
  expect_optimizer_round_trip<torch::optim::SGD>(SGDOptions(0.1).momentum(0.9).dampening(0.5),
                                                 SGDOptions(0.2));
  expect_optimizer_round_trip<rheo::train::SGD>(SGDOptions(0.1), SGDOptions(0.2).momentum(0.5));
}

TEST(Environment, SaysWhatDiffers) {
  const auto present = rheo::train::environment();
  for (const char* name : {"rheobase", "libtorch", "instruction_set", "threads", "product"}) {
    EXPECT_TRUE(present.contains(name)) << name;
  }
  EXPECT_TRUE(rheo::train::differences(present, present).empty());
  EXPECT_EQ(rheo::train::differences({{"threads", "2"}, {"libtorch", "2.13.0"}, {"gone", "x"}},
                                     {{"threads", "1"}, {"libtorch", "2.13.0"}, {"product", "onednn"}}),
            (std::vector<std::string>{"gone: x then, unknown now", "product: unknown then, onednn now",
                                      "threads: 2 then, 1 now"}));
}

}  // namespace
