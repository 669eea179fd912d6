// All that decides what a training run computes, as named fields: kept in the checkpoint, read from a file, set
// by options.
//   Recipe recipe = default_recipe("mnist", "tutorial");
//   set_field_text(recipe, "--set", "lr", "1e-3");
//   to_json(recipe)   // in the checkpoint; recipe_from_json reads it back
// To add a field: a member here, a line in the list of recipe.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rheo::app::train {

struct Recipe {
  std::string task;                // randman, mnist
  std::string recipe = "default";  // what the fields started from

  // the network
  std::int64_t hidden = 128;
  std::int64_t steps = 100;
  double beta = 0.95, readout_beta = 0.95;
  double threshold = 1, readout_threshold = 1;
  bool learn_beta = false, learn_threshold = false;
  std::string reset = "subtract", readout_reset = "subtract";
  std::string surrogate = "atan";
  std::string init = "linear";
  double dropout = 0;

  // the learning
  std::string loss = "ce_membrane", decision = "count";
  std::int64_t epochs = 10, batch = 128;
  std::string optimizer = "adam";
  double lr = 5e-4, weight_decay = 0, momentum = 0;
  std::string schedule = "constant";
  std::int64_t warm_up = 0, step_every = 10;
  double step_gamma = 0.1, min_lr = 0, clip_norm = 0;
  std::int64_t patience = 0;
  std::int64_t seed = 0;

  // the data
  std::int64_t validation = 0;
  double shift = 0, degrees = 0, scale = 0;
  double alpha = 2;
  std::int64_t classes = 10, units = 20, dimensions = 1, spikes = 1, samples = 1000;
  double step_fraction = 0.5;
  std::string spectrum = "numpy";
  std::int64_t data_seed = 0;
};

using FieldValue = std::variant<std::string, std::int64_t, double, bool>;

struct Field {
  using Member =
      std::variant<std::string Recipe::*, std::int64_t Recipe::*, double Recipe::*, bool Recipe::*>;

  std::string_view name;
  Member member;
  std::string_view meaning;
  std::string_view choices = "";  // of a word: "adam|adamw|sgd"; any where empty
  double low = 0, high = 1e9;     // of a number
  std::string_view task = "";     // has no meaning for other tasks
};

std::span<const std::string_view> tasks();
/// Those of the task, in the order in which they are shown.
std::vector<const Field*> fields_of(std::string_view task);

/// UsageError, with the nearest name, for a task or a recipe that there is not.
Recipe default_recipe(std::string_view task, std::string_view recipe);

/// UsageError naming `where`, the nearest field, or what the field may be.
const Field& find_field(std::string_view task, std::string_view where, std::string_view name);
void set_field_text(Recipe& recipe, std::string_view where, std::string_view name, std::string_view text);
void set_field(Recipe& recipe, std::string_view where, std::string_view name, const FieldValue& value);
FieldValue get_field(const Recipe& recipe, const Field& field);
/// "0.001", "adam", "true"
std::string to_text(const FieldValue& value);

/// UsageError for fields that do not fit each other.
void check(const Recipe& recipe);

std::string to_json(const Recipe& recipe);
/// Failure naming `file` where the text is no recipe, or has a field that this version does not know.
Recipe recipe_from_json(const std::string& text, std::string_view file);
/// With each field's meaning; reading it with --config gives the same recipe.
std::string to_toml(const Recipe& recipe);

}  // namespace rheo::app::train
