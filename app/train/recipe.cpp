#include "app/train/recipe.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/core/nearest.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

namespace rheo::app::train {
namespace {

constexpr std::string_view known_tasks[] = {"randman", "mnist"};
constexpr std::string_view resets = "subtract|zero|none";

const Field all_fields[] = {
    {"hidden", &Recipe::hidden, "neurons of the hidden layer", "", 1, 1e6},
    {"steps", &Recipe::steps, "time steps of a sample", "", 1, 1e5},
    {"beta", &Recipe::beta,
     "decay of the membrane per step; mnist: of both layers, unless readout_beta is given", "", 0, 1},
    {"readout_beta", &Recipe::readout_beta, "decay of the output layer's membrane", "", 0, 1},
    {"threshold", &Recipe::threshold, "of the hidden layer", "", 1e-6, 1e6},
    {"readout_threshold", &Recipe::readout_threshold, "of the output layer", "", 1e-6, 1e6},
    {"learn_beta", &Recipe::learn_beta, "the decays are learned"},
    {"learn_threshold", &Recipe::learn_threshold, "the thresholds are learned"},
    {"reset", &Recipe::reset, "of the hidden layer after a spike", resets},
    {"readout_reset", &Recipe::readout_reset, "of the output layer after a spike", resets},
    {"surrogate", &Recipe::surrogate, "gradient of a spike, as atan or fast_sigmoid:slope=10"},
    {"init", &Recipe::init, "first weights: torch.nn.Linear's, or Kaiming-uniform with a = 0.3",
     "linear|kaiming"},
    {"dropout", &Recipe::dropout, "part of the hidden spikes left out while learning", "", 0, 0.99},
    {"loss", &Recipe::loss,
     "cross-entropy of: spikes per step, membrane summed over time, spike counts, highest membrane",
     "ce_rate|ce_membrane|ce_count|ce_max_membrane"},
    {"decision", &Recipe::decision, "the answer is the class with the most spikes, or membrane",
     "count|membrane|max_membrane"},
    {"epochs", &Recipe::epochs, "passes over the training samples", "", 1, 1e6},
    {"batch", &Recipe::batch, "samples of a step of the optimizer", "", 1, 1e6},
    {"optimizer", &Recipe::optimizer, "", "adam|adamw|sgd"},
    {"lr", &Recipe::lr, "learning rate", "", 0, 1e3},
    {"weight_decay", &Recipe::weight_decay, "", "", 0, 1e3},
    {"momentum", &Recipe::momentum, "of sgd", "", 0, 1},
    {"schedule", &Recipe::schedule, "of the learning rate, over all epochs",
     "constant|cosine|step|one_cycle"},
    {"warm_up", &Recipe::warm_up, "epochs in which the learning rate rises to its full size"},
    {"step_every", &Recipe::step_every, "epochs, of schedule step", "", 1},
    {"step_gamma", &Recipe::step_gamma, "factor, of schedule step", "", 0, 1},
    {"min_lr", &Recipe::min_lr, "where schedule cosine ends", "", 0, 1e3},
    {"clip_norm", &Recipe::clip_norm, "longest gradient of all parameters together; 0: any"},
    {"patience", &Recipe::patience,
     "epochs without a better validation accuracy after which learning ends; 0: all epochs"},
    {"seed", &Recipe::seed, "of first weights, order of the samples, dropout, image changes", "", 0, 9e15},
    {"validation", &Recipe::validation,
     "training images held out and scored after each epoch; the test images are then not looked at", "", 0,
     59999, "mnist"},
    {"shift", &Recipe::shift, "training images are moved by up to so many pixels", "", 0, 28, "mnist"},
    {"degrees", &Recipe::degrees, "training images are turned by up to so many degrees", "", 0, 180, "mnist"},
    {"scale", &Recipe::scale, "training images are scaled by up to this part, as 0.1", "", 0, 0.9, "mnist"},
    {"alpha", &Recipe::alpha, "smoothness of the manifolds; 1 is hard", "", 0.01, 100, "randman"},
    {"classes", &Recipe::classes, "", "", 2, 1e4, "randman"},
    {"units", &Recipe::units, "input units", "", 1, 1e6, "randman"},
    {"dimensions", &Recipe::dimensions, "of a manifold", "", 1, 100, "randman"},
    {"spikes", &Recipe::spikes, "of each unit in each sample", "", 1, 1000, "randman"},
    {"samples", &Recipe::samples, "of each class: 8 of 10 to learn, 1 to validate, 1 to test", "", 10, 1e7,
     "randman"},
    {"step_fraction", &Recipe::step_fraction, "spikes fall into this part of the steps", "", 1e-3, 1,
     "randman"},
    {"spectrum", &Recipe::spectrum, "of the manifolds, as the public generators have it", "numpy|torch", 0, 0,
     "randman"},
    {"data_seed", &Recipe::data_seed, "of the manifolds and their samples", "", 0, 9e15, "randman"},
};

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string did_you_mean(std::string_view guess, std::string_view otherwise) {
  return guess.empty() ? std::string(otherwise) : "; did you mean " + std::string(guess) + "?";
}

std::string listed(std::string_view choices) {
  std::string text;
  for (const std::string_view choice : split(choices, '|'))
    text += (text.empty() ? "" : ", ") + std::string(choice);
  return text;
}

/// The shortest text that reads back as the same number.
std::string shortest_double(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

FieldValue read_as(const Field& field, const std::string& what, std::string_view text) {
  return std::visit(
      [&](auto member) -> FieldValue {
        using Type = std::remove_reference_t<decltype(std::declval<Recipe&>().*member)>;
        if constexpr (std::is_same_v<Type, std::string>) {
          return std::string(text);
        } else if constexpr (std::is_same_v<Type, bool>) {
          if (text == "true") return true;
          if (text == "false") return false;
          throw UsageError(what + " must be true or false, got " + in_quotes(text));
        } else if constexpr (std::is_same_v<Type, std::int64_t>) {
          return static_cast<std::int64_t>(whole_number(what, text, 1ULL << 62));
        } else {
          return number(what, text);
        }
      },
      field.member);
}

void check_range(const Field& field, const std::string& what, double value) {
  if (value >= field.low && value <= field.high) return;
  throw UsageError(what + " must be from " + shortest_double(field.low) + " to " +
                   shortest_double(field.high) + ", got " + shortest_double(value));
}

void check_choice(const Field& field, const std::string& what, const std::string& value) {
  if (field.choices.empty()) return;
  const auto choices = split(field.choices, '|');
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw UsageError(what + " must be one of " + listed(field.choices) + ", got " + in_quotes(value) +
                   did_you_mean(nearest_name(value, choices), ""));
}

const char* kind_of(const FieldValue& value) {
  constexpr const char* names[] = {"a word", "a whole number", "a number", "true or false"};
  return names[value.index()];
}

Recipe randman() {
  Recipe recipe;
  recipe.task = "randman";
  recipe.readout_beta = 0.98;
  recipe.readout_reset = "none";
  recipe.init = "kaiming";
  recipe.loss = "ce_max_membrane";
  recipe.decision = "max_membrane";
  recipe.epochs = 20;
  recipe.batch = 250;
  recipe.lr = 5e-3;
  recipe.schedule = "cosine";
  return recipe;
}

/// snnTorch's tutorial 5.
Recipe mnist_tutorial() {
  Recipe recipe;
  recipe.task = "mnist";
  recipe.recipe = "tutorial";
  recipe.hidden = 1000;
  recipe.steps = 25;
  recipe.epochs = 5;
  return recipe;
}

/// The same net, but the output never resets and answers with its membrane, the rate is larger and falls, and training
/// images are moved a little. Chosen on 1,000 of the 9,000 training images; benchmarks/README.md has the figures.
Recipe mnist() {
  Recipe recipe = mnist_tutorial();
  recipe.recipe = "default";
  recipe.epochs = 10;
  recipe.readout_reset = "none";
  recipe.decision = "membrane";
  recipe.lr = 2e-3;
  recipe.schedule = "cosine";
  recipe.degrees = 10;
  recipe.scale = 0.1;
  recipe.shift = 1.5;
  return recipe;
}

}  // namespace

std::span<const std::string_view> tasks() { return known_tasks; }

std::vector<const Field*> fields_of(std::string_view task) {
  std::vector<const Field*> list;
  for (const Field& field : all_fields) {
    if (field.task.empty() || field.task == task) list.push_back(&field);
  }
  return list;
}

Recipe default_recipe(std::string_view task, std::string_view name) {
  if (task != "randman" && task != "mnist") {
    throw UsageError("unknown task " + in_quotes(task) +
                     did_you_mean(nearest_name(task, known_tasks), ": there are randman and mnist"));
  }
  Recipe recipe = task == "randman" ? randman() : mnist();
  if (name == "default") return recipe;
  if (name == "tutorial" && task == "mnist") return mnist_tutorial();
  const auto names = task == "mnist" ? std::vector<std::string_view>{"default", "tutorial"}
                                     : std::vector<std::string_view>{"default"};
  throw UsageError("unknown recipe " + in_quotes(name) + " of " + std::string(task) +
                   did_you_mean(nearest_name(name, names),
                                task == "mnist" ? ": there are default and tutorial" : ": there is default"));
}

const Field& find_field(std::string_view task, std::string_view where, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Field* field : fields_of(task)) {
    if (field->name == name) return *field;
    names.push_back(field->name);
  }
  for (const Field& field : all_fields) {
    if (field.name == name) {
      throw UsageError(std::string(where) + ": " + in_quotes(name) + " belongs to the task " +
                       std::string(field.task) + ", not to " + std::string(task));
    }
  }
  throw UsageError(std::string(where) + ": unknown field " + in_quotes(name) + " of " + std::string(task) +
                   did_you_mean(nearest_name(name, names), "; rheobase train --fields lists them"));
}

void set_field_text(Recipe& recipe, std::string_view where, std::string_view name, std::string_view text) {
  const Field& field = find_field(recipe.task, where, name);
  const std::string what =
      std::string(where).ends_with(name) ? std::string(where) : std::string(where) + " " + std::string(name);
  set_field(recipe, where, name, read_as(field, what, text));
}

void set_field(Recipe& recipe, std::string_view where, std::string_view name, const FieldValue& value) {
  const Field& field = find_field(recipe.task, where, name);
  const std::string what =
      std::string(where).ends_with(name) ? std::string(where) : std::string(where) + " " + std::string(name);
  std::visit(
      [&](auto member) {
        using Type = std::remove_reference_t<decltype(recipe.*member)>;
        if (const Type* same = std::get_if<Type>(&value)) {
          if constexpr (std::is_same_v<Type, std::string>) check_choice(field, what, *same);
          if constexpr (std::is_same_v<Type, std::int64_t>)
            check_range(field, what, static_cast<double>(*same));
          if constexpr (std::is_same_v<Type, double>) check_range(field, what, *same);
          recipe.*member = *same;
          return;
        }
        if constexpr (std::is_same_v<Type, double>) {
          if (const auto* whole = std::get_if<std::int64_t>(&value)) {
            check_range(field, what, static_cast<double>(*whole));
            recipe.*member = static_cast<double>(*whole);
            return;
          }
        }
        throw UsageError(
            what + " must be " + kind_of(FieldValue(Type{})) + ", got " +
            (std::holds_alternative<std::string>(value) ? in_quotes(to_text(value)) : to_text(value)));
      },
      field.member);
}

FieldValue get_field(const Recipe& recipe, const Field& field) {
  return std::visit([&](auto member) -> FieldValue { return recipe.*member; }, field.member);
}

std::string to_text(const FieldValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using Type = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<Type, std::string>) return v;
        if constexpr (std::is_same_v<Type, bool>) return v ? "true" : "false";
        if constexpr (std::is_same_v<Type, std::int64_t>) return std::to_string(v);
        if constexpr (std::is_same_v<Type, double>) return shortest_double(v);
      },
      value);
}

void check(const Recipe& recipe) {
  if (recipe.warm_up >= recipe.epochs && recipe.warm_up > 0) {
    throw UsageError("warm_up must be less than the " + std::to_string(recipe.epochs) + " epochs, got " +
                     std::to_string(recipe.warm_up));
  }
  if (recipe.patience > 0 && recipe.task == "mnist" && recipe.validation == 0) {
    throw UsageError("patience needs validation images; see --validation");
  }
}

}  // namespace rheo::app::train
