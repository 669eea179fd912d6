// A training run that takes milliseconds and uses everything whose state a checkpoint must keep: dropout, a
// buffer, shuffling, momentum, a schedule, validation.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "rheo/data/loader.hpp"
#include "rheo/train/optim.hpp"
#include "rheo/train/trainer.hpp"

namespace small_run {

/// Points around three centres.
class Points : public rheo::data::Dataset {
 public:
  explicit Points(std::int64_t size) {
    auto generator = at::detail::createCPUGenerator(5);  // libtorch's own is the network's
    y_ = torch::randint(3, {size}, generator, torch::kLong);
    x_ = torch::randn({size, 6}, generator) + torch::randn({3, 6}, generator).index_select(0, y_);
  }
  std::int64_t size() const override { return y_.size(0); }
  std::int64_t classes() const override { return 3; }
  std::vector<std::int64_t> sample_shape() const override { return {6}; }
  bool is_sequence() const override { return false; }
  rheo::data::Batch batch(std::span<const std::int64_t> indices) const override {
    const auto which = torch::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()));
    return {x_.index_select(0, which), y_.index_select(0, which), {indices.begin(), indices.end()}};
  }

 private:
  torch::Tensor x_, y_;
};

struct NetImpl : torch::nn::Module {
  explicit NetImpl(std::int64_t hidden = 16)
      : in(register_module("in", torch::nn::Linear(6, hidden))),
        drop(register_module("drop", torch::nn::Dropout(0.3))),
        out(register_module("out", torch::nn::Linear(hidden, 3))),
        batches(register_buffer("batches", torch::zeros({}, torch::kLong))) {}
  torch::Tensor forward(const torch::Tensor& x) {
    if (is_training()) batches += 1;
    return out(drop(torch::tanh(in(x))));
  }
  torch::nn::Linear in;
  torch::nn::Dropout drop;
  torch::nn::Linear out;
  torch::Tensor batches;
};
TORCH_MODULE(Net);

inline rheo::train::Objective objective_of(Net net) {
  return [net](const rheo::data::Batch& batch) mutable {
    const auto y = net->forward(batch.x);
    return rheo::train::Evaluation{torch::cross_entropy_loss(y, batch.y),
                                   (y.argmax(1) == batch.y).sum().item<std::int64_t>(), batch.y.size(0)};
  };
}

inline std::vector<std::int64_t> range(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(to - from));
  std::iota(out.begin(), out.end(), from);
  return out;
}

inline constexpr std::int64_t epochs = 3, batches = 6;  // 90 samples in batches of 16, the last of 10

/// Everything a run consists of. `seed` is of the first parameters and the dropout, for runs that start
/// afresh.
struct SmallRun {
  Net net;
  rheo::train::AdamW optimizer;
  rheo::data::Loader train, validation;
  rheo::train::Trainer trainer;

  static rheo::train::TrainerOptions with_defaults(rheo::train::TrainerOptions options) {
    options.epochs = epochs;
    options.schedule = rheo::train::Schedule::cosine(0.02, epochs * batches).warm_up(4);
    options.clip_norm = 1;
    return options;
  }

  explicit SmallRun(rheo::train::TrainerOptions options, int workers = 0, std::uint64_t seed = 1)
      : net((torch::manual_seed(seed), Net())),
        optimizer(net->parameters(), torch::optim::AdamWOptions(0.01).amsgrad(true)),
        train(std::make_shared<Points>(120), range(0, 90), {.batch_size = 16, .seed = 9, .workers = workers}),
        validation(std::make_shared<Points>(120), range(90, 120),
                   {.batch_size = 16, .shuffle = false, .workers = 0}),
        trainer(*net, optimizer, objective_of(net), with_defaults(std::move(options))) {}
  SmallRun(const SmallRun&) = delete;  // the trainer refers to the rest

  rheo::train::Outcome fit() { return trainer.fit(train, &validation); }
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace small_run
