#include "app/train/session.hpp"

#include "app/exit_code.hpp"
#include "rheo/io/write_file.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/plot/figure.hpp"
#include "rheo/train/optim.hpp"
#include "rheo/train/schedule.hpp"
#include "rheo/train/trainer.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace fs = std::filesystem;

namespace rheo::app::train {
namespace {

constexpr std::size_t most_watched = 250;  // samples whose recordings are kept in memory at once

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const Recipe& recipe, const nn::Sequential& net) {
  const auto parameters = net->parameters();
  if (recipe.optimizer == "sgd") {
    return std::make_unique<rheo::train::SGD>(
        parameters,
        torch::optim::SGDOptions(recipe.lr).weight_decay(recipe.weight_decay).momentum(recipe.momentum));
  }
  if (recipe.optimizer == "adamw") {
    return std::make_unique<rheo::train::AdamW>(
        parameters, torch::optim::AdamWOptions(recipe.lr).weight_decay(recipe.weight_decay));
  }
  return std::make_unique<rheo::train::Adam>(
      parameters, torch::optim::AdamOptions(recipe.lr).weight_decay(recipe.weight_decay));
}

rheo::train::Schedule make_schedule(const Recipe& recipe, std::int64_t batches) {
  using rheo::train::Schedule;
  const std::int64_t steps = recipe.epochs * batches;
  Schedule schedule = Schedule::constant(recipe.lr);
  if (recipe.schedule == "cosine") schedule = Schedule::cosine(recipe.lr, steps, recipe.min_lr);
  if (recipe.schedule == "one_cycle") schedule = Schedule::one_cycle(recipe.lr, steps);
  if (recipe.schedule == "step")
    schedule = Schedule::step(recipe.lr, recipe.step_every * batches, recipe.step_gamma);
  return recipe.warm_up > 0 ? schedule.warm_up(recipe.warm_up * batches) : schedule;
}

/// As a shell takes it.
std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("/._-+=,:").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// In double quotes, as TOML has it.
std::string toml_word(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

Session::Session(const Request& request, Note note)
    : note_(std::move(note)), out_(request.out), recipe_(request.recipe), data_folder_(request.data) {
  int threads = request.threads;
  if (const int before = request.resume ? take_up(request) : 0; threads == 0) threads = before;
  if (!request.force && !request.resume && is_there(out_ / file_name::checkpoint)) {
    throw UsageError("--out \"" + out_.string() +
                     "\" holds a run: --resume goes on with it, --force begins anew");
  }
  set_threads(threads);

  data_ = open_data(recipe_, data_folder_);
  if (!data_.where.empty()) data_folder_ = fs::absolute(data_.where).string();
  if (saved_) {
    const auto& about = saved_->checkpoint.about;
    const auto then = about.find("data");
    if (then != about.end() && then->second != data_.identity) {
      throw UsageError("the run in \"" + out_.string() + "\" learned from other data: " + then->second +
                       " then, " + data_.identity + " now");
    }
  }
  net_ = build(recipe_);
  optimizer_ = make_optimizer(recipe_, net_);

  output_.emplace("--out", out_, request.force || request.resume);
  if (!saved_) clear_run(out_);
  io::write_file(out_ / file_name::config,
                 to_toml(recipe_) + "\nthreads = " + std::to_string(at::get_num_threads()) +
                     "\ndevice = \"cpu\"\n" +
                     (data_folder_.empty() ? "" : "data = " + toml_word(data_folder_) + "\n"));
  describe();
}

int Session::take_up(const Request& request) {
  const fs::path config = out_ / file_name::config;
  if (!is_there(out_ / file_name::checkpoint) && is_there(config)) {
    note_("nothing was saved yet in " + out_.string() + ": beginning anew");
    const Request before = request_in(config);
    recipe_ = before.recipe;
    if (data_folder_.empty()) data_folder_ = before.data;
    merge_given(recipe_, request.given, {}, out_);
    return before.threads;
  }
  saved_ = open_run(out_);
  if (saved_->recipe.task != request.recipe.task) {
    throw UsageError("the run in \"" + out_.string() + "\" is of the task " + saved_->recipe.task + ", not " +
                     request.recipe.task);
  }
  recipe_ = saved_->recipe;
  merge_given(recipe_, request.given, saved_->checkpoint, out_);
  if (data_folder_.empty()) data_folder_ = saved_->data;
  const auto& then = saved_->checkpoint.environment;
  const auto threads = then.find("threads");
  return threads == then.end() ? 0 : std::atoi(threads->second.c_str());
}

void Session::describe() const {
  if (!data_.note.empty()) note_(data_.note);
  note_(recipe_.task + ", recipe " + recipe_.recipe + ": network " + net_name(recipe_) + ", " +
        std::to_string(recipe_.steps) + " steps; " + data_.identity.substr(data_.identity.find(':') + 2) +
        "; " + std::to_string(at::get_num_threads()) + (at::get_num_threads() == 1 ? " thread" : " threads"));
  if (!saved_) return;
  for (const std::string& line :
       rheo::train::differences(saved_->checkpoint.environment, rheo::train::environment())) {
    note_("not as it was, so that the last bits may differ: " + line);
  }
  const auto& at = saved_->checkpoint;
  if (at.epoch >= recipe_.epochs) {
    note_("all " + std::to_string(at.epoch) + " epochs are done: only the results are made again");
    return;
  }
  note_("going on after epoch " + std::to_string(at.epoch) +
        (at.batch > 0 ? " and " + std::to_string(at.batch) + " batches" : "") + " of " +
        std::to_string(recipe_.epochs) + " epochs");
}

int Session::learn(ProgressDisplay& display) {
  data::Loader learned = training_loader(data_, recipe_);
  std::optional<data::Loader> validated;
  if (!data_.split.validation.empty()) validated = loader_of(data_, data_.split.validation);

  const StopRequest stop;
  using Clock = std::chrono::steady_clock;
  Clock::time_point began = Clock::now();
  Timing timing(out_ / file_name::timing, saved_ ? saved_->checkpoint.epoch + 1 : 1);
  rheo::train::Trainer* running = nullptr;
  rheo::train::Progress last;

  rheo::train::TrainerOptions options{.epochs = recipe_.epochs,
                                      .schedule = make_schedule(recipe_, learned.batches()),
                                      .clip_norm = recipe_.clip_norm,
                                      .checkpoint = out_ / file_name::checkpoint};
  if (recipe_.patience > 0) options.early_stop = rheo::train::EarlyStop{.patience = recipe_.patience};
  options.about = {{"recipe", to_json(recipe_)}, {"data", data_.identity}, {"data_folder", data_folder_}};
  options.on_batch = [&](const rheo::train::Progress& progress) {
    last = progress;
    display.batch(progress);
  };
  options.on_epoch = [&](const rheo::train::Metrics& metrics) {
    display.epoch(metrics);
    io::write_file(out_ / file_name::metrics, metrics_csv(running->history()));
    const auto now = Clock::now();
    timing.add(metrics.epoch, std::chrono::duration<double>(now - began).count(), last.samples_per_second);
    began = now;
  };
  options.stop = [&stop] { return stop.signal() != 0; };

  rheo::train::Trainer trainer(
      *net_, *optimizer_,
      [this](const data::Batch& batch) {
        const Answer answer = ask(net_, recipe_, batch);
        return rheo::train::Evaluation{.loss = answer.loss,
                                       .correct = answer.prediction.eq(batch.y).sum().item<std::int64_t>(),
                                       .samples = batch.y.size(0)};
      },
      options);
  running = &trainer;
  if (saved_) trainer.resume(saved_->file);
  const auto outcome = trainer.fit(learned, validated ? &*validated : nullptr);
  display.clear();
  history_ = trainer.history();
  if (outcome == rheo::train::Outcome::early) {
    note_("stopped early: nothing has become better for " + std::to_string(recipe_.patience) + " epochs");
  }
  if (stop.signal() == 0) return 0;
  const bool within = outcome == rheo::train::Outcome::stopped && last.batch > 0 && last.batch < last.batches;
  note_("stopped after " +
        (within ? "batch " + std::to_string(last.batch) + " of " + std::to_string(last.batches) +
                      " of epoch " + std::to_string(last.epoch)
                : "epoch " + std::to_string(history_.size())) +
        "; saved in " + (out_ / file_name::checkpoint).string());
  return stop.signal();
}

std::string Session::how_to_go_on() const {
  return "rheobase train " + recipe_.task + " --out " + shell_word(out_.string()) + " --resume";
}

RunReport Session::judge() {
  RunReport report{.recipe = recipe_, .history = history_, .part = judged_part(recipe_)};
  const auto& indices = part_of(data_, report.part);
  report.answers = ask_all(net_, recipe_, *data_.set, indices);
  const std::span<const std::int64_t> first(indices.data(), std::min(indices.size(), most_watched));
  const data::Batch batch = data_.set->batch(first);
  const Watched watched = watch(net_, recipe_, batch);
  report.firing = firing_of(watched.recording, recipe_);
  report.watched = static_cast<std::int64_t>(first.size());
  report.sample = sample_of(watched, batch, recipe_, 0);
  report.layers = layers_of(net_, recipe_);
  report.environment = rheo::train::environment();
  report.data = data_.identity + (data_.where.empty() ? "" : ", from " + data_.where);
  report.again = "rheobase train --config " + shell_word((out_ / file_name::config).string()) +
                 " --out again\n" + "rheobase predict " + shell_word(out_.string()) + " --confusion";
  report.version = version();
  return report;
}

void Session::write(const RunReport& report) {
  Figures figures;
  try {
    figures = draw(report);
  } catch (const plot::Error& error) {
    note_(std::string("no figures: ") + error.what());
  }
  for (const auto& [name, svg] : figures) io::write_file(out_ / (name + ".svg"), svg);
  io::write_file(out_ / file_name::metrics, metrics_csv(report.history));
  io::write_file(out_ / file_name::result, result_json(report));
  io::write_file(out_ / file_name::page, page(report, figures));
}

}  // namespace rheo::app::train
