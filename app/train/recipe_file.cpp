// Recipes as text: JSON in checkpoints, TOML in the folder of a run.
#include "app/exit_code.hpp"
#include "app/train/recipe.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rheo::app::train {
namespace {

constexpr std::size_t comment_column = 32;

std::string quoted_text(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string choices_text(const Field& field) {
  std::string text;
  for (const char c : field.choices) text += c == '|' ? std::string(", ") : std::string(1, c);
  return text;
}

}  // namespace

std::string to_json(const Recipe& recipe) {
  nlohmann::ordered_json json;
  json["task"] = recipe.task;
  json["recipe"] = recipe.recipe;
  for (const Field* field : fields_of(recipe.task)) {
    std::visit([&](const auto& value) { json[std::string(field->name)] = value; }, get_field(recipe, *field));
  }
  return json.dump();
}

Recipe recipe_from_json(const std::string& text, std::string_view file) {
  const std::string where = quoted_text(file);
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("task") || !json["task"].is_string()) {
    throw Failure(where + " holds no recipe of rheobase train");
  }
  try {
    Recipe recipe = default_recipe(json["task"].get<std::string>(), "default");
    for (const auto& [name, value] : json.items()) {
      if (name == "task") continue;
      if (name == "recipe" && value.is_string())
        recipe.recipe = value.get<std::string>();
      else if (value.is_boolean())
        set_field(recipe, where, name, FieldValue(value.get<bool>()));
      else if (value.is_number_integer())
        set_field(recipe, where, name, FieldValue(value.get<std::int64_t>()));
      else if (value.is_number())
        set_field(recipe, where, name, FieldValue(value.get<double>()));
      else if (value.is_string())
        set_field(recipe, where, name, FieldValue(value.get<std::string>()));
      else
        throw UsageError(where + ": " + name + " is no word and no number");
    }
    return recipe;
  } catch (const UsageError& error) {
    throw Failure(std::string(error.what()) + " (the recipe in it is of another version?)");
  }
}

std::string to_toml(const Recipe& recipe) {
  std::string text =
      "task = " + quoted_text(recipe.task) + "\nrecipe = " + quoted_text(recipe.recipe) + "\n\n";
  for (const Field* field : fields_of(recipe.task)) {
    const FieldValue value = get_field(recipe, *field);
    std::string line = std::string(field->name) + " = ";
    if (std::holds_alternative<std::string>(value))
      line += quoted_text(to_text(value));
    else
      line += to_text(value);
    std::string comment(field->meaning);
    if (!field->choices.empty()) comment += (comment.empty() ? "" : ": ") + choices_text(*field);
    if (!comment.empty()) {
      line += std::string(comment_column - std::min(line.size(), comment_column - 1), ' ') + "# " + comment;
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace rheo::app::train
