// The trainer: the plain loop's numbers, interrupted = uninterrupted to the bit, and its errors.
#include "rheo/train/trainer.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"
#include "tests/train/small_run.hpp"

namespace {

namespace fs = std::filesystem;
using rheo::data::Batch;
using rheo::test::error_of;
using rheo::train::Evaluation;
using rheo::train::Metrics;
using rheo::train::Outcome;
using rheo::train::Progress;
using rheo::train::Trainer;
using rheo::train::TrainerOptions;
using small_run::batches;
using small_run::bytes_of;
using small_run::epochs;
using small_run::Net;
using small_run::Points;
using small_run::SmallRun;

class Training : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheo_train_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "run.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  int files() const {
    return static_cast<int>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_, path_;
};

/// True after `count` batches.
std::function<bool()> after(int count) {
  return [count]() mutable { return --count == 0; };
}

// The loop one writes by hand on libtorch: same parameters and same sums, to the bit.
TEST_F(Training, IsThePlainLoop) {
  SmallRun run({});
  ASSERT_EQ(run.fit(), Outcome::finished);

  torch::manual_seed(1);
  Net net;
  rheo::train::AdamW optimizer(net->parameters(), torch::optim::AdamWOptions(0.01).amsgrad(true));
  const auto schedule = rheo::train::Schedule::cosine(0.02, epochs * batches).warm_up(4);
  std::int64_t step = 0;
  for (std::int64_t e = 0; e < epochs; ++e) {
    net->train();
    double loss_sum = 0, correct = 0;
    for (const Batch& batch : run.train.epoch(e)) {
      optimizer.param_groups()[0].options().set_lr(schedule.at(step++));
      optimizer.zero_grad();
      const auto y = net->forward(batch.x);
      const auto loss = torch::cross_entropy_loss(y, batch.y);
      loss.backward();
      torch::nn::utils::clip_grad_norm_(net->parameters(), 1.0);
      optimizer.step();
      loss_sum += loss.item<double>() * static_cast<double>(batch.y.size(0));
      correct += (y.argmax(1) == batch.y).sum().item<double>();
    }
    net->eval();
    const torch::NoGradGuard no_grad;
    double validation_sum = 0;
    for (const Batch& batch : run.validation.epoch(0)) {
      validation_sum += torch::cross_entropy_loss(net->forward(batch.x), batch.y).item<double>() *
                        static_cast<double>(batch.y.size(0));
    }
    const Metrics& m = run.trainer.history().at(static_cast<std::size_t>(e));
    EXPECT_EQ(m.epoch, e + 1);
    EXPECT_EQ(m.learning_rate, schedule.at(step - 1));
    EXPECT_EQ(m.train_loss, loss_sum / 90);
    EXPECT_EQ(m.train_accuracy, correct / 90);
    EXPECT_EQ(m.validation_loss, validation_sum / 30);
  }
  for (const auto& [name, tensor] : rheo::train::model_tensors(*net)) {
    EXPECT_TRUE(torch::equal(tensor, run.net->named_parameters().contains(name)
                                         ? run.net->named_parameters()[name]
                                         : run.net->named_buffers()[name]))
        << name;
  }
  EXPECT_LT(run.trainer.history().back().train_loss, run.trainer.history().front().train_loss);
}

TEST_F(Training, StoppedAndResumedIsUninterrupted) {
  SmallRun whole({.checkpoint = path_});
  ASSERT_EQ(whole.fit(), Outcome::finished);
  const std::string expected = bytes_of(path_), expected_best = bytes_of(folder_ / "run-best.safetensors");
  ASSERT_FALSE(expected.empty());
  ASSERT_FALSE(expected_best.empty());

  // After the first batch, within an epoch, at an epoch's last batch, right after it, and at the very last
  // one.
  for (const int stop_after : {1, 4, 6, 7, 12, 17, 18}) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    {
      SmallRun stopped({.checkpoint = path_, .stop = after(stop_after)});
      ASSERT_EQ(stopped.fit(), Outcome::stopped);
      EXPECT_EQ(stopped.trainer.epoch(), (stop_after - 1) / batches);
    }
    SmallRun resumed({.checkpoint = path_}, /*workers=*/2, /*seed=*/77);
    resumed.trainer.resume(path_);
    torch::rand({3});  // whatever happens before fit
    ASSERT_EQ(resumed.fit(), Outcome::finished);
    EXPECT_TRUE(bytes_of(path_) == expected) << stop_after;
    EXPECT_TRUE(bytes_of(folder_ / "run-best.safetensors") == expected_best) << stop_after;
    EXPECT_EQ(resumed.trainer.history(), whole.trainer.history());
    for (const auto& p : whole.net->named_parameters()) {
      EXPECT_TRUE(torch::equal(p.value(), resumed.net->named_parameters()[p.key()])) << p.key();
    }
  }
}

TEST_F(Training, StoppedAfterEveryBatch) {
  SmallRun whole({});
  ASSERT_EQ(whole.fit(), Outcome::finished);
  for (int i = 0;; ++i) {
    ASSERT_LT(i, 40);
    SmallRun run({.checkpoint = path_, .stop = [] { return true; }}, i % 3,
                 static_cast<std::uint64_t>(i + 1));
    if (fs::exists(path_)) run.trainer.resume(path_);
    if (run.fit() == Outcome::stopped) continue;
    EXPECT_EQ(i, epochs * batches);
    EXPECT_EQ(run.trainer.history(), whole.trainer.history());
    EXPECT_TRUE(torch::equal(run.net->out->weight, whole.net->out->weight));
    break;
  }
}

// A stopped trainer goes on by itself, without a file.
TEST_F(Training, FitAgainGoesOn) {
  SmallRun whole({}), run({.stop = after(8)});
  torch::manual_seed(3);
  ASSERT_EQ(whole.fit(), Outcome::finished);
  torch::manual_seed(3);
  ASSERT_EQ(run.fit(), Outcome::stopped);
  ASSERT_EQ(run.fit(), Outcome::finished);
  EXPECT_EQ(run.trainer.history(), whole.trainer.history());
  ASSERT_EQ(run.fit(), Outcome::finished);  // nothing left to do
  EXPECT_EQ(run.trainer.history().size(), 3U);
  EXPECT_EQ(files(), 0);
}

TEST_F(Training, Callbacks) {
  std::vector<std::string> calls;
  std::vector<Progress> progress;
  SmallRun run({.checkpoint = path_,
                .on_batch = [&](const Progress& p) { progress.push_back(p); },
                .on_epoch = [&](const Metrics& m) { calls.push_back("epoch " + std::to_string(m.epoch)); },
                .on_checkpoint = [&](const fs::path& p) { calls.push_back(p.filename().string()); }});
  run.fit();
  ASSERT_EQ(progress.size(), static_cast<std::size_t>(epochs * batches));
  for (std::size_t i = 0; i < progress.size(); ++i) {
    const Progress& p = progress[i];
    EXPECT_EQ(p.epoch, static_cast<int64_t>(i) / batches + 1);
    EXPECT_EQ(p.batch, static_cast<int64_t>(i) % batches + 1);
    EXPECT_EQ(p.samples, p.batch == batches ? 90 : p.batch * 16);
    EXPECT_EQ(p.learning_rate,
              rheo::train::Schedule::cosine(0.02, 18).warm_up(4).at(static_cast<int64_t>(i)));
    EXPECT_GT(p.samples_per_second, 0);
    EXPECT_GE(p.seconds_left, 0);
    EXPECT_EQ(p.epochs, epochs);
    EXPECT_EQ(p.batches, batches);
  }
  EXPECT_EQ(progress.back().loss, run.trainer.history().back().train_loss);
  EXPECT_EQ(progress.back().accuracy, run.trainer.history().back().train_accuracy);
  ASSERT_GE(calls.size(), 3U);
  EXPECT_EQ(calls[0], "run-best.safetensors");
  EXPECT_EQ(calls[1], "run.safetensors");
  EXPECT_EQ(calls[2], "epoch 1");
  EXPECT_EQ(rheo::train::read_checkpoint(folder_ / "run-best.safetensors").epoch, run.trainer.best_epoch());
}

// What goes by the loss keeps another best than what goes by the accuracy, where they disagree.
TEST_F(Training, BestByLossOrAccuracy) {
  const auto best_epoch = [&](rheo::train::Watch watch) {
    Net net;
    torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.0));
    int epoch = 0;
    const auto objective = [&](const Batch& batch) {
      if (net->is_training()) ++epoch;
      const double loss[] = {3, 2, 1, 2};
      const std::int64_t correct[] = {1, 3, 2, 2};
      const auto value = net->out->weight.sum() * 0 + loss[(epoch - 1) % 4];
      return Evaluation{value, correct[(epoch - 1) % 4], batch.y.size(0)};
    };
    const rheo::data::Loader loader(std::make_shared<Points>(4), small_run::range(0, 4), {.workers = 0});
    Trainer trainer(*net, optimizer, objective, {.epochs = 4, .watch = watch, .checkpoint = path_});
    EXPECT_EQ(trainer.fit(loader, &loader), Outcome::finished);
    EXPECT_EQ(rheo::train::read_checkpoint(folder_ / "run-best.safetensors").epoch, trainer.best_epoch());
    return trainer.best_epoch();
  };
  EXPECT_EQ(best_epoch(rheo::train::Watch::accuracy), 2);
  EXPECT_EQ(best_epoch(rheo::train::Watch::loss), 3);
}

TEST_F(Training, EarlyStop) {
  const auto with_patience = [&] {
    return TrainerOptions{.early_stop = rheo::train::EarlyStop{.patience = 1, .min_delta = 2},
                          .checkpoint = path_};
  };
  SmallRun run(with_patience());  // no accuracy gains 2
  EXPECT_EQ(run.fit(), Outcome::early);
  EXPECT_EQ(run.trainer.history().size(), 2U);
  EXPECT_EQ(run.trainer.best_epoch(), 1);
  const std::string saved = bytes_of(path_);
  SmallRun again(with_patience());
  again.trainer.resume(path_);
  EXPECT_EQ(again.fit(), Outcome::early);
  EXPECT_EQ(again.trainer.history(), run.trainer.history());
  EXPECT_TRUE(bytes_of(path_) == saved);
}

TEST_F(Training, ModesAndGradients) {
  SmallRun run({});
  std::vector<bool> training, with_gradients;
  Net net = run.net;
  const auto objective = [&](const Batch& batch) {
    training.push_back(net->drop->is_training());
    with_gradients.push_back(torch::GradMode::is_enabled());
    return small_run::objective_of(net)(batch);
  };
  Trainer trainer(*net, run.optimizer, objective, {.epochs = 1});
  net->eval();
  trainer.fit(run.train, &run.validation);
  const std::vector<bool> expected{true, true, true, true, true, true, false, false};
  EXPECT_EQ(training, expected);
  EXPECT_EQ(with_gradients, expected);
  EXPECT_FALSE(net->is_training());  // as it was
  net->train();
  const auto a = trainer.evaluate(run.validation), b = trainer.evaluate(run.validation);
  EXPECT_TRUE(net->is_training());
  EXPECT_EQ(a.samples, 30);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.loss, trainer.history().back().validation_loss);
  EXPECT_EQ(a.accuracy, trainer.history().back().validation_accuracy);
}

TEST_F(Training, ClipsValues) {
  Net net;
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(1.0));
  const auto before = net->out->bias.detach().clone();
  const auto objective = [&](const Batch& batch) {
    return Evaluation{100 * net->out->bias.sum() + 0 * net->forward(batch.x).sum(), 0, batch.y.size(0)};
  };
  const rheo::data::Loader loader(std::make_shared<Points>(4), small_run::range(0, 4), {.workers = 0});
  Trainer(*net, optimizer, objective, {.epochs = 1, .clip_value = 0.25}).fit(loader);
  EXPECT_TRUE(torch::equal(net->out->bias, before - 0.25));
}

// ---- errors -----------------------------------------------------------------------------------------------

TEST_F(Training, ALossThatIsNotFinite) {
  SmallRun run({.checkpoint = path_});
  int calls = 0;
  const auto objective = [&](const Batch& batch) {
    auto found = small_run::objective_of(run.net)(batch);
    if (run.net->is_training() && ++calls == 9)
      found.loss = found.loss * std::numeric_limits<double>::infinity();
    return found;
  };
  Trainer trainer(*run.net, run.optimizer, objective,
                  {.epochs = 3, .schedule = rheo::train::Schedule::constant(0.0125), .checkpoint = path_});
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { trainer.fit(run.train); }),
            "[Trainer] loss must stay finite, got inf in epoch 2, batch 3, at learning rate 0.0125");
  EXPECT_EQ(rheo::train::read_checkpoint(path_).epoch, 1);
  EXPECT_TRUE(torch::isfinite(run.net->out->weight).all().item<bool>());
}

// The last batch's gradient spoils the parameters: no loss has shown it yet, and no checkpoint may keep it.
TEST_F(Training, AParameterThatIsNotFinite) {
  SmallRun run({});
  int calls = 0;
  const auto objective = [&](const Batch& batch) {
    auto found = small_run::objective_of(run.net)(batch);
    if (++calls == 2 * batches) found.loss = found.loss + torch::sqrt(0 * run.net->out->bias).sum();
    return found;
  };
  Trainer trainer(*run.net, run.optimizer, objective, {.epochs = 3, .checkpoint = path_});
  const std::string error = error_of<rheo::RuntimeError>([&] { trainer.fit(run.train); });
  EXPECT_EQ(error,
            "[Trainer] parameter 'out.bias' must stay finite, got NaN or infinity after epoch 2, at learning "
            "rate 0.01");
  EXPECT_EQ(rheo::train::read_checkpoint(path_).epoch, 1);
}

TEST_F(Training, AnotherLoader) {
  SmallRun run({.checkpoint = path_, .stop = after(2)});
  run.fit();
  const auto error = [&](std::int64_t samples, rheo::data::LoaderOptions options) {
    SmallRun resumed({});
    resumed.trainer.resume(path_);
    options.workers = 0;
    const rheo::data::Loader loader(std::make_shared<Points>(120), small_run::range(0, samples), options);
    return error_of<rheo::ValueError>([&] { resumed.trainer.fit(loader); });
  };
  const std::string start = "[Trainer] ", rule = " of the training loader must be as in the checkpoint, ";
  EXPECT_EQ(error(90, {.batch_size = 16, .seed = 8}), start + "seed" + rule + "9, got 8");
  EXPECT_EQ(error(90, {.batch_size = 15, .seed = 9}), start + "batch_size" + rule + "16, got 15");
  EXPECT_EQ(error(91, {.batch_size = 16, .seed = 9}), start + "samples" + rule + "90, got 91");
  EXPECT_EQ(error(90, {.batch_size = 16, .shuffle = false, .seed = 9}),
            start + "shuffle" + rule + "1, got 0");
}

TEST_F(Training, OptionsAndObjectives) {
  SmallRun run({});
  const auto objective = small_run::objective_of(run.net);
  const auto error = [&](const TrainerOptions& options) {
    return error_of<rheo::ValueError>([&] { Trainer(*run.net, run.optimizer, objective, options); });
  };
  EXPECT_EQ(error({.epochs = -1}), "[Trainer] epochs must be 0 or more, got -1");
  EXPECT_EQ(error({.clip_norm = -0.5}), "[Trainer] clip_norm must be 0 or more, got -0.5");
  EXPECT_EQ(error({.clip_value = std::nan("")}), "[Trainer] clip_value must be 0 or more, got nan");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { Trainer(*run.net, run.optimizer, nullptr); }),
            "[Trainer] objective must be a function, got none");
  torch::optim::RMSprop other(run.net->parameters());
  EXPECT_EQ(error_of<rheo::TypeError>([&] { Trainer(*run.net, other, objective, {.checkpoint = path_}); }),
            "[Trainer] optimizer must be Adam, AdamW or SGD to be kept in a checkpoint, got another kind");
  EXPECT_EQ(Trainer(*run.net, other, objective, {.epochs = 1}).fit(run.train), Outcome::finished);

  Trainer nothing(*run.net, run.optimizer, [](const Batch&) { return Evaluation{}; });
  EXPECT_EQ(error_of<rheo::ValueError>([&] { nothing.fit(run.train); }),
            "[Trainer] loss of the objective must be a scalar tensor, got an undefined one");
  Trainer vector(*run.net, run.optimizer, [](const Batch& b) { return Evaluation{b.x, 0, 1}; });
  EXPECT_EQ(error_of<rheo::ValueError>([&] { vector.evaluate(run.train); }),
            "[Trainer] loss of the objective must be a scalar tensor, got 96 elements");
  const rheo::data::Loader empty(std::make_shared<Points>(3), {}, {.workers = 0});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { run.trainer.fit(empty); }),
            "[Trainer] samples of the training loader must be 1 or more, got 0");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { run.trainer.evaluate(empty); }),
            "[Trainer] samples of a loader to evaluate must be 1 or more, got 0");
}

}  // namespace
