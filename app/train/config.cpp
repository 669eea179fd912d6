#include "app/train/config.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "app/train/toml.hpp"
#include "rheo/core/nearest.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>

namespace rheo::app::train {
namespace {

constexpr int most_threads = 1024;
// Keys of a file that are no fields of the recipe.
constexpr std::string_view other_keys[] = {"task", "recipe", "out", "data", "device", "threads"};

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string word(const std::string& where, const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  throw UsageError(where + " must be a word in quotes, got " + to_text(value));
}

/// The words of the file where the command line says nothing.
void merge(TrainArguments& arguments, const std::vector<Setting>& settings, const std::string& file) {
  for (const auto& [key, value] : settings) {
    const std::string where = file + ": " + key;
    const auto fill = [&](std::optional<std::string>& target) {
      const std::string text = word(where, value);
      if (!target) target = text;
    };
    if (key == "recipe") fill(arguments.recipe);
    if (key == "out") fill(arguments.out);
    if (key == "data") fill(arguments.data);
    if (key == "device") fill(arguments.device);
    if (key == "threads" && !arguments.threads) {
      if (!std::holds_alternative<std::int64_t>(value)) {
        throw UsageError(where + " must be a whole number, got " + in_quotes(to_text(value)));
      }
      arguments.threads = to_text(value);
    }
    if (key != "task") continue;
    const std::string task = word(where, value);
    if (arguments.task.empty()) arguments.task = task;
    if (arguments.task != task) {
      throw UsageError(file + " is for the task " + task + ", not for " + arguments.task);
    }
  }
}

bool is_other(std::string_view key) {
  return std::find(std::begin(other_keys), std::end(other_keys), key) != std::end(other_keys);
}

/// The fields of the file; a key that is neither a field nor one of other_keys is an error.
void add_fields(const std::vector<Setting>& settings, const std::string& file, const std::string& task,
                std::vector<GivenField>& given) {
  for (const auto& [key, value] : settings) {
    if (is_other(key)) continue;
    const auto fields = fields_of(task);
    const bool known =
        std::any_of(fields.begin(), fields.end(), [&](const Field* f) { return f->name == key; });
    const std::string_view guess = known ? "" : nearest_name(key, other_keys);
    if (!guess.empty()) {
      throw UsageError(file + ": unknown field " + in_quotes(key) + "; did you mean " + std::string(guess) +
                       "?");
    }
    find_field(task, file, key);
    given.push_back({file, key, value});
  }
}

}  // namespace

void set_threads(int threads) {
  if (threads > 0) at::set_num_threads(threads);
}

int read_threads(std::string_view where, const std::string& text) {
  const std::uint64_t threads = whole_number(where, text, most_threads);
  if (threads == 0 || threads > most_threads) {
    throw UsageError(std::string(where) + " must be from 1 to " + std::to_string(most_threads) + ", got " +
                     text);
  }
  return static_cast<int>(threads);
}

void check_device(std::string_view where, const std::string& device) {
  if (device == "cpu") return;
  throw UsageError(std::string(where) + " " + in_quotes(device) + " is not there: this build runs on cpu");
}

Request read_request(const TrainArguments& typed) {
  TrainArguments arguments = typed;
  std::vector<Setting> settings;
  const std::string file = arguments.config ? "--config " + in_quotes(*arguments.config) : "";
  if (arguments.config) {
    settings = read_toml("--config", *arguments.config);
    merge(arguments, settings, file);
  }
  if (arguments.task.empty()) throw UsageError("train needs a task: randman, or mnist");

  Request request{.recipe = default_recipe(arguments.task, arguments.recipe.value_or("default"))};
  if (arguments.recipe) request.given.push_back({"--recipe", "recipe", *arguments.recipe});
  if (arguments.device) check_device("--device", *arguments.device);
  if (arguments.threads) request.threads = read_threads("--threads", *arguments.threads);
  request.out = arguments.out.value_or("runs/" + arguments.task);
  if (request.out.empty()) throw UsageError("--out must name a folder, got \"\"");
  request.data = arguments.data.value_or("");
  request.force = arguments.force;
  request.resume = arguments.resume;
  if (request.force && request.resume) {
    throw UsageError("--force begins a run anew, --resume goes on with it: give one of them");
  }
  if (arguments.data && arguments.task == "randman") {
    throw UsageError("--data is for mnist: randman makes its own data");
  }

  add_fields(settings, file, arguments.task, request.given);
  const auto add_text = [&](const std::string& where, const std::string& name, const std::string& text) {
    Recipe scratch = request.recipe;
    set_field_text(scratch, where, name, text);
    request.given.push_back({where, name, get_field(scratch, find_field(arguments.task, where, name))});
  };
  for (const auto& [option, text] : arguments.fields) {
    std::string name = option.substr(2);
    std::replace(name.begin(), name.end(), '-', '_');
    add_text(option, name, text);
  }
  for (const std::string& text : arguments.set) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) throw UsageError("--set needs FIELD=VALUE, got " + in_quotes(text));
    add_text("--set", std::string(trimmed(text.substr(0, equals))),
             std::string(trimmed(text.substr(equals + 1))));
  }

  bool readout_beta_given = false, beta_given = false;
  for (const GivenField& field : request.given) {
    if (field.name == "recipe") continue;
    set_field(request.recipe, field.where, field.name, field.value);
    readout_beta_given = readout_beta_given || field.name == "readout_beta";
    beta_given = beta_given || field.name == "beta";
  }
  if (beta_given && !readout_beta_given && arguments.task == "mnist") {
    request.recipe.readout_beta = request.recipe.beta;
    request.given.push_back({"--beta", "readout_beta", request.recipe.beta});
  }
  if (!request.resume) check(request.recipe);
  return request;
}

}  // namespace rheo::app::train
