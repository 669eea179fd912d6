#include "app/train/run.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/io/write_file.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>

namespace fs = std::filesystem;

namespace rheo::app::train {
namespace {

constexpr std::string_view timing_header = "epoch,seconds,samples_per_second\n";

std::string in_quotes(const fs::path& path) { return "\"" + path.string() + "\""; }

bool rate_depends_on_epochs(const Recipe& recipe) {
  return recipe.schedule == "cosine" || recipe.schedule == "one_cycle";
}

}  // namespace

SavedRun open_run(const fs::path& run) {
  std::error_code error;
  fs::path file = run;
  if (fs::is_directory(run, error)) {
    file = run / file_name::checkpoint;
    if (!fs::exists(file, error)) {
      throw Failure(in_quotes(run) + " holds no " + std::string(file_name::checkpoint) +
                    ": rheobase train makes one after each epoch");
    }
  } else if (!fs::exists(run, error)) {
    throw Failure("there is no run " + in_quotes(run) + ": it is the folder that rheobase train --out names");
  }
  SavedRun saved{.file = file, .checkpoint = rheo::train::read_checkpoint(file), .recipe = {}, .data = {}};
  const auto& about = saved.checkpoint.about;
  const auto recipe = about.find("recipe");
  if (recipe == about.end()) throw Failure(in_quotes(file) + " holds no recipe of rheobase train");
  saved.recipe = recipe_from_json(recipe->second, file.string());
  if (const auto data = about.find("data_folder"); data != about.end()) saved.data = data->second;
  return saved;
}

nn::Sequential network_of(const SavedRun& saved) {
  nn::Sequential net = build(saved.recipe);
  rheo::train::load_model(*net, saved.checkpoint);
  net->eval();
  return net;
}

Request request_in(const fs::path& config) { return read_request({.config = config.string()}); }

void clear_run(const fs::path& folder) {
  using namespace file_name;
  std::error_code error;
  for (const std::string_view name : {checkpoint, best, metrics, timing, config, result, page}) {
    fs::remove(folder / name, error);
  }
  for (const char* figure : {"accuracy.svg", "firing.svg", "loss.svg", "raster.svg"}) {
    fs::remove(folder / figure, error);
  }
}

void merge_given(Recipe& recipe, const std::vector<GivenField>& given, const rheo::train::Checkpoint& at,
                 const fs::path& folder) {
  for (const GivenField& field : given) {
    FieldValue then = recipe.recipe;
    Recipe changed = recipe;
    if (field.name != "recipe") {
      set_field(changed, field.where, field.name, field.value);
      const Field& known = find_field(recipe.task, field.where, field.name);
      then = get_field(recipe, known);
      if (then == get_field(changed, known)) continue;
    } else if (std::get<std::string>(field.value) == recipe.recipe) {
      continue;
    }
    const std::string what = field.where.ends_with(field.name) ? field.where : field.where + " " + field.name;
    if (field.name != "epochs") {
      throw UsageError("the run in " + in_quotes(folder) + " has " + field.name + " = " + to_text(then) +
                       ", not " + to_text(field.value) + " as " + what +
                       " says; a run goes on as it began, others go into another --out");
    }
    if (rate_depends_on_epochs(recipe)) {
      throw UsageError(what + " " + to_text(field.value) +
                       " cannot be had: the learning rate of the run in " + in_quotes(folder) +
                       " follows a " + recipe.schedule + " over its " + std::to_string(recipe.epochs) +
                       " epochs");
    }
    if (changed.epochs < at.epoch) {
      throw UsageError(what + " " + to_text(field.value) + " is less than the " + std::to_string(at.epoch) +
                       " epochs that the run in " + in_quotes(folder) + " has");
    }
    recipe = changed;
  }
  check(recipe);
}

Timing::Timing(fs::path file, std::int64_t first) : file_(std::move(file)), text_(timing_header) {
  std::ifstream old(file_);
  std::string line;
  std::getline(old, line);
  while (first > 1 && std::getline(old, line)) {
    if (std::atoll(line.c_str()) >= first) break;
    text_ += line + "\n";
  }
}

void Timing::add(std::int64_t epoch, double seconds, double samples_per_second) {
  text_ += std::to_string(epoch) + "," + rounded(seconds) + "," + rounded(samples_per_second) + "\n";
  io::write_file(file_, text_);
}

}  // namespace rheo::app::train
