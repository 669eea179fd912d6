#include "rheo/train/trainer.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <torch/nn/utils/clip_grad.h>

#include <cmath>
#include <cstdio>
#include <mutex>
#include <utility>

#include "rheo/ops/error.hpp"
#include "rheo/train/detail/clock.hpp"
#include "rheo/train/optimizer_state.hpp"

namespace rheo::train {
namespace {

namespace fs = std::filesystem;

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

void require(bool good, const char* name, const char* rule, double got) {
  if (!good) throw ValueError(std::string("[Trainer] ") + name + " must be " + rule + ", got " + text(got));
}

at::Tensor random_state() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  return generator.get_state();
}

void set_random_state(const at::Tensor& state) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  try {
    generator.set_state(state);
  } catch (const c10::Error&) {
    throw RuntimeError(
        "[Trainer] random.cpu of the checkpoint must be the state of a generator, got something else");
  }
}

LoaderState describe(const data::Loader& loader) {
  const data::LoaderOptions& options = loader.options();
  return {options.seed, loader.samples(), options.batch_size, options.shuffle, options.drop_last};
}

void check_loss(const Evaluation& found) {
  if (!found.loss.defined() || found.loss.numel() != 1) {
    throw ValueError("[Trainer] loss of the objective must be a scalar tensor, got " +
                     (found.loss.defined() ? std::to_string(found.loss.numel()) + " elements"
                                           : std::string("an undefined one")));
  }
}

std::int64_t samples_of(const Evaluation& found, const data::Batch& batch) {
  return found.samples > 0 ? found.samples : static_cast<std::int64_t>(batch.indices.size());
}

/// The module in a mode, and back.
class Mode {
 public:
  Mode(torch::nn::Module& module, bool train) : module_(module), before_(module.is_training()) {
    module.train(train);
  }
  ~Mode() { module_.train(before_); }
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;

 private:
  torch::nn::Module& module_;
  bool before_;
};

/// run.safetensors -> run-best.safetensors
fs::path best_path(const fs::path& path) {
  fs::path best = path;
  best.replace_filename(path.stem().string() + "-best" + path.extension().string());
  return best;
}

}  // namespace

Trainer::Trainer(torch::nn::Module& module, torch::optim::Optimizer& optimizer, Objective objective,
                 TrainerOptions options)
    : module_(module), optimizer_(optimizer), objective_(std::move(objective)), options_(std::move(options)) {
  require(options_.epochs >= 0, "epochs", "0 or more", static_cast<double>(options_.epochs));
  require(options_.clip_norm >= 0, "clip_norm", "0 or more", options_.clip_norm);
  require(options_.clip_value >= 0, "clip_value", "0 or more", options_.clip_value);
  if (!objective_) throw ValueError("[Trainer] objective must be a function, got none");
  if (!options_.checkpoint.empty() && optimizer_kind(optimizer_).empty()) {
    throw TypeError(
        "[Trainer] optimizer must be Adam, AdamW or SGD to be kept in a checkpoint, got another kind");
  }
  if (options_.early_stop) at_.best = *options_.early_stop;
}

void Trainer::resume(const fs::path& checkpoint) {
  Checkpoint saved = read_checkpoint(checkpoint);
  check_optimizer(optimizer_, saved.optimizer);
  load_model(module_, saved);
  load_optimizer(optimizer_, saved.optimizer);
  saved.model.clear();
  saved.optimizer = {};
  const EarlyStop wanted = options_.early_stop.value_or(EarlyStop{});
  saved.best.patience = wanted.patience;
  saved.best.min_delta = wanted.min_delta;
  at_ = std::move(saved);
  resumed_ = true;
}

Outcome Trainer::fit(const data::Loader& train, const data::Loader* validation) {
  check_loader(train);
  if (at_.random.defined()) set_random_state(std::exchange(at_.random, {}));
  Clock clock;
  const Mode mode(module_, true);
  while (at_.epoch < options_.epochs) {
    if (options_.early_stop && at_.best.exhausted()) return Outcome::early;
    if (!train_epoch(train, validation, clock)) return Outcome::stopped;
    finish_epoch(validation, clock);
  }
  return Outcome::finished;
}

void Trainer::check_loader(const data::Loader& train) {
  require(train.samples() > 0, "samples of the training loader", "1 or more", 0);
  const LoaderState present = describe(train);
  const LoaderState& saved = at_.loader;
  if (resumed_) {
    const auto same = [](const char* name, auto then, auto now) {
      if (then == now) return;
      throw ValueError(std::string("[Trainer] ") + name +
                       " of the training loader must be as in the checkpoint, " + std::to_string(then) +
                       ", got " + std::to_string(now));
    };
    same("seed", saved.seed, present.seed);
    same("batch_size", saved.batch_size, present.batch_size);
    same("samples", saved.samples, present.samples);
    same("shuffle", saved.shuffle, present.shuffle);
    same("drop_last", saved.drop_last, present.drop_last);
  }
  at_.loader = present;
}

bool Trainer::train_epoch(const data::Loader& train, const data::Loader* validation, Clock& clock) {
  const std::int64_t batches = train.batches();
  if (at_.batch >= batches) return true;  // stopped after the last batch
  auto epoch = train.epoch(at_.epoch, at_.batch);
  clock.start();
  for (data::Batch& batch : epoch) {
    const std::int64_t before = at_.samples;
    const double learning_rate = train_batch(batch);
    clock.batch_done(at_.samples - before);
    if (options_.on_batch) {
      const double done = static_cast<double>(at_.samples);
      const auto epochs_left = static_cast<double>(options_.epochs - at_.epoch);
      const double samples_left = epochs_left * static_cast<double>(train.samples()) - done;
      const double validations_left = validation == nullptr ? 0 : epochs_left * clock.validation_seconds();
      options_.on_batch({.epoch = at_.epoch + 1,
                         .epochs = options_.epochs,
                         .batch = at_.batch,
                         .batches = batches,
                         .samples = at_.samples,
                         .loss = at_.loss_sum / done,
                         .accuracy = static_cast<double>(at_.correct) / done,
                         .learning_rate = learning_rate,
                         .samples_per_second = clock.samples_per_second(),
                         .seconds_left = samples_left / clock.samples_per_second() + validations_left});
    }
    if (options_.stop && options_.stop()) {
      save(false);
      return false;
    }
  }
  return true;
}

double Trainer::train_batch(const data::Batch& batch) {
  if (options_.schedule) {
    for (auto& group : optimizer_.param_groups()) group.options().set_lr(options_.schedule->at(at_.step));
  }
  const double learning_rate = optimizer_.param_groups().front().options().get_lr();
  optimizer_.zero_grad(/*set_to_none=*/true);
  const Evaluation found = objective_(batch);
  check_loss(found);
  const double loss = found.loss.item().toDouble();
  if (!std::isfinite(loss)) {
    throw RuntimeError("[Trainer] loss must stay finite, got " + text(loss) + " in epoch " +
                       std::to_string(at_.epoch + 1) + ", batch " + std::to_string(at_.batch + 1) +
                       ", at learning rate " + text(learning_rate));
  }
  found.loss.backward();
  if (options_.clip_value > 0 || options_.clip_norm > 0) {
    std::vector<at::Tensor> params;
    for (const auto& group : optimizer_.param_groups()) {
      params.insert(params.end(), group.params().begin(), group.params().end());
    }
    if (options_.clip_value > 0) torch::nn::utils::clip_grad_value_(params, options_.clip_value);
    if (options_.clip_norm > 0) torch::nn::utils::clip_grad_norm_(params, options_.clip_norm);
  }
  optimizer_.step();
  const std::int64_t samples = samples_of(found, batch);
  at_.loss_sum += loss * static_cast<double>(samples);
  at_.correct += found.correct;
  at_.samples += samples;
  ++at_.batch;
  ++at_.step;
  return learning_rate;
}

void Trainer::finish_epoch(const data::Loader* validation, Clock& clock) {
  check_finite();
  const double samples = static_cast<double>(at_.samples);
  Metrics metrics{.epoch = at_.epoch + 1,
                  .learning_rate = optimizer_.param_groups().front().options().get_lr(),
                  .train_loss = at_.loss_sum / samples,
                  .train_accuracy = static_cast<double>(at_.correct) / samples};
  double loss = metrics.train_loss, accuracy = metrics.train_accuracy;
  if (validation != nullptr) {
    clock.start();
    const Score score = evaluate(*validation);
    clock.validation_done();
    metrics.validation_loss = loss = score.loss;
    metrics.validation_accuracy = accuracy = score.accuracy;
  }
  const bool best = at_.best.update(metrics.epoch, options_.watch == Watch::loss ? loss : -accuracy);
  at_.history.push_back(metrics);
  ++at_.epoch;
  at_.batch = 0;
  at_.loss_sum = 0;
  at_.correct = 0;
  at_.samples = 0;
  save(best && validation != nullptr);
  if (options_.on_epoch) options_.on_epoch(metrics);
}

Score Trainer::evaluate(const data::Loader& loader) {
  const Mode mode(module_, false);
  const at::NoGradGuard no_grad;
  Score score;
  double loss_sum = 0;
  std::int64_t correct = 0;
  auto epoch = loader.epoch(0);
  for (const data::Batch& batch : epoch) {
    const Evaluation found = objective_(batch);
    check_loss(found);
    const std::int64_t samples = samples_of(found, batch);
    loss_sum += found.loss.item().toDouble() * static_cast<double>(samples);
    correct += found.correct;
    score.samples += samples;
  }
  require(score.samples > 0, "samples of a loader to evaluate", "1 or more", 0);
  score.loss = loss_sum / static_cast<double>(score.samples);
  score.accuracy = static_cast<double>(correct) / static_cast<double>(score.samples);
  return score;
}

// The loss before the last step says nothing of the parameters after it.
void Trainer::check_finite() const {
  for (const auto& item : module_.named_parameters()) {
    if (!item.value().requires_grad() || at::isfinite(item.value().detach()).all().item().toBool()) continue;
    throw RuntimeError("[Trainer] parameter '" + item.key() +
                       "' must stay finite, got NaN or infinity after epoch " +
                       std::to_string(at_.epoch + 1) + ", at learning rate " +
                       text(optimizer_.param_groups().front().options().get_lr()));
  }
}

// The best one first: killed between the two, the run repeats the epoch and writes both.
void Trainer::save(bool best) {
  if (options_.checkpoint.empty()) return;
  Checkpoint now = at_;
  now.model = model_tensors(module_);
  now.optimizer = optimizer_state(optimizer_);
  now.random = random_state();
  for (const auto& [key, value] : options_.about) now.about[key] = value;
  now.environment = environment();
  if (best) write_checkpoint(best_path(options_.checkpoint), now);
  write_checkpoint(options_.checkpoint, now);
  if (options_.on_checkpoint) {
    if (best) options_.on_checkpoint(best_path(options_.checkpoint));
    options_.on_checkpoint(options_.checkpoint);
  }
}

}  // namespace rheo::train
