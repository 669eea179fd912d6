// The parts of `rheobase train` that need no run: recipes, and what the progress looks like.
#include "app/train/recipe.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "app/exit_code.hpp"
#include "app/train/progress.hpp"

namespace {

using namespace rheo::app::train;
using rheo::app::Failure;
using rheo::app::UsageError;

TEST(Recipe, EveryFieldGoesThroughTextAndJson) {
  for (const std::string_view task : tasks()) {
    Recipe recipe = default_recipe(task, "default");
    std::set<std::string_view> names;
    for (const Field* field : fields_of(task)) {
      EXPECT_TRUE(names.insert(field->name).second) << field->name;
      // Another value than the default, so that a field that is left out shows.
      const FieldValue value = get_field(recipe, *field);
      std::string other;
      if (const auto* truth = std::get_if<bool>(&value))
        other = *truth ? "false" : "true";
      else if (std::holds_alternative<std::int64_t>(value))
        other = std::to_string(std::get<std::int64_t>(value) + 1);
      else if (std::holds_alternative<double>(value))
        other = "0.625";
      else
        other = field->choices.empty() ? "sigmoid"
                                       : std::string(field->choices.substr(field->choices.rfind('|') + 1));
      set_field_text(recipe, "--set", field->name, other);
      EXPECT_EQ(to_text(get_field(recipe, *field)), other) << field->name;
    }
    const Recipe again = recipe_from_json(to_json(recipe), "file");
    for (const Field* field : fields_of(task)) {
      EXPECT_EQ(get_field(again, *field), get_field(recipe, *field)) << field->name;
    }
    EXPECT_EQ(again.task, task);
  }
}

TEST(Recipe, TutorialIsTutorialFive) {
  const Recipe recipe = default_recipe("mnist", "tutorial");
  EXPECT_EQ(recipe.hidden, 1000);
  EXPECT_EQ(recipe.steps, 25);
  EXPECT_EQ(recipe.beta, 0.95);
  EXPECT_EQ(recipe.readout_beta, 0.95);
  EXPECT_EQ(recipe.lr, 5e-4);
  EXPECT_EQ(recipe.optimizer, "adam");
  EXPECT_EQ(recipe.schedule, "constant");
  EXPECT_EQ(recipe.loss, "ce_membrane");
  EXPECT_EQ(recipe.decision, "count");
  EXPECT_EQ(recipe.init, "linear");
  EXPECT_EQ(recipe.batch, 128);
  EXPECT_EQ(recipe.dropout, 0);
  EXPECT_EQ(recipe.shift + recipe.degrees + recipe.scale, 0);
}

TEST(Recipe, JsonThatIsNoneIsAFailure) {
  for (const char* text : {"", "[]", "{}", "{\"task\": 3}", "{\"task\": \"mnist\", \"depth\": 3}",
                           "{\"task\": \"mnist\", \"lr\": []}", "{\"task\": \"mnist\", \"lr\": \"x\"}"}) {
    EXPECT_THROW((void)recipe_from_json(text, "file"), Failure) << text;
  }
}

TEST(Recipe, FieldsThatDoNotFitEachOther) {
  Recipe recipe = default_recipe("mnist", "default");
  recipe.warm_up = recipe.epochs;
  EXPECT_THROW(check(recipe), UsageError);
  recipe.warm_up = 0;
  recipe.patience = 3;
  EXPECT_THROW(check(recipe), UsageError);
  recipe.validation = 1000;
  EXPECT_NO_THROW(check(recipe));
}

const rheo::train::Progress halfway{.epoch = 3,
                                    .epochs = 15,
                                    .batch = 16,
                                    .batches = 32,
                                    .samples = 4000,
                                    .loss = 0.4321,
                                    .accuracy = 0.846,
                                    .learning_rate = 1e-3,
                                    .samples_per_second = 12345,
                                    .seconds_left = 80};

TEST(Progress, BarFitsTheTerminal) {
  EXPECT_EQ(bar(halfway, 120),
            "epoch  3/15  [==========          ]  loss 0.4321  84.60 %  1 min 20 s left  12345 samples/s");
  for (std::size_t width = 0; width < 120; ++width) EXPECT_LE(bar(halfway, width).size(), width);
  EXPECT_EQ(bar(halfway, 40), "epoch  3/15  [==========          ]");
  rheo::train::Progress full = halfway;
  full.batch = full.batches;
  EXPECT_NE(bar(full, 120).find("[====================]"), std::string::npos);
}

TEST(Progress, LineOfAnEpoch) {
  EXPECT_EQ(
      epoch_line({.epoch = 3,
                  .learning_rate = 1e-3,
                  .train_loss = 0.4321,
                  .train_accuracy = 0.846,
                  .validation_loss = 0.5,
                  .validation_accuracy = 0.851},
                 halfway),
      "epoch  3/15  loss 0.4321  accuracy 84.60 %  validation 85.10 %  12345 samples/s  1 min 20 s left");
}

TEST(Progress, Durations) {
  EXPECT_EQ(duration(0.2), "0 s");
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(80), "1 min 20 s");
  EXPECT_EQ(duration(3 * 3600 + 5 * 60 + 9), "3 h 5 min");
  EXPECT_EQ(duration(-1), "?");
}

}  // namespace
